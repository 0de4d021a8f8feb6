"""Ensembles: a forest, whose signal is a vote, and boosting, whose signal is the residual that earlier stages leave.

A split of a tree minimises the impurity of its own node and is told nothing else: no loss of the whole reaches it. A stage
of boosting (Friedman 2001) learns from the gradient of the loss at what all earlier stages say: stage m is m steps of
composition from the loss. To forecast, all trees work at once, and then one sum or vote is taken.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from catallax.ensembles.learners.learner import (
    Array, Dependence, Fitted, Flow, Learner, Rows, log_of, prior, two_sided,
)  # fmt: skip

STEPS = "no Hessian"  # trees are piecewise constant


class Trees(Fitted):
    """Trees that work at once."""

    def __init__(self, model: Any, trees: list[Any], stages: int) -> None:
        self.model, self.trees, self.units = model, trees, stages

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
        return np.stack([tree.predict_proba(rows.X) for tree in self.trees])

    def scores(self, sheet: Array, kept: Array) -> Array:
        """The log of the mean of those left."""
        return log_of(sheet[kept].mean(0)) if kept.any() else np.tile(self.silent, (sheet.shape[1], 1))

    def flow(self) -> Flow:
        """The loss of the vote is told to no tree."""
        return Flow(None, "local")


class Boosted(Trees):
    """Stages, each of a tree a class."""

    def __init__(self, model: Any) -> None:
        super().__init__(model, list(model.estimators_.ravel()), len(model.estimators_))

    def read(self, rows: Rows) -> tuple[Array, Array]:
        """What is said before the first stage [rows, columns], and what each adds [stages, rows, columns]."""
        added = np.stack([np.stack([t.predict(rows.X) for t in stage], 1) for stage in self.model.estimators_])
        added *= self.model.learning_rate
        whole = self.model.decision_function(rows.X).reshape(len(rows.X), -1)
        return whole - added.sum(0), added

    def scores(self, sheet: tuple[Array, Array], kept: Array) -> Array:
        """The sum of those left."""
        return two_sided(sheet[0] + sheet[1][kept].sum(0))

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
        return Boosted(GradientBoostingClassifier(n_estimators=self.stages, random_state=seed).fit(rows.X, y))
