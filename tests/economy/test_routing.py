"""Traffic: the exact 4/3, tolls that repair it, and equilibria found by other code."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import catallax as cx
from catallax.economy.network.assignment import assign, balance, paths_of
from catallax.economy.network.roads import derivative, onto_simplex, times
from catallax.economy.routing import Routing
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.testing import check_gradient, check_problem


@pytest.fixture
def exact():
    """float64, for derivatives by differences."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def grid(seed: int) -> Routing:
    """Two trips over a 2 x 3 grid of streets, times 1 + a X + b X^2."""
    random = np.random.default_rng(seed)
    edges = [("a", "b"), ("b", "c"), ("d", "e"), ("e", "f"), ("a", "d"), ("b", "e"), ("c", "f"), ("e", "b")]
    latency = np.concatenate([random.random((8, 1)), random.random((8, 2)) * 2], axis=1)
    return Routing(edges, latency, [("a", "f"), ("b", "f")], random.random(2) + 0.5)


@pytest.mark.parametrize("network", [Routing.pigou(), Routing.braess()], ids=["Pigou", "Braess"])
def test_equilibrium_costs_four_thirds_and_the_toll_repairs_it(network):
    rest, plan = cx.settle(network), network.plan()
    assert rest.status == "settled"
    assert plan.certificate <= 1e-12
    assert rest.total_time / plan.total_time == pytest.approx(4 / 3, abs=2e-5)
    toll = network.marginal_toll()
    assert toll[0] == pytest.approx(0.5, abs=1e-6)
    repaired = cx.settle(network.tolled(toll))
    assert repaired.status == "settled"
    assert repaired.total_time == pytest.approx(plan.total_time, rel=1e-6)
    assert network.welfare(repaired)["efficiency"] == pytest.approx(1, abs=1e-6)


def test_four_thirds_to_eight_digits_by_the_other_solver():
    for network in (Routing.pigou(), Routing.braess()):
        latency, demand, _ = network.exact()
        wardrop = assign(network.paths, demand, lambda x, latency=latency: times(latency, x), 1e-20)
        flow = np.einsum("tp,tpe->e", wardrop.flow, network.paths.on)
        assert wardrop.gap <= 1e-16
        assert flow @ times(latency, flow) / network.plan().total_time == pytest.approx(4 / 3, abs=1e-8)


def test_closing_the_shortcut_helps():
    network = Routing.braess()
    closed = network.closed(4)
    assert closed.edges == Routing.braess(shortcut=False).edges
    assert cx.settle(network).total_time == pytest.approx(2, abs=2e-5)
    assert cx.settle(closed).total_time == pytest.approx(1.5, abs=1e-6)
    with pytest.raises(cx.BadInput, match="road 9"):
        network.closed(9)


@pytest.mark.parametrize("power", [1, 2, 4])
def test_pigou_with_a_power_is_the_closed_form(power):
    # optimum: (p + 1) x^p = 1, total 1 - p x / (p + 1)
    network = Routing.pigou(power=power)
    x = (power + 1) ** (-1 / power)
    assert network.plan().flow[0] == pytest.approx(x, abs=1e-6)
    assert network.plan().total_time == pytest.approx(1 - power * x / (power + 1), abs=1e-12)
    assert network.marginal_toll()[0] == pytest.approx(power * x**power, abs=1e-6)


@pytest.mark.parametrize("travellers", [1, 2, 5])
def test_dispatchers_are_the_closed_form(travellers):
    # each sends its own on the narrow road until X + x_i = 1: X = n / (n + 1)
    network = Routing.pigou(travellers)
    contest = network.contest()
    assert contest.status == "settled"
    assert contest.flow[0] == pytest.approx(travellers / (travellers + 1), abs=1e-5)
    assert network.gain(contest) <= 1e-6
    assert network.gain(cx.settle(network)) == pytest.approx(1 / (4 * travellers), abs=1e-4)


@pytest.mark.parametrize("leak", [0.25, 0.5])
def test_who_knows_part_of_the_own_effect_goes_part_of_the_way(leak):
    # X + leak X / n = 1
    contest = Routing.pigou(2).contest(leak)
    assert contest.flow[0] == pytest.approx(1 / (1 + leak / 2), abs=1e-5)


