"""The same problem has the same fingerprint in every process, another problem another."""

import enum
import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core import fingerprint as module
from catallax.core.errors import Refused
from catallax.core.fingerprint import describe, fingerprint, host_split


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


@dataclass(frozen=True)
class Plain:
    size: int
    values: Any = None


class Box(eqx.Module):
    inside: Any


class Sealed(eqx.Module):
    inside: Any = eqx.field(static=True)


def power(exponent):
    return lambda x: x**exponent


def recursive():
    def count(n):
        return 0 if n == 0 else count(n - 1)

    return count


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (jnp.zeros(3), jnp.zeros(4)),
        (jnp.zeros(3), jnp.zeros(3, jnp.int32)),
        (jax.random.key(0), jax.random.key(0, impl="rbg")),
        (Box(jnp.zeros(3)), Sealed(1)),
        (Sealed("posts"), Sealed("auction")),
        (Sealed(1), Sealed(1.0)),
        (Sealed(None), Sealed(0)),
        (Sealed({"a": 1}), Sealed({"b": 1})),
        (Sealed({"a", "b"}), Sealed({"a", "c"})),
        (Sealed(Colour.RED), Sealed(Colour.GREEN)),
        (Sealed(Plain(1)), Sealed(Plain(2))),
        (Plain(1, np.zeros(2)), Plain(1, np.ones(2))),
        (Sealed(np.dtype("f4")), Sealed(np.dtype("f8"))),
        (Sealed(jnp.float32), Sealed(jnp.int32)),
        (Sealed(np.sin), Sealed(np.cos)),
        (Sealed(jnp.sin), Sealed(jnp.cos)),
        (Sealed(power(2)), Sealed(power(3))),
        (Sealed(power(np.zeros(2))), Sealed(power(np.ones(2)))),
        (Sealed(jax.jit(power(2))), Sealed(jax.jit(power(3)))),
        (Sealed(functools.partial(power, 2)), Sealed(functools.partial(power, 3))),
        (Sealed(Plain(2).__eq__), Sealed(Plain(3).__eq__)),
        ((1, 2), (1, 2, 3)),
    ],
)
def test_what_differs_is_told_apart(one, other):
    assert fingerprint(one, "") != fingerprint(other, "")
    assert fingerprint(one, "") == fingerprint(one, "")


def test_what_does_not_count():
    assert fingerprint(Box(jnp.zeros(3)), "") == fingerprint(Box(jnp.ones(3)), "")  # state moves
    assert fingerprint(Sealed(power(2)), "") == fingerprint(Sealed(power(2)), "")  # another object of the same kind
    assert fingerprint(Sealed(object()), "") == fingerprint(Sealed(object()), "")
    assert fingerprint(Sealed(recursive()), "") == fingerprint(Sealed(recursive()), "")
    assert fingerprint(Box(1), "facts") != fingerprint(Box(1), "other facts")


def test_no_address():
    text = repr(describe([Sealed(power(object())), Sealed(jax.jit(power(2))), Sealed(recursive()), jax.nn.relu]))
    assert "0x" not in text


PROCESS = """
import equinox as eqx, jax
from catallax.core.channel import Channel
from catallax.core.facts import anatomy
from catallax.core.fingerprint import fingerprint, mark_of
from catallax.core.random import key
from catallax.core.round import Setting, begin, exact_knobs
from catallax.core.society import as_arrays
from catallax.economy import Exchange

state = begin(as_arrays(Exchange.example().society()), Setting(), exact_knobs(), key(0))
form = anatomy(state, Setting())
names = {"b", "a", "d", "c", frozenset({"x", "y"})}
print(mark_of(form, *form.split(state)), fingerprint((eqx.nn.Lambda(jax.nn.relu), {"n": lambda x: x}), ""))
class Static(eqx.Module):
    names: set = eqx.field(static=True)
print(fingerprint(Static(names), ""))
"""


def test_the_same_in_every_process(capsys):
    environment = os.environ | {"PYTHONPATH": str(Path(module.__file__).parents[2]), "PYTHONHASHSEED": "1"}
    other = subprocess.run(
        [sys.executable, "-c", PROCESS], env=environment, capture_output=True, text=True, check=True
    ).stdout
    exec(PROCESS, {"__name__": "__main__"})
    assert capsys.readouterr().out == other
    assert len(other.split()) > 3


def test_hosts_hold_arrays_numbers_and_names():
    society = Box((np.zeros(2), 3, True, "name", Colour.RED, power(2), jax.random.key(0)))
    leaves, rest = host_split(society)
    assert len(leaves) == 4 and rest.inside[3] == "name"
    with pytest.raises(Refused, match=r"Box\.inside\[1\] is a set, and a checkpoint holds arrays and numbers alone"):
        host_split(Box((1, {1})))
