"""What is given to a router, checked: models, costs, capacities, caps. Every refusal is a sentence."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.exchange import Rules
from catallax.merging.members.local import as_member
from catallax.merging.members.member import Member

Array = np.ndarray
RANGES = (
    ("worth", 1e-12, 1e12),
    ("batch", 1, 1e9),
    ("allowance", 1, 1e9),
    ("memory", 0, 1),
    ("boldness", 0, 1e3),
    ("patience", 1, 1e9),
)


def members_of(models: Any) -> tuple[list[str], list[Member]]:
    """Names and members. Raises `BadInput`."""
    given = list(models.items()) if isinstance(models, Mapping) else models
    pairs = isinstance(given, (list, tuple)) and all(isinstance(one, tuple) and len(one) == 2 for one in given)
    if not pairs or not given:
        raise BadInput("models must be a list of (name, model), or a mapping, at least one of them")
    names = [str(name) for name, _ in given]
    if len(set(names)) < len(names):
        raise BadInput(f"names of models must differ, and are {', '.join(names)}")
    return names, [as_member(name, model) for name, (_, model) in zip(names, given)]


def rules_of(router: Any, names: list[str]) -> Rules:
    """The settings of a `Router`. Raises `BadInput`."""
    for field, low, high in RANGES:
        value = getattr(router, field)
        if not (isinstance(value, (int, float, np.number)) and low <= value <= high):
            raise BadInput(f"{field} must lie in [{low:g}, {high:g}], not {value!r}")
    if router.told not in ("won", "all"):
        raise BadInput(f"told must be 'won' or 'all', not {router.told!r}")
    if router.deadline is not None and not router.deadline > 0:
        raise BadInput(f"deadline is {router.deadline!r}: give seconds above 0, or None")
    costs = _each("costs", 0.0 if router.costs is None else router.costs, names, 0.0, np.inf)
    vetoed = _named("veto", router.veto, names)
    if vetoed.all():
        raise BadInput("veto names all members: at least one must take part")
    return Rules(
        costs=costs,
        capacity=_each("capacity", 1.0 if router.capacity is None else router.capacity, names, 0.0, 1.0),
        most=_most(router.max_influence, int((~vetoed).sum())),
        looks=costs == 0 if router.looks is None else _named("looks", router.looks, names),
        vetoed=vetoed,
        worth=float(router.worth),
        told=router.told,
        judge=_equal if router.judge is None else _in_range(router.judge),
        batch=int(router.batch),
        allowance=float(router.allowance),
        memory=float(router.memory),
        boldness=float(router.boldness),
        deadline=np.inf if router.deadline is None else float(router.deadline),
        patience=int(router.patience),
        shuffle=bool(router.shuffle_payments),
    )


def _most(value: Any, members: int) -> float:
    if value is None:
        return 1.0
    if not (isinstance(value, (int, float, np.number)) and 1 / members - 1e-12 <= value <= 1):
        raise BadInput(
            f"max_influence is {value!r} and {members} members take part: shares add up to 1, so give a number in "
            f"[{1 / members:.4g}, 1]"
        )
    return float(value)


def _equal(answer: Array, y: Array) -> Array:
    return np.array([bool(a == b) for a, b in zip(answer.tolist(), y.tolist())], float)


def _in_range(judge: Callable[[Array, Array], Any]) -> Callable[[Array, Array], Array]:
    def checked(answer: Array, y: Array) -> Array:
        found = np.asarray(judge(answer, y), np.float64)
        if found.shape != y.shape or not ((found >= 0) & (found <= 1)).all():
            raise BadInput("judge must give one number in [0, 1] for each answer")
        return found

    return checked


def _each(field: str, value: Any, names: list[str], low: float, high: float) -> Array:
    """One number a member, from one for all, one each, or by name."""
    if isinstance(value, Mapping):
        missing = [name for name in names if name not in value]
        if missing or len(value) != len(names):
            raise BadInput(
                f"{field} must name every member, {', '.join(names)}, and names {', '.join(map(str, value))}"
            )
        value = [value[name] for name in names]
    given = np.asarray(value, np.float64)
    if given.shape not in ((), (len(names),)) or not ((given >= low) & (given <= high) & np.isfinite(given)).all():
        raise BadInput(
            f"{field} must be in [{low:g}, {high:g}], one number or one for each of {len(names)} members: {value!r}"
        )
    return np.array(np.broadcast_to(given, (len(names),)))


def _named(field: str, value: Any, names: list[str]) -> Array:
    """Which members are meant, from names, or true or false for all."""
    if isinstance(value, (bool, np.bool_)):
        return np.full(len(names), bool(value))
    wanted = [value] if isinstance(value, str) else list(value)
    wrong = [one for one in wanted if one not in names]
    if wrong:
        raise BadInput(f"{field} names {wrong[0]!r}, and members are {', '.join(names)}")
    return np.array([name in wanted for name in names])
