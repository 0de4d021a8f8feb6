"""Names of teaching signals: each makes its teaching, and what is told in silence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.networks.chain import Chain
from catallax.networks.kinds import KINDS, kind_of, optimiser_of
from catallax.networks.layers import Dense
from catallax.networks.teaching.silence import Silence
from catallax.signals.teaching import Batch, Teaching, Wire


@pytest.mark.parametrize("name", KINDS)
def test_every_name_makes_a_teaching_of_dense_layers(name):
    kind = kind_of(name)
    teaching = kind.make()
    assert isinstance(teaching, Teaching) and isinstance(teaching.alone, bool)
    chain = Chain([Dense(4, 3, kind.activation), Dense(3, 2)], teaching)
    assert chain(jnp.ones((5, 4))).shape == (5, 2)
    assert kind.sentence and not kind.sentence.endswith(".")


def test_a_name_that_is_none():
    with pytest.raises(BadInput, match="did you mean backpropagation"):
        kind_of("backprop agation")
    with pytest.raises(BadInput, match="there are backpropagation, feedback-alignment"):
        kind_of("zzz")


def test_optimisers_are_made_once():
    assert optimiser_of("adam", 1e-3) is optimiser_of("adam", 1e-3)
    with pytest.raises(BadInput, match="no optimiser 'lion'"):
        optimiser_of("lion", 1e-3)
    with pytest.raises(BadInput, match="rate is -1"):
        optimiser_of("adam", -1.0)


def test_rates_fall_from_layer_to_layer_where_the_kind_says_so():
    kind = kind_of("equilibrium-propagation")
    rates = [kind.rate / kind.falls**number for number in range(3)]
    assert rates[0] > rates[1] > rates[2]
    assert kind.descent(3) == [optimiser_of("adam", rate) for rate in rates]
    assert kind_of("predsim").descent(2, "sgd", 0.5) == [optimiser_of("sgd", 0.5)] * 2


def test_in_silence_the_last_layer_learns_and_no_other():
    chain = Chain([Dense(4, 5), Dense(5, 5), Dense(5, 3)], Silence())
    x, label = jax.random.normal(jax.random.key(1), (7, 4)), jnp.arange(7) % 3
    wire = Wire()
    taught = chain.teaching.teach(chain.parts, Batch(x, label, chain.loss, jax.random.key(0)), wire)
    assert [gradient.layer for gradient in taught.gradients[:2]] == [None, None]
    assert wire.told == {2: pytest.approx(np.log2(3))}
    h = np.asarray(chain.layers[1](chain.layers[0](x)), float)
    score = np.asarray(chain(x), float)
    p = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    error = (p - np.eye(3)[np.asarray(label)]) / 7
    np.testing.assert_allclose(taught.gradients[2].layer.weight, error.T @ h, atol=1e-5)
    np.testing.assert_allclose(taught.loss, -np.log(p[np.arange(7), label]).mean(), rtol=1e-5)
