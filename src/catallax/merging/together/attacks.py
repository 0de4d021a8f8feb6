"""What members do that lie about their update: (update [numbers], key) -> what they send in its place.

    flip     -5 times the update: away from where the others go
    noise    normal numbers, ten times as long as the update
    huge     the update, a million times
    nan      no numbers at all

A liar knows its own update and what it heard, as any member does, and nothing of the others' (locality).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import BadInput


def flip(update: Any, key: Any) -> Any:
    """Away from where the others go."""
    return -5 * update


def noise(update: Any, key: Any) -> Any:
    """Ten times as long as the update, anywhere."""
    drawn = jax.random.normal(key, update.shape, update.dtype)
    return drawn * (10 * jnp.linalg.norm(update) / jnp.linalg.norm(drawn))


def huge(update: Any, key: Any) -> Any:
    """A million times as far."""
    return 1e6 * update


def nan(update: Any, key: Any) -> Any:
    """No numbers."""
    return jnp.full_like(update, jnp.nan)


ATTACKS: dict[str, Callable] = {"flip": flip, "noise": noise, "huge": huge, "nan": nan}


def liars(given: Any, members: int) -> dict[int, Callable]:
    """Which members lie, and how: {member: a name of `ATTACKS` or a function}, or a share of members, the last ones, who flip.

    Raises `BadInput`.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        number = isinstance(given, (int, float)) and not isinstance(given, bool)
        if not number or not 0 <= given < 1:
            raise BadInput(
                f"byzantine is {given!r}: give {{member: attack}}, or the share of members that lie, below 1"
            )
        given = dict.fromkeys(range(members - round(given * members), members), "flip")
    for member, attack in given.items():
        whole = isinstance(member, (int, np.integer)) and not isinstance(member, bool)
        if not whole or not 0 <= member < members:
            raise BadInput(f"byzantine names member {member!r}: members are 0 to {members - 1}")
        if not callable(attack) and attack not in ATTACKS:
            raise BadInput(f"byzantine[{member}] is {attack!r}: give one of {', '.join(ATTACKS)}, or a function")
    return {int(i): ATTACKS[how] if isinstance(how, str) else how for i, how in given.items()}
