"""Clearing: the exact rule against brute force and SciPy, bounds that always hold, capacities that are always kept."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog

from catallax.core.errors import BadInput
from catallax.signals.price import clear
from catallax.signals.routers.terms import Terms
from catallax.signals.routing import ROUNDS, dual_bound, load_of, worth

RULES = list(ROUNDS)


def skewed(tokens: int, experts: int, seed: int = 0) -> np.ndarray:
    """Sigmoid scores of which some experts are liked by all."""
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-rng.normal(size=(tokens, experts)) - rng.normal(size=experts)))


def brute(net, capacity, k, opt_out) -> float:
    """The best routing, by trying all."""
    experts = net.shape[1]
    sizes = range(k + 1) if opt_out else [k]
    bundles = [c for size in sizes for c in itertools.combinations(range(experts), size)]
    best = -np.inf
    for choice in itertools.product(bundles, repeat=len(net)):
        load = np.bincount([j for bundle in choice for j in bundle], minlength=experts)
        if (load <= capacity).all():
            best = max(best, sum(net[i, j] for i, bundle in enumerate(choice) for j in bundle))
    return best


def transport(net, capacity, k, opt_out) -> float:
    """The best routing, by a linear programme."""
    tokens, experts = net.shape
    each, all_at = np.kron(np.eye(tokens), np.ones(experts)), np.kron(np.ones(tokens), np.eye(experts))
    rows = dict(A_ub=np.vstack([all_at, each]), b_ub=np.r_[capacity, np.full(tokens, k)])
    if not opt_out:
        rows = dict(A_ub=all_at, b_ub=capacity, A_eq=each, b_eq=np.full(tokens, k))
    return -linprog(-net.ravel(), bounds=(0, 1), **rows).fun


@st.composite
def markets(draw, most=12):
    """Bids (some of them equal), capacities with or without room to spare, k and whether a token may buy nothing."""
    tokens, experts = draw(st.integers(1, most)), draw(st.integers(1, 5))
    k, opt_out = draw(st.integers(1, experts)), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    bids = rng.normal(size=(tokens, experts)) * 10.0 ** draw(st.integers(-3, 6))
    bids = np.round(rng.normal(size=(tokens, experts)) * 2) if draw(st.booleans()) else bids
    room = rng.integers(0, tokens + 3, experts)
    tight = draw(st.booleans())
    while not opt_out and np.minimum(room, tokens).sum() < k * tokens:
        room[rng.integers(experts)] += 1
    while not opt_out and tight and np.minimum(room, tokens).sum() > k * tokens:
        room = np.minimum(room, tokens)
        room[rng.choice(np.flatnonzero(room))] -= 1
    return bids, room, k, opt_out


def sound(found, bids, room, k, opt_out):
    """All that holds of every answer, by whatever rule."""
    rounding = 1e-12 * bids.size * max(1.0, np.abs(bids).max())
    assert (found.load <= room).all()
    assert (found.prices >= 0).all()
    for row in found.assignment:
        bought = row[row >= 0]
        assert len(set(bought.tolist())) == len(bought)  # nobody is asked twice
        assert opt_out or len(bought) == k
    assert found.welfare == pytest.approx(worth(bids, found.assignment))
    assert found.bound >= found.welfare - rounding
    return rounding


@given(markets())
def test_exact_is_the_best_there_is_and_proves_it(market):
    bids, room, k, opt_out = market
    found = clear(bids, room, k, opt_out=opt_out)
    rounding = sound(found, bids, room, k, opt_out)
    assert found.welfare == pytest.approx(transport(bids, room, k, opt_out), abs=1e-6 * max(1, np.abs(bids).max()))
    assert found.bound == pytest.approx(found.welfare, abs=rounding)


@settings(max_examples=30)
@given(markets(most=4))
def test_exact_equals_brute_force(market):
    bids, room, k, opt_out = market
    bids, room, k = (
        bids[:, :3],
        np.minimum(room[:3] + (0 if opt_out else len(bids)), len(bids)),
        min(k, min(3, bids.shape[1])),
    )
    found = clear(bids, room, k, opt_out=opt_out)
    assert found.welfare == pytest.approx(brute(bids, room, k, opt_out), rel=1e-9, abs=1e-9)


@given(markets(), st.integers(0, 3))
def test_the_dual_rule_keeps_capacities_and_its_bound_holds(market, rounds):
    bids, room, k, opt_out = market
    found = clear(bids, room, k, "dual", opt_out=opt_out, rounds=rounds)
    sound(found, bids, room, k, opt_out)
    assert found.bound >= transport(bids, room, k, opt_out) - 1e-6 * max(1, np.abs(bids).max())


@given(markets(), st.integers(0, 2**31))
def test_weak_duality_at_any_prices_and_any_feasible_routing(market, seed):
    bids, room, k, opt_out = market
    rng = np.random.default_rng(seed)
    prices = rng.exponential(size=bids.shape[1]) * np.abs(bids).max()
    other = clear(rng.normal(size=bids.shape), room, k, opt_out=opt_out)  # feasible, and nothing to do with these bids
    least = worth(bids, other.assignment)
    bound = dual_bound(bids, prices, np.minimum(room, len(bids)), Terms(k, False, opt_out))
    assert bound >= least - 1e-9 * max(1, abs(least), np.abs(bids).max())


@given(st.integers(0, 2**31))
def test_who_is_called_what_does_not_matter(seed):
    bids, rng = skewed(40, 5, seed), np.random.default_rng(seed)
    rows, columns = rng.permutation(40), rng.permutation(5)
    one, two = clear(bids, 8), clear(bids[rows][:, columns], 8)
    assert np.array_equal(
        columns[two.assignment[:, 0]], one.assignment[rows, 0]
    )  # no two routings are worth the same here
    for rule in ("dual", "exact"):
        one, two = clear(bids, 9, rule=rule), clear(bids[rows][:, columns], 9, rule=rule)
        assert two.bound == pytest.approx(one.bound, rel=1e-9)
        if rule == "dual":
            assert np.allclose(two.prices, one.prices[columns], atol=1e-7)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", ["balanced", "room to spare", "two each", "opt-out", "costs"])
def test_every_rule_in_every_market(rule, case):
    bids, room, k, costs, opt_out = skewed(60, 6), 10, 1, None, False
    if case == "room to spare":
        room = np.array([5, 10, 20, 30, 0, 15])
    elif case == "two each":
        room, k = 20, 2
    elif case == "opt-out":
        room, opt_out, bids = 4, True, bids - 0.5
    elif case == "costs":
        costs = np.linspace(0, 0.5, 6)
    found = clear(bids, room, k, rule, costs=costs, opt_out=opt_out)
    net = bids if costs is None else bids - costs
    sound(found, net, np.broadcast_to(room, (6,)), k, opt_out)
    best = transport(net, np.broadcast_to(room, (6,)), k, opt_out)
    assert found.welfare == pytest.approx(best)  # repair is by the cheapest chains, from wherever the rule ended
    assert (
        found.gap < clear(bids, room, k, rule, costs=costs, opt_out=opt_out, rounds=0).gap / 4 + 1e-12
    )  # against no prices


def test_it_is_what_scipy_finds_on_a_larger_market():
    bids = skewed(256, 8)
    copies = np.repeat(bids, 32, axis=1)
    best = copies[linear_sum_assignment(copies, maximize=True)].sum()
    found = clear(bids, 32)
    assert found.welfare == pytest.approx(best, rel=1e-12)
    assert abs(found.gap) < 1e-13
    assert found.max_violation < 0.1  # what is left are ties, which no price settles


def test_prices_alone_balance_where_greed_does_not():
    bids = skewed(1024, 16)
    greed = load_of(bids.argmax(1), 16).max() / 64 - 1
    found = clear(bids, 64, rule="dual")
    assert greed > 1 and found.max_violation <= 0.1
    assert found.max_violation == load_of(found.choice, 16).max() / 64 - 1
    assert np.array_equal(found.choice[:, 0], (bids - found.prices).argmax(1))


def test_a_warm_start_takes_fewer_rounds():
    bids = skewed(1024, 16)
    cold = clear(bids, 64, rule="dual", tolerance=0.05)
    warm = clear(bids + 0.001, 64, rule="dual", tolerance=0.05, prices=cold.prices)
    assert warm.rounds < cold.rounds
    assert warm.max_violation <= 0.05


def test_two_experts_have_the_price_of_the_marginal_token():
    """One expert is worth x_i more than the other and serves two of four: its price lies between the third and second x."""
    bids = np.array([[4.0, 0], [3, 0], [2, 0], [1, 0]])
    found = clear(bids, 2)
    assert found.welfare == 7 and 2 <= found.prices[0] <= 3 and found.prices[1] == 0


def test_capacity_that_nobody_wants_is_free():
    found = clear(skewed(20, 3), 20)
    assert np.array_equal(found.prices, np.zeros(3)) and found.moved == 0 and abs(found.gap) < 1e-15


def test_who_may_buy_nothing_buys_nothing_that_is_worth_less():
    found = clear(np.array([[1.0, -1], [-2, -3], [2, 3]]), 1, opt_out=True)
    assert found.assignment.ravel().tolist() == [0, -1, 1] and found.welfare == 4


def test_numbers_far_apart_are_cleared_exactly():
    bids = skewed(50, 5)
    for scale, shift in ((1e-60, 0.0), (1e60, 0.0), (1.0, 1e9)):
        found = clear(scale * bids + shift, 10)
        assert abs(found.gap) < 1e-12
        assert found.prices.max() == pytest.approx(scale * clear(bids, 10).prices.max(), rel=1e-2)


BIDS = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(bids=np.where(BIDS == 7, np.nan, BIDS)), r"bids\[2, 1\] is nan: give a finite number"),
        (dict(bids=np.where(BIDS == 7, -np.inf, BIDS)), r"bids\[2, 1\] is -inf"),
        (dict(bids=BIDS[0]), r"bids have shape \[3\]: give \[tokens, experts\]"),
        (dict(bids=BIDS[:0]), "at least one of each"),
        (dict(capacity=1), "experts can serve 3 in all, at most 4 each, and 4 tokens want 1 each, 4: raise capacities"),
        (dict(capacity=[100, 0, 0], k=2), "experts can serve 4 in all"),
        (dict(capacity=[2, -1, 3]), r"capacity\[1\] is -1.0: give whole numbers of tokens"),
        (dict(capacity=1.5), r"capacity\[0\] is 1.5: give whole numbers"),
        (dict(capacity=[1, 2]), r"capacity has shape \[2\]: give one number, or one for each of 3"),
        (dict(k=4), "k is 4 and there are 3 experts"),
        (dict(k=0), "k is 0"),
        (dict(costs=[0, 1, np.inf]), r"costs\[2\] is inf"),
        (dict(prices=[0, 1]), r"prices has shape \[2\]"),
        (dict(rule="greedy"), "rule is 'greedy': give one of exact, dual"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(change, sentence):
    with pytest.raises(BadInput, match=sentence):
        clear(**{**dict(bids=BIDS, capacity=4), **change})
