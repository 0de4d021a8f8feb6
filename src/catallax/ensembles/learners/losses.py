"""Training losses as functions of one flat vector of parameters, for JAX to differentiate twice.

    Squares       mean |Y - X1 B|^2 / 2                                         quadratic: its Hessian is the same everywhere
    Gaussians     - mean log N(x | mu_y, Sigma), Sigma^-1 = L L'                linear discriminant analysis
    Logistic      mean cross-entropy + |B|^2 / (2 C n), no charge on the constant
    SquaredHinge  mean sum_k max(0, 1 - s_k f_k)^2 + |B|^2 / (2 C n)            the smoothed hinge of LinearSVC
    Network       mean cross-entropy of tanh layers + alpha |W|^2 / (2 n)
    Chain         mean - log p(labels of a chain | its rows) + c |w|^2 / n      linear-chain conditional random field
    Wealth        - mean log sum_f w_f price_f                                  funds on a market

X1 is X with a column of ones at its end. Losses are equal, and compiled once, where their sizes are.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp


def log_shares(score: Any) -> Any:
    """Log probabilities, [rows, classes]; a single column [rows, 1] is the score of the second of two classes."""
    score = jnp.concatenate([jnp.zeros_like(score), score], axis=1) if score.shape[1] == 1 else score
    return jax.nn.log_softmax(score)


@dataclass(frozen=True)
class Squares:
    """`Y` [rows, classes]."""

    def __call__(self, theta: Any, X1: Any, Y: Any) -> Any:
        """A scalar."""
        return jnp.square(Y - X1 @ theta.reshape(X1.shape[1], Y.shape[1])).sum() / (2 * len(Y))


@dataclass(frozen=True)
class Gaussians:
    """theta: means [classes, features], then the lower triangle of L, row by row. `Y` [rows, classes], one-hot."""

    def __call__(self, theta: Any, X: Any, Y: Any) -> Any:
        """A scalar, up to a constant."""
        features, classes = X.shape[1], Y.shape[1]
        means = theta[: classes * features].reshape(classes, features)
        lower = jnp.zeros((features, features)).at[jnp.tril_indices(features)].set(theta[classes * features :])
        apart = (X - Y @ means) @ lower
        return jnp.square(apart).sum() / (2 * len(X)) - jnp.log(jnp.abs(jnp.diagonal(lower))).sum()


@dataclass(frozen=True)
class Logistic:
    """theta: [features + 1, columns]; one column where there are two classes."""

    columns: int
    ridge: float  # 1 / (C n)

    def __call__(self, theta: Any, X1: Any, Y: Any) -> Any:
        """A scalar. `Y` [rows, classes], one-hot."""
        weights = theta.reshape(X1.shape[1], self.columns)
        entropy = -(Y * log_shares(X1 @ weights)).sum() / len(Y)
        return entropy + self.ridge / 2 * jnp.square(weights[:-1]).sum()


@dataclass(frozen=True)
class SquaredHinge:
    """theta: [features + 1, columns]."""

    columns: int
    ridge: float  # 1 / (C n)

    def __call__(self, theta: Any, X1: Any, sign: Any) -> Any:
        """A scalar. `sign` [rows, columns], 1 or -1."""
        weights = theta.reshape(X1.shape[1], self.columns)
        short = jnp.maximum(0.0, 1 - sign * (X1 @ weights))
        return jnp.square(short).sum() / len(sign) + self.ridge / 2 * jnp.square(weights).sum()


@dataclass(frozen=True)
class Network:
    """theta: weights [in, out] of each layer, then the constants of each; `sizes` of layers, first and last included."""

    sizes: tuple[int, ...]
    ridge: float  # alpha / n

    def __call__(self, theta: Any, X: Any, Y: Any) -> Any:
        """A scalar. `Y` [rows, classes], one-hot."""
        place, weights, constants = 0, [], []
        for a, b in zip(self.sizes, self.sizes[1:]):
            weights.append(theta[place : place + a * b].reshape(a, b))
            place += a * b
        for b in self.sizes[1:]:
            constants.append(theta[place : place + b])
            place += b
        signal = X
        for layer, (w, c) in enumerate(zip(weights, constants, strict=True)):
            signal = signal @ w + c
            signal = jnp.tanh(signal) if layer < len(weights) - 1 else signal
        entropy = -(Y * log_shares(signal)).sum() / len(Y)
        return entropy + self.ridge / 2 * sum(jnp.square(w).sum() for w in weights)


@dataclass(frozen=True)
class Chain:
    """theta: weights of rows [features + 1, classes], then of steps from one label to the next [classes, classes]."""

    classes: int
    ridge: float  # c2 / n

    def __call__(self, theta: Any, X1: Any, Y: Any, there: Any) -> Any:
        """A scalar. `X1` [chains, longest, features + 1], `Y` [chains, longest, classes] one-hot, `there` [chains, longest]: 1
        for rows, 0 for what fills a chain up to the longest; the first of each is there."""
        cut = X1.shape[2] * self.classes
        weights, steps = theta[:cut].reshape(-1, self.classes), theta[cut:].reshape(self.classes, self.classes)
        score = X1 @ weights
        right = (score * Y).sum(2) + jnp.pad(jnp.einsum("cta,ab,ctb->ct", Y[:, :-1], steps, Y[:, 1:]), ((0, 0), (1, 0)))

        def onward(log_sum: Any, now: Any) -> Any:
            own, is_there = now
            next_sum = jax.nn.logsumexp(log_sum[:, :, None] + steps, axis=1) + own
            return jnp.where(is_there[:, None] > 0, next_sum, log_sum), None

        rest = (score[:, 1:].swapaxes(0, 1), there[:, 1:].swapaxes(0, 1))
        log_sum = jax.lax.scan(onward, score[:, 0], rest)[0]
        misses = jax.nn.logsumexp(log_sum, axis=1).sum() - (right * there).sum()
        return misses / there.sum() + self.ridge * jnp.square(theta).sum()


@dataclass(frozen=True)
class Wealth:
    """theta: what each fund owns, [funds]."""

    def __call__(self, theta: Any, price: Any) -> Any:
        """A scalar. `price` [rows, funds]: what each gave to that which came."""
        return -jnp.log(price @ theta).mean()
