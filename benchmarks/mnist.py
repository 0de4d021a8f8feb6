"""MNIST as benchmarks read it, and the share of rows that a network misnames."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np

from benchmarks import data


def images(name: str) -> np.ndarray:
    """An idx file of images as float32[rows, 784] in [0, 1], or of labels as int32[rows]."""
    with gzip.open(data.path(f"mnist/{name}.gz")) as file:
        read = file.read()
    if "labels" in name:
        return np.frombuffer(read, np.uint8, offset=8).astype(np.int32)
    return np.frombuffer(read, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / np.float32(255)


def training(rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The training set, or its first rows."""
    return images("train-images-idx3-ubyte")[:rows], images("train-labels-idx1-ubyte")[:rows]


def test_set() -> tuple[np.ndarray, np.ndarray]:
    """The rows that are read once."""
    return images("t10k-images-idx3-ubyte"), images("t10k-labels-idx1-ubyte")


def error_of(chain: Any, rows: tuple) -> float:
    """Rows misnamed, in %."""
    X, y = rows
    named = [np.asarray(scores_of(chain, X[i : i + 1000])).argmax(1) for i in range(0, len(X), 1000)]
    return 100 * float(np.mean(np.concatenate(named) != y))


def scores_of(chain: Any, x: np.ndarray) -> Any:
    """Compiled once a kind."""
    import equinox as eqx

    global _scores
    _scores = _scores or eqx.filter_jit(lambda chain, x: chain(x))
    return _scores(chain, x)


_scores: Any = None
