"""The layer: nothing is dropped, prices rank and do no more, old prices are answered, and no gradient crosses experts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from catallax.core.errors import BadInput
from catallax.experts import PricedExperts, bid_loss, own_loss
from catallax.experts.dispatch import dispatch, ranks
from catallax.experts.payments import Calibration, blended, calibrate, expected, gains_of
from catallax.measures.specialisation import mutual_information, together
from catallax.signals.routing import dual_bound

TOKENS, WIDTH, HIDDEN, EXPERTS = 64, 8, 16, 4
X = jax.random.normal(jax.random.key(0), (TOKENS, WIDTH))
FREE = jnp.zeros(EXPERTS)
call = eqx.filter_jit(lambda layer, x, prices, key=None: layer(x, prices, key=key))


@eqx.filter_jit
def pulls(layer, x, prices):
    """Gradients of a loss of y in the layer, the input and the prices; and of the next prices in the layer."""
    to_y = eqx.filter_grad(lambda three: jnp.sum(three[0](three[1], three[2])[0] ** 2))((layer, x, prices))
    return to_y, eqx.filter_grad(lambda m: jnp.sum(m(x, prices)[1]))(layer)


def still(tree) -> bool:
    return not any(np.any(leaf) for leaf in jax.tree.leaves(tree))


def layer_of(k=1, **how):
    return PricedExperts(WIDTH, HIDDEN, EXPERTS, k, key=jax.random.key(1), **how)


def one_by_one(layer, x, choice, gates):
    """What experts make of each token, in NumPy, expert by expert."""
    e, x = jax.tree.map(np.asarray, layer.experts), np.asarray(x)
    y = np.zeros_like(x)
    for i, row in enumerate(np.asarray(choice)):
        for r, j in enumerate(row):
            if j >= 0:
                inner = np.maximum(x[i] @ e.enter[j] + e.bias[j], 0)
                y[i] += gates[i, r] * (inner @ e.leave[j] + e.shift[j])
    return y


@pytest.mark.parametrize("how", [dict(k=2), dict(opt_out=True, k=2), dict(costs=[0, 9, 9, 9])], ids=str)
def test_no_token_is_dropped(how):
    """The last market sends everybody to one expert: four passes over its blocks."""
    layer = layer_of(**how)
    y, _, info = call(layer, X, FREE)
    assert np.allclose(y, one_by_one(layer, X, info.choice, np.asarray(info.gates)), atol=1e-5)
    bids = np.asarray(info.bids) - np.asarray(layer.costs)
    wanted = np.sort(np.argsort(-bids, 1)[:, : layer.terms.k], 1)
    if layer.terms.opt_out:
        assert ((np.asarray(info.choice) >= 0).sum(1) == np.minimum((bids > 0).sum(1), 2)).all()
    else:
        assert np.array_equal(np.sort(info.choice, 1), wanted)
    assert np.array_equal(
        info.load, np.bincount(np.asarray(info.choice)[np.asarray(info.choice) >= 0], minlength=EXPERTS)
    )
    if max(layer.costs) == 9:
        assert float(info.max_violation) == 3 and int(info.dead) == 3 and float(info.entropy) == 0


def test_gradients_through_further_passes_are_those_of_one_large_block():
    x, choice = X[:24], jnp.asarray(np.r_[np.zeros(20), 1, 2, 3, 3].astype(np.int32))[:, None]
    weights = jax.random.normal(jax.random.key(2), (EXPERTS, WIDTH, 3))

    def total(w, x, block):
        return jnp.sum(jnp.sin(dispatch(lambda b: jnp.einsum("ebw,ewo->ebo", b, w), x, choice, EXPERTS, block)[0]))

    several, one = jax.jit(lambda w, x: [jax.grad(total, (0, 1))(w, x, block) for block in (8, 24)])(weights, x)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(several, one))


def test_units_are_ranked_in_their_order():
    expert = np.random.default_rng(0).integers(-1, 5, 300).astype(np.int32)
    rank, load = jax.jit(ranks, static_argnums=1)(jnp.asarray(expert), 5)
    for j in range(5):
        assert np.array_equal(np.asarray(rank)[expert == j], np.arange((expert == j).sum()))
    assert np.array_equal(load, np.bincount(expert[expert >= 0], minlength=5))


@pytest.mark.parametrize("gate", ["net", "softmax", "sigmoid"])
def test_gates_are_of_what_was_ranked_or_of_bids_alone(gate):
    costs = np.array([0.1, 0.4, 0, 0])
    layer, prices = layer_of(2, gate=gate, costs=costs), FREE + jnp.array([0.3, 0, 0, 0])
    info = call(layer, X, prices)[2]
    bids = np.asarray(info.bids, float)
    weight = {
        "net": np.exp(bids - costs - np.asarray(prices)),
        "softmax": np.exp(bids),
        "sigmoid": 1 / (1 + np.exp(-bids)),
    }[gate]
    mine = np.take_along_axis(weight, np.asarray(info.choice), 1)
    assert np.allclose(info.gates, mine / mine.sum(1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_gates_of_bids_alone_know_no_price(gate):
    layer = layer_of(2, gate=gate)
    y, _, info = call(layer, X, FREE)
    dear, _, other = call(layer, X, FREE + jnp.array([0.3, 0, 0, 0]))
    same = (np.asarray(info.choice) == np.asarray(other.choice)).all(1)
    assert 0 < same.sum() < TOKENS
    assert np.array_equal(info.gates[same], other.gates[same])
    assert np.allclose(y[same], dear[same], atol=1e-6)
    assert np.array_equal(info.bids, other.bids)


def test_gates_sum_to_one_and_learn_and_prices_pull_at_nothing():
    layer = layer_of()
    info = call(layer_of(2), X, FREE)[2]
    assert np.allclose(info.gates.sum(1), 1)
    (to_layer, to_input, to_prices), of_prices = pulls(layer, X, FREE)
    assert np.abs(to_layer.bidder).max() > 1e-4 and np.abs(to_input).max() > 1e-4  # with one expert a token too
    assert still(to_prices) and still(of_prices)


def test_tokens_answer_old_prices_and_not_each_other():
    layer = layer_of(rate=1.0)
    y, prices, _ = call(layer, X, FREE)
    changed = X.at[0].set(-3 * X[0])
    other, moved, _ = call(layer, changed, FREE)
    assert np.allclose(y[1:], other[1:], atol=1e-6)
    assert not np.array_equal(prices, moved)  # the new prices do know the batch
    again, _, _ = call(layer, X, prices)
    assert not np.allclose(y, again)  # and the next batch hears them


def test_prices_are_frozen_at_inference():
    prices = jnp.array([0.1, 0.2, 0, 0.3])
    frozen = eqx.filter_jit(lambda layer: layer(X, prices, inference=True)[1])(layer_of())
    assert np.array_equal(frozen, prices)


@pytest.mark.parametrize("rule", ["dual", "sinkhorn", "sign", "tatonnement"])
def test_loads_are_balanced_after_some_batches(rule):
    """Prices that follow the batches, on batches of 256."""
    layer, level = layer_of(rule=rule), jnp.array([2.0, 0, 0, 0])
    bids = np.asarray(jax.random.normal(jax.random.key(3), (60, 256, EXPERTS)) + level)
    move = eqx.filter_jit(lambda layer, net, prices: layer.moved(net, prices))
    prices, met = FREE, []
    for net in bids:
        load = np.bincount((net - np.asarray(prices)).argmax(1), minlength=EXPERTS)
        met.append(load.max() / 64 - 1)
        prices = move(layer, jnp.asarray(net), prices)
    assert met[0] > 1.5 and np.mean(met[-20:]) < 0.35


def test_opening_prices_clear_the_market_they_are_made_for():
    layer = eqx.tree_at(lambda m: m.level, layer_of(), jnp.array([2.0, 0, 0, 0]))
    _, _, info = call(layer, X, layer.opening(X))
    assert float(info.max_violation) <= 2 * 3 / 16  # at most 3 tokens are torn between experts
    assert np.array_equal(layer.opening(), FREE)


def test_the_price_of_capacity_is_the_one_that_proves_the_routing():
    layer = layer_of(rate=1.0)
    _, prices, info = call(layer, X, layer.opening(X))
    bids = np.asarray(info.bids, np.float64)
    gain = bids[np.arange(TOKENS), np.asarray(info.choice)[:, 0]].sum()
    assert dual_bound(bids, prices, np.full(EXPERTS, 16), layer.terms) == pytest.approx(gain, rel=0.02)


# --- own objectives -------------------------------------------------------------------------------------------------------

TARGET = jnp.where(X[:, :1] > 0, 2 * X, -X)  # two kinds of input: one expert each would do
BASE = jnp.mean(TARGET**2, 1)


def slot_losses(info):
    return jnp.mean((info.outputs - TARGET[:, None]) ** 2, -1)


def own(layer, prices):
    _, _, info = layer(X, prices)
    return own_loss(slot_losses(info), BASE, info.choice, prices, jnp.asarray(layer.costs))


def shared(layer, prices):
    y, _, _ = layer(X, prices)
    return jnp.mean((y - TARGET) ** 2), None


@pytest.mark.parametrize("objective", ["own", "global"])
def test_no_gradient_crosses_experts(objective):
    """Expert 2 is changed: with own objectives the others' gradients stay the same to the last bit, with a shared loss not."""
    layer = layer_of(2, objective=objective)
    other = eqx.tree_at(lambda m: m.experts.leave, layer, layer.experts.leave.at[2].mul(1.7))
    pull = eqx.filter_jit(eqx.filter_grad(own if objective == "own" else shared, has_aux=True))
    one, two = (pull(m, FREE)[0].experts for m in (layer, other))
    rest = np.array([0, 1, 3])
    same = [np.array_equal(np.asarray(a)[rest], np.asarray(b)[rest]) for a, b in zip(*map(jax.tree.leaves, (one, two)))]
    moved = [not np.array_equal(np.asarray(a)[2], np.asarray(b)[2]) for a, b in zip(*map(jax.tree.leaves, (one, two)))]
    assert any(moved) and (all(same) if objective == "own" else not any(same))


