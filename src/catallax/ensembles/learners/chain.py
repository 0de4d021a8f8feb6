"""A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001), through sklearn-crfsuite (extra `crf`).

The labels of a chain are scored together: a weight for each feature and label, and one for each step from a label to the
next. Rows that follow nothing are chains of one, and the field is then a logistic regression. Units are features.
Marginals are by forward and backward sums in NumPy, so that any feature can be silenced.
"""

from importlib.util import find_spec

import numpy as np
from scipy.special import logsumexp

from catallax.ensembles.learners.learner import Array, Dependence, Fitted, Flow, Learner, Rows
from catallax.ensembles.learners.lines import one_hot, with_ones

RIDGE = 0.5  # CRFsuite's c2
LEAST = -1e9  # CRFsuite drops a feature and label whose values add up to less: at 0, half of all that can be negative


def is_there() -> bool:
    """Whether the extra is installed."""
    return find_spec("sklearn_crfsuite") is not None


def laid_out(chain: Array) -> Array:
    """Which row stands where: int [chains, longest], -1 where a chain has ended; rows of a chain in their order."""
    order = np.argsort(chain, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(chain[order]) != 0])
    lengths = np.diff(np.r_[starts, len(chain)])
    place = np.full((len(starts), lengths.max()), -1)
    place[np.repeat(np.arange(len(starts)), lengths), np.arange(len(chain)) - np.repeat(starts, lengths)] = order
    return place


def log_marginals(score: Array, steps: Array, place: Array) -> Array:
    """Log probability of each label of each row, [rows, classes], from scores [rows, classes] and steps [classes, classes]."""
    there = np.greater_equal(place, 0)
    own = score[place] * there[..., None]
    forward, backward = own.copy(), np.zeros_like(own)
    for t in range(1, place.shape[1]):
        forward[:, t] += logsumexp(forward[:, t - 1][:, :, None] + steps, axis=1)
    for t in range(place.shape[1] - 2, -1, -1):
        onward = logsumexp(steps + (own[:, t + 1] + backward[:, t + 1])[:, None, :], axis=2)
        backward[:, t] = onward * there[:, t + 1, None]
    both = (forward + backward)[there]
    found = np.empty_like(score)
    found[place[there]] = both - logsumexp(both, axis=1, keepdims=True)
    return found


class Linked(Fitted):
    """`weights` [features + 1, classes], `steps` [classes, classes]."""

    def __init__(self, weights: Array, steps: Array, rows: Rows, y: Array) -> None:
        self.weights, self.steps, self.rows, self.y = weights, steps, rows, y
        self.units = len(weights) - 1

    def read(self, rows: Rows) -> tuple[Array, Array]:
        """Features, and the chains they stand in."""
        return rows.X, laid_out(rows.chain)

    def scores(self, sheet: tuple[Array, Array], kept: Array) -> Array:
        """Log marginals."""
        X, place = sheet
        return log_marginals(X[:, kept] @ self.weights[:-1][kept] + self.weights[-1], self.steps, place)

    def depth(self, rows: Rows) -> float:
        """A step a row of the chain; forward and backward at once."""
        return float(np.unique(rows.chain, return_counts=True)[1].mean())

    def width(self) -> int:
        """All products at once."""
        return self.units

    def flow(self) -> Flow:
        """theta -> score of the chain -> loss."""
        return Flow(np.ones(self.weights.size + self.steps.size), "global")

    def dependence(self) -> Dependence:
        """From zero to what was learnt."""
        from catallax.ensembles.learners.losses import Chain

        place = laid_out(self.rows.chain)
        there = (place >= 0).astype(float)
        X1, Y = (each[place] * there[..., None] for each in (with_ones(self.rows.X), one_hot(self.y)))
        end = np.concatenate([self.weights.ravel(), self.steps.ravel()])
        loss = Chain(self.weights.shape[1], RIDGE / len(self.y))
        return Dependence(loss, np.zeros(end.size), end, (X1, Y, there))


class RandomField(Learner):
    """A conditional random field."""

    name, unit, rule = "random field", "features", "a sum along a chain"
    side = "planner"

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """By L-BFGS, in CRFsuite."""
        from sklearn_crfsuite import CRF  # pyright: ignore[reportMissingImports]

        X1, classes = with_ones(rows.X), int(y.max()) + 1
        names = [str(k) for k in range(X1.shape[1])]
        chains = [place[place >= 0] for place in laid_out(rows.chain)]
        given = [[dict(zip(names, row, strict=True)) for row in X1[chain].tolist()] for chain in chains]
        model = CRF(
            algorithm="lbfgs",
            c1=0.0,
            c2=RIDGE,
            min_freq=LEAST,
            all_possible_states=True,
            all_possible_transitions=True,
        )
        model.fit(given, [[str(label) for label in y[chain]] for chain in chains])
        weights, steps = np.zeros((X1.shape[1], classes)), np.zeros((classes, classes))
        for (name, label), weight in (model.state_features_ or {}).items():
            weights[int(name), int(label)] = weight
        for (one, other), weight in (model.transition_features_ or {}).items():
            steps[int(one), int(other)] = weight
        return Linked(weights, steps, rows, y)
