"""Networks with scikit-learn's manners: the kind of teaching is a parameter like any other."""

from itertools import pairwise
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from catallax.core.errors import BadInput
from catallax.networks.chain import Chain
from catallax.networks.kinds import kind_of, optimiser_of
from catallax.networks.layers import Dense
from catallax.networks.training import train


class ChainEstimator(BaseEstimator):
    """What the two share: a chain of dense layers, made for the data and taught on it."""

    hidden_layer_sizes: Any
    teaching: Any
    activation: Any
    bias: Any
    dropout: Any
    optimiser: Any
    learning_rate: Any
    epochs: Any
    batch_size: Any
    early_stopping: Any
    validation_fraction: Any
    patience: Any
    bits: Any
    random_state: Any

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        teaching: Any = "backpropagation",
        *,
        activation: Any = None,
        bias: Any = True,
        dropout: Any = 0.0,
        optimiser: Any = None,
        learning_rate: Any = None,
        epochs: Any = 200,
        batch_size: Any = 128,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        patience: Any = 10,
        bits: Any = None,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.teaching = teaching
        self.activation = activation
        self.bias = bias
        self.dropout = dropout
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.bits = bits
        self.random_state = random_state

    def _chain(self, inputs: int, outputs: int, loss: str, seed: int) -> Chain:
        """The network, before its first lesson."""
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, (int, np.integer)) else tuple(sizes)
        teaching, activation = self.teaching, self.activation
        if isinstance(teaching, str):
            kind = kind_of(teaching)
            teaching, activation = kind.make(), kind.activation if activation is None else activation
        given: dict[str, Any] = {"bias": self.bias, "dropout": self.dropout}
        widths = [inputs, *(int(size) for size in sizes)]
        layers = [Dense(a, b, activation, **given) for a, b in pairwise(widths)]
        return Chain([*layers, Dense(widths[-1], outputs, bias=self.bias)], teaching, loss=loss, seed=seed)

    def _optimiser(self, layers: int) -> Any:
        """As given, or what suits the teaching."""
        if self.optimiser is not None:
            return self.optimiser
        if isinstance(self.teaching, str):
            return kind_of(self.teaching).descent(layers, rate=self.learning_rate)
        return optimiser_of("adam", 1e-3 if self.learning_rate is None else self.learning_rate)

    def _taught(self, X: np.ndarray, target: np.ndarray, outputs: int, loss: str) -> None:
        """Makes the chain and teaches it. An interrupted fit keeps what was learnt by then."""
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31 - 1))
        chain = self._chain(X.shape[1], outputs, loss, seed)
        rows, held = np.arange(len(X)), None
        if self.early_stopping:
            kept = held_out(random, target, self.validation_fraction, loss == "cross-entropy")
            rows, held = np.flatnonzero(~kept), (X[kept], target[kept])
        given = {
            "batch": self.batch_size,
            "optimiser": self._optimiser(len(chain.layers)),
            "bits": self.bits,
            "seed": seed,
        }
        patience = self.patience if self.early_stopping else None
        outcome = train(chain, X[rows], target[rows], self.epochs, validation=held, patience=patience, **given)
        if outcome.status == "broken":
            raise BadInput(outcome.notes[-1])
        self.chain_, self.status_ = outcome.chain, str(outcome.status)
        assert outcome.record is not None
        self.loss_curve_ = np.asarray(outcome.record["loss"][1:])
        self.n_iter_ = len(self.loss_curve_)

    def _scores(self, X: Any) -> np.ndarray:
        """The network's outputs, float64[rows, outputs]."""
        check_is_fitted(self)
        x: Any = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return scores(self.chain_, x)


class ChainClassifier(ClassifierMixin, ChainEstimator):
    """A network of dense layers that learn from what they are told, as a classifier.

    `hidden_layer_sizes`; `teaching`: the name of a kind (`networks.kinds`) or a `Teaching`; `activation` of hidden layers
    (None: what suits the teaching); `bias`; `dropout` of hidden outputs; `optimiser`: Optax, or a list of one a layer
    (None: the one that suits the teaching, at `learning_rate`, or at a rate that suits it); `epochs`, `batch_size`;
    `early_stopping`: the best network on `validation_fraction` of the rows is kept, and learning stops after `patience`
    epochs without a better one; `bits`: how many a number told to a layer has (None: exact); `random_state`. Inputs
    should be scaled, as for every network.

    Fitted: `chain_` (an Equinox module), `classes_`, `loss_curve_`, `n_iter_`, `status_`.
    """

    classes_: np.ndarray

    def fit(self, X: Any, y: Any) -> "ChainClassifier":
        """Teaches the network on X [rows, features] and labels y [rows]."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise BadInput("y has one class alone: a classifier needs rows of at least 2 classes")
        self._taught(X, label.astype(np.int32), len(self.classes_), "cross-entropy")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float64[rows, classes]."""
        score = self._scores(X)
        power = np.exp(score - score.max(axis=1, keepdims=True))
        return power / power.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]


class ChainRegressor(RegressorMixin, ChainEstimator):
    """A network of dense layers that learn from what they are told, as a regressor. Parameters: see `ChainClassifier`.

    Targets are learnt in units of their own mean and standard deviation. Fitted: `chain_`, `loss_curve_`, `n_iter_`.
    """

    def fit(self, X: Any, y: Any) -> "ChainRegressor":
        """Teaches the network on X [rows, features] and numbers y [rows] or [rows, outputs]."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=[np.float64, np.float32])
        target = np.asarray(y, np.float64).reshape(len(X), -1)
        self._flat, self._mean, spread = np.ndim(y) == 1, target.mean(axis=0), target.std(axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        self._taught(X, (target - self._mean) / self._spread, target.shape[1], "squared")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Values, float64[rows] or [rows, outputs]."""
        value = self._scores(X) * self._spread + self._mean
        return value[:, 0] if self._flat else value

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


ROWS = 256  # at once, always so many: a row's outputs do not depend on those beside it, and there is one executable


@eqx.filter_jit
def outputs(chain: Chain, x: Any) -> Any:
    """The chain's outputs on a batch."""
    return chain(x)


def scores(chain: Chain, x: np.ndarray) -> np.ndarray:
    """A chain's outputs, float64[rows, outputs], in pieces of `ROWS` rows."""
    dtype = np.dtype(jnp.zeros(()).dtype)
    found = []
    for start in range(0, len(x), ROWS):
        piece = x[start : start + ROWS]
        full = np.zeros((ROWS, *x.shape[1:]), dtype)
        full[: len(piece)] = piece
        found.append(np.asarray(outputs(chain, full), np.float64)[: len(piece)])
    return np.concatenate(found)


def held_out(random: Any, target: np.ndarray, fraction: Any, labels: bool) -> np.ndarray:
    """Which rows are kept for validation: a share of each class, or of all rows."""
    if not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise BadInput(f"validation_fraction is {fraction!r}: give a share between 0 and 1")
    kept = np.zeros(len(target), bool)
    crowds = [np.flatnonzero(target == c) for c in np.unique(target)] if labels else [np.arange(len(target))]
    for crowd in crowds:
        kept[random.permutation(crowd)[: round(fraction * len(crowd))]] = True
    if not kept.any() or kept.all():
        raise BadInput(
            f"validation_fraction of {fraction} of {len(target)} rows leaves none: give early_stopping=False"
        )
    return kept
