"""The law of summaries: listen(A + B) = merge(listen(A), listen(B)), whatever the kind."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.core.signal import Signal, join, kinds, merge_parts, neutral


class Plain(Signal):
    level: float = 0.0

    def propagate(self, summary):
        return self


def signal(merge):
    class Made(Plain):
        pass

    Made.merge = merge
    return Made()


ACTIONS = {
    "sum": np.array([0.5, -2.0, 4.0, 0.25], np.float32),
    "count": np.array([3, 0, -1, 7], np.int32),
    "max": np.array([-3.0, -1.5, -7.0, -2.0], np.float32),
    "min": np.array([3, 9, 4, 2], np.int32),
    "rows": np.arange(8.0, dtype=np.float32).reshape(4, 2),
}
MAPPED = signal({kind: kind for kind in ACTIONS})


def equal(one, other):
    return jax.tree.all(jax.tree.map(lambda a, b: a.dtype == b.dtype and bool((a == b).all()), one, other))


@pytest.mark.parametrize("cut", [0, 1, 4])
def test_two_parts_merge_to_the_whole(cut):
    actions = {kind: jnp.asarray(x) for kind, x in ACTIONS.items()}
    first, last = ({k: x[:cut] for k, x in actions.items()}, {k: x[cut:] for k, x in actions.items()})
    assert equal(join(MAPPED, MAPPED.listen(first), MAPPED.listen(last)), MAPPED.listen(actions))


def test_default_listen_goes_by_kind():
    heard = MAPPED.listen({kind: jnp.asarray(x) for kind, x in ACTIONS.items()})
    assert [float(heard[k]) for k in ("sum", "count", "max", "min")] == [2.75, 9, -1.5, 2]
    np.testing.assert_array_equal(heard["rows"], ACTIONS["rows"])


def test_hearing_one_more_is_merging_it():
    actions = {kind: jnp.asarray(x) for kind, x in ACTIONS.items()}
    but_last = {k: x[:-1] for k, x in actions.items()}
    heard = MAPPED.hear(MAPPED.listen(but_last), {k: x[-1] for k, x in actions.items()})
    assert equal(heard, MAPPED.listen(actions))


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "bool"])
@pytest.mark.parametrize("kind", ["sum", "max", "min"])
def test_nobody_adds_nothing(kind, dtype):
    made, actions = signal(kind), jnp.asarray(np.array([0, 3, 1]) if dtype != "bool" else [False, True], dtype)
    heard = made.listen(actions)
    assert equal(join(made, neutral(made, heard), heard), heard)
    assert equal(made.listen(actions[:0]), neutral(made, heard))


def test_parts_keep_a_short_type():
    parts = jnp.asarray([[200], [50]], jnp.uint8)
    assert merge_parts("sum", parts).dtype == jnp.uint8


def test_bools_are_counted_in_whole_numbers():
    heard = signal("count").listen(jnp.ones(300, bool))
    assert heard.dtype == jnp.int32 and heard == 300


def test_several_populations_are_heard_each():
    heard = signal("sum").listen((jnp.ones(3), jnp.ones(5)))
    assert [float(x) for x in heard] == [3, 5]


@pytest.mark.parametrize("merge", ["mean", {"other": "sum"}, {"a": "mean"}])
def test_a_merge_that_is_none_names_the_field(merge):
    with pytest.raises(BadInput, match=r"Made\.merge has .* for a: give one of sum, count, max, min, rows"):
        kinds(signal(merge), {"a": jnp.zeros(2)})


def test_only_whole_numbers_are_counted():
    with pytest.raises(BadInput, match="counts a, which is of float32"):
        kinds(signal("count"), {"a": jnp.zeros(2)})


def test_fields_are_found_by_name_in_modules_and_tuples():
    class Summary(eqx.Module):
        low: jax.Array
        high: jax.Array

    made = signal({"low": "min", "high": "max"})
    assert kinds(made, Summary(jnp.zeros(2), jnp.zeros(2))) == ["min", "max"]
    assert kinds(made, ({"high": jnp.zeros(1)}, {"low": jnp.zeros(1)})) == ["max", "min"]


def test_defaults_say_nothing_that_is_not_so():
    made = Plain(3.0)
    assert made.public() is made and made.local(None) is None and made.span() is None
    assert made.unrest(jnp.zeros(())) == np.inf
    assert isinstance(Plain.merge, str) and Signal.__abstractmethods__ == {"propagate"}


class Narrow(Plain):
    merge: ClassVar[str] = "max"


def test_random_summaries_merge_in_any_grouping():
    parts = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
    made = Narrow()
    left = join(made, join(made, parts[0], parts[1]), parts[2])
    right = join(made, parts[0], join(made, parts[1], parts[2]))
    assert equal(left, right) and equal(left, merge_parts("max", parts[:3]))
