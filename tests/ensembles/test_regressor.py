"""`MarketRegressor` keeps scikit-learn's manners, and is a market."""

import pickle

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.ensembles import MarketRegressor
from catallax.ensembles.regressor import standard_units, tells_doubt
from catallax.ensembles.rules import continuum


def two():
    return [("ridge", Ridge(0.1)), ("tree", DecisionTreeRegressor(max_depth=4, random_state=0))]


def three():
    return [*two(), ("near", make_pipeline(StandardScaler(), KNeighborsRegressor(5)))]


@pytest.fixture(scope="module")
def rows():
    X, y = make_friedman1(200, n_features=5, noise=1.0, random_state=0)
    return X[:120], y[:120], X[120:], y[120:]


@pytest.fixture(scope="module")
def market(rows):
    return MarketRegressor(three()).fit(*rows[:2])


@parametrize_with_checks([MarketRegressor(two(), market="quantile", cv=2)])  # funds, but few
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


def test_forecasts_are_densities(rows, market):
    Z, z = rows[2:]
    mean, std = market.predict(Z, return_std=True)
    np.testing.assert_array_equal(mean, market.predict(Z))
    assert market.score(Z, z) > 0.6 and (std > 0).all()
    edges = market.predict_quantiles(Z, [0.05, 0.5, 0.95])
    assert (np.diff(edges) > 0).all()
    inside = np.mean((edges[:, 0] < z) & (z < edges[:, 2]))
    assert 0.75 < inside < 1
    step = 1e-5 * std
    slope = (market.predict_density(Z).below(z + step) - market.predict_density(Z).below(z - step)) / (2 * step)
    np.testing.assert_allclose(market.predict_log_density(Z, z), np.log(slope), atol=1e-5)


def test_members_who_know_nothing_are_not_heard(rows):
    """The vote gives them the same say."""
    X, y, Z, z = rows
    members = [("tree", three()[1][1]), ("near", three()[2][1])]
    members += [(f"blind{i}", DummyRegressor(strategy="quantile", quantile=q)) for i, q in enumerate((0.1, 0.5, 0.8))]
    vote = VotingRegressor(members).fit(X, y)
    for name in ("gaussian", "em", "quantile"):
        market = MarketRegressor(members, market=name).fit(X, y)
        assert np.mean((market.predict(Z) - z) ** 2) < 0.8 * np.mean((vote.predict(Z) - z) ** 2)
        assert market.influence_.shares["tree"] + market.influence_.shares["near"] > 0.8


def test_forecasts_follow_the_units_of_y(rows):
    """If the members' do: trees stop at impurities of 1e-7 or so, in units of y."""
    X, y, Z, z = rows
    members = [("ridge", Ridge(0.1)), ("lines", LinearRegression()), three()[2]]
    scale, shift = -1e5, 40.0
    for name in continuum.MARKETS:
        one = MarketRegressor(members, market=name).fit(X, y)
        other = MarketRegressor(members, market=name).fit(X, scale * y + shift)
        np.testing.assert_allclose(other.predict(Z), scale * one.predict(Z) + shift, rtol=1e-10)
        np.testing.assert_allclose(other.predict(Z, True)[1], abs(scale) * one.predict(Z, True)[1], rtol=1e-10)
        there = other.predict_log_density(Z, scale * z + shift) + np.log(abs(scale))
        np.testing.assert_allclose(there, one.predict_log_density(Z, z), atol=1e-10)


def test_units_of_y_are_robust():
    y = np.r_[np.arange(101.0), 1e9]
    centre, unit = standard_units(y, np.ones(102))
    assert centre == pytest.approx(50.5) and unit == pytest.approx(51 / 1.349, rel=0.03)
    assert standard_units(np.full(5, 7.0), np.ones(5)) == (7.0, 1.0)
    assert standard_units(np.r_[np.zeros(9), 5.0], np.ones(10)) == (0.0, 0.5)


def test_a_constant_is_forecast(rows):
    X, _, Z, _ = rows
    for name in continuum.MARKETS:
        market = MarketRegressor(two(), market=name, cv=2).fit(X, np.full(len(X), 5.0))
        np.testing.assert_allclose(market.predict(Z), 5, atol=1e-3)
        assert np.isfinite(market.predict_log_density(Z, np.full(len(Z), 6.0))).all()


def test_rows_that_are_all_alike_and_one_row(rows):
    market = MarketRegressor([("mean", LinearRegression())], cv=2).fit(np.ones((20, 1)), np.arange(20.0))
    assert 5 < market.predict(np.ones((1, 1)))[0] < 15
    assert market.predict_quantiles(np.ones((1, 1)), 0.5).shape == (1, 1)
    with pytest.raises(BadInput, match="n_samples=1"):
        MarketRegressor(two()).fit(np.ones((1, 1)), [1.0])


