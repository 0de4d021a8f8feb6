"""The best output weights of a layer whose hidden weights stand: a convex problem, solved in the span of what is hidden.

min_a L(H a / n, y)        H [rows, neurons] what each hidden unit says;  H / n = U S V',  c = V' a
squared    c = U'y / S, singular values below 1e-10 of the largest left out
logistic   Newton on sum(log(1 + e^f) - y f) + ridge |S c|^2 / 2,  f = U S c
"""

import numpy as np
from scipy.special import expit

CUT, RIDGE, CLOSE, STEPS = 1e-10, 1e-6, 1e-9, 200


def best_output(hidden: np.ndarray, targets: np.ndarray, loss: str) -> tuple[np.ndarray, float]:
    """Outputs [rows] and the largest slope n dL/da_i left (logistic: of the loss with its ridge), in float64."""
    held = hidden.astype(np.float64) / hidden.shape[1]
    left, size, _ = np.linalg.svd(held, full_matrices=False)
    basis = left[:, size > CUT * size[0]]
    if loss == "squared":
        said = basis @ (basis.T @ targets)
        return said, float(np.abs(hidden.T @ (said - targets)).max() / len(targets))
    place = fitted(basis, targets)
    said = basis @ place
    missing = expit(said) - targets + RIDGE * said
    return said, float(np.abs(hidden.T @ missing).max() / len(targets))


def fitted(basis: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The place [directions] of least sum of log(1 + e^f) - y f + RIDGE |place|^2 / 2, f = basis place: damped Newton."""

    def cost(place: np.ndarray) -> float:
        said = basis @ place
        return float(np.sum(np.logaddexp(0, said) - targets * said) + RIDGE * place @ place / 2)

    place = np.zeros(basis.shape[1])
    for _ in range(STEPS):
        chance = expit(basis @ place)
        slope = basis.T @ (chance - targets) + RIDGE * place
        bend = (basis * (chance * (1 - chance))[:, None]).T @ basis + RIDGE * np.eye(len(place))
        step, length = np.linalg.solve(bend, slope), 1.0
        if np.abs(slope).max() < CLOSE:
            break
        while length > CLOSE and cost(place - length * step) > cost(place) - 1e-4 * length * (slope @ step):
            length /= 2
        place -= length * step
    return place
