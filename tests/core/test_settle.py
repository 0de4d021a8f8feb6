"""`settle`: what it certifies, what it refuses, and that its answer can be differentiated."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.core.agent import HostAgent
from catallax.core.settle import root
from catallax.core.society import HostSociety
from catallax.economy import Exchange
from catallax.economy.trade import walras
from catallax.testing import check_gradient

LAWS = [("posts", 0.5), ("multiplicative", 0.3), ("additive", 0.5)]


@pytest.fixture
def wide():
    """float64 as JAX's default, for one test."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


class Echo(cx.Agent):
    """Says `gain` times what it hears, and a fact of its own."""

    fact: jax.Array
    gain: jax.Array

    def respond(self, view, key):
        return self, self.fact + self.gain @ view.public


class Sum(cx.Signal):
    """The sum of what all say; its fixed point solves (I - sum of gains) x = sum of facts."""

    level: jax.Array

    def public(self):
        return self.level

    def propagate(self, summary):
        return Sum(summary)

    def unrest(self, summary):
        return jnp.max(jnp.abs(summary - self.level))


def echoes(gain, facts=None) -> cx.Society:
    """Three agents that share one linear map."""
    gain = jnp.asarray(gain)
    size = len(gain)
    facts = jnp.ones((3, size)) if facts is None else facts
    return cx.Society(Echo(facts, jnp.stack([gain / 3] * 3)), Sum(jnp.full(size, 0.5)))


def turn(angle: float, stretch: float) -> np.ndarray:
    return stretch * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize(
    ("gain", "status"),
    [
        (0.5 * np.eye(2), "settled"),
        (0.9999 * np.eye(2), "unsettled"),  # slow is not cycling
        (turn(0.3, 1.0), "cycling"),
        (2.0 * np.eye(2), "broken"),
    ],
)
def test_status_of_known_maps(gain, status):
    outcome = cx.settle(echoes(gain), max_rounds=500)
    assert outcome.status == status
    if status == "settled":
        assert np.allclose(outcome.society.signal.level, 6.0, rtol=1e-5)
        assert outcome.certificate <= 1e-6


@pytest.mark.parametrize(
    "method", [cx.Newton(), cx.Anderson(), cx.Anderson(depth=2)], ids=["newton", "anderson", "depth 2"]
)
@pytest.mark.parametrize("gain", [turn(0.3, 1.2), turn(2.0, 3.0)], ids=["spiral", "wild spiral"])
def test_other_ways_settle_where_rounds_do_not(method, gain):
    outcome = cx.settle(echoes(gain), 1e-5, method=method, max_rounds=300)
    expected = np.linalg.solve(np.eye(2) - gain, np.full(2, 3.0))
    assert outcome.status == "settled"
    assert np.allclose(outcome.society.signal.level, expected, rtol=1e-4)


@pytest.mark.parametrize("law", ["posts", "multiplicative", "additive"])
def test_scarf_cycles_by_rounds_and_settles_otherwise(law):
    taste = np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])

    def scarf(opening):
        return Exchange(np.eye(3), taste, np.zeros(3), law=law, opening=np.asarray(opening))

    assert cx.settle(scarf([0.5, 0.3, 0.2]), max_rounds=2000).status == "cycling"
    random = np.random.default_rng(0)
    for opening in random.dirichlet(np.ones(3), size=20):
        for method in (cx.Newton(), cx.Anderson()):
            outcome = cx.settle(scarf(opening), method=method, max_rounds=2000)
            assert outcome.status == "settled", (opening, method, outcome.certificate)
            assert np.allclose(outcome.price, 1 / 3, atol=1e-5)


def test_certificate_is_the_worst_of_its_parts():
    valley = Exchange.example()
    rest = cx.settle(valley, 1e-4)
    assert rest.certificate >= max(rest.values["change"], rest.values["gap"], rest.unrest, valley.gap(rest))
    excess = walras.excess(valley.traders, rest.price, np.asarray(valley.endowment, float))
    assert rest.values["gap"] == pytest.approx(np.max(np.abs(excess) / valley.stock))


