"""`ChainClassifier` and `ChainRegressor` keep scikit-learn's manners."""

import numpy as np
import optax
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.networks import Backpropagation, ChainClassifier, ChainRegressor

SMALL = {"hidden_layer_sizes": (16,), "epochs": 25, "batch_size": 16, "learning_rate": 1e-2, "random_state": 0}


@parametrize_with_checks([ChainClassifier(**SMALL)])
def test_manners(estimator, check):
    check(estimator)


@pytest.mark.long
@parametrize_with_checks([ChainRegressor(**SMALL)])
def test_manners_of_the_regressor(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)


def test_it_reads_digits_in_a_pipeline(digits):
    X, held, y, labels = digits
    model = make_pipeline(MinMaxScaler(), ChainClassifier((64,), epochs=40, random_state=0))
    assert model.fit(X, y).score(held, labels) > 0.95
    proba = model.predict_proba(held)
    assert proba.shape == (len(held), 10) and np.allclose(proba.sum(axis=1), 1)


def test_names_of_classes_may_be_anything_and_the_teaching_an_object(digits):
    X, _, y, _ = digits
    names = np.array(["even", "odd"])[y % 2]
    model = ChainClassifier((32,), Backpropagation(), epochs=10, optimiser=optax.adam(3e-3), random_state=0)
    model.fit(X / 16, names)
    assert list(model.classes_) == ["even", "odd"] and model.score(X / 16, names) > 0.9


def test_early_stopping_keeps_the_best(digits):
    X, _, y, _ = digits
    given = {"epochs": 300, "early_stopping": True, "patience": 3, "learning_rate": 1e-2, "random_state": 1}
    model = ChainClassifier((32,), **given).fit(X / 16, y)
    assert model.n_iter_ < 300 and model.status_ == "stopped"
    assert len(model.loss_curve_) == model.n_iter_


def test_teaching_is_searched_like_any_parameter(digits):
    X, _, y, _ = digits
    small = ChainClassifier((16,), epochs=8, random_state=0)
    search = GridSearchCV(small, {"teaching": ["backpropagation", "silence"]}, cv=2).fit(X[:400] / 16, y[:400])
    assert search.best_params_["teaching"] == "backpropagation"


def test_a_network_forecasts_about_as_well_as_lines_do():
    X, y = load_diabetes(return_X_y=True)
    X, held, y, target = train_test_split(X, y, random_state=0)
    model = make_pipeline(StandardScaler(), ChainRegressor((16,), epochs=100, batch_size=32, random_state=0))
    assert model.fit(X, y).score(held, target) > LinearRegression().fit(X, y).score(held, target) - 0.1
    pairs = np.stack([np.asarray(y), -np.asarray(y)], axis=1)
    assert model.fit(X, pairs).predict(held).shape == (len(held), 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"teaching": "backprop"}, "did you mean backpropagation"),
        ({"validation_fraction": 2, "early_stopping": True}, "a share between 0 and 1"),
        ({"learning_rate": -1.0}, "rate is -1.0"),
        ({"hidden_layer_sizes": (0,)}, "Dense.outputs is 0"),
        ({"learning_rate": 1e30}, "no longer a number"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(digits, change, words):
    X, _, y, _ = digits
    with pytest.raises(BadInput, match=words):
        ChainClassifier(**(SMALL | change)).fit(X[:50], y[:50])
