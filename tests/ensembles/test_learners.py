"""Learners as rows of a table: each agrees with whose it is, minimises the loss that it names, and is measured as it is."""

import itertools

import jax
import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from catallax.core.errors import BadInput
from catallax.ensembles.learners import chain, lines, losses, market, network, trees
from catallax.ensembles.learners.learner import Rows
from catallax.ensembles.learners.sheet import MOST_WORDS, Sheet, check, fewer, sheet_of
from catallax.ensembles.learners.table import SHARES, compare, default_learners
from catallax.io.frames import read_frame

needs_crf = pytest.mark.skipif(not chain.is_there(), reason="the extra crf is not installed")
SMALL = [
    lines.LeastSquares(),
    lines.Discriminant(),
    lines.SupportVectors(),
    lines.Logistic(),
    trees.Forest(8),
    trees.Boosting(6),
    network.Perceptron((4, 3), alpha=1.0),
    *([chain.RandomField()] if chain.is_there() else []),
]


def drawn(classes=3, rows=90, features=4, seed=0, apart=1.5):
    """Gaussian clouds."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    X = random.normal(size=(rows, features)) + apart * random.normal(size=(classes, features))[y]
    return Rows((X - X.mean(0)) / X.std(0), np.arange(rows)), y


def sheet(rows, y, **options):
    names = tuple(f"x{k}" for k in range(rows.X.shape[1]))
    return Sheet(rows.X, y, rows.chain, names, tuple(map(str, range(y.max() + 1))), "y", **options)


@pytest.fixture(scope="module", params=[2, 3])
def data(request):
    return drawn(request.param)


@pytest.fixture(scope="module")
def fitted(data):
    rows, y = data
    return {learner.name: learner.fit(rows, y, 0) for learner in SMALL}


def said(fitted, rows):
    return fitted.forecast(fitted.read(rows), fitted.everyone())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_forecasts_are_those_of_scikit_learn(data, fitted):
    rows, y = data
    theirs = {
        "logistic regression": LogisticRegression(max_iter=5000),
        "discriminant analysis": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "boosting": GradientBoostingClassifier(n_estimators=6, random_state=0),
        "network": MLPClassifier((4, 3), activation="tanh", solver="lbfgs", alpha=1.0, max_iter=200, random_state=0),
    }
    for name, model in theirs.items():
        np.testing.assert_allclose(said(fitted[name], rows), model.fit(rows.X, y).predict_proba(rows.X), atol=1e-7)
    forest = RandomForestClassifier(8, random_state=0).fit(rows.X, y)
    read = fitted["random forest"].read(rows)
    np.testing.assert_allclose(read.mean(0), forest.predict_proba(rows.X), atol=1e-7)


def test_least_squares_is_the_regression_on_indicators(data, fitted):
    rows, y = data
    own = fitted["least squares"]
    Y, X1 = np.eye(y.max() + 1)[y], np.column_stack([rows.X, np.ones(len(y))])
    solved = np.linalg.solve(X1.T @ X1, X1.T @ Y)  # the normal equations
    np.testing.assert_allclose(np.vstack([own.weights, own.constant]), solved, atol=1e-10)
    assert (said(own, rows).argmax(1) == (X1 @ solved).argmax(1)).all()


@pytest.mark.parametrize("name", [learner.name for learner in SMALL])
def test_forecasts_are_probabilities_whoever_is_silent(data, fitted, name):
    rows, y = data
    own = fitted[name]
    read = own.read(rows)
    for kept in (own.everyone(), np.arange(own.units) % 2 == 0, np.zeros(own.units, bool)):
        price = own.forecast(read, kept)
        assert price.shape == (len(y), y.max() + 1)
        assert (price > 0).all()
        np.testing.assert_allclose(price.sum(1), 1)
    assert np.ptp(price, axis=0).max() < 1e-12  # when nobody speaks, every row is told the same
    assert own.width() >= 1 and own.depth(rows) >= 1


def test_a_silent_feature_is_one_at_its_mean(data, fitted):
    rows, _ = data
    kept = np.array([True, False, True, False])
    for name in {"least squares", "discriminant analysis", "support vectors", "logistic regression", "random field"} & {
        *fitted
    }:
        own = fitted[name]
        meant = said(own, Rows(rows.X * kept, rows.chain))
        np.testing.assert_allclose(own.forecast(own.read(rows), kept), meant, atol=1e-12)


def test_silent_trees_and_stages(data, fitted):
    rows, y = data
    shares = np.bincount(y) / len(y)
    for name in ("random forest", "boosting"):
        own = fitted[name]
        nobody = own.forecast(own.read(rows), np.zeros(own.units, bool))
        np.testing.assert_allclose(nobody, np.tile(shares, (len(y), 1)), atol=1e-7)
    own, model = fitted["boosting"], GradientBoostingClassifier(n_estimators=6, random_state=0).fit(rows.X, y)
    third = list(model.staged_predict_proba(rows.X))[2]  # silence all stages after the third
    np.testing.assert_allclose(own.forecast(own.read(rows), np.arange(6) < 3), third, atol=1e-7)


# --- the losses ---


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("least squares", 1e-10),
        ("logistic regression", 1e-4),
        ("support vectors", 1e-3),
        pytest.param("random field", 1e-3, marks=needs_crf),
    ],
)
def test_each_minimises_the_loss_that_it_names(fitted, name, tolerance):
    loss, start, end, given = fitted[name].dependence()
    with jax.enable_x64(True):
        assert np.abs(jax.grad(loss)(end, *given)).max() < tolerance
        assert loss(end, *given) < loss(start, *given)
        if name != "least squares":
            assert np.abs(jax.grad(loss)(start, *given)).max() > 30 * tolerance


def test_the_discriminant_loss_is_a_gaussian_likelihood():
    rows, y = drawn(3)
    loss, _, end, given = lines.Discriminant().fit(rows, y, 0).dependence()
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows.X, y)
    density = [multivariate_normal(mean, theirs.covariance_).logpdf(rows.X) for mean in theirs.means_]
    expected = -np.mean(np.array(density)[y, np.arange(len(y))]) - 2 * np.log(2 * np.pi)
    with jax.enable_x64(True):
        assert float(loss(end, *given)) == pytest.approx(expected, rel=1e-10)
        assert np.abs(jax.grad(loss)(end, *given))[:12].max() < 1e-12  # the means are the likeliest


def test_the_network_loss_is_that_of_scikit_learn(data, fitted):
    rows, y = data
    loss, _, end, given = fitted["network"].dependence()
    model = MLPClassifier((4, 3), activation="tanh", solver="lbfgs", alpha=1.0, max_iter=200, random_state=0)
    with jax.enable_x64(True):
        assert float(loss(end, *given)) == pytest.approx(model.fit(rows.X, y).loss_, rel=1e-3)


def test_the_chain_loss_by_trying_all_labels():
    random = np.random.default_rng(0)
    X1, place = random.normal(size=(7, 3)), np.array([[0, 1, 2, 3], [4, 5, 6, -1]])
    y, weights, steps = random.integers(2, size=7), random.normal(size=(3, 2)), random.normal(size=(2, 2))
    there = (place >= 0).astype(float)
    score = X1 @ weights

    def total(labels, rows):
        return score[rows, labels].sum() + sum(steps[a, b] for a, b in itertools.pairwise(labels))

    missed, marginals = 0.0, np.zeros((7, 2))
    for rows in ([0, 1, 2, 3], [4, 5, 6]):
        every = list(itertools.product(range(2), repeat=len(rows)))
        odds = np.exp([total(list(labels), rows) for labels in every])
        missed += np.log(odds.sum()) - total(y[rows].tolist(), rows)
        for labels, odd in zip(every, odds, strict=True):
            marginals[rows, labels] += odd / odds.sum()
    padded = (X1[place] * there[..., None], np.eye(2)[y][place] * there[..., None], there)
    with jax.enable_x64(True):
        found = losses.Chain(2, 0.0)(np.concatenate([weights.ravel(), steps.ravel()]), *padded)
    assert float(found) == pytest.approx(missed / 7, rel=1e-12)
    np.testing.assert_allclose(np.exp(chain.log_marginals(score, steps, place)), marginals, rtol=1e-12)


def test_rows_of_a_chain_keep_their_order():
    place = chain.laid_out(np.array([5, 2, 5, 2, 5, 9]))
    np.testing.assert_array_equal(place, [[1, 3, -1], [0, 2, 4], [5, -1, -1]])


def persistent(chains=40, length=6, seed=0):
    """Labels that mostly stay, seen through a fog: neighbours tell."""
    random = np.random.default_rng(seed)
    y = np.empty((chains, length), int)
    y[:, 0] = random.integers(2, size=chains)
    for t in range(1, length):
        y[:, t] = np.where(random.random(chains) < 0.92, y[:, t - 1], 1 - y[:, t - 1])
    X = (y.ravel() * 2 - 1)[:, None] * [0.6, 0.0] + random.normal(size=(y.size, 2))
    return sheet(Rows(X, np.repeat(np.arange(chains), length)), y.ravel(), chained=True)


@needs_crf
def test_only_the_field_hears_its_neighbours():
    found = compare(persistent(), [lines.Logistic(), chain.RandomField()], folds=3, seeds=1)
    plain, linked = (m.loss.mean() for m in found)
    assert linked < 0.9 * plain
    assert found[0].depth == 1 and found[1].depth == 6  # a step a row of its chain
    assert found[1].r2[0] < 0.9  # its log-odds are no line of the row alone


# --- what the table says ---


@pytest.fixture(scope="module")
def table():
    rows, y = drawn(2, rows=60)
    members = [lines.LeastSquares(), lines.Logistic()]
    learners = [*SMALL, market.Market(members, folds=2)]
    found = compare(sheet(rows, y), learners, folds=3, seeds=2)
    return {measured.learner.name: measured for measured in found}


def test_parameter_dependence(table):
    assert table["least squares"].change == [0.0, 0.0]
    assert set(table["random forest"].change + table["boosting"].change) == {"no Hessian"}
    for name in {"discriminant analysis", "support vectors", "logistic regression", "random field", "network"} & {
        *table
    }:
        assert all(change > 0.01 for change in table[name].change), name
    assert all(change >= 0 for change in table["market of models"].change)


def test_paths_are_counted(table):
    for name in {"least squares", "logistic regression", "random field"} & {*table}:
        assert set(table[name].flow.steps) == {1.0}
    assert len(table["logistic regression"].flow.steps) == 5
    # 4 -> 4 -> 3 -> 1: 20 parameters three steps away, 15 two, 4 one
    steps = table["network"].flow.steps
    assert [int((steps == k).sum()) for k in (1, 2, 3)] == [4, 15, 20]
    assert table["boosting"].flow.steps.max() == 6
    assert table["random forest"].flow == (None, "local") and table["market of models"].flow.steps is None


def test_depth_and_width(table):
    assert table["logistic regression"].depth == 1 and table["logistic regression"].width == 4
    assert table["network"].depth == 3 and table["network"].width == 4
    assert 2 <= table["boosting"].depth <= 4  # trees of depth 3, and a sum
    assert table["market of models"].depth == 3  # members of one step, their funds, the price
    assert table["market of models"].units == 2


def test_lines_are_read_by_lines(table):
    for name in {"discriminant analysis", "support vectors", "logistic regression", "random field"} & {*table}:
        np.testing.assert_allclose(table[name].r2, 1, atol=1e-9)
    assert table["random forest"].r2.max() < 0.99


def test_curves_begin_with_the_whole_and_features_are_the_units_of_lines(table):
    for measured in table.values():
        for order, curve in measured.curves.items():
            np.testing.assert_allclose(curve[:, 0], measured.right.mean(axis=1), err_msg=order)
            assert curve.shape == (2, len(SHARES))
    for name in ("least squares", "discriminant analysis", "support vectors", "logistic regression"):
        np.testing.assert_array_equal(table[name].curves["influential"], table[name].curves["features"])
    assert table["logistic regression"].area("influential").mean <= table["logistic regression"].area("random").mean


def test_accuracy_out_of_fold_is_the_loop_by_hand(table):
    from sklearn.model_selection import StratifiedKFold

    rows, y = drawn(2, rows=60)
    right = np.zeros(60)
    for learnt, held in StratifiedKFold(3, shuffle=True, random_state=0).split(rows.X, y):
        mean, scale = rows.X[learnt].mean(0), rows.X[learnt].std(0)
        model = LogisticRegression(max_iter=5000).fit((rows.X[learnt] - mean) / scale, y[learnt])
        right[held] = model.predict((rows.X[held] - mean) / scale) == y[held]
    np.testing.assert_array_equal(table["logistic regression"].right[0], right)


def test_who_sees_nothing_has_no_skill_to_lose():
    y = np.arange(60) % 2
    found = compare(sheet(Rows(np.ones((60, 2)), np.arange(60)), y), [lines.Logistic()], folds=2, seeds=1)[0]
    assert np.isnan(found.area("random").mean) and np.isnan(found.r2).all()


def test_a_silent_member_is_the_market_without_it():
    rows, y = drawn(3)
    own = market.Market([lines.LeastSquares(), lines.Logistic(), lines.Discriminant()], folds=2).fit(rows, y, 0)
    np.testing.assert_allclose(said(own, rows), own.market.predict_proba(rows.X))
    read = own.read(rows)
    without = own.market.price_.without(1).price(read)
    np.testing.assert_allclose(own.forecast(read, np.array([True, False, True])), without)
    np.testing.assert_allclose(own.forecast(read, np.zeros(3, bool))[0], np.bincount(y) / len(y))


def test_the_rows_of_the_table():
    names = [learner.name for learner in default_learners()]
    assert {"least squares", "discriminant analysis", "support vectors", "logistic regression"} <= set(names)
    assert {"random forest", "boosting", "network", "market of models"} <= set(names)
    assert ("random field" in names) == chain.is_there()
    planners = {learner.name for learner in default_learners() if learner.side == "planner"}
    assert planners == set(names) - {"random forest", "boosting", "network", "market of models"}


# --- tables as learners take them ---


def read(tmp_path, text, **options):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return sheet_of(read_frame(path), **options)


def test_words_and_what_is_missing(tmp_path):
    found = read(tmp_path, "size,colour,kind,y\n1,red,a,yes\n,blue,b,no\n3,?,c,yes\n5,red,a,no\n")
    assert found.classes == ("no", "yes") and found.y.tolist() == [1, 0, 1, 0]
    assert found.features == ("size", "colour=red", "kind=a", "kind=b", "kind=c")
    np.testing.assert_array_equal(found.X[:, 1], [1, 0, np.nan, 1])
    learnt, held = found.split(np.array([0, 1, 2]), np.array([3]))
    np.testing.assert_allclose(learnt.X[:, 0], [-1, 0, 1])  # mean 2, deviation 1; what is missing is the mean
    assert held.X[0, 0] == 3
    assert np.isfinite(learnt.X).all()


def test_a_constant_says_nothing(tmp_path):
    found = read(tmp_path, "a,b,y\n7,1,u\n7,2,v\n7,3,u\n")
    whole = np.arange(3)
    assert (found.split(whole, whole)[0].X[:, 0] == 0).all()


def test_chains_are_columns_in_common(tmp_path):
    found = read(tmp_path, "day,x,y\nmon,1,u\nmon,2,v\ntue,3,u\n", sequence="day")
    assert found.chained and found.chain.tolist() == [0, 0, 1] and found.features == ("x",)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("a,b\n1,2\n", {"target": "c"}, "no column 'c'"),
        ("a,b\n1,2\n", {"sequence": "c"}, "no column 'c'"),
        ("a,b\n1,2\n", {"target": "b", "sequence": "b"}, "both"),
        ("a\n1\n2\n", {}, "no column but"),
        ("a,y\n1,u\n2,\n", {}, "line 3.*the cell is empty"),
        ("a,y\n,u\n,v\n", {}, "'a' is empty"),
        ("a,y\n" + "".join(f"1,{k}.5\n" for k in range(30)), {}, "30 different numbers"),
        ("a,y\n" + "".join(f"w{k},{k % 2}\n" for k in range(MOST_WORDS + 1)), {}, "different words"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(tmp_path, text, options, words):
    with pytest.raises(BadInput, match=words):
        read(tmp_path, text, **options)


def test_classes_must_fill_the_folds(tmp_path):
    found = read(tmp_path, "a,y\n1,u\n2,v\n3,u\n")
    with pytest.raises(BadInput, match=r"class 'v' is in 1 row and there are 2 folds"):
        check(found, 2)
    with pytest.raises(BadInput, match="one class only, 'u'"):
        check(read(tmp_path, "a,y\n1,u\n2,u\n"), 2)


def test_many_rows_are_drawn_and_chains_left_whole():
    rows, y = drawn(2, rows=50)
    few = fewer(sheet(rows, y), seed=0, most=20)
    assert len(few.y) == len(few.X) == len(few.chain) == 20 and len(set(few.chain)) == 20
    chained = sheet(rows, y, chained=True)
    assert fewer(chained, seed=0, most=20) is chained
