"""How likely a member thinks it is to be right about an input, learnt on what it served and was paid for, and on nothing else.

    P(right) = s(phi' b),   s(t) = 1 / (1 + e^-t),   b ~ N(m, A^-1)
    bid = s(phi' m / sqrt(1 + pi v / 8)),  v = phi' A^-1 phi         in training with one b drawn from its posterior

phi: features of the input (public), and, of a member that answers before it bids, of its answer: log-odds of its confidence c,
entropy of its chances, which class. Each batch is heard once: the posterior, a Gaussian at its mode, is the next prior,

    m = argmax log p(heard | b) - (b - m)' A (b - m) / 2,   A <- f A + (1 - f) A_0 + sum s (1 - s) phi phi'          f: memory

Who wins has overrated itself more than who has not, so bids are corrected by what inputs that were won turned out to be:
the same rule on the log-odds of the bid alone, begun at a slope of 1 and no shift. The first belief takes a member at its word
(slope 1 on the log-odds of c), and knows nothing of one that does not look.

D. J. Spiegelhalter, S. L. Lauritzen, Networks 20, 1990 (the sequence of Gaussians); D. J. C. MacKay, Neural Computation 4, 1992
(the mean over v); O. Chapelle, L. Li, NeurIPS 2011 (the draw); J. Platt 1999 (log-odds to chances).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit, log_expit, logit

from catallax.core.errors import BadInput
from catallax.merging.members.member import Said

Array = np.ndarray
WAVES = 100  # features of numbers
WORDS = 256  # features of texts
CLASSES = 50  # that are told apart in an answer, at most
SUREST = 6.0  # log-odds: nobody is surer than .9975 of what nobody has paid for
STEPS, NEAR = 25, 1e-6  # of Newton's method
LEVEL, SLOPE, PLACE = 1.0, 4.0, 0.1  # first precisions: of the level, of what confidence says, of all else


class Confidence:
    """One member's belief. `own`: of how many features of its own answer it knows (0: it bids before it looks)."""

    def __init__(self, places: int, own: int, *, memory: float, boldness: float) -> None:
        self.memory, self.boldness = memory, boldness
        self.mean = np.zeros(places + 1 + own)
        first = np.full(len(self.mean), PLACE)
        first[places] = LEVEL
        if own:
            first[places + 1 : places + 3] = SLOPE
            self.mean[places + 1] = 1.0
        self.first = np.diag(first)
        self.precision = self.first.copy()
        self.curse: Any = None  # until something was won

    def repent(self, phi: Array, right: Array) -> None:
        """Inputs that were won, before they are heard: who wins has overrated itself more than who has not."""
        if self.curse is None:
            self.curse = Confidence(1, 0, memory=self.memory, boldness=0.0)
            self.curse.mean[0], self.curse.first[0, 0] = 1.0, SLOPE
            self.curse.precision = self.curse.first.copy()
        self.curse.hear(level(self.believed(phi)), right)

    def corrected(self, chance: Array) -> Array:
        """Chances without the winner's curse."""
        return chance if self.curse is None else expit(level(chance) @ self.curse.mean)

    def chance(self, phi: Array) -> Array:
        """Chances of being right, [rows], for features `phi` [rows, features]."""
        return self.corrected(self.believed(phi))

    def believed(self, phi: Array) -> Array:
        """Chances as believed, [rows]."""
        root = np.linalg.cholesky(self.precision)
        spread = np.square(solve_triangular(root, phi.T, lower=True, check_finite=False)).sum(0)
        return expit(phi @ self.mean / np.sqrt(1 + np.pi * spread / 8))

    def drawn(self, phi: Array, rng: np.random.Generator) -> Array:
        """The same by one belief drawn from the posterior, its spread times `boldness`."""
        root = np.linalg.cholesky(self.precision)
        off = solve_triangular(root, rng.normal(size=len(self.mean)), lower=True, trans=1, check_finite=False)
        return self.corrected(expit(phi @ (self.mean + self.boldness * off)))

    def hear(self, phi: Array, right: Array) -> None:
        """What became of inputs served, `right` [rows] in [0, 1]: Newton's method to the mode of the posterior."""
        prior = self.memory * self.precision + (1 - self.memory) * self.first
        at = self.mean

        def height(b: Array) -> float:
            score, off = phi @ b, b - self.mean
            return float(right @ log_expit(score) + (1 - right) @ log_expit(-score) - off @ prior @ off / 2)

        for _ in range(STEPS):
            chance = expit(phi @ at)
            slope = phi.T @ (right - chance) - prior @ (at - self.mean)
            bend = prior + (phi.T * (chance * (1 - chance))) @ phi
            step, start = cho_solve(cho_factor(bend, check_finite=False), slope, check_finite=False), height(at)
            while height(at + step) < start and np.abs(step).max() > NEAR:
                step = step / 2
            at = at + step
            if np.abs(step).max() <= NEAR:
                break
        chance = expit(phi @ at)
        self.mean, self.precision = at, prior + (phi.T * (chance * (1 - chance))) @ phi


