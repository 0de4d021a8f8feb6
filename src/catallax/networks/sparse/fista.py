"""Accelerated proximal gradient, each sample restarting when its momentum points uphill.

    a+ = T(y + D(x - yD) / |G|; penalty / |G|)     y+ = a+ + (t - 1) / t+ (a+ - a)     t+ = (1 + sqrt(1 + 4 t^2)) / 2

A sample restarts (t = 1) where (y - a+).(a+ - a) > 0.

A. Beck and M. Teboulle, SIAM J. Imaging Sciences 2, 2009; B. O'Donoghue and E. Candes, Adaptive restart for accelerated
gradient schemes, Foundations of Computational Mathematics 15, 2015.
"""

import numpy as np

from catallax.networks.sparse.atoms import Operator, shrink
from catallax.networks.sparse.batch import Aim, Rounds

Array = np.ndarray


class FISTA(Rounds):
    """State: `code` and `ahead` [samples, atoms], `pace` [samples] (t above)."""

    def __init__(self, atoms: Operator, aim: Aim, dtype: type) -> None:
        self.aim, self.atoms = aim, atoms
        self.step = dtype(1 / atoms.strength)

    def begin(self, X: Array, start: Array | None) -> dict[str, Array]:
        code = np.zeros((len(X), self.atoms.count), X.dtype) if start is None else start.astype(X.dtype)
        return {"code": code, "ahead": code, "pace": np.ones(len(X), X.dtype)}

    def advance(self, state: dict[str, Array], rounds: int) -> None:
        X, code, ahead, pace = (state[k] for k in ("X", "code", "ahead", "pace"))
        for _ in range(rounds):
            down = self.atoms.match(X - self.atoms.explain(ahead))
            down *= self.step
            down += ahead
            after = shrink(down, float(self.step) * self.aim.penalty, self.aim.positive)
            moved = after - code
            uphill = np.einsum("sa,sa->s", ahead - after, moved) > 0
            pace = np.where(uphill, 1, pace).astype(X.dtype)
            later = (1 + np.sqrt(1 + 4 * pace**2)) / 2
            moved *= ((pace - 1) / later)[:, None]
            code, ahead, pace = after, after + moved, later
        state |= {"code": code, "ahead": ahead, "pace": pace}

    def codes(self, state: dict[str, Array]) -> Array:
        return state["code"]
