"""What an input is worth to a module, in its own estimation: the loss that it expects to take off the public baseline.

A module knows the input, how sure of its own answer it is, and what it has earned. Bids are the posterior mean of a
regression with fading memory, on features phi of the input (random Fourier features of a Gaussian kernel, which are
public) and of its own answer (largest probability, entropy):

    A = f A + sum phi phi',  c = f c + sum phi g,        b(x) = phi(x)' (A + ridge)^-1 c

in gains g [nats] on inputs that it won, or was shown; they are told after it has bid. Who wins has overrated itself more
than those who lost (the winner's curse), so bids are corrected, b -> u + v b with 0 <= v <= 1, by what inputs that were won on
earlier bids turned out to be worth. In training a module bids on one belief drawn from its posterior (Thompson sampling, the spread
times `boldness`): where it knows nothing it dares much, and that is how rivals come to differ, and an entrant spends its allowance.

A. Rahimi, B. Recht, Random features for large-scale kernel machines, NIPS 2007.
"""

from typing import Any

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg import cholesky as factor

Array = np.ndarray
LEVEL = 0.1  # the penalty of a bid's general level


class Features:
    """Features of inputs that everyone may read: centred, scaled, and `count` random waves.

    `reach`: the width of the kernel, in roots of the number of features, which is how far apart two inputs lie. It sets the lots in
    which inputs are traded: bids of short reach tell single inputs apart, those of long reach only their broad kinds.
    """

    def __init__(self, X: Array, count: int, reach: float, rng: np.random.Generator) -> None:
        self.centre, spread = X.mean(0), X.std(0)
        self.scale = np.where(spread > 1e-12 * max(1.0, float(np.abs(X).max())), spread, 1.0)
        width = X.shape[1]
        self.direction = rng.normal(size=(width, count)) / (reach * np.sqrt(width))
        self.phase = rng.uniform(0, 2 * np.pi, count)

    def __call__(self, X: Array) -> Array:
        """[rows, count + 1]; the last is one."""
        waves = np.cos((X - self.centre) / self.scale @ self.direction + self.phase) * np.sqrt(2 / len(self.phase))
        return np.hstack([waves, np.ones((len(X), 1))])


def with_own(public: Array, chance: Array) -> Array:
    """Public features and what a module knows of its own answer: how likely it holds it, and its entropy in [0, 1]."""
    entropy = -(chance * np.log(chance)).sum(1) / max(np.log(chance.shape[1]), 1e-12)
    return np.hstack([public, chance.max(1, keepdims=True), entropy[:, None]])


class Bidder:
    """One module's estimate of what inputs are worth to it."""

    def __init__(self, width: int, *, ridge: float = 10.0, memory: float = 0.98, boldness: float = 0.0) -> None:
        self.memory, self.boldness = memory, boldness
        self.second, self.cross = np.zeros((width, width)), np.zeros(width)
        self.curse = np.zeros(5)  # fading sums over inputs won: 1, b, g, b b, b g
        self.penalty = np.full(width, ridge)
        self.penalty[-3] = LEVEL  # a general level costs nothing: to be unknown in a place is not to be worthless there
        self._root: Any = None

    def raw(self, phi: Array, z: Array | None = None) -> Array:
        """[rows], nats, as believed; or by one belief drawn from the posterior with standard normal `z` [features]."""
        root = self._factor()
        belief = cho_solve((root, True), self.cross, check_finite=False)
        if z is not None and self.boldness:
            belief = belief + self.boldness * solve_triangular(root, z, lower=True, trans=1, check_finite=False)
        return phi @ belief

    def bids(self, raw: Array) -> Array:
        """[rows], nats: without the winner's curse."""
        shift, slope = self.correction()
        return shift + slope * raw

    def hear(self, phi: Array, gain: Array) -> None:
        """What inputs [rows] turned out to be worth: the past fades once a round."""
        self._root = None
        self.second = self.memory * self.second + phi.T @ phi
        self.cross = self.memory * self.cross + phi.T @ gain

    def repent(self, raw: Array, gain: Array) -> None:
        """Inputs that were won at bids `raw`, made before `gain` was known."""
        self.curse *= self.memory
        self.curse += [len(raw), raw.sum(), gain.sum(), raw @ raw, raw @ gain]

    def correction(self) -> tuple[float, float]:
        """Shift and slope that take the winner's curse off; ten inputs' worth of belief that there is none."""
        count, bid, gain, square, product = self.curse
        if count < 2:
            return 0.0, 1.0
        mean_bid, mean_gain = bid / count, gain / count
        variance = square / count - mean_bid**2
        prior = 10 * max(variance, 1e-6)
        slope = (count * (product / count - mean_bid * mean_gain) + prior) / (count * variance + prior)
        slope = float(np.clip(slope, 0.0, 1.0))
        trust = count / (count + 10)
        return trust * (mean_gain - slope * mean_bid), slope

    def _factor(self) -> Array:
        if self._root is None:
            self._root = factor(self.second + np.diag(self.penalty), lower=True, check_finite=False)
        return self._root
