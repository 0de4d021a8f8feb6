"""A small network: two hidden layers of tanh neurons, whose signal is the gradient that comes back layer by layer.

Units are neurons; a silent one sends nothing. A weight of the last layer is one step of composition from the loss, one of
the layer before it two, and so on.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier

from catallax.ensembles.learners.learner import Array, Dependence, Fitted, Flow, Learner, Rows, two_sided
from catallax.ensembles.learners.lines import one_hot


class Wired(Fitted):
    """`weights` [in, out] and `constants` [out] of each layer."""

    def __init__(self, weights: list[Array], constants: list[Array], rows: Rows, y: Array, ridge: float, seed: int):
        self.weights, self.constants, self.rows, self.y = weights, constants, rows, y
        self.ridge, self.seed = ridge, seed
        self.cuts = np.cumsum([0, *(len(c) for c in constants[:-1])])
        self.units = int(self.cuts[-1])

    def read(self, rows: Rows) -> Array:
        """The features themselves."""
        return rows.X

    def scores(self, sheet: Array, kept: Array) -> Array:
        """Layer after layer, silent neurons at 0."""
        signal = sheet
        for layer, (weight, constant) in enumerate(zip(self.weights, self.constants, strict=True)):
            signal = signal @ weight + constant
            if layer < len(self.weights) - 1:
                signal = np.tanh(signal) * kept[self.cuts[layer] : self.cuts[layer + 1]]
        return two_sided(signal)

    def depth(self, rows: Rows) -> float:
        """Layers."""
        return float(len(self.weights))

    def width(self) -> int:
        """Neurons of the widest layer."""
        return max(len(c) for c in self.constants[:-1])

    def flow(self) -> Flow:
        """Counted from the last layer."""
        layers = len(self.weights)
        sizes = [w.size + c.size for w, c in zip(self.weights, self.constants, strict=True)]
        return Flow(np.repeat(np.arange(layers, 0, -1.0), sizes), "layer by layer")

    def dependence(self) -> Dependence:
        """From a random start of the law that scikit-learn draws from (Glorot and Bengio 2010)."""
        from catallax.ensembles.learners.losses import Network

        random, start = np.random.default_rng(self.seed), []
        for each in (self.weights, self.constants):
            for weight, array in zip(self.weights, each, strict=True):
                reach = np.sqrt(6 / sum(weight.shape))
                start.append(random.uniform(-reach, reach, array.size))
        end = np.concatenate([a.ravel() for a in (*self.weights, *self.constants)])
        sizes = (self.weights[0].shape[0], *(len(c) for c in self.constants))
        return Dependence(Network(sizes, self.ridge), np.concatenate(start), end, (self.rows.X, one_hot(self.y)))


class Perceptron(Learner):
    """A multilayer perceptron."""

    name, unit, rule = "network", "neurons", "layers of sums"

    def __init__(self, layers: tuple[int, ...] = (16, 16), alpha: float = 0.1) -> None:
        self.layers, self.alpha = layers, alpha

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """By L-BFGS, 200 steps at most."""
        model = MLPClassifier(
            self.layers, activation="tanh", solver="lbfgs", alpha=self.alpha, max_iter=200, random_state=seed
        ).fit(rows.X, y)
        return Wired(model.coefs_, model.intercepts_, rows, y, self.alpha / len(y), seed)
