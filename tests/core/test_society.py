"""Populations, ids, and the arrays a society is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.core.society import Society, as_arrays, ids_of, is_row, populations, size
from tests.core import societies as so


def test_rows_are_what_is_stacked():
    assert is_row(jnp.zeros(3)) and is_row(np.zeros((3, 2)))
    assert not is_row(jnp.float32(1)) and not is_row(2.0) and not is_row(jnp.tanh)


def test_size_is_that_of_the_leading_axis():
    assert size(so.flock(5).agents) == 5
    assert [size(x) for x in populations(so.market(3, 4).agents)] == [3, 4]


def test_fields_that_disagree_are_refused():
    with pytest.raises(BadInput, match=r"disagree on the number of agents: \[3, 4\]"):
        size({"a": jnp.zeros(3), "b": jnp.zeros((4, 3))})
    with pytest.raises(BadInput, match="at least one field with the leading axis 'agents'"):
        size({"a": jnp.float32(3)})


def test_numpy_and_numbers_become_arrays_that_stay_as_they_are():
    tree = as_arrays({"a": np.arange(3), "b": 2, "c": jnp.ones(2), "d": jnp.tanh, "e": jax.random.key(0)})
    assert isinstance(tree["a"], jax.Array) and not tree["b"].weak_type and tree["d"] is jnp.tanh
    assert jnp.issubdtype(tree["e"].dtype, jax.dtypes.prng_key)


def test_ids_default_to_places():
    first, second = ids_of(so.market(3, 4))
    assert first.tolist() == [0, 1, 2] and second.tolist() == [0, 1, 2, 3]
    assert first.dtype == jnp.uint32


def test_ids_are_those_given():
    flock = so.flock(3)
    society = as_arrays(Society(flock.agents, flock.signal, [7, 2**32 - 1, 0]))
    assert ids_of(society)[0].tolist() == [7, 2**32 - 1, 0]
    two = so.market(2, 1)
    society = as_arrays(Society(two.agents, two.signal, (np.array([5, 6]), np.array([5]))))
    assert [x.tolist() for x in ids_of(society)] == [[5, 6], [5]]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([0, 1], r"Society\.ids is int64\[2\]: give a whole number for each of 3 agents"),
        ([0.0, 1.0, 2.0], "whole number for each of 3"),
        ([1, 1, 2], "distinct whole numbers from 0 to"),
        ([-1, 1, 2], "distinct whole numbers from 0 to"),
        ([2**32, 1, 2], "distinct whole numbers from 0 to"),
    ],
)
def test_ids_that_are_none_are_refused(ids, said):
    flock = so.flock(3)
    with pytest.raises(BadInput, match=said):
        as_arrays(Society(flock.agents, flock.signal, ids))


def test_ids_of_several_populations_come_in_a_tuple():
    two = so.market(2, 1)
    with pytest.raises(BadInput, match="a tuple of 2 arrays"):
        as_arrays(Society(two.agents, two.signal, np.arange(3)))
    with pytest.raises(BadInput, match=r"Society\.ids\[1\]"):
        as_arrays(Society(two.agents, two.signal, (np.arange(2), np.arange(2))))