def test_nothing_is_reported_better_than_float64_finds():
    class Blind(Exchange):
        def gap(self, outcome):
            return 0.25

    valley = Exchange.example()
    outcome = cx.settle(Blind(valley.endowment, valley.taste, valley.elasticity))
    assert outcome.status == "unsettled"
    assert outcome.certificate == 0.25


@pytest.mark.parametrize(("law", "step"), LAWS)
def test_cobb_douglas_is_the_closed_form(law, step, wide):
    for seed in range(5):
        drawn = Exchange.drawn(seed, elasticities=(1.0,))
        exact = walras.equilibrium_cobb_douglas(np.asarray(drawn.endowment, float), np.asarray(drawn.taste, float))
        rest = cx.settle(dataclasses.replace(drawn, law=law, step=step), 1e-10)
        assert rest.status == "settled"
        assert np.allclose(rest.price, exact, rtol=1e-9)


def test_float64_goes_further(wide):
    rest = cx.settle(Exchange.drawn(0), 1e-12)
    assert rest.status == "settled"
    assert rest.certificate <= 1e-12


def test_prices_that_are_no_numbers_do_not_crash():
    valley = Exchange.example()
    society = valley.society()
    lost = eqx.tree_at(lambda s: s.signal.log_price, society, jnp.full(5, jnp.nan))
    outcome = valley.outcome(lost)
    assert np.isnan(valley.welfare(outcome)["efficiency"])
    assert np.isnan(valley.gap(outcome))
    assert cx.run(lost, 5).status == "broken"


def test_whole_numbers_are_refused():
    class Counter(cx.Agent):
        count: jax.Array

        def respond(self, view, key):
            return Counter(self.count + 1), jnp.ones(2)

    with pytest.raises(cx.Refused, match="count is of int32"):
        cx.settle(cx.Society(Counter(jnp.zeros(3, jnp.int32)), Sum(jnp.zeros(2))))


def test_what_does_not_move_is_refused():
    class Still(cx.Signal):
        level: jax.Array

        def public(self):
            return self.level

        def propagate(self, summary):
            return self

    with pytest.raises(cx.Refused, match="nothing moves"):
        cx.settle(cx.Society(Echo(jnp.ones((3, 2)), jnp.zeros((3, 2, 2))), Still(jnp.zeros(2))))


def test_random_societies_settle_on_one_frozen_draw_and_say_so():
    class Noisy(cx.Agent):
        fact: jax.Array

        def respond(self, view, key):
            return self, 0.1 * view.public + jax.random.normal(key, (2,))

    society = cx.Society(Noisy(jnp.ones(3)), Sum(jnp.zeros(2)))
    outcome = cx.settle(society, seed=4)
    assert outcome.status == "settled"
    assert any("frozen" in note for note in outcome.notes)
    assert cx.settle(society, seed=4).digest() == outcome.digest() != cx.settle(society, seed=5).digest()
    assert not cx.settle(echoes(0.5 * np.eye(2))).notes


def test_host_societies_settle_by_plain_rounds():
    class Halving(HostAgent):
        place: np.ndarray

        def respond_all(self, view, key):
            return Halving(self.place / 2), self.place / 2

    class Total(cx.Signal):
        total: float

        def propagate(self, summary):
            return Total(float(summary))

        def unrest(self, summary):
            return abs(summary)

    society = HostSociety(Halving(np.arange(4.0)), Total(6.0))
    outcome = cx.settle(society, 1e-3)
    assert outcome.status == "settled" and outcome.rounds == 13
    assert cx.settle(society, 1e-3, max_rounds=5).status == "unsettled"
    with pytest.raises(cx.Refused, match="plain iteration"):
        cx.settle(society, method=cx.Newton())


