"""Ensembles: a forest, whose signal is a vote, and boosting, whose signal is the residual that earlier stages leave.

A split of a tree minimises the impurity of its own node and is told nothing else: no loss of the whole reaches it. A stage
of boosting (Friedman 2001) learns from the gradient of the loss at what all earlier stages say: stage m is m steps of
composition from the loss. To forecast, all trees work at once, and then one sum or vote is taken.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from catallax.ensembles.learners.learner import Array, Dependence, Fitted, Flow, Learner, Rows, log_of, prior, two_sided

STEPS = "no Hessian"  # trees are piecewise constant


class Trees(Fitted):
    """Trees that work at once."""

    def __init__(self, model: Any, trees: list[Any], stages: int) -> None:
        self.model, self.trees, self.units = model, trees, stages

    def say(self, X: Array) -> Array:
        """What each tree says, [trees, rows, ...]: asked directly, since scikit-learn's checks take longer than the walk."""
        given = np.ascontiguousarray(X, np.float32)
        return np.stack([tree.tree_.predict(given) for tree in self.trees])

    def depth(self, rows: Rows) -> float:
        """The longest walk of a row, a comparison a step, and one vote or sum."""
        walks = np.stack([np.asarray(tree.decision_path(rows.X).sum(1)).ravel() - 1 for tree in self.trees])
        return float(walks.max(0).mean()) + 1

    def width(self) -> int:
        """Trees."""
        return len(self.trees)

    def dependence(self) -> Dependence | str:
        """Thresholds move the loss in steps."""
        return STEPS


class Grown(Trees):
    """A forest."""

    def __init__(self, model: Any, silent: Array) -> None:
        super().__init__(model, model.estimators_, len(model.estimators_))
        self.silent = silent

    def read(self, rows: Rows) -> Array:
        """What each tree says, [trees, rows, classes]."""
        return self.say(rows.X).reshape(self.units, len(rows.X), -1)

    def scores(self, sheet: Array, kept: Array) -> Array:
        """The log of the mean of those left."""
        return log_of(sheet[kept].mean(0)) if kept.any() else np.tile(self.silent, (sheet.shape[1], 1))

    def flow(self) -> Flow:
        """The loss of the vote is told to no tree."""
        return Flow(None, "local")


class Boosted(Trees):
    """Stages, each of a tree a class."""

    def __init__(self, model: Any, rows: Rows) -> None:
        super().__init__(model, list(model.estimators_.ravel()), len(model.estimators_))
        self.before = 0.0  # what is said before the first stage, the same of all rows
        self.before = model.decision_function(rows.X[:1]).reshape(1, -1) - self.read(rows.take(np.arange(1))).sum(0)

    def read(self, rows: Rows) -> Array:
        """What each stage adds, [stages, rows, columns]."""
        said = self.say(rows.X).reshape(self.units, -1, len(rows.X))
        return self.model.learning_rate * said.transpose(0, 2, 1)

    def scores(self, sheet: Array, kept: Array) -> Array:
        """The sum of those left."""
        return two_sided(self.before + sheet[kept].sum(0))

    def flow(self) -> Flow:
        """Each node of stage m is m steps away."""
        nodes = [sum(tree.tree_.node_count for tree in stage) for stage in self.model.estimators_]
        return Flow(np.repeat(np.arange(1.0, len(nodes) + 1), nodes), "chain of residuals")


class Forest(Learner):
    """A random forest (Breiman 2001)."""

    name, unit, rule = "random forest", "trees", "a vote"

    def __init__(self, trees: int = 50) -> None:
        self.trees = trees

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """Each tree on its own draw of rows."""
        return Grown(RandomForestClassifier(self.trees, random_state=seed).fit(rows.X, y), prior(y))


class Boosting(Learner):
    """Gradient boosting (Friedman 2001)."""

    name, unit, rule = "boosting", "stages", "a sum of residuals"

    def __init__(self, stages: int = 50) -> None:
        self.stages = stages

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """Stage after stage."""
        model = GradientBoostingClassifier(n_estimators=self.stages, random_state=seed)
        return Boosted(model.fit(rows.X, y), rows)