def test_own_experts_give_the_rest_of_the_network_facts():
    (to_layer, to_input, _), _ = pulls(layer_of(2, objective="own"), X, FREE)
    assert still(to_layer) and still(to_input)


def test_accounts_add_up():
    layer, prices = layer_of(2, objective="own", costs=[0.1, 0.2, 0, 0]), jnp.array([0.3, 0, 0.1, 0])
    _, _, info = call(layer, X, prices)
    losses = slot_losses(info)
    loss, ledger = own_loss(losses, BASE, info.choice, prices, jnp.asarray(layer.costs))
    who, gain = np.asarray(info.choice), np.asarray(BASE[:, None] - losses)
    for j in range(EXPERTS):
        won = who == j
        profit = (gain[won] - prices[j] - layer.costs[j]).sum()
        assert float(ledger.profit[j]) == pytest.approx(float(profit), rel=1e-4, abs=1e-4)
        assert float(ledger.paid[j]) == pytest.approx(float(prices[j]) * won.sum(), rel=1e-5)
    assert float(loss) == pytest.approx(-float(ledger.profit.sum()) / TOKENS, rel=1e-5)


def test_what_was_not_bought_is_not_paid():
    losses, choice = jnp.ones((2, 1)), jnp.array([[-1], [1]], jnp.int32)
    loss, ledger = own_loss(losses, jnp.full(2, 3.0), choice, jnp.array([7.0, 0.5]), jnp.array([1.0, 0.25]))
    assert np.allclose(ledger.profit, [0, 3 - 1 - 0.5 - 0.25]) and float(loss) == pytest.approx(-1.25 / 2)
    bids = jnp.array([[5.0, 5], [5, 1]])
    assert float(bid_loss(bids, choice, gains_of(losses, jnp.full(2, 3.0)))) == pytest.approx((1 - 2) ** 2 / 2)


