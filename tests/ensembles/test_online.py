"""The market that goes on: identities, one at a time against at once, conservation, drift, delays, scikit-learn's contract."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.ensembles import OnlineMarket
from catallax.ensembles.stream import rounds

LAW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MARKETS = ("log", "kelly", "fractional")
FLOOR = 1e-9


class Table:
    """Offers by number of row: X [rows, 1] says which."""

    def __init__(self, offers):
        self.log = np.log(offers)

    def __call__(self, X):
        return self.log[np.asarray(X)[:, 0].astype(int)]


def drawn(rows=60, members=3, outcomes=3, seed=0):
    """Offers [rows, members, outcomes], outcomes that they know something of, and X."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.ones(outcomes), rows)
    y = np.array([rng.choice(outcomes, p=p) for p in truth])
    noise = rng.dirichlet(np.ones(outcomes), (rows, members))
    share = np.linspace(0.2, 0.9, members)[:, None]
    return (1 - share) * truth[:, None] + share * noise, y, np.arange(rows)[:, None]


def market_of(offers, **given):
    members = [(f"m{k}", Table(offers[:, k])) for k in range(offers.shape[1])]
    return OnlineMarket(members, **dict(floor=FLOOR) | given)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 3))
    return X, np.where(X[:, 0] + 0.5 * rng.normal(size=120) > 0, "up", "down")


@pytest.fixture(scope="module")
def mixed(rows):
    """A fitted member, one that learns, one that is called and one that sleeps at times."""
    X, y = rows
    return [
        ("fitted", LogisticRegression().fit(X[:40], y[:40])),
        ("learns", SGDClassifier(loss="log_loss", random_state=0)),
        ("called", lambda X: np.log(np.full((len(X), 2), 0.5))),
        ("sleeps", lambda X: np.where(X[:, :1] > 0, np.log([[0.3, 0.7]]), np.nan)),
    ]


# --- identities ---


def test_kelly_is_the_bayes_mixture():
    offers, y, X = drawn()
    market = market_of(offers, market="kelly").fit(X, y)
    likelihood = offers[np.arange(len(y)), :, y].prod(axis=0)
    np.testing.assert_allclose(list(market.influence_.values()), likelihood / likelihood.sum(), rtol=1e-6)
    np.testing.assert_allclose(market.log_loss_, -np.log(likelihood.mean()) / len(y), rtol=1e-7)
    best = -np.log(likelihood.max()) / len(y)
    assert market.log_loss_ <= best + np.log(3) / len(y) + 1e-12  # regret of at most ln(members)


def test_fractional_is_kelly_with_beliefs_drawn_to_the_price():
    offers, y, X = drawn(rows=30)
    market, wealth = market_of(offers, market="fractional", fraction=0.3).fit(X, y), np.ones(3)
    for p, came in zip(offers, y, strict=True):
        price = wealth @ p / wealth.sum()
        wealth = wealth * (0.3 * p + 0.7 * price)[:, came] / price[came]
    np.testing.assert_allclose(list(market.wealth_.values()), wealth, rtol=1e-6)


def test_one_round_of_tolerances():
    offers, _, X = drawn(rows=2, seed=4)
    market = market_of(offers).partial_fit(X[:1], [2], classes=[0, 1, 2])
    start, log = np.full(3, 1 / 3), np.log(offers[0])

    def price(t):
        raw = np.exp(t @ log)
        return raw / raw.sum()

    c = price(start)
    slope = log[:, 2] - log @ c
    centred = log - (log @ c)[:, None]
    precision = 3 * np.eye(3) + (centred * c) @ centred.T
    np.testing.assert_allclose(
        list(market.tolerance_.values()), np.maximum(start + np.linalg.solve(precision, slope), 0), rtol=1e-6
    )
    np.testing.assert_allclose(list(market.wealth_.values()), 1 + start * slope, rtol=1e-6)
    assert market.maker_ == pytest.approx(-(start * slope).sum(), rel=1e-6)
    assert market.log_loss_ == pytest.approx(-np.log(c[2]), rel=1e-6)