def level(chance: Array) -> Array:
    """Log-odds, and one."""
    return np.column_stack([np.clip(logit(chance), -SUREST, SUREST), np.ones(len(chance))])


def own_features(said: Said, classes: Array) -> Array:
    """Log-odds of a member's confidence, its entropy, which class it says (to 50 classes): [rows, 2 + classes]."""
    rows, many = len(said.answer), len(classes) if len(classes) <= CLASSES else 0
    found = np.zeros((rows, 2 + many))
    sure = said.sure if said.chance is None else said.chance.max(1)
    if sure is not None:
        with np.errstate(divide="ignore"):
            found[:, 0] = np.clip(np.log(sure) - np.log1p(-sure), -SUREST, SUREST)
    if said.chance is not None and len(classes) > 1:
        safe = np.maximum(said.chance, 1e-12)
        found[:, 1] = -(safe * np.log(safe)).sum(1) / np.log(len(classes))
    if many:
        found[:, 2:] = said.answer[:, None] == classes[None, :]
    return found


def own_width(classes: Array) -> int:
    """How many they are."""
    return 2 + (len(classes) if len(classes) <= CLASSES else 0)


class Reader:
    """Public features of inputs: of numbers, landmarks of a Gaussian kernel; of texts, hashed words; or the user's own.

    It sees inputs alone, no label and no answer. Raises `BadInput` for inputs that it has no features of.
    """

    def __init__(self, features: Callable[[Any], Any] | None, X: Any, seed: int) -> None:
        self.own = features
        self.texts = features is None and isinstance(X[0], str)
        self.pipe: Any = None
        if features is None:
            self.pipe = words() if self.texts else landmarks(len(X), flat(X).shape[1], seed)
            self.pipe.fit(X if self.texts else flat(X))
        self.width = self(X[:1]).shape[1] - 1

    def __call__(self, X: Any) -> Array:
        """[rows, width + 1]; the last is one."""
        if self.own is not None:
            found = np.asarray(self.own(X), np.float64)
        elif self.texts:
            found = self.pipe.transform(X).toarray()
        else:
            found = self.pipe.transform(flat(X))
        if found.ndim != 2 or len(found) != len(X) or not np.isfinite(found).all():
            raise BadInput(
                f"features give shape {list(found.shape)} for {len(X)} inputs: give finite [inputs, features]"
            )
        return np.hstack([found, np.ones((len(X), 1))])


def flat(X: Any) -> Array:
    """Numbers of each input in a row."""
    given = np.asarray(X, np.float64)
    return given.reshape(len(given), -1)


def landmarks(rows: int, width: int, seed: int) -> Any:
    """Nyström's features of a Gaussian kernel of the width that scikit-learn's SVC has."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Nystroem(gamma=1 / width, n_components=min(WAVES, rows), random_state=seed))


def words() -> Any:
    """Words and pairs of them, hashed."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=WORDS, ngram_range=(1, 2), alternate_sign=True)