def test_calibration_is_regression_on_lots():
    rng = np.random.default_rng(0)
    bids, explored = rng.normal(size=(500, 3)), rng.random(500) < 0.5
    choice = rng.integers(0, 3, (500, 1))
    said = bids[np.arange(500), choice[:, 0]]
    gains = 0.2 + 0.4 * said + rng.normal(size=500) * 0.1 + 10 * ~explored  # what was won is not looked at
    found = calibrate(*map(jnp.asarray, (bids, choice, gains[:, None], explored)))
    for j in range(3):
        lots = explored & (choice[:, 0] == j)
        slope, level = np.polyfit(said[lots], gains[lots], 1)
        assert float(found.slope[j]) == pytest.approx(slope, abs=1e-4)
        assert float(expected(jnp.zeros((1, 3)), found)[0, j]) == pytest.approx(level, abs=1e-3)


def test_calibrated_bids_escape_the_winners_curse():
    """Bids are gains and noise of equal variance: who wins overbid, by much; shrunk by half, by nothing."""
    rng = np.random.default_rng(1)
    gains, lots = rng.normal(size=(4000, 8)), rng.integers(0, 8, (4000, 1))
    bids = gains + rng.normal(size=gains.shape)

    def at(values, who):
        return np.take_along_axis(np.asarray(values), who, 1)

    found = calibrate(*map(jnp.asarray, (bids, lots, at(gains, lots), np.ones(4000, bool))))
    worth = np.asarray(expected(jnp.asarray(bids), found))
    raw, shrunk = (v.argmax(1)[:, None] for v in (bids, worth))
    assert (at(bids, raw) - at(gains, raw)).mean() > 0.8
    assert abs((at(worth, shrunk) - at(gains, shrunk)).mean()) < 0.05
    assert np.allclose(found.slope, 0.5, atol=0.1)


