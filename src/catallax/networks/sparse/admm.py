"""Alternating directions: lateral inhibition solved exactly once a round, then the threshold.

    w  = (G + rho I)^-1 (Dx + rho (z - v))          h = relax w + (1 - relax) z
    z+ = T(h + v; penalty / rho)                     v+ = v + h - z+

It is LCA with the inhibition inverted beforehand. With fewer features than atoms the inverse is Woodbury's,
(G + rho I)^-1 = (I - D (rho I + D'D)^-1 D') / rho: a matrix of features by features. rho is balanced at every check: doubled
where w and z disagree more than z moves, halved where less.

S. Boyd et al., Distributed optimization and statistical learning via ADMM, 2011, sections 3.4 and 6.4.
"""

import numpy as np

from catallax.networks.sparse.atoms import Atoms, shrink
from catallax.networks.sparse.batch import Aim, Rounds

Array = np.ndarray
RELAX = 1.7
UNEVEN = 4.0  # how many times one residual may be the other before rho moves


class ADMM(Rounds):
    """State: `driven` = Dx, `code` = z, `owed` = v, each [samples, atoms]; `apart`, `moved` [samples], the residuals."""

    def __init__(self, atoms: Atoms, aim: Aim, dtype: type, rho: float = 1.5) -> None:
        self.atoms, self.aim, self.dtype, self.rho = atoms, aim, dtype, rho
        self.table = atoms.typed(dtype)
        self.invert()

    def invert(self) -> None:
        """What applies the inverse at this rho."""
        table, features = self.atoms.table, self.atoms.table.shape[1]
        if features < self.atoms.count:
            small = table.T @ table + self.rho * np.eye(features)
            self.inverse = np.linalg.solve(small, table.T).astype(self.dtype)  # [features, atoms]
        else:
            self.inverse = np.linalg.inv(self.atoms.gram + self.rho * np.eye(self.atoms.count)).astype(self.dtype)

    def solve(self, right: Array) -> Array:
        """(G + rho I)^-1 of each row."""
        if len(self.inverse) == self.atoms.count:
            return right @ self.inverse
        return (right - (right @ self.table) @ self.inverse) / self.dtype(self.rho)

    def begin(self, X: Array, start: Array | None) -> dict[str, Array]:
        driven = X @ self.table.T
        code = np.zeros_like(driven) if start is None else start.astype(X.dtype)
        # at the LASSO point what is owed is the match with the residual
        owed = np.zeros_like(driven) if start is None else (driven - (code @ self.table) @ self.table.T) / self.rho
        nothing = np.zeros(len(X), X.dtype)
        return {"driven": driven, "code": code, "owed": owed.astype(X.dtype), "apart": nothing, "moved": nothing}

    def advance(self, state: dict[str, Array], rounds: int) -> None:
        self.balance(state)
        driven, code, owed = (state[k] for k in ("driven", "code", "owed"))
        rho, relax = self.dtype(self.rho), self.dtype(RELAX)
        for last in range(rounds - 1, -1, -1):
            right = code - owed
            right *= rho
            right += driven
            wanted = self.solve(right)
            if not last:
                before, apart = code, wanted
            wanted = relax * wanted + (1 - relax) * code
            wanted += owed
            code = shrink(wanted, self.aim.penalty / self.rho, self.aim.positive)
            owed = wanted - code
        state |= {"code": code, "owed": owed}
        if rounds:
            state |= {"apart": norm(apart - code), "moved": rho * norm(code - before)}

    def balance(self, state: dict[str, Array]) -> None:
        """Another rho where the residuals are uneven; v is in units of 1 / rho."""
        apart, moved = float(state["apart"].sum()), float(state["moved"].sum())
        factor = 2.0 if apart > UNEVEN * moved else 0.5 if moved > UNEVEN * apart else 1.0
        if factor != 1.0:
            self.rho *= factor
            state["owed"] = state["owed"] / self.dtype(factor)
            self.invert()

    def codes(self, state: dict[str, Array]) -> Array:
        return state["code"]


def norm(rows: Array) -> Array:
    """Of each row."""
    return np.sqrt(np.einsum("sa,sa->s", rows, rows))