def test_members_that_tell_their_doubt_are_asked():
    """Noise grows with x: who knows it earns more, and the market's spread follows."""
    random = np.random.default_rng(0)
    X = random.uniform(0, 3, (150, 1))
    y = np.sin(X[:, 0]) + 0.1 * random.normal(size=150)
    X[100:] = random.uniform(6, 20, (50, 1))
    y[100:] = random.normal(size=50)
    process = GaussianProcessRegressor(RBF(1.0) + WhiteKernel(0.05), optimizer=None)
    market = MarketRegressor([("process", process), ("tree", two()[1][1])], market="gaussian").fit(X, y)
    assert tells_doubt(process) and tells_doubt(make_pipeline(StandardScaler(), BayesianRidge()))
    assert not tells_doubt(Ridge()) and tells_doubt(market)
    near, far = market.predict(np.array([[1.5], [40.0]]), return_std=True)[1]
    assert far > 1.5 * near
    piped = MarketRegressor([("bayes", make_pipeline(StandardScaler(), BayesianRidge()))], market="em").fit(X, y)
    assert np.ptp(piped.predict(X, return_std=True)[1]) > 0
    MarketRegressor([("inner", market), ("ridge", Ridge().fit(X, y))], cv="prefit").fit(X, y)


def test_prefit_members_are_not_fitted_again(rows):
    X, y, Z, z = rows
    fitted = [(name, clone(member).fit(X[:60], y[:60])) for name, member in three()]
    before = [member.predict(Z) for _, member in fitted]
    market = MarketRegressor(fitted, cv="prefit").fit(X[60:], y[60:])
    assert all(ours is member for ours, (_, member) in zip(market.estimators_, fitted))
    np.testing.assert_array_equal(market.transform(Z).T, before)
    assert market.score(Z, z) > 0.5


def test_weights_reach_those_members_that_can_weigh(rows):
    X, y, Z, _ = rows
    weight = np.where(X[:, 0] > 0.5, 5.0, 1.0)
    market = MarketRegressor(three(), market="em").fit(X, y, sample_weight=weight)
    alone = Ridge(0.1).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(market.named_estimators_["ridge"].predict(Z), alone.predict(Z))


def test_weights_count_as_copies_and_order_does_not_matter(rows):
    X, y, Z, _ = rows
    copies = np.random.default_rng(0).permutation(np.repeat(np.arange(len(y)), 1 + np.arange(len(y)) % 3))
    members = [("ridge", Ridge(0.1)), ("lines", LinearRegression())]
    one = MarketRegressor(members).fit(X, y, sample_weight=1 + np.arange(len(y)) % 3)
    other = MarketRegressor(members).fit(X[copies], y[copies])
    np.testing.assert_allclose(other.predict(Z), one.predict(Z), rtol=1e-8)


def test_metadata_is_routed_to_those_that_ask(rows):
    X, y, Z, _ = rows
    weight = np.where(X[:, 0] > 0.5, 9.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        members = [
            ("asks", Ridge(0.1).set_fit_request(sample_weight=True)),
            ("does_not", BayesianRidge().set_fit_request(sample_weight=False)),
        ]
        market = MarketRegressor(members, market="em").fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(
            market.named_estimators_["asks"].predict(Z), Ridge(0.1).fit(X, y, sample_weight=weight).predict(Z)
        )
        np.testing.assert_allclose(
            market.named_estimators_["does_not"].predict(Z), BayesianRidge().fit(X, y).predict(Z)
        )
        MarketRegressor([("ridge", Ridge())], cv=GroupKFold(3)).fit(X, y, groups=np.arange(len(y)) % 7)


def test_parameters_frames_jobs_and_pickles(rows, market):
    pandas = pytest.importorskip("pandas")
    X, y, Z, _ = rows
    columns = [f"c{i}" for i in range(X.shape[1])]
    other = MarketRegressor(three(), market="em", cv=2, n_jobs=2).set_output(transform="pandas")
    with parallel_config("threading"):
        other.set_params(tree__max_depth=1, ridge="drop").fit(pandas.DataFrame(X, columns=columns), y)
    frame = other.transform(pandas.DataFrame(Z, columns=columns))
    assert list(frame.columns) == ["marketregressor_tree", "marketregressor_near"]
    plain = MarketRegressor(three(), market="em", cv=2).set_params(tree__max_depth=1, ridge="drop").fit(X, y)
    np.testing.assert_allclose(frame.to_numpy(), plain.transform(Z))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(market)).predict(Z), market.predict(Z))