def test_equilibrium_and_plan_of_a_grid_against_other_optimisers():
    for seed in range(3):
        network = grid(seed)
        latency, demand, _ = network.exact()
        on, is_open = network.paths
        columns, trip = on[is_open], np.repeat(np.arange(2), is_open.sum(1))
        sums = [{"type": "eq", "fun": lambda x, t=t, of=trip, due=demand: x[of == t].sum() - due[t]} for t in (0, 1)]
        even = demand[trip] / is_open.sum(1)[trip]
        integral = np.concatenate([np.zeros((8, 1)), latency / np.arange(1, 4)], axis=1)

        def least(cost, even=even, sums=sums):
            bounds = [(0, None)] * len(even)
            return minimize(cost, even, bounds=bounds, constraints=sums, options=dict(ftol=1e-15, maxiter=500))

        rest = cx.settle(network)
        beckmann = least(lambda x, c=columns, i=integral: times(i, x @ c).sum())
        assert rest.status == "settled"
        assert np.allclose(rest.flow, beckmann.x @ columns, atol=1e-3)
        best = least(lambda x, c=columns, a=latency: (x @ c) @ times(a, x @ c))
        assert network.plan().certificate <= 1e-9
        assert network.plan().total_time <= best.fun + 1e-9
        assert network.plan().total_time == pytest.approx(best.fun, rel=1e-6)
        repaired = cx.settle(network.tolled(network.marginal_toll()))
        assert network.welfare(repaired)["efficiency"] == pytest.approx(1, abs=1e-6)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_affine_equilibria_never_cost_more_than_four_thirds(seed):
    network = grid(seed)
    affine = dataclasses.replace(network, latency=np.asarray(network.latency)[:, :2])
    latency, demand, _ = affine.exact()
    wardrop = assign(affine.paths, demand, lambda x: times(latency, x))
    ratio = affine.total_time(np.einsum("tp,tpe->e", wardrop.flow, affine.paths.on)) / affine.plan().total_time
    assert wardrop.gap <= 1e-9
    assert 1 - 1e-9 <= ratio <= 4 / 3 + 1e-9


@given(st.lists(st.tuples(st.floats(-5, 5, width=32), st.booleans()), min_size=1, max_size=5))
def test_projection_is_the_nearest_point_of_the_simplex(entries):
    point, is_open = np.array([x for x, _ in entries], np.float32), np.array([o for _, o in entries])
    is_open[0] = True
    share = np.asarray(jax.jit(onto_simplex)(point, is_open), float)
    assert share.sum() == pytest.approx(1, abs=1e-5)
    assert (share >= 0).all()
    assert not share[~is_open].any()
    level = (point - share)[share > 0]  # used shares are lowered by one and the same level, the others lie below it
    assert np.ptp(level) <= 1e-5
    assert (point[is_open & (share == 0)] <= level.min() + 1e-5).all()


def test_the_best_toll_by_gradient_is_pigous():
    network = Routing.pigou(power=2)
    assert network.seek_toll([0]) == pytest.approx(network.marginal_toll(), abs=2e-3)
    braess = Routing.braess()
    pigou = braess.marginal_toll()
    shortcut = pigou[[0, 4, 3]].sum() - pigou[[0, 1]].sum()  # what his tolls make the way through it dearer by
    for where, least in (([0, 3], pigou[0]), ([4], shortcut)):
        found = braess.seek_toll(where)
        assert (found[where] >= least - 2e-2).all()  # more of it changes nothing any more
        assert braess.welfare(cx.settle(braess.tolled(found)))["efficiency"] == pytest.approx(1, abs=1e-4)
    spared = cx.settle(braess.tolled(np.eye(5)[4] * (shortcut - 0.1)))
    assert spared.total_time == pytest.approx(1.5 + 2 * 0.1**2, abs=1e-5)  # T = 2 - 2 s + 2 s^2


def test_gradient_of_total_time_with_respect_to_tolls(exact):
    network = Routing.braess()

    def lost(toll):
        return network.total_time(cx.settle(network.tolled(toll), 1e-11, max_rounds=20_000).society.signal.flow)

    check_gradient(lost, jnp.array([0.1, 0.0, 0.05, 0.1, 0.05]), step=1e-4)
    # the shortcut tolled by s has 1 - 2 s of the traffic and saves s of it: dT/ds = -2 (1 - 2 s)
    slope = jax.grad(lambda s: lost(jnp.zeros(5).at[4].set(s)))(0.2)
    assert float(slope) == pytest.approx(-2 * (1 - 2 * 0.2), abs=1e-6)


def test_flows_that_are_not_unique_have_no_derivative():
    twice = Routing.pigou(2)
    assert not twice.unique
    with pytest.raises(cx.Refused, match="not unique"):
        jax.grad(lambda t: twice.total_time(cx.settle(twice.tolled(t)).society.signal.flow))(jnp.zeros(2))


