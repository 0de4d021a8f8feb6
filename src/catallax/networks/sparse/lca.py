"""Locally competitive algorithm: neurons that inhibit whoever explains the same.

    tau du/dt = b - u - (G - I) a        a = T(u)        b = Dx: what drives each neuron, G = DD'

u is a membrane potential, a what the neuron says, T a soft or hard threshold. With the residual r = x - aD the right side
is d.r + a - u, so a neuron needs to hear its own match with what is still unexplained, and nothing of the others. At rest
a is the LASSO point (soft); with the hard threshold it is a local minimum of |r|^2 / 2 + penalty^2 / 2 |a|_0.

Euler's rule, a step of `rate` = dt / tau. It is stable below 2 / |G| (and at 1 at most, where a membrane has no memory).

C. Rozell, D. Johnson, R. Baraniuk and B. Olshausen, Sparse coding via thresholding and local competition in neural circuits,
Neural Computation 20, 2008, equations 2.4 and 3.2; A. Balavoine, C. Rozell and J. Romberg, IEEE Trans. Neural Networks 23, 2012.
"""

import numpy as np

from catallax.networks.sparse.atoms import Operator, shrink
from catallax.networks.sparse.batch import Aim, Rounds

Array = np.ndarray
EDGE = 1.8  # of the 2 / |G| at which Euler's rule becomes unstable


class LCA(Rounds):
    """Rounds of Euler's rule. State: `membrane` [samples, atoms]."""

    def __init__(self, atoms: Operator, aim: Aim, dtype: type, rate: float | None = None) -> None:
        self.aim, self.atoms = aim, atoms
        self.rate = dtype(min(1.0, EDGE / atoms.strength) if rate is None else rate)

    def begin(self, X: Array, start: Array | None) -> dict[str, Array]:
        """At rest potentials, or where the codes `start` would be said: u = a, moved out by the penalty (soft)."""
        if start is None:
            return {"membrane": np.zeros((len(X), self.atoms.count), X.dtype)}
        moved = start if self.aim.hard else start + self.aim.penalty * np.sign(start)
        return {"membrane": moved.astype(X.dtype)}

    def advance(self, state: dict[str, Array], rounds: int) -> None:
        for _ in range(rounds):
            state["membrane"] = state["membrane"] + self.rate * self.drive(state)

    def drive(self, state: dict[str, Array]) -> Array:
        """tau du/dt, [samples, atoms]."""
        codes = self.codes(state)
        drive = self.atoms.match(state["X"] - self.atoms.explain(codes))
        drive += codes
        drive -= state["membrane"]
        return drive

    def codes(self, state: dict[str, Array]) -> Array:
        return shrink(state["membrane"], self.aim.penalty, self.aim.positive, self.aim.hard)

    def unrest(self, state: dict[str, Array]) -> Array:
        """The largest |tau du/dt| of a sample, in penalties."""
        return np.abs(self.drive(state)).max(1).astype(np.float64) / self.aim.penalty
