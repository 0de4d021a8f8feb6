"""What a memory is given, checked: patterns, cues, and the numbers that shape its energy."""

from typing import Any

import numpy as np

from catallax.core.errors import BadInput

KINDS = ("classical", "dense", "modern")
MOST = 2**15 - 1  # classical patterns: a synapse is a 16-bit whole number


def table(name: str, values: Any) -> np.ndarray:
    """`values` as an array of at least one row and one column of finite numbers."""
    try:
        array = np.asarray(values)
        finite = np.isfinite(array)
    except (TypeError, ValueError):
        raise BadInput(f"{name} is no table of numbers: give [patterns, neurons]") from None
    if array.ndim != 2 or 0 in array.shape:
        raise BadInput(f"{name} has shape {array.shape}: give [patterns, neurons], at least one of each")
    if not finite.all():
        place = np.argwhere(~finite)[0].tolist()
        raise BadInput(f"{name}{place} is not a finite number: give finite numbers only")
    return array


def signs(name: str, array: np.ndarray) -> np.ndarray:
    """`array` as int8, each entry +1 or -1."""
    wrong = np.argwhere(np.abs(array) != 1) if array.dtype != bool else np.zeros((1, array.ndim), int)
    if len(wrong):
        place = wrong[0].tolist()
        raise BadInput(f"{name}{place} is {array[tuple(place)]}: give +1 or -1 (2 b - 1 makes them of bits b)")
    return array.astype(np.int8)


def patterns_of(values: Any, kind: str) -> np.ndarray:
    """Patterns [patterns, neurons]: int8 of +-1, or float64 for a modern memory."""
    if kind not in KINDS:
        raise BadInput(f"Hopfield.kind is {kind!r}: give one of {', '.join(KINDS)}")
    array = table("Hopfield.patterns", values)
    if kind == "modern":
        return array.astype(np.float64)
    if kind == "classical" and len(array) > MOST:
        raise BadInput(f"Hopfield.patterns has {len(array):,} rows: a classical memory takes at most {MOST:,}")
    return signs("Hopfield.patterns", array)


def cues_of(values: Any, patterns: np.ndarray, name: str = "cue") -> np.ndarray:
    """Cues [cues, neurons] of the patterns' width and type; a single cue [neurons] becomes one row."""
    array = np.asarray(values)
    array = table(name, array[None] if array.ndim == 1 else array)
    if array.shape[1] != patterns.shape[1]:
        raise BadInput(f"{name} has {array.shape[1]} entries a row: give one for each of {patterns.shape[1]} neurons")
    return signs(name, array) if patterns.dtype == np.int8 else array.astype(np.float64)


def check_numbers(patterns: np.ndarray, kind: str, degree: int, beta: float, bits: int | None, cut: float) -> None:
    """The numbers that shape the energy; each is for one kind of memory."""
    many, neurons = patterns.shape
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 2:
        raise BadInput(f"Hopfield.degree is {degree!r}: give a whole number of at least 2")
    if kind == "dense" and 2 * many * (neurons + 1) ** degree >= 2**63:
        raise BadInput(
            f"Hopfield.degree is {degree}: energies of {many:,} patterns of {neurons:,} neurons would not be exact in "
            "64 bits; give a smaller degree, or take kind='modern'"
        )
    if not 0 < beta < np.inf:
        raise BadInput(f"Hopfield.beta is {beta!r}: give a positive number")
    if bits is not None and (isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8):
        raise BadInput(f"Hopfield.bits is {bits!r}: give a whole number from 1 to 8 a synapse, or None for exact ones")
    if not 0 <= cut < 1:
        raise BadInput(f"Hopfield.cut is {cut!r}: give a share of synapses of at least 0 and below 1")
    if kind != "classical" and (bits is not None or cut):
        raise BadInput(f"Hopfield.bits and cut are of synapses between neurons: a {kind} memory has none")


def flipped(cues: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    """Cues [cues, neurons] of +-1 with round(noise x neurons) entries of each flipped, at random places."""
    if not 0 <= noise <= 1:
        raise BadInput(f"noise is {noise!r}: give a share of entries from 0 to 1")
    rank = np.random.default_rng(seed).random(cues.shape).argsort(1).argsort(1)
    return np.where(rank < round(noise * cues.shape[1]), -cues, cues)
