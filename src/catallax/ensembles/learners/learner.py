"""What a learner must say of itself, so that all can be asked the same.

A learner is made of *units* (weights of a feature, trees, stages, neurons, members). Fitted, it forecasts with any of them
silent, knows how many steps a forecast takes one after another and how many units can work at once, how far each
parameter is from the loss, and either the loss it has minimised, as a function that can be differentiated twice, or a
word for why there is none.
"""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from catallax.ensembles.offers import clipped, softmax

Array = np.ndarray
FLOOR = 1e-3  # the least probability that is scored, whoever says it


class Rows(NamedTuple):
    """`X` [rows, features], each feature in its own standard deviations; `chain` int [rows]: rows of one chain follow one
    another."""

    X: Array
    chain: Array

    def take(self, rows: Array) -> "Rows":
        """These rows alone."""
        return Rows(self.X[rows], self.chain[rows])


class Dependence(NamedTuple):
    """A training loss, `loss(theta, *data)`, and the two points [parameters] where training starts and where it ended."""

    loss: Callable
    start: Array
    end: Array
    data: tuple[Array, ...]


class Flow(NamedTuple):
    """`steps` [parameters]: steps of composition from the loss to each parameter; None where the loss reaches none of them,
    for which `word` stands."""

    steps: Array | None
    word: str


class Fitted(abc.ABC):
    """A learner that has learnt."""

    units: int

    @abc.abstractmethod
    def read(self, rows: Rows) -> Any:
        """What the units say of rows, worked out once: the sheet that `scores` takes."""

    @abc.abstractmethod
    def scores(self, sheet: Any, kept: Array) -> Array:
        """Log-odds, up to a constant of each row, of the units that `kept`, bool [units], leaves: [rows, classes]."""

    @abc.abstractmethod
    def depth(self, rows: Rows) -> float:
        """Steps, one after another, that a forecast takes, a mean over rows; a sum of any length is one step."""

    @abc.abstractmethod
    def width(self) -> int:
        """How many units can work at once."""

    @abc.abstractmethod
    def flow(self) -> Flow:
        """How far the loss is from each parameter."""

    @abc.abstractmethod
    def dependence(self) -> Dependence | str:
        """The loss and two points, or a word for why there is none."""

    def forecast(self, sheet: Any, kept: Array) -> Array:
        """Probabilities [rows, classes]."""
        return softmax(self.scores(sheet, kept))

    def everyone(self) -> Array:
        """No unit silent."""
        return np.ones(self.units, bool)


class Learner(abc.ABC):
    """A row of the table. `name`; `unit`: what it is made of; `rule`: how its units come to one decision; `side`: "planner"
    where one optimiser tells every parameter, else "crowd"."""

    name: str
    unit: str
    rule: str
    side: str = "crowd"

    @abc.abstractmethod
    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """`y` int [rows] in 0 .. classes - 1, none of them missing."""


def prior(y: Array) -> Array:
    """Log shares of the classes, what is said where nobody speaks: [classes]."""
    return np.log(np.bincount(y) / len(y))


def log_of(probability: Array) -> Array:
    """Log probabilities of learners who may say 0, which is taken for `FLOOR`."""
    return np.log(clipped(probability, FLOOR))


def two_sided(score: Array) -> Array:
    """One score a row [rows, 1], for the second of two classes, as a score for each; more classes as they are."""
    return np.hstack([-score / 2, score / 2]) if score.shape[1] == 1 else score
