"""A production network is an economy: prices are adjoints, money passes through, rivals' shares follow what they are worth."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from catallax.core.errors import BadInput
from catallax.experts.goods.rivalry import ALLOWANCE, Rivals, _fit_shares, train
from catallax.experts.production import Good, ProductionNetwork, accounts, own_gradients

RAW, HIDDEN, CLASSES, ROWS = 3, 4, 3, 5


@pytest.fixture(autouse=True, scope="module")
def exact():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


class Layer(eqx.Module):
    """relu or tanh of a linear map of all inputs together."""

    weight: jax.Array
    bias: jax.Array
    bend: str = eqx.field(static=True)

    def __call__(self, *inputs):
        total = self.weight @ jnp.concatenate(inputs) + self.bias
        return {"relu": jax.nn.relu, "tanh": jnp.tanh, "none": lambda x: x}[self.bend](total)


def layer(rng, outputs, inputs, bend="tanh", bias=1.0):
    return Layer(jnp.asarray(rng.normal(size=(outputs, inputs))), bias * jnp.asarray(rng.normal(size=outputs)), bend)


def loss(prediction, target):
    return -jax.nn.log_softmax(prediction)[target]


def economy(seed=0, bend="tanh", bias=1.0, cost=0.0):
    """A DAG: a is made of the input, b of the input and a, and the prediction of a and b."""
    rng = np.random.default_rng(seed)
    shares = [rng.dirichlet(np.ones(n)) for n in (2, 3, 2)]
    goods = [
        Good("a", "input", [layer(rng, HIDDEN, RAW, bend, bias) for _ in range(2)], cost),
        Good("b", ["input", "a"], [layer(rng, HIDDEN, RAW + HIDDEN, bend, bias) for _ in range(3)], cost),
        Good("c", ["a", "b"], [layer(rng, CLASSES, 2 * HIDDEN, "none", bias) for _ in range(2)], cost),
    ]
    return ProductionNetwork(goods, shares)


def rows(seed=0):
    rng = np.random.default_rng(seed + 100)
    return jnp.asarray(rng.normal(size=(ROWS, RAW))), jnp.asarray(rng.integers(CLASSES, size=ROWS))


def test_a_chain_of_sole_suppliers_is_a_multilayer_network_and_prices_are_its_adjoints():
    rng = np.random.default_rng(1)
    first, second = layer(rng, HIDDEN, RAW), layer(rng, CLASSES, HIDDEN, "none")
    chain = ProductionNetwork([Good("h", "input", [first]), Good("z", "h", [second])], monopoly=True)
    x, target = np.array([0.3, -1.0, 0.7]), 2
    hidden = np.tanh(first.weight @ x + first.bias)
    logits = second.weight @ hidden + second.bias
    np.testing.assert_allclose(chain(jnp.asarray(x)), logits, atol=1e-12)
    at_z = np.eye(CLASSES)[target] - np.exp(log_softmax(logits))  # backpropagation by hand
    at_h = second.weight.T @ at_z
    at_x = first.weight.T @ ((1 - hidden**2) * at_h)
    price = eqx.filter_jit(lambda x: chain.prices(x, target, loss))(jnp.asarray(x))
    for name, adjoint in (("z", at_z), ("h", at_h), ("input", at_x)):
        np.testing.assert_allclose(price[name], adjoint, atol=1e-10)


def test_a_price_is_what_a_little_more_of_the_good_is_worth():
    network, (x, target) = economy(), rows()
    price = jax.tree.map(lambda p: p[0], PRICES(network, x, target))
    flat, shape = jax.flatten_util.ravel_pytree(price)
    step = 1e-5 * np.eye(len(flat))
    more, less = (WITH_GIFTS(network, jax.vmap(shape)(sign * step), x[0], target[0]) for sign in (1, -1))
    np.testing.assert_allclose(flat, (more - less) / 2e-5, atol=1e-6)


def test_own_interest_at_shadow_prices_is_the_common_interest():
    own, whole = BOTH(economy(2), *rows(2))
    for mine, good in zip(own, whole.goods):
        for one, other in zip(jax.tree.leaves(mine), jax.tree.leaves(good.suppliers)):
            np.testing.assert_allclose(one, other, atol=1e-12)


@given(st.integers(0, 50))
def test_under_replicator_dynamics_welfare_grows_by_the_variance_of_what_rivals_are_worth(seed):
    network, (x, target) = economy(seed), rows(seed)
    value = BOOKS(network, x, target).value
    flow = tuple(w * (v - w @ v) for w, v in zip(network.shares, value))
    _, growth = WELFARE(network, flow, x, target)
    variance = sum(float(w @ (v - w @ v) ** 2) for w, v in zip(network.shares, value))
    assert variance > 0
    np.testing.assert_allclose(growth, variance, rtol=1e-10)


def test_where_a_scalar_good_is_shared_by_constant_returns_welfare_grows_by_y_squared_variance_of_its_price():
    """sum_i y_i^2 Var_j(price_ij): every user j of good i names what one more unit is worth to it."""
    rng = np.random.default_rng(3)
    scales = [rng.uniform(0.5, 2, n) for n in (3, 4)]
    goods = [
        Good(name, of, [Layer(jnp.full((1, 1), a), jnp.zeros(1), "none") for a in scale])
        for name, of, scale in (("a", "input", scales[0]), ("b", "a", scales[1]))
    ]
    network = ProductionNetwork(goods, [rng.dirichlet(np.ones(n)) for n in (3, 4)])
    x, target = jnp.array([[1.7]]), jnp.array([0])
    square = lambda z, t: 0.5 * (z[0] - 9.0) ** 2  # noqa: E731
    books = eqx.filter_jit(lambda n: accounts(n, x, target, square))(network)
    used = [1.7, float(books.good[0][0, 0])]  # what each industry uses: the input, and good a
    growth = 0.0
    for y, scale, share, price in zip(used, scales, network.shares, books.price):
        named = scale * float(price[0, 0])
        growth += y**2 * float(share @ (named - share @ named) ** 2)
    flow = tuple(w * (v - w @ v) for w, v in zip(network.shares, books.value))
    welfare = lambda w: -square(eqx.tree_at(lambda n: n.shares, network, w)(x[0]), 0)  # noqa: E731
    moved = jax.jit(lambda w, flow: jax.jvp(welfare, (w,), (flow,))[1])(network.shares, flow)
    np.testing.assert_allclose(moved, growth, rtol=1e-10)


@given(st.integers(0, 50))
def test_money_only_passes_through(seed):
    network, (x, target) = economy(seed, cost=0.25), rows(seed)
    books = BOOKS(network, x, target)
    consumer = float((books.good[-1] * books.price[-1]).sum(1).mean())
    costs = sum(float(w @ good.cost) for w, good in zip(network.shares, network.goods))
    assert costs == pytest.approx(0.75)
    profits = sum(float(one.sum()) for one in books.profit)
    np.testing.assert_allclose(profits + costs, consumer - float(books.raw), atol=1e-10)


def test_under_constant_returns_an_industry_breaks_even_and_the_better_half_gains():
    network, (x, target) = economy(4, "relu", bias=0.0), rows(4)
    books = BOOKS(network, x, target)
    for share, value, profit in zip(network.shares, books.value, books.profit):
        np.testing.assert_allclose(profit.sum(), 0, atol=1e-12)
        assert (profit[value > share @ value] > 0).all()


def test_goods_that_cannot_be_made_are_refused():
    rng = np.random.default_rng(0)
    two = [layer(rng, HIDDEN, RAW) for _ in range(2)]
    for goods, said in (
        ([], "must make something"),
        ([Good("a", "b", two)], "not made before"),
        ([Good("a", "input", two), Good("a", "a", two)], "names must differ"),
        ([Good("a", "input", two[:1]), Good("z", "a", two)], "has one supplier"),
    ):
        with pytest.raises(BadInput, match=said):
            ProductionNetwork(goods)
    with pytest.raises(BadInput, match="someone"):
        Good("a", "input", [])
    with pytest.raises(BadInput, match="shares"):
        ProductionNetwork([Good("a", "input", two)], [[1.0]])
    with pytest.raises(BadInput, match="regime"):
        train(economy(), *rows(), loss, regime="barter")


def test_a_supplier_of_noise_is_driven_out_by_competition_alone():
    x, target = problem()
    ended = {regime: train(spoilt(), x, target, loss, regime=regime, **QUICK) for regime in ("competition", "shuffled")}
    honest, shuffled = ended["competition"], ended["shuffled"]
    assert honest.shares[0][-1][1] == 0.0 and ("h", 1, "bankrupt") in [event[1:] for event in honest.events]
    together = train(spoilt(), x, target, loss, regime="collaboration", **QUICK)
    assert (together.shares[0] == 0.5).all() and not together.events
    last = {name: one.loss[-20:].mean() for name, one in (("own", honest), ("all", together))}
    assert last["own"] < 0.8 * last["all"]
    np.testing.assert_allclose(honest.shares[0].sum(1), 1, atol=1e-6)
    assert len(shuffled.loss) == QUICK["steps"]
    for wealth in (*honest.wealth, *shuffled.wealth):  # what one rival earns above the mean, the others lose
        assert wealth.sum() == pytest.approx(2 * ALLOWANCE)


def markets(seeds, shuffled, steps=60):
    """Two rivals of good "a", the first always worth more; who left, and what the industry was billed is beyond all bounds."""
    network, left = economy(), []
    for seed in seeds:
        market, now = Rivals(network, 0.05, 1e-2, None, seed), network
        for t in range(steps):
            share = np.asarray(now.shares[0], float)
            books = Books((np.array([1.0, -1.0]) * (share > 0), *(np.zeros(len(w)) for w in now.shares[1:])))
            now, _ = market.trade(now, books, t, shuffled)
        left.append([event[2] for event in market.events if event[1] == "a"])
    return left


class Books(NamedTuple):
    value: tuple
    bill: tuple = (1e9, 1e9, 1e9)


def test_who_leaves_is_who_earns_less_and_not_whom_the_common_bill_ruins():
    assert markets(range(2), shuffled=False) == [[1]] * 2
    assert markets(range(4), shuffled=True) != [[1]] * 4  # dealt out by lot, payments tell nobody from another


def test_fitted_shares_climb_welfare():
    network, (x, target) = economy(5), rows(5)
    books = BOOKS(network, x, target)
    plain = optax.sgd(1.0)
    free = tuple(jnp.log(w) for w in network.shares)
    moved, _ = _fit_shares(network, books.value, plain.init(free), plain)
    _, slope = eqx.filter_jit(jax.value_and_grad(lambda z: WELFARE_OF(network, z, x, target)))(free)
    for share, before, climb in zip(moved.shares, free, slope):
        np.testing.assert_allclose(share, jax.nn.softmax(before + climb), atol=1e-10)


def WELFARE_OF(network, free, x, target):
    moved = eqx.tree_at(lambda n: n.shares, network, tuple(jax.nn.softmax(z) for z in free))
    return -jax.vmap(loss)(jax.vmap(moved)(x), target).mean()


def test_an_entrant_takes_the_place_of_a_bankrupt():
    x, target = problem()
    rng = np.random.default_rng(5)
    made = train(spoilt(), x, target, loss, entrants=newcomer(rng), **QUICK)
    events = [event[1:] for event in made.events if event[1] == "h"]
    assert events[:2] == [("h", 1, "bankrupt"), ("h", 1, "enters")]
    weight = made.network.goods[0].suppliers[1].weight
    assert weight.shape == (HIDDEN, RAW) and float(jnp.abs(weight).max()) < 10
    assert made.shares[0][-1][1] > 0


def newcomer(rng):
    return lambda key, g, s: layer(rng, HIDDEN, RAW) if g == 0 else layer(rng, CLASSES, HIDDEN, "none", 0.1)


QUICK = dict(steps=150, batch=32, rate=0.2, grace=30, optimiser=optax.adam(1e-2))


def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, RAW))
    return x, (x @ rng.normal(size=(RAW, CLASSES))).argmax(1)


def spoilt():
    """One of two suppliers of the hidden good delivers what is unlike from row to row and says nothing."""
    rng = np.random.default_rng(7)
    noise = Layer(jnp.asarray(3000 * rng.normal(size=(HIDDEN, RAW))), jnp.zeros(HIDDEN), "tanh")
    scramble = Scramble(noise.weight)
    goods = [
        Good("h", "input", [layer(rng, HIDDEN, RAW), scramble]),
        Good("z", "h", [layer(rng, CLASSES, HIDDEN, "none", 0.1) for _ in range(2)]),
    ]
    return ProductionNetwork(goods)


class Scramble(eqx.Module):
    """What it delivers hangs on digits of the input that mean nothing; it cannot learn."""

    weight: jax.Array

    def __call__(self, x):
        return 3 * jnp.sin(jax.lax.stop_gradient(self.weight) @ x)


PRICES = eqx.filter_jit(lambda n, x, target: jax.vmap(lambda x, t: n.prices(x, t, loss))(x, target))


@eqx.filter_jit
def WITH_GIFTS(network, gifts, x, target):
    return jax.vmap(lambda gift: -loss(network.produce(x, gift)["c"], target))(gifts)


@eqx.filter_jit
def BOTH(network, x, target):
    common = eqx.filter_grad(lambda n: -jax.vmap(loss)(jax.vmap(n)(x), target).mean())(network)
    return own_gradients(network, x, target, loss), common


BOOKS = eqx.filter_jit(lambda network, x, target: accounts(network, x, target, loss))


@eqx.filter_jit
def WELFARE(network, flow, x, target):
    def of(shares):
        moved = eqx.tree_at(lambda n: n.shares, network, shares)
        return -jax.vmap(loss)(jax.vmap(moved)(x), target).mean()

    return jax.jvp(of, (network.shares,), (flow,))
