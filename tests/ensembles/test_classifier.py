"""`MarketClassifier` keeps scikit-learn's manners, and is a market."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, RepeatedKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.ensembles import MarketClassifier
from catallax.ensembles.rules import funds


def three():
    return [
        ("bayes", GaussianNB()),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
        ("lines", make_pipeline(StandardScaler(), LogisticRegression())),
    ]


def two():
    return [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    names = np.array(["barolo", "grignolino", "barbera"])[y]
    return X[rows[:110]], names[rows[:110]], X[rows[110:]], names[rows[110:]]


@pytest.fixture(scope="module")
def market(wine):
    return MarketClassifier(three()).fit(*wine[:2])


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # scikit-learn's own, where y is infinite
@parametrize_with_checks(
    [MarketClassifier(two(), market="auto", cv=2), MarketClassifier(two(), market="em", cv=3)],
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


def test_forecasts_are_prices_of_classes_by_name(wine, market):
    price = market.predict_proba(wine[2])
    np.testing.assert_allclose(price.sum(1), 1, atol=1e-12)
    assert list(market.classes_) == ["barbera", "barolo", "grignolino"]
    assert market.score(*wine[2:]) > 0.9
    np.testing.assert_array_equal(market.predict(wine[2]), market.classes_[price.argmax(1)])
    np.testing.assert_allclose(market.predict_log_proba(wine[2]), np.log(price))


def test_members_who_know_nothing_are_not_heard(wine):
    """The soft vote gives them the same say."""
    X, y, Z, z = wine
    members = [("lines", make_pipeline(StandardScaler(), LogisticRegression()))]
    members += [(f"blind{i}", DummyClassifier(strategy="prior")) for i in range(3)]
    market = MarketClassifier(members, market="em").fit(X, y)
    vote = VotingClassifier(members, voting="soft").fit(X, y)
    assert log_loss(z, market.predict_proba(Z)) < 0.5 * log_loss(z, vote.predict_proba(Z))
    assert market.influence_.shares["lines"] > 0.95


def test_prefit_members_are_not_fitted_again(wine):
    X, y, Z, z = wine
    fitted = [(name, clone(member).fit(X[:60], y[:60])) for name, member in three()]
    before = pickle.dumps(fitted)
    market = MarketClassifier(fitted, cv="prefit").fit(X[60:], y[60:])
    assert pickle.dumps(fitted) == before
    assert market.estimators_[0] is fitted[0][1]
    assert market.score(Z, z) > 0.9


def test_prefit_members_may_know_different_classes(wine):
    X, y, Z, _ = wine
    some = y != "barbera"
    fitted = [("some", GaussianNB().fit(X[some], y[some])), ("all", GaussianNB().fit(X, y))]
    market = MarketClassifier(fitted, cv="prefit", market="em").fit(X, y)
    price = market.predict_proba(Z)
    assert price.shape == (len(Z), 3)
    assert market.influence_.shares["all"] > 0.9


def test_weights_reach_those_members_that_can_weigh(wine):
    X, y, Z, _ = wine
    members = [*three(), ("near", KNeighborsClassifier())]  # neighbours cannot
    weight = np.where(y == "barolo", 5.0, 1.0)
    heavy = MarketClassifier(members, market="em").fit(X, y, sample_weight=weight)
    light = MarketClassifier(members, market="em").fit(X, y)
    alone = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        X, np.searchsorted(heavy.classes_, y), logisticregression__sample_weight=weight
    )
    np.testing.assert_allclose(heavy.named_estimators_["lines"].predict_proba(Z), alone.predict_proba(Z))
    barolo = list(heavy.classes_).index("barolo")
    assert heavy.predict_proba(Z)[:, barolo].mean() > light.predict_proba(Z)[:, barolo].mean()


def test_metadata_is_routed_to_those_that_ask(wine):
    X, y, *_ = wine
    with sklearn.config_context(enable_metadata_routing=True):
        members = [
            ("asks", GaussianNB().set_fit_request(sample_weight=True)),
            ("does_not", GaussianNB().set_fit_request(sample_weight=False)),
        ]
        market = MarketClassifier(members, market="em").fit(X, y, sample_weight=np.where(y == "barolo", 9.0, 1.0))
        asked, not_asked = market.estimators_
        assert asked.class_prior_[1] > 0.7 > not_asked.class_prior_[1]
        split = MarketClassifier([("bayes", GaussianNB())], market="em", cv=GroupKFold(3))
        split.fit(X, y, groups=np.arange(len(y)) % 7)


def test_parameters_reach_into_members(wine):
    X, y, *_ = wine
    market = MarketClassifier(three(), market="em")
    market.set_params(tree__max_depth=1, bayes="drop")
    assert market.get_params()["tree__max_depth"] == 1
    market.fit(X, y)
    assert list(market.named_estimators_) == ["tree", "lines"]
    search = GridSearchCV(
        MarketClassifier(three(), market="em"), {"tree__max_depth": [1, 3], "market": ["em", "kelly"]}, cv=2
    )
    assert set(search.fit(X, y).best_params_) == {"tree__max_depth", "market"}


def test_members_may_read_texts():
    texts = ["red wine", "white wine", "red rose", "white snow"] * 6
    colours = ["red", "white"] * 12
    members = [
        ("words", make_pipeline(CountVectorizer(), MultinomialNB())),
        ("lines", make_pipeline(CountVectorizer(), LogisticRegression())),
    ]
    market = MarketClassifier(members, market="em", cv=2).fit(texts, colours)
    assert list(market.predict(["red", "white"])) == ["red", "white"]


def test_members_may_take_missing_values_and_sparse_rows(wine):
    X, y, Z, _ = wine
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    market = MarketClassifier([("tree", tree)], market="em")
    assert market.__sklearn_tags__().input_tags.allow_nan
    assert market.fit(X, y).predict_proba(Z).shape == (len(Z), 3)
    table = sparse.csr_array(np.nan_to_num(X))
    other = MarketClassifier([("lines", LogisticRegression(max_iter=5000))], market="em")
    assert other.__sklearn_tags__().input_tags.sparse
    other.fit(table / 100, y)


def test_frames_in_and_out(wine):
    pandas = pytest.importorskip("pandas")
    X, y, Z, _ = wine
    columns = [f"c{i}" for i in range(X.shape[1])]
    market = MarketClassifier(two(), market="em").set_output(transform="pandas")
    market.fit(pandas.DataFrame(X, columns=columns), y)
    assert list(market.feature_names_in_) == columns
    frame = market.transform(pandas.DataFrame(Z, columns=columns))
    assert list(frame.columns) == list(market.get_feature_names_out())
    assert frame.columns[0] == "marketclassifier_bayes_barbera"
    plain = MarketClassifier(two(), market="em").fit(X, y)
    np.testing.assert_allclose(frame.to_numpy(), plain.transform(Z))


def test_the_order_of_rows_does_not_matter(wine):
    X, y, Z, _ = wine
    order = np.random.default_rng(1).permutation(len(y))
    one = MarketClassifier(two(), market="em").fit(X, y)
    other = MarketClassifier(two(), market="em").fit(X[order], y[order])
    np.testing.assert_allclose(other.predict_proba(Z), one.predict_proba(Z), atol=1e-6)


@pytest.mark.long
def test_jobs_change_nothing(wine):
    X, y, Z, _ = wine
    one = MarketClassifier(two(), market="em", cv=2).fit(X, y)
    other = MarketClassifier(two(), market="em", cv=2, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(Z), other.predict_proba(Z))


def test_pickled_markets_forecast_the_same(wine, market):
    again = pickle.loads(pickle.dumps(market))
    np.testing.assert_array_equal(again.predict_proba(wine[2]), market.predict_proba(wine[2]))


def test_receipts_say_who_moved_the_price_and_who_is_paid(wine, market):
    _, _, Z, z = wine
    receipts = market.explain(Z, z)
    np.testing.assert_allclose(receipts.moved.sum(1), receipts.price - receipts.opening, atol=1e-9)
    np.testing.assert_allclose(receipts.profit.sum(1) + receipts.maker, 0, atol=1e-12)
    np.testing.assert_allclose(receipts.price, market.predict_proba(Z), atol=1e-12)
    came = np.searchsorted(market.classes_, z)
    np.testing.assert_allclose(receipts.paid, receipts.profit[np.arange(len(z)), :, came])
    assert "came" in receipts.sentence(0) and receipts.members[0] == "bayes"


def test_removing_a_member_moves_the_price_as_the_receipt_says(wine, market):
    """Silence it in truth: it offers what everyone would with no knowledge of rows, and has no share."""
    Z = wine[2]
    receipts = market.explain(Z)
    silent = market.price_.without(1)
    garbled = market._beliefs(Z)
    garbled[:, 1] = 1 / 3
    np.testing.assert_allclose(receipts.without[:, 1], silent.price(garbled), atol=1e-12)
    assert np.abs(receipts.without[:, 1] - receipts.price).max() > 1e-3


def test_shapley_values_add_up_to_what_the_market_knows(wine, market):
    _, _, Z, z = wine
    values = market.shapley(Z, z)
    score = -log_loss(z, market.predict_proba(Z), labels=market.classes_)
    assert sum(values.values()) == pytest.approx(score + np.log(3), abs=1e-9)
    assert all(value > 0 for value in values.values())


def test_errors_cancel_as_the_decomposition_says(wine, market):
    found = market.errors(*wine[2:])
    assert found.pool == pytest.approx(found.shares @ found.members - found.ambiguity, abs=1e-12)
    assert found.ambiguity > 0
    np.testing.assert_allclose(np.diag(found.correlation), 1)


def test_influence_is_capped_and_the_cost_is_told(wine):
    X, y, *_ = wine
    free = MarketClassifier(three(), market="kelly").fit(X, y)
    capped = MarketClassifier(three(), market="kelly", max_influence=0.4).fit(X, y)
    assert free.influence_.largest[1] > 0.6 and free.influence_.cap_cost is None
    assert capped.influence_.largest[1] == pytest.approx(0.4)
    assert capped.influence_.effective_members > 2.5 > 1.9 > free.influence_.effective_members
    assert isinstance(capped.influence_.cap_cost, float)


def test_scenes(wine, market):
    assert {type(item).__name__ for item in market.scene("wealth").items} == {"Series", "Bars"}
    scene = market.scene("receipt", wine[2], row=2)
    assert scene.items[0].labels == ("bayes", "tree", "lines")
    with pytest.raises(BadInput, match="'wealth'"):
        market.scene("weather")


@pytest.mark.parametrize("name", funds.MARKETS)
def test_every_market_learns(wine, name):
    X, y, Z, z = wine
    market = MarketClassifier(two(), market=name, cv=3).fit(X, y)
    assert log_loss(z, market.predict_proba(Z), labels=market.classes_) < 0.5


def test_bad_input_is_refused_in_a_sentence(wine):
    X, y, *_ = wine
    fit = lambda **settings: MarketClassifier(**{"estimators": two(), "market": "em", **settings}).fit(X, y)  # noqa: E731
    with pytest.raises(BadInput, match="market must be one of"):
        fit(market="bazaar")
    with pytest.raises(BadInput, match=r"max_influence must lie in \[1/2, 1\]"):
        fit(max_influence=0.3)
    with pytest.raises(BadInput, match="'bayes' is not fitted"):
        fit(cv="prefit")
    with pytest.raises(BadInput, match="cv must be"):
        fit(cv="twice")
    with pytest.raises(BadInput, match="at least 2"):
        fit(cv=1)
    with pytest.raises(BadInput, match="one fold"):
        fit(cv=RepeatedKFold(n_splits=2, n_repeats=2))
    with pytest.raises(BadInput, match="floor"):
        fit(floor=0.0)
    with pytest.raises(BadInput, match="list of"):
        fit(estimators=[])
    with pytest.raises(BadInput, match="dropped"):
        fit(estimators=[("a", "drop")])
    with pytest.raises(BadInput, match="must be a classifier"):
        fit(estimators=[("a", StandardScaler())])
    with pytest.raises(BadInput, match="one class only"):
        MarketClassifier(two()).fit(X, np.zeros(len(y)))
    with pytest.raises(BadInput, match="same labels"):
        MarketClassifier([("a", GaussianNB().fit(X, y))], cv="prefit").fit(X, np.arange(len(y)) % 2)
    with pytest.raises(BadInput, match="none of which is in y"):
        MarketClassifier([("a", GaussianNB().fit(X, y))], cv="prefit").fit(X, np.where(y == "barolo", "x", "z"))
    with pytest.raises(BadInput, match="row 0 of y is 'rioja'"):
        fit().explain(X[:1], ["rioja"])


def test_a_member_without_probabilities_is_named(wine):
    from sklearn.svm import LinearSVC

    X, y, *_ = wine
    with pytest.raises(BadInput, match="'machine' has no predict_proba"):
        MarketClassifier([("machine", LinearSVC())], market="em").fit(X, y)


def test_rare_classes_are_learnt_with_a_splitter_too(wine):
    X, y, *_ = wine
    y = y.copy()
    y[:2] = "rare"
    market = MarketClassifier([("lda", LinearDiscriminantAnalysis())], market="em", cv=StratifiedKFold(2)).fit(X, y)
    assert "rare" in market.classes_