def test_an_expert_without_lots_has_slope_zero_and_blends():
    none = calibrate(jnp.ones((4, 2)), jnp.zeros((4, 1), jnp.int32), jnp.ones((4, 1)), jnp.zeros(4, bool))
    assert not np.any(none.slope)
    old = Calibration(*(jnp.ones(2) * v for v in (1.0, 2.0, 1.0)))
    assert np.allclose(blended(old, none, 0.25).slope, 0.75)


def test_lots_are_drawn_for_the_share_that_is_asked_for():
    layer = layer_of(explore=0.5, costs=[0, 9, 9, 9])
    _, _, info = call(layer, X, FREE, jax.random.key(4))
    sent = np.asarray(info.explored)
    assert 0.3 < sent.mean() < 0.7
    assert not np.any(np.asarray(info.choice)[~sent]) and len(np.unique(np.asarray(info.choice)[sent])) == 4
    assert not np.any(call(layer, X, FREE)[2].explored)  # without a key


def test_experts_that_own_their_objective_learn_and_specialise():
    """Two linear maps and two experts that have hidden units for one: with units for both they would not specialise."""
    maps = 1.5 * jax.random.normal(jax.random.key(7), (2, WIDTH, WIDTH)) / WIDTH**0.5
    layer = PricedExperts(WIDTH, 8, 2, key=jax.random.key(1), objective="own", explore=0.1)
    optimiser = optax.adam(1e-2)

    def batch(key):
        x = jax.random.normal(key, (256, WIDTH))
        kind = (x[:, 0] > 0).astype(int)
        return x, kind, jnp.einsum("tw,twv->tv", x, maps[kind])

    @eqx.filter_jit
    def steps(layer, state, prices):
        def step(carry, key):
            arrays, state, prices = carry
            x, _, wanted = batch(key)
            base = jnp.mean(wanted**2, 1)

            def loss(arrays):
                _, following, info = eqx.combine(arrays, rest)(x, prices, key=key)
                losses = jnp.mean((info.outputs - wanted[:, None]) ** 2, -1)
                profit, _ = own_loss(losses, base, info.choice, prices)
                return profit + bid_loss(info.bids, info.choice, gains_of(losses, base)), following

            (_, following), pull = jax.value_and_grad(loss, has_aux=True)(arrays)
            change, state = optimiser.update(pull, state)
            return (optax.apply_updates(arrays, change), state, following), None

        arrays, rest = eqx.partition(layer, eqx.is_array)
        keys = jax.random.split(jax.random.key(5), 500)
        (arrays, _, prices), _ = jax.lax.scan(step, (arrays, state, prices), keys)
        x, kind, wanted = batch(jax.random.key(9))
        _, _, info = eqx.combine(arrays, rest)(x, prices, inference=True)
        return kind, info.choice, jnp.mean((info.outputs[:, 0] - wanted) ** 2), jnp.mean(wanted**2)

    kind, choice, loss, base = steps(layer, optimiser.init(eqx.filter(layer, eqx.is_array)), jnp.zeros(2))
    assert float(loss) < 0.3 * float(base)
    assert mutual_information(together(np.asarray(kind), np.asarray(choice))) > 0.2  # of log 2 = .69 at most


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (dict(k=5), "k is 5 and there are 4 experts"),
        (dict(capacity=0.5), "experts can serve 2 fair loads in all, and tokens are 4: raise capacities"),
        (dict(capacity=[9, 0, 0, 0], k=2), "experts can serve 2 fair loads"),
        (dict(capacity=[1, -1, 3, 1]), r"capacity\[1\] is -1.0"),
        (dict(costs=[1, 2]), r"costs has shape \[2\]"),
        (dict(objective="both"), "objective is 'both': give one of own, global"),
        (dict(gate="none"), "gate is 'none': give one of net, softmax, sigmoid"),
        (dict(rule="exact"), "rule is 'exact': give one of dual"),
        (dict(rate=2.0), "rate is 2.0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(how, sentence):
    with pytest.raises(BadInput, match=sentence):
        layer_of(**how)
