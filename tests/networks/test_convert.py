"""Equinox models go to school and come back."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.layers import Block, Dense

KEYS = jax.random.split(jax.random.key(0), 6)
X = jax.random.normal(KEYS[0], (40, 6))
LABELS = (X[:, 0] > 0).astype(int)


def mlp(**changes):
    return eqx.nn.MLP(6, 2, 8, 2, key=KEYS[1], **changes)


def sequential():
    modules = [eqx.nn.Linear(6, 8, key=KEYS[2]), eqx.nn.Lambda(jnp.tanh), eqx.nn.Dropout(0.1)]
    return eqx.nn.Sequential([*modules, eqx.nn.LayerNorm(8), eqx.nn.Linear(8, 2, key=KEYS[3])])


def convolutional():
    conv = eqx.nn.Conv2d(1, 3, 3, key=KEYS[4])
    modules = [conv, eqx.nn.Lambda(jax.nn.relu), eqx.nn.Lambda(jnp.ravel), eqx.nn.Linear(48, 2, key=KEYS[5])]
    return eqx.nn.Sequential(modules)


def outputs(model, x):
    model = eqx.nn.inference_mode(model)
    return jax.vmap(model)(x)


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        (mlp(), [Dense, Dense, Dense]),
        (mlp(activation=jax.nn.gelu, use_bias=False, final_activation=jnp.tanh), [Dense, Dense, Dense]),
        (sequential(), [Dense, Block, Dense]),
    ],
)
def test_a_model_at_school_computes_the_same_and_takes_its_weights_home(model, kinds):
    chain = networks.teach(model)
    assert [type(layer) for layer in chain.layers] == kinds
    np.testing.assert_allclose(chain(X), outputs(model, X), rtol=1e-5, atol=1e-6)
    taught = networks.train(chain, X, LABELS, 20, batch=10, optimiser=optax.adam(1e-2)).chain
    home = networks.learnt(model, taught)
    assert jax.tree.structure(home) == jax.tree.structure(model)
    np.testing.assert_allclose(outputs(home, X), taught(X), rtol=1e-5, atol=1e-6)
    assert not np.allclose(outputs(home, X), outputs(model, X), atol=1e-3)
    assert taught.layers[0].dropout == (0.1 if isinstance(model, eqx.nn.Sequential) else 0)


def test_images_go_through_convolutions():
    model, images = convolutional(), jax.random.normal(KEYS[0], (12, 1, 6, 6))
    chain = networks.teach(model, inputs=(1, 6, 6))
    np.testing.assert_allclose(chain(images), outputs(model, images), rtol=1e-5, atol=1e-6)
    taught = networks.train(chain, images, np.arange(12) % 2, 2, batch=6).chain
    home = networks.learnt(model, taught)
    np.testing.assert_allclose(outputs(home, images), taught(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (eqx.nn.Linear(2, 2, key=KEYS[0]), "is a Linear: give an eqx.nn.Sequential"),
        (eqx.nn.Sequential([eqx.nn.BatchNorm(3, "batch", mode="ema")]), "module 0 .BatchNorm. keeps a state"),
        (eqx.nn.MLP("scalar", 2, 8, 1, key=KEYS[0]), "a scalar"),
        (mlp(activation=eqx.nn.PReLU()), "activation has parameters"),
        (mlp(scan=True), "scan=True"),
        (eqx.nn.Sequential([eqx.nn.Lambda(jnp.tanh)]), "no parameters"),
    ],
)
def test_what_cannot_go_is_told_so(model, words):
    with pytest.raises(BadInput, match=words):
        networks.teach(model)


def test_weights_of_another_model_are_refused():
    with pytest.raises(BadInput, match="give the model that it was made of"):
        networks.learnt(mlp(), networks.teach(sequential()))