def test_told_less_of_times_all_are_there_earlier():
    network = Routing.braess(4)
    silence, rest = network.silence(), cx.settle(network)
    assert silence.total_time == pytest.approx(14 / 9)
    assert rest.total_time > silence.total_time + 0.4
    bits = [network.welfare(cx.run(network, 300, channel=cx.Channel(bits=b)))["efficiency"] for b in (1, 3, 12)]
    assert bits[0] > bits[1] > bits[2]


def test_flows_are_those_of_the_travellers():
    outcome = cx.run(grid(4), 25)
    assert np.allclose(outcome.society.signal.flow, outcome.flow, rtol=1e-5)
    assert outcome.trip_times @ grid(4).exact()[1] == pytest.approx(outcome.total_time)


def test_laws_hold():
    network = Routing.braess(2)
    bad = lambda: Routing(network.edges, -network.latency, network.trips, network.demand)  # noqa: E731
    held = check_problem(network, bad=[bad])
    assert held == ["locality", "honest bits", "conservation", "reproducibility", "certificate"]


def test_the_five_questions():
    network = Routing.braess(4)
    rows = {r["regime"]: r for r in compare(network).rows}
    assert rows["signal"]["efficiency"] == pytest.approx(0.75, abs=1e-4)
    assert rows["signal"]["efficiency"] < rows["full_information"]["efficiency"] < rows["planner"]["efficiency"]
    curve = {r["point"]: r["efficiency"] for r in frontier(network, seeds=1, bits=(1, 8), leaks=(0.5, 1.0)).rows}
    assert curve["exact"] < curve["leak 0.5"] < curve["leak 1"]
    hurt = lesion(network, seeds=1, fractions=(0.0, 0.5))
    assert [r["recovered"] for r in hurt.rows] == pytest.approx([0.75, 1, 0.75, 1], abs=1e-4)
    assert shock(network, rounds=10).facts["settled"]
    crowd = replicate(Routing.pigou(2), copies=(1, 2)).rows
    assert [r["effect"] for r in crowd] == pytest.approx([0.5, 0.25])
    assert crowd[0]["inefficiency"] < crowd[1]["inefficiency"]  # fewer dispatchers reckon with more of what they do


def test_paths_are_all_simple_ones():
    paths = paths_of((("s", "a"), ("a", "t"), ("a", "s"), ("s", "t"), ("s", "t")), (("s", "t"), ("a", "t")))
    assert paths.open.sum(1).tolist() == [3, 3]
    assert sorted(map(tuple, paths.on[0].tolist())) == [(0, 0, 0, 0, 1), (0, 0, 0, 1, 0), (1, 1, 0, 0, 0)]


def test_balance_moves_all_or_none_or_to_the_root():
    assert balance(lambda d: 1 - d, 0.5) == 0.5
    assert balance(lambda d: -d, 0.5) == 0
    assert balance(lambda d: 0.3 - d, 0.5) == pytest.approx(0.3, abs=1e-15)


def test_polynomials_and_their_derivatives():
    latency = np.array([[1.0, 2, 3], [0, 0, 5]])
    assert np.allclose(times(latency, np.array([2.0, 3])), [17, 45])
    assert np.allclose(times(derivative(latency), np.array([2.0, 3])), [14, 30])
    assert np.allclose(times(derivative(latency[:, :1]), np.array([2.0, 3])), 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(latency=[[0.0, -1], [1, 0]]), r"latency\[0, 1\] is -1.0"),
        (dict(latency=[[0.0, 1]]), "shape"),
        (dict(demand=[0.0]), "above 0"),
        (dict(demand=[1.0, 1.0]), "shape"),
        (dict(toll=[np.inf, 0.0]), r"toll\[0\]"),
        (dict(trips=[("t", "s")]), "no edges lead there"),
        (dict(trips=[("s", "s")]), "itself"),
        (dict(edges=[("s", "t", "u")] * 2), "pairs"),
    ],
)
def test_impossible_networks_are_refused(change, words):
    facts = dict(edges=[("s", "t")] * 2, latency=[[0.0, 1], [1, 0]], trips=[("s", "t")], demand=[1.0])
    with pytest.raises(cx.BadInput, match=words):
        Routing(**(facts | change))


def test_leaks_and_lesions_that_make_no_sense_are_refused():
    with pytest.raises(cx.BadInput, match="leak"):
        Routing.pigou().society(2.0)
    with pytest.raises(cx.Refused, match="no trip"):
        Routing.pigou().restrict(np.array([], int))
