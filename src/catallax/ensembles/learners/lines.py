"""The planner's learners: one weight for each feature and class, all told at once by one optimiser.

Units are features; a silent one counts as if it were at its mean. Least squares (on indicators of the classes, clipped to
probabilities), linear discriminant analysis (Ledoit-Wolf shrinkage), a linear support vector machine (squared hinge;
its scores become probabilities by a logistic regression on scores out of fold, Platt 1999) and logistic regression.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.svm import LinearSVC

from catallax.ensembles.learners.learner import Array, Dependence, Fitted, Flow, Learner, Rows, log_of, two_sided

MOST_STEPS = 5000
Odds = Callable[[Array], Array]


class Lines(Fitted):
    """Scores that are sums over features: `weights` [features, columns], `constant` [columns]; `odds` makes log-odds of them."""

    def __init__(self, weights: Array, constant: Array, odds: Odds, dependence: Callable[[], Dependence]) -> None:
        self.weights, self.constant, self.odds, self.made = weights, constant, odds, dependence
        self.units = len(weights)

    def read(self, rows: Rows) -> Array:
        """The features themselves."""
        return rows.X

    def scores(self, sheet: Array, kept: Array) -> Array:
        """[rows, classes]."""
        return self.odds(sheet[:, kept] @ self.weights[kept] + self.constant)

    def depth(self, rows: Rows) -> float:
        """One sum."""
        return 1.0

    def width(self) -> int:
        """All products at once."""
        return self.units

    def flow(self) -> Flow:
        """theta -> score -> loss."""
        return Flow(np.ones(self.weights.size + self.constant.size), "global")

    def dependence(self) -> Dependence:
        """From zero to what was learnt."""
        return self.made()


def with_ones(X: Array) -> Array:
    """X and a column of ones."""
    return np.column_stack([X, np.ones(len(X))])


def one_hot(y: Array) -> Array:
    """[rows, classes]."""
    return np.eye(int(y.max()) + 1)[y]


def stacked(model: Any) -> tuple[Array, Array, Array]:
    """Weights [features, columns], constants [columns], and both as one flat vector, of a linear model of scikit-learn."""
    weights, constant = model.coef_.T, np.atleast_1d(model.intercept_)
    return weights, constant, np.vstack([weights, constant]).ravel()


class LeastSquares(Learner):
    """Linear regression on indicators of the classes."""

    name, unit, rule = "least squares", "features", "a sum"
    side = "planner"

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """The shortest of the least-squares solutions."""
        X1, Y = with_ones(rows.X), one_hot(y)
        found = np.linalg.lstsq(X1, Y, rcond=None)[0]

        def made() -> Dependence:
            from catallax.ensembles.learners.losses import Squares

            return Dependence(Squares(), np.zeros(found.size), found.ravel(), (X1, Y))

        return Lines(found[:-1], found[-1], log_of, made)


class Discriminant(Learner):
    """One Gaussian for each class, of one covariance."""

    name, unit, rule = "discriminant analysis", "features", "a sum"
    side = "planner"

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """In closed form."""
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows.X, y)

        def made() -> Dependence:
            from catallax.ensembles.learners.losses import Gaussians

            lower = np.tril_indices(rows.X.shape[1])
            start = np.concatenate([np.zeros(model.means_.size), np.eye(rows.X.shape[1])[lower]])
            precise = np.linalg.cholesky(np.linalg.inv(model.covariance_))
            return Dependence(Gaussians(), start, np.r_[model.means_.ravel(), precise[lower]], (rows.X, one_hot(y)))

        weights, constant, _ = stacked(model)
        return Lines(weights, constant, two_sided, made)


class SupportVectors(Learner):
    """A linear support vector machine."""

    name, unit, rule = "support vectors", "features", "a sum"
    side = "planner"

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """The machine on all rows, its scale from scores out of fold."""
        model = LinearSVC(C=0.1, max_iter=MOST_STEPS, random_state=seed)
        folds = max(2, min(3, int(np.bincount(y).min())))
        apart: Any = cross_val_predict(model, rows.X, y, cv=folds, method="decision_function")
        apart = apart.reshape(len(y), -1)
        scale = LogisticRegression(C=100.0, max_iter=MOST_STEPS).fit(apart, y)
        weights, constant, theta = stacked(model.fit(rows.X, y))

        def made() -> Dependence:
            from catallax.ensembles.learners.losses import SquaredHinge

            columns = weights.shape[1]
            sign = 2 * one_hot(y)[:, -columns:] - 1
            loss = SquaredHinge(columns, 1 / (model.C * len(y)))
            return Dependence(loss, np.zeros(theta.size), theta, (with_ones(rows.X), sign))

        return Lines(weights, constant, lambda s: two_sided(s @ scale.coef_.T + scale.intercept_), made)


class Logistic(Learner):
    """Logistic regression with a ridge."""

    name, unit, rule = "logistic regression", "features", "a sum"
    side = "planner"

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """By L-BFGS."""
        model = LogisticRegression(max_iter=MOST_STEPS).fit(rows.X, y)
        weights, constant, theta = stacked(model)

        def made() -> Dependence:
            from catallax.ensembles.learners.losses import Logistic as Loss

            loss = Loss(weights.shape[1], 1 / (model.C * len(y)))
            return Dependence(loss, np.zeros(theta.size), theta, (with_ones(rows.X), one_hot(y)))

        return Lines(weights, constant, two_sided, made)
