"""The training loop: it is `run`, so it can be stopped, looked at, resumed; what it learns from is checked first."""

import equinox as eqx
import jax
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.checkpoint import resume
from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.core.run import run
from catallax.networks.training import enrolled


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:600]
    return X[rows] / 16, y[rows]


@pytest.fixture(scope="module")
def chain():
    return networks.Chain([networks.Dense(64, 32, dropout=0.1), networks.Dense(32, 10)], seed=1)


def weights(outcome):
    return [np.asarray(x) for x in jax.tree.leaves(outcome.society.parts)]


def school(chain, digits, validation=None):
    return enrolled(chain, *digits, 50, optax.adam(3e-3), validation, None)


def test_it_learns_and_the_given_chain_stays_as_it_was(chain, digits):
    X, y = digits
    before = np.asarray(chain.layers[0].weight).copy()
    outcome = networks.train(
        chain, X[:500], y[:500], 30, batch=50, optimiser=optax.adam(3e-3), validation=(X[500:], y[500:])
    )
    mistakes = outcome.record["mistakes"][1:]
    assert outcome.status == "done" and len(mistakes) == 30 and outcome.rounds == 300
    assert mistakes.min() < 0.15 < mistakes[0]
    found = np.mean(np.argmax(outcome.chain(X[500:].astype(np.float32)), axis=1) != y[500:])
    assert found == pytest.approx(mistakes.min())  # the best of all epochs is returned
    np.testing.assert_array_equal(before, chain.layers[0].weight)


def test_steps_are_the_same_in_chunks_of_any_size(chain, digits):
    whole = run(school(chain, digits), 30, seed=5)
    society = school(chain, digits)
    for start, stop in ((0, 7), (7, 8), (8, 25), (25, 30)):
        society, _ = society.advance(start, stop, 5)
    for one, other in zip(weights(whole), jax.tree.leaves(society.parts), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_goes_on_bit_for_bit(chain, digits, tmp_path):
    whole = run(school(chain, digits), 2000, seed=5)
    folder = tmp_path / "run"
    stopped = run(school(chain, digits), 2000, seed=5, checkpoint=folder, look=lambda frame: frame.round >= 9)
    assert 9 <= stopped.rounds < 2000
    rest = resume(school(chain, digits), folder)
    assert rest.rounds == 2000 and rest.digest() == whole.digest()
    assert (folder / "state.npz").stat().st_size < 200_000  # rows are facts: not in it


def test_another_seed_draws_other_batches(chain, digits):
    one, other = (run(school(chain, digits), 3, seed=s) for s in (1, 2))
    assert any((a != b).any() for a, b in zip(weights(one), weights(other), strict=True))


def test_it_stops_where_nothing_gets_better(chain, digits):
    X, y = digits
    rate = optax.sgd(0.0)
    outcome = networks.train(chain, X, y, 50, optimiser=rate, validation=(X[:99], y[:99]), patience=3)
    assert outcome.status == "stopped"
    assert len(outcome.record["mistakes"]) < 20


def test_numbers_that_cease_to_be_numbers_are_said(chain, digits):
    X, y = digits
    wild = [optax.sgd(float("inf")), optax.sgd(0.0)]
    outcome = networks.train(chain, X, y, 3, optimiser=wild)
    assert outcome.status is Status.BROKEN
    assert "layer 0 held NaN first" in outcome.notes[-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.full((3, 64), np.nan)}, "row 0 of X holds NaN"),
        ({"X": np.ones((3, 5))}, r"rows of X have the shape \[5\]"),
        ({"X": np.ones((0, 64)), "y": np.ones(0, int)}, "X has no rows"),
        ({"y": np.array([0, 10, 1])}, "label of row 1 is 10"),
        ({"y": np.array([0.5, 1, 1])}, "whole-number labels"),
        ({"y": np.array([0, 1])}, "one label for each of 3 rows"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"patience": 2}, "patience needs rows"),
        ({"optimiser": [optax.sgd(1.0)]}, "a list of 2"),
        ({"bits": 40}, "whole number from 1 to 24"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(chain, change, words):
    given = {"X": np.ones((3, 64)), "y": np.array([0, 1, 2]), "epochs": 1} | change
    with pytest.raises(BadInput, match=words):
        networks.train(chain, **given)


def test_numbers_are_learnt_by_the_squared_error():
    random = np.random.default_rng(0)
    X = random.normal(size=(256, 3))
    chain = networks.Chain([networks.Dense(3, 32, "tanh"), networks.Dense(32, 2)], loss="squared")
    y = np.stack([X[:, 0] + X[:, 1], X[:, 2]], axis=1)
    outcome = networks.train(chain, X, y, 60, batch=32, optimiser=optax.adam(1e-2))
    assert outcome.loss < 0.02 < 0.5 * np.mean(np.sum(y**2, axis=1))


def test_a_layer_may_have_nothing_to_learn(digits):
    X, y = digits
    layers = [networks.Block((eqx.nn.Dropout(0.2),)), networks.Dense(64, 32, "relu"), networks.Dense(32, 10)]
    outcome = networks.train(networks.Chain(layers, inputs=(64,)), X, y, 2, batch=50)
    assert outcome.status == "done" and outcome.record["loss"][2] < outcome.record["loss"][1]
