"""Layers with objectives of their own: other losses, targets, data, heads and optimisers in one chain."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits, load_iris

from catallax import networks
from catallax.core.checkpoint import resume
from catallax.core.errors import BadInput
from catallax.core.run import run
from catallax.networks.losses import CrossEntropy
from catallax.networks.objectives import Objective
from catallax.networks.teaching.local_losses import LocalLosses, layer_losses
from catallax.networks.training import enrolled
from catallax.signals.teaching import Batch, Wire


def parity(y):
    return y % 2


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32)[:600], y[:600]


@pytest.fixture(scope="module")
def mixed(digits):
    """Four layers: parity of the rows, own rows (digits upside down, is it above 4), own input, and the label."""
    X, y = digits
    turned = X.reshape(-1, 8, 8)[300:, ::-1].reshape(-1, 64), (y[300:] > 4).astype(int)
    layers = [
        networks.Dense(64, 32, objective=Objective("predsim", target=parity)),
        networks.Dense(32, 24, objective=Objective("cross-entropy", data=turned)),
        networks.Dense(24, 16, objective=Objective("reconstruct")),
        networks.Dense(16, 10),
    ]
    chain = networks.Chain(layers, teaching=LocalLosses("predict"), seed=2)
    return eqx.tree_at(lambda chain: chain.aids, chain, replace_fn=lambda aids: jax.tree.map(noisy, aids))


def noisy(x):
    """Heads begin at 0, where no layer is pushed yet."""
    return x + 0.1 * jnp.asarray(np.random.default_rng(x.size).normal(size=x.shape), x.dtype)


def batch_of(chain, digits, key=3):
    X, y = digits
    return Batch(jnp.asarray(X[:50]), jnp.asarray(y[:50]), chain.loss, jax.random.key(key))


@eqx.filter_jit
def taught(teaching, parts, batch):
    return teaching.teach(parts, batch, Wire()).gradients


def test_each_of_three_objectives_is_reached_by_its_own_optimiser(mixed, digits):
    X, y = digits
    optimisers = [optax.adam(1e-3), optax.sgd(0.05, momentum=0.9), optax.rmsprop(1e-3), optax.adam(3e-3)]
    outcome = networks.train(mixed, X, y, 12, batch=50, optimiser=optimisers)
    before, after = (layer_losses(chain, X, y) for chain in (mixed, outcome.chain))
    assert all(a is not None and b is not None and a < 0.9 * b for a, b in zip(after, before, strict=True))


def test_later_layers_do_not_reach_earlier_ones(mixed, digits):
    batch = batch_of(mixed, digits)
    one = taught(mixed.teaching, mixed.parts, batch)
    for changed in (1, 2, 3):
        scaled = jax.tree.map(lambda x: 1.5 * x if eqx.is_inexact_array(x) else x, mixed.parts[changed:])
        two = taught(mixed.teaching, (*mixed.parts[:changed], *scaled), batch)
        for a, b in zip(jax.tree.leaves(one[:changed]), jax.tree.leaves(two[:changed]), strict=True):
            np.testing.assert_array_equal(a, b)
        assert (np.asarray(one[changed].layer.weight) != np.asarray(two[changed].layer.weight)).any()


def test_own_rows_are_drawn_by_the_lessons_key_and_nothing_of_the_batch_is_used(mixed, digits):
    batch = batch_of(mixed, digits)
    one, again, other = (taught(mixed.teaching, mixed.parts, batch_of(mixed, digits, key)) for key in (3, 3, 4))
    weight = lambda gradients: np.asarray(gradients[1].layer.weight)  # noqa: E731
    np.testing.assert_array_equal(weight(one), weight(again))
    assert (weight(one) != weight(other)).any()
    blank = batch._replace(x=jnp.zeros_like(batch.x), target=jnp.zeros_like(batch.target))
    np.testing.assert_array_equal(weight(one), weight(taught(mixed.teaching, mixed.parts, blank)))


def test_a_layer_is_told_no_more_than_its_objective_takes(mixed, digits):
    wire = Wire()
    jax.eval_shape(lambda: mixed.teaching.teach(mixed.parts, batch_of(mixed, digits), wire).loss)
    assert wire.told == pytest.approx(
        {0: 1.0, 3: np.log2(10)}
    )  # parity is one bit; own rows and own input are not told


def test_rows_of_an_objective_are_facts_which_no_optimiser_changes(mixed, digits, tmp_path):
    X, y = digits
    learnt = jax.tree.leaves(eqx.filter(mixed.parts, eqx.is_inexact_array))
    assert all(x.shape[0] < 300 for x in learnt)
    school = enrolled(mixed, X, y, 100, optax.adamw(1e-3, weight_decay=0.1), None, None)
    rows = school.signal.aims[1].rows
    whole = run(school, 12, seed=5, checkpoint=tmp_path / "run")
    again = resume(school, tmp_path / "run")
    assert again.rounds == 12 and again.digest() == whole.digest()
    for before, after in zip(rows, whole.society.signal.aims[1].rows, strict=True):
        np.testing.assert_array_equal(before, after)


def chain_of(objective, loss="cross-entropy", outputs=4):
    """Two layers, the first with an objective."""
    layers = [networks.Dense(4, 6, objective=objective), networks.Dense(6, outputs)]
    return networks.Chain(layers, teaching=LocalLosses("predict"), loss=loss)


def absolute(output, target):
    return jnp.mean(jnp.abs(output[:, 0] - target))


HEADS = {
    "as many as the labels have classes": (Objective("predict", target=parity), 2),
    "as many as are said": (Objective("cross-entropy", target=parity, head=3), 3),
    "as many as the loss has": (Objective(CrossEntropy(5), target=parity), 5),
    "one for a number": (Objective("squared", target=lambda y: y / 2), 1),
    "the classes of own rows": (Objective("predict", data=(np.ones((3, 4)), [0, 6, 2])), 7),
    "the columns of own rows": (Objective("predict", data=(np.ones((3, 4)), np.ones((3, 2)))), 2),
    "its own input": (Objective("reconstruct"), 4),
    "a Dense": (Objective("predict", head=networks.Dense(6, 4, "tanh")), 4),
    "a function's": (Objective(absolute, head=2), 2),
}


@pytest.mark.parametrize("name", sorted(HEADS))
def test_heads_have_the_width_that_the_objective_takes(name):
    objective, width = HEADS[name]
    assert chain_of(objective).aids[0].score.weight.shape == (width, 6)


def test_a_loss_may_be_any_function_and_a_head_any_module():
    iris, kind = load_iris(return_X_y=True)
    iris = (iris - iris.mean(axis=0)) / iris.std(axis=0)
    sepal, petal = iris[:, :2].astype(np.float32), iris[:, 2].astype(np.float32)
    made = lambda key: eqx.nn.MLP(6, 1, 8, 1, key=key)  # noqa: E731
    regressing = Objective(absolute, data=(sepal, petal), head=made)  # another column for the same rows
    bare = Objective(lambda output, target: jnp.mean((output.mean(axis=1) - target) ** 2))
    layers = [networks.Dense(2, 6, "tanh", objective=regressing), networks.Dense(6, 5, objective=bare)]
    chain = networks.Chain([*layers, networks.Dense(5, 3)], teaching=LocalLosses("predict"))
    assert chain.aids[1].score is None
    outcome = networks.train(chain, sepal, kind, 40, batch=30, optimiser=optax.adam(3e-3))
    before, after = (layer_losses(c, sepal, kind) for c in (chain, outcome.chain))
    assert all(a is not None and b is not None and a < 0.8 * b for a, b in zip(after, before, strict=True))


def test_numbers_a_row_are_taken_as_a_column():
    with jax.enable_x64(True):
        chain = chain_of(Objective("squared", target=lambda y: y / 2))
        random = np.random.default_rng(0)
        x, y = random.normal(size=(5, 4)), random.integers(0, 4, 5)
        found = layer_losses(chain, x, y)[0]
        assert found == pytest.approx(0.5 * np.mean((y / 2) ** 2))  # the head begins at 0


REFUSED = {
    "give one of predict": lambda: Objective("error"),
    "target must be a function": lambda: Objective(target=np.arange(4)),
    "beta is 2.0": lambda: Objective(beta=2.0),
    "features is 0": lambda: Objective(features=0),
    "head is a Dense with parameters": lambda: Objective(head=networks.Dense(6, 4, key=jax.random.key(0))),
    "head is 'linear'": lambda: Objective(head="linear"),
    "data must be two arrays": lambda: Objective(data=np.ones((3, 4))),
    r"shapes \[3, 4\] and \[2\]": lambda: Objective(data=(np.ones((3, 4)), np.zeros(2))),
    "row 1 of X holds NaN": lambda: Objective(data=(np.array([[1.0], [np.nan]]), np.zeros(2))),
    "y is of <U1": lambda: Objective(data=(np.ones((1, 1)), np.array(["a"]))),
    r"data of layer 0 has rows of the shape \[5\]": lambda: chain_of(Objective(data=(np.ones((3, 5)), np.arange(3)))),
    "layer 0 has labels from -1 to 1": lambda: chain_of(Objective(data=(np.ones((2, 4)), [-1, 1]))),
    "labels from 0 to 3: 2 classes are 0 to 1": lambda: chain_of(
        Objective("cross-entropy", target=lambda y: y, head=2)
    ),
    "say how many classes by head=number": lambda: chain_of(
        Objective("cross-entropy", target=lambda y: (y[:, 0] > 0).astype(int)), "squared"
    ),
    "cross-entropy needs one whole number": lambda: chain_of(Objective("cross-entropy"), "squared"),
    "layer 0 scores 3 numbers a row: its objective takes 4": lambda: chain_of(Objective("predict", head=3)),
    "the head of layer 0 takes 5 numbers": lambda: chain_of(Objective("predict", head=networks.Dense(5, 4))),
    "the objective of layer 0 is 'predict'": lambda: chain_of("predict"),
    "layer 0 has an objective and has no parameters": lambda: networks.Chain(
        [networks.Block((jnp.tanh,), objective=Objective()), networks.Dense(4, 3)], teaching=LocalLosses(), inputs=(4,)
    ),
}


@pytest.mark.parametrize("said", sorted(REFUSED))
def test_what_does_not_fit_is_refused_in_a_sentence(said):
    with pytest.raises(BadInput, match=said):
        REFUSED[said]()