@pytest.mark.parametrize(
    ("given", "words"),
    [({"tolerance": 0.0}, "tolerance"), ({"max_rounds": -1}, "max_rounds"), ({"tolerance": float("nan")}, "tolerance")],
)
def test_bad_arguments_are_refused(given, words):
    with pytest.raises(cx.BadInput, match=words):
        cx.settle(echoes(0.5 * np.eye(2)), **given)


def test_methods_refuse_what_they_cannot_do():
    with pytest.raises(cx.BadInput, match="damping"):
        cx.Picard(0.0)
    with pytest.raises(cx.BadInput, match="depth"):
        cx.Anderson(depth=1)


def test_a_second_settling_compiles_nothing():
    cx.settle(Exchange.drawn(1))
    before = root._cache_size()
    cx.settle(Exchange.drawn(2), 1e-5, max_rounds=77)
    assert root._cache_size() == before


# --- law 7 ---


@pytest.mark.parametrize(("law", "step"), LAWS)
@pytest.mark.parametrize("field", ["endowment", "taste", "elasticity"])
def test_gradients_of_prices_agree_with_differences(law, step, field, wide):
    drawn = dataclasses.replace(Exchange.drawn(0), law=law, step=step)

    def value(fact):
        economy = dataclasses.replace(drawn, **{field: fact})
        return cx.settle(economy, 1e-12).society.signal.public() @ jnp.arange(1.0, 5.0)

    check_gradient(value, getattr(drawn, field) + 0.05, tolerance=1e-6)


def test_gradients_agree_with_unrolled_rounds(wide):
    drawn = Exchange.drawn(3)

    def settled(endowment):
        return cx.settle(dataclasses.replace(drawn, endowment=endowment), 1e-13).society.signal.public()

    def unrolled(endowment):
        society = dataclasses.replace(drawn, endowment=endowment).society()

        def body(signal, _):
            bids = jax.vmap(lambda a: a.respond(cx.View(signal.public()), None)[1])(society.agents)
            return signal.propagate(bids.sum(0)), None

        return jax.lax.scan(body, society.signal, None, length=150)[0].public()

    one, other = jax.jacrev(settled)(drawn.endowment), jax.jacrev(unrolled)(drawn.endowment)
    assert np.allclose(one, other, atol=1e-10)


def test_gradients_pass_zero_tastes(wide):
    taste = jnp.array([[1.0, 0.0, 1.0], [0.5, 1.0, 0.0], [0.0, 1.0, 2.0]])

    def price(taste):
        economy = Exchange(jnp.ones((3, 3)), taste, jnp.array([0.5, 1.0, 2.0]))
        return cx.settle(economy, 1e-12).society.signal.public()[0]

    assert np.isfinite(jax.grad(price)(taste)).all()


def test_many_unknowns_take_the_iterative_way_to_the_same_gradient(wide):
    size = 300  # above DENSE
    random = np.random.default_rng(0)
    gain = 0.5 * random.normal(size=(size, size)) / np.sqrt(size)

    def value(facts):
        return (cx.settle(echoes(gain, facts), 1e-12).society.signal.level ** 2).sum()

    facts = jnp.asarray(random.normal(size=(3, size)))
    inverse = np.linalg.inv(np.eye(size) - gain)
    exact = 2 * inverse.T @ (inverse @ np.asarray(facts).sum(0))
    assert np.allclose(jax.grad(value)(facts)[0], exact, rtol=1e-6, atol=1e-6)


def test_inside_jit_and_vmap_the_code_is_traced():
    drawn = Exchange.drawn(0)

    @jax.jit
    def prices(scale):
        outcome = cx.settle(dataclasses.replace(drawn, endowment=drawn.endowment * scale))
        return outcome.society.signal.public(), outcome.code

    found, codes = jax.vmap(prices)(jnp.array([1.0, 2.0, 4.0]))
    assert np.allclose(found * np.array([[1.0], [2.0], [4.0]]), found[0], rtol=1e-5)
    assert all(cx.Outcome(code=code).status == "settled" for code in codes)