def test_tolerances_find_the_best_pool():
    """After many rounds the pool is nearly as good as the one fitted in hindsight, and better than every member."""
    offers, y, X = drawn(rows=4000, seed=2)
    market = market_of(offers).fit(X, y)
    log = np.log(offers)

    def loss(t):
        z = np.einsum("m,rmk->rk", t, log)
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y])

    best = minimize(loss, np.full(3, 0.3), bounds=[(0, None)] * 3).fun
    alone = [-log[np.arange(len(y)), k, y].mean() for k in range(3)]
    assert best - 1e-9 <= market.log_loss_ < best + 0.004 < min(alone)


def test_a_cap_is_kept_and_the_best_stays_best():
    offers, y, X = drawn(rows=300, members=4, seed=3)
    for kind in MARKETS:
        market = market_of(offers, market=kind, max_influence=0.4).fit(X, y)
        assert max(market.influence_.values()) <= 0.4 + 1e-9
        assert max(market_of(offers, market=kind).fit(X, y).influence_.values()) > 0.4


@LAW
@given(weight=st.lists(st.floats(0, 10), min_size=2, max_size=7).filter(any), extra=st.floats(0, 1))
def test_capping(weight, extra):
    weight = np.array(weight)
    cap = 1 / len(weight) + extra * (1 - 1 / len(weight))
    out = np.empty_like(weight)
    rounds.capped(weight, cap, out)
    assert (out <= weight * (1 + 1e-9) + 1e-300).all() or cap * np.count_nonzero(weight) < 1
    if cap * np.count_nonzero(weight) >= 1 + 1e-9:
        assert out.max() <= cap * out.sum() * (1 + 1e-6)
        below = out < weight
        np.testing.assert_allclose(
            out[below], cap * out.sum(), rtol=1e-6
        )  # only those above come down, just to the cap