def test_receipts_say_who_moved_the_mean_and_who_is_paid(rows, market):
    Z, z = rows[2:]
    found = market.explain(Z, z)
    np.testing.assert_allclose(found.moved.sum(1) + found.maker, found.price - found.opening, atol=1e-9)
    np.testing.assert_allclose(found.price, market.predict(Z), atol=1e-9)
    np.testing.assert_allclose(found.paid.sum(1), 0, atol=1e-10)
    assert "came" in found.sentence(0) and len(found) == len(Z)
    assert np.abs(found.without - found.price[:, None]).max() > 0.1
    assert market.explain(Z).paid is None
    scene = market.scene("receipt", Z, row=2)
    assert scene.items[0].labels == ("ridge", "tree", "near")
    assert {type(item).__name__ for item in market.scene("wealth").items} == {"Series", "Bars"}


def test_errors_cancel_as_the_decomposition_says(rows, market):
    Z, z = rows[2:]
    found = market.errors(Z, z)
    assert found.pool == pytest.approx(found.shares @ found.members - found.ambiguity, rel=1e-12)
    assert found.ambiguity > 0 and found.price == pytest.approx(np.mean((market.predict(Z) - z) ** 2))
    np.testing.assert_allclose(found.members, np.square(market.transform(Z) - z[:, None]).mean(0))
    np.testing.assert_allclose(np.diag(market.errors().correlation), 1)


def test_influence_is_capped_and_the_cost_is_told(rows):
    X, y, *_ = rows
    free = MarketRegressor(three(), market="gaussian").fit(X, y)
    capped = MarketRegressor(three(), market="gaussian", max_influence=0.35).fit(X, y)
    assert free.influence_.largest[1] > 0.4 and free.influence_.cap_cost is None
    assert capped.influence_.largest[1] <= 0.35 + 1e-9
    assert capped.influence_.effective_members > 2.9 and isinstance(capped.influence_.cap_cost, float)


def test_scores_and_spreads_of_members_are_in_the_units_of_y(rows):
    X, y, *_ = rows
    random = np.random.default_rng(0)
    X, y = X, 1000 * (X[:, 0] + 0.05 * random.normal(size=len(X)))
    market = MarketRegressor([("lines", LinearRegression())], market="em").fit(X, y)
    assert market.spreads_["lines"] == pytest.approx(50, rel=0.2)
    assert market.scores_["lines"] == pytest.approx(norm(0, 50).entropy() * -1, abs=0.2)


def test_the_default_members_learn(rows):
    X, y, Z, z = rows
    market = MarketRegressor(cv=2, random_state=0)
    market.set_params(estimators=[(n, m) for n, m in market._defaults() if n not in ("forest", "extra_trees")])
    assert market.fit(X, y).score(Z, z) > 0.7


def test_bad_input_is_refused_in_a_sentence(rows):
    X, y, *_ = rows
    fit = lambda **settings: MarketRegressor(**{"estimators": two(), "market": "em", **settings}).fit(X, y)  # noqa: E731
    with pytest.raises(BadInput, match="market must be one of"):
        fit(market="bazaar")
    with pytest.raises(BadInput, match=r"max_influence must lie in \[1/2, 1\]"):
        fit(max_influence=0.3)
    with pytest.raises(BadInput, match="'ridge' is not fitted"):
        fit(cv="prefit")
    with pytest.raises(BadInput, match="cv must be"):
        fit(cv="twice")
    with pytest.raises(BadInput, match="floor"):
        fit(floor=0.0)
    with pytest.raises(BadInput, match="must be a regressor"):
        fit(estimators=[("a", StandardScaler())])
    for bad in (np.nan, np.inf):
        with pytest.raises(BadInput, match="row 3 is"):
            MarketRegressor(two()).fit(X, np.where(np.arange(len(y)) == 3, bad, y))
    with pytest.raises(BadInput, match="MarketClassifier"):
        MarketRegressor(two()).fit(X, np.array(["a"] * len(y)))
    with pytest.raises(BadInput, match="quantiles must be"):
        fit().predict_quantiles(X, [0.5, 1.0])
    with pytest.raises(BadInput, match="y has 2 rows"):
        fit().predict_log_density(X, [1.0, 2.0])
    two_numbers = LinearRegression().fit(X, np.c_[y, y])
    with pytest.raises(BadInput, match="2 numbers a row"):
        fit(estimators=[("both", two_numbers)], cv="prefit")
