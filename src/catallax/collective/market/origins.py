"""Where beliefs come from: private signals, and the chances that make them."""

from typing import Any

import numpy as np

from catallax.collective import pools
from catallax.collective.market import timing
from catallax.core.errors import BadInput


def from_signals(likelihood: Any, signals: Any, prior: Any) -> dict[str, Any]:
    """Beliefs by signals that are independent given the outcome; the joint chances of two or three traders' signals."""
    chance, got = as_array("likelihood", likelihood), as_array("signals", signals)
    if chance.ndim != 3 or got.ndim != 2 or got.shape[1] != len(chance):
        due = "give likelihood [traders, outcomes, signals] and signals [questions, traders]"
        raise BadInput(f"likelihood is {list(chance.shape)} and signals {list(got.shape)}: {due}")
    pools.forecasts(chance, "likelihood")
    check_signals(got, chance.shape[2:] * len(chance))
    base = pools.uniform(chance.shape[1]) if prior is None else np.asarray(prior, np.float64)
    seen = base * chance[np.arange(len(chance)), :, got]
    if not (seen.sum(-1) > 0).all():
        question, trader = np.argwhere(~(seen.sum(-1) > 0))[0]
        raise BadInput(f"signals[{question}, {trader}] is {got[question, trader]}, which no outcome ever makes")
    few = len(chance) in (2, 3) and chance.shape[2] <= max(timing.LATTICE)
    joint = joint_of(base, chance) if few else None
    return dict(beliefs=seen / seen.sum(-1, keepdims=True), prior=base, joint=joint, signals=got)


def from_joint(joint: Any, signals: Any) -> dict[str, Any]:
    """Beliefs, and the posterior of all signals together, by their joint chances."""
    p, got = timing.checked(joint), as_array("signals", signals)
    if got.ndim != 2 or got.shape[1] != p.ndim - 1:
        raise BadInput(f"signals is {list(got.shape)}: give [questions, {p.ndim - 1}], a signal for each trader")
    check_signals(got, p.shape[1:])
    both = p[(slice(None), *got.T)].T
    if not (both.sum(1) > 0).all():
        raise BadInput(f"signals[{int(np.argmin(both.sum(1)))}] never come together by the joint chances")
    beliefs = []
    for trader in range(1, p.ndim):
        seen = p.sum(tuple(a for a in range(1, p.ndim) if a != trader))[:, got[:, trader - 1]].T
        beliefs.append(seen / seen.sum(1, keepdims=True))
    prior, posterior = p.sum(tuple(range(1, p.ndim))), both / both.sum(1, keepdims=True)
    return dict(beliefs=np.stack(beliefs, 1), prior=prior, posterior=posterior, joint=p, signals=got)


def joint_of(prior: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
    """The joint chances [outcomes, signals, signals, ...] of signals that are independent given the outcome."""
    joint = prior
    for chance in likelihood:
        joint = joint[..., None] * chance.reshape(chance.shape[0], *[1] * (joint.ndim - 1), chance.shape[1])
    return joint


def half_apart() -> np.ndarray:
    """Half the time two signals tell of the outcome apart from each other, half the time only both together do."""
    apart = joint_of(np.full(2, 0.5), np.array([[[0.7, 0.3], [0.3, 0.7]], [[0.8, 0.2], [0.2, 0.8]]]))
    yes = np.array([[0.1, 0.4], [0.5, 0.9]])  # of the second kind, the chance of yes by both signals
    return (apart + np.stack([1 - yes, yes]) / 4) / 2


def as_array(name: str, value: Any) -> np.ndarray:
    """What counts things as whole numbers where it is, all else as float64. `BadInput` where it is no table."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise BadInput(f"{name} has rows of unlike length: give a table") from None
    if array.dtype.kind not in "iufb":
        raise BadInput(f"{name} holds {array.dtype}: give numbers")
    return array if array.dtype.kind in "iu" and name.endswith(("happened", "signals")) else array.astype(np.float64)


def check_signals(got: np.ndarray, kinds: tuple[int, ...]) -> None:
    """Signals [questions, traders] of so many kinds each."""
    wrong = (got < 0) | (got >= np.asarray(kinds)) if got.dtype.kind in "iu" else np.ones(got.shape, bool)
    if wrong.any():
        question, trader = np.argwhere(wrong)[0]
        said = f"signals[{question}, {trader}] is {got[question, trader]}"
        raise BadInput(f"{said}: give a whole number from 0 to {kinds[trader] - 1}")