@LAW
@given(seed=st.integers(0, 10**6), members=st.integers(1, 5), share=st.floats(0, 1))
def test_the_best_tolerances_under_a_cap(seed, members, share):
    """Against SLSQP: bounds are kept, and nothing is missed of the most there is."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(members, members + 2))
    precision, target = root @ root.T + 0.1 * np.eye(members), rng.normal(size=members) + 1
    cap = 1 / members + share * (1 - 1 / members)
    out = np.empty(members)
    rounds.best(precision, target, cap, out)

    def lost(t):
        return t @ precision @ t / 2 - target @ t

    assert (out >= 0).all() and out.max() <= cap * out.sum() + 1e-9
    keeps = [dict(type="ineq", fun=lambda t, k=k: cap * t.sum() - t[k]) for k in range(members)]
    found = minimize(lost, np.full(members, 0.1), bounds=[(0, None)] * members, constraints=keeps, method="SLSQP")
    assert lost(out) <= found.fun + 1e-4 * abs(found.fun) + 1e-6


# --- accounts ---


@LAW
@given(
    seed=st.integers(0, 50),
    kind=st.sampled_from(MARKETS),
    forgetting=st.sampled_from([0.0, 0.1, 1.0]),
    cap=st.sampled_from([None, 0.34, 0.5]),
)
def test_money_is_conserved(seed, kind, forgetting, cap):
    offers, y, X = drawn(seed=seed)
    market = market_of(offers, market=kind, forgetting=forgetting, max_influence=cap).fit(X, y)
    assert market.audit_ < 1e-12
    assert sum(market.wealth_.values()) + market.maker_ == pytest.approx(3, abs=1e-9)
    assert kind == "log" or min(market.wealth_.values()) > 0


def test_who_comes_brings_and_who_goes_takes():
    offers, y, X = drawn()
    for kind in MARKETS:
        market = market_of(offers[:, :2], market=kind).fit(X[:30], y[:30])
        before = sum(market.wealth_.values())
        market.join("new", Table(offers[:, 2]), wealth=2.0)
        assert sum(market.wealth_.values()) == pytest.approx(before + 2)
        market.partial_fit(X[30:], y[30:])
        gone = market.wealth_["m0"]
        after = sum(market.wealth_.values())
        market.leave("m0")
        assert sum(market.wealth_.values()) == pytest.approx(after - gone) and list(market.wealth_) == ["m1", "new"]
        assert market.predict_proba(X).shape == (60, 3) and market.audit_ < 1e-12
    with pytest.raises(BadInput, match="a member is named 'new' already"):
        market.join("new", Table(offers[:, 2]))
    with pytest.raises(BadInput, match="there is no member 'm0'"):
        market.leave("m0")
    market.leave("m1")
    with pytest.raises(BadInput, match="'new' is the last member"):
        market.leave("new")


def test_who_sleeps_neither_bets_nor_loses():
    offers, y, X = drawn(rows=20)
    for kind in MARKETS:
        asleep = offers.copy()
        asleep[:, 2] = np.nan
        market = market_of(asleep, market=kind).fit(X, y)
        pair = market_of(offers[:, :2], market=kind).fit(X, y)
        assert market.wealth_["m2"] == pytest.approx(1)
        if kind != "log":  # tolerances begin at 1 / members
            np.testing.assert_allclose(market.predict_proba(X), pair.predict_proba(X), rtol=1e-12)
        asleep[:] = np.nan
        np.testing.assert_allclose(market_of(asleep, market=kind).fit(X, y).predict_proba(X), 1 / 3)


# --- time ---


@pytest.mark.parametrize("kind", MARKETS)
def test_at_once_is_one_at_a_time(kind, rows, mixed):
    X, y = rows
    given = dict(market=kind, forgetting=0.01, max_influence=0.6)
    whole, steps = OnlineMarket(mixed, **given).fit(X, y), OnlineMarket(mixed, **given)
    for row in range(len(y)):
        steps.partial_fit(X[row : row + 1], y[row : row + 1], classes=["up", "down"])
    assert whole.wealth_ == steps.wealth_ and whole.influence_ == steps.influence_
    assert whole.log_loss_ == pytest.approx(steps.log_loss_, rel=1e-12) and whole.changes_ == steps.changes_
    np.testing.assert_array_equal(whole.predict_proba(X), steps.predict_proba(X))


def test_offers_come_before_learning(rows):
    """A member that remembers each row perfectly is paid nothing for it: labels here are noise."""
    X, _ = rows
    y = np.random.default_rng(0).integers(0, 2, len(X))
    market = OnlineMarket([("learns", SGDClassifier(loss="log_loss", random_state=0))], market="kelly").fit(X, y)
    assert market.log_loss_ > 0.69


def test_labels_may_come_late(rows, mixed):
    """What was offered when it was quoted is paid, whatever members have learnt since."""
    X, y = rows
    fixed = [item for item in mixed if item[0] != "learns"]
    for members in (fixed, mixed):
        direct = OnlineMarket(members, block=200).fit(X[:60], y[:60])
        late = OnlineMarket(members, block=200).fit(X[:60], y[:60])
        quote = late.quote(X[60:])
        np.testing.assert_array_equal(quote.price, direct.predict_proba(X[60:]))
        assert late.wealth_ == direct.wealth_  # nothing happens before outcomes come
        late.settle(quote, y[60:])
        direct.partial_fit(X[60:], y[60:])
        assert late.wealth_ == direct.wealth_ and late.rows_ == 120
    quote = late.quote(X[:3])
    late.leave("called").join("more", lambda X: np.log(np.full((len(X), 2), 0.5)), wealth=7.0)
    late.settle(quote, y[:3])
    assert late.wealth_["more"] == 7.0
    with pytest.raises(BadInput, match="y has 2 rows and the quote 3"):
        late.settle(quote, y[:2])


def test_wealth_sees_the_world_change():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    right = np.where(np.arange(2) == y[:, None], 0.8, 0.2)
    offers = np.stack([right, right[:, ::-1]], axis=1)
    offers[300:] = offers[300:, ::-1]
    flip = np.arange(600)[:, None]
    found = {}
    for forgetting in (0.0, 0.02):
        market = market_of(offers, market="kelly", forgetting=forgetting).fit(flip, y)
        found[forgetting] = [row for row, name in market.changes_ if row >= 300 and name == "m1"], market.log_loss_
    assert not found[0.0][0] or found[0.0][0][0] > 500  # without forgetting old riches last
    assert 300 <= found[0.02][0][0] < 310 and found[0.02][1] < found[0.0][1]
    tolerance = {f: market_of(offers, forgetting=f).fit(flip, y).log_loss_ for f in (0.0, 0.02)}
    assert tolerance[0.02] < tolerance[0.0]


# --- scikit-learn ---


@parametrize_with_checks([OnlineMarket([("learns", SGDClassifier(loss="log_loss", random_state=0))])])
def test_the_contract(estimator, check):
    check(estimator)


def test_members_by_name(rows, mixed):
    X, y = rows
    market = OnlineMarket(mixed).set_params(learns__alpha=0.5, called="drop")
    assert market.get_params()["learns__alpha"] == 0.5
    market.fit(X, y)
    assert list(market.wealth_) == ["fitted", "learns", "sleeps"] and market.members_["learns"].alpha == 0.5
    assert market.members_["fitted"] is mixed[0][1] and market.members_["learns"] is not mixed[1][1]


def test_fitted_learners_go_on_or_are_frozen(rows):
    X, y = rows
    before = SGDClassifier(loss="log_loss", random_state=0).fit(X[:40], y[:40])
    weights = before.coef_.copy()
    market = OnlineMarket([("on", before), ("still", FrozenEstimator(before))]).fit(X[40:], y[40:])
    np.testing.assert_array_equal(before.coef_, weights)
    assert (market.members_["on"].coef_ != weights).any()


def test_a_market_trades_in_a_market(rows, mixed):
    X, y = rows
    inner = OnlineMarket(mixed).fit(X, y)
    outer = OnlineMarket([("inner", FrozenEstimator(inner)), *mixed[2:]]).fit(X, y)
    assert outer.influence_["inner"] > 0.5
    assert sum(outer.scene().items[0].values) == pytest.approx(1)


# --- what is refused ---


def test_bad_settings_and_members(rows, mixed):
    X, y = rows
    for change, sentence in (
        (dict(market="cash"), "market is 'cash': give one of log, kelly, fractional"),
        (dict(fraction=0.0), "fraction is 0.0"),
        (dict(forgetting=-0.1), "forgetting is -0.1"),
        (dict(floor=1.0), "floor is 1.0"),
        (dict(block=0), "block is 0"),
        (dict(max_influence=0.2), "max_influence is 0.2: with 4 members give 1/4 to 1"),
        (dict(estimators=[]), "at least one of them"),
        (dict(estimators=[("a", "drop")]), "all members are dropped"),
        (dict(estimators=[("a", 3)]), "member 'a' neither has predict_proba nor can be called"),
        (dict(estimators=[("a", LogisticRegression())]), "member 'a' has no partial_fit and is not fitted"),
        (
            dict(estimators=[("a", lambda X: np.zeros((len(X), 3)))]),
            r"member 'a' offers \[1, 3\] on 1 rows and 2 classes",
        ),
        (dict(estimators=[("a", lambda X: np.ones((len(X), 2)))]), "member 'a' offers what are no log-probabilities"),
    ):
        with pytest.raises(BadInput, match=sentence):
            OnlineMarket(**dict(estimators=mixed, block=1) | change).partial_fit(X[:1], y[:1], classes=["up", "down"])


def test_bad_outcomes(rows, mixed):
    X, y = rows
    with pytest.raises(BadInput, match="one class only"):
        OnlineMarket(mixed).fit(X[:5], ["up"] * 5)
    market = OnlineMarket(mixed).fit(X, y)
    with pytest.raises(BadInput, match="'left', which is not among the classes"):
        market.partial_fit(X[:1], ["left"])
    with pytest.raises(BadInput, match="classes differ"):
        market.partial_fit(X[:1], ["up"], classes=["up", "left"])
    foreign = LogisticRegression().fit(X, np.where(y == "up", "a", "b"))
    with pytest.raises(BadInput, match="member 'f' knows classes that the market does not"):
        OnlineMarket([("f", foreign)]).fit(X, y)
    with pytest.raises(NotFittedError):
        OnlineMarket(mixed).predict_proba(X)
