"""What experts compete for: MNIST under four unknown transforms, and the characters of Shakespeare."""

from __future__ import annotations

import functools
import gzip
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.competition.routed import Rows

LEARNT, KEPT, LOOKED = 20_000, 4_000, 1_000
CONTEXT = 4
EVEN, UNEVEN = (0.25,) * 4, (0.5, 0.25, 0.15, 0.1)
Array = np.ndarray


@functools.lru_cache
def pooled(name: str) -> tuple[Array, Array]:
    """Images of MNIST pooled to [rows, 7, 7], and their digits; `name`: train or t10k."""
    with gzip.open(data.path(f"mnist/{name}-images-idx3-ubyte.gz")) as file:
        raw = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 7, 4, 7, 4)
    with gzip.open(data.path(f"mnist/{name}-labels-idx1-ubyte.gz")) as file:
        digit = np.frombuffer(file.read(), np.uint8, offset=8)
    return (raw.mean((2, 4)) / 255).astype(np.float32), digit.astype(np.int32)


def transformed(image: Array, kind: Array, rng: np.random.Generator) -> Array:
    """Turned, inverted, shifted, under noise, by kind; [rows, 49], about 0."""
    seen = [
        np.rot90(image, axes=(1, 2)),
        1 - image,
        np.roll(image, 3, 2),
        image + 0.3 * rng.normal(size=image.shape).astype(np.float32),
    ]
    return (np.stack(seen)[kind, np.arange(len(kind))].reshape(len(kind), -1) - 0.3) / 0.3


def images(seed: int, experts: int = 8, shares: tuple[float, ...] = EVEN, test: bool = True) -> tuple[Rows, Rows, Rows]:
    """Rows to learn from, to look at along the way, and to judge by (`test`: of the test set, else of the training set)."""
    rng = np.random.default_rng(seed)
    image, digit = pooled("train")
    order = rng.permutation(len(digit))
    picked = [(image, digit, part) for part in np.split(order, [LEARNT, LEARNT + LOOKED, LEARNT + LOOKED + KEPT])[:3]]
    if test:
        image, digit = pooled("t10k")
        picked[2] = (image, digit, rng.permutation(len(digit))[:KEPT])
    found, cut = [], None
    for image, digit, part in picked:
        kind = rng.choice(4, len(part), p=shares).astype(np.int32)
        x = transformed(image[part], kind, rng)
        given, cut = buckets(x, experts, seed, cut)
        found.append(Rows(x, digit[part], given, kind))
    return found[0], found[1], found[2]


def buckets(x: Array, experts: int, seed: int, cut: Any = None) -> tuple[Array, Any]:
    """(fixed bids [rows, experts], cuts): 1 for a row's bucket, less than .1 for others, which take it over if that is gone.

    Each of log2(experts) random projections halves every bucket at the median of the rows learnt from.
    """
    depth, rng = int(np.log2(experts)), np.random.default_rng(seed + 5000)
    along = x @ rng.normal(size=(x.shape[1], depth + experts)).astype(np.float32)
    cut, bucket = {} if cut is None else cut, np.zeros(len(x), np.int64)
    for d in range(depth):
        for b in range(2**d):
            if (d, b) not in cut:
                cut[d, b] = np.median(along[bucket == b, d])
        bucket = 2 * bucket + (along[:, d] > np.array([cut[d, b] for b in range(2**d)])[bucket])
    given = 0.1 * (along[:, depth:] % 1)
    given[np.arange(len(x)), bucket] = 1
    return given.astype(np.float32), cut


def told(rows: Rows, experts: int = 4) -> Rows:
    """The same, each row's kind named."""
    return rows._replace(given=np.eye(experts, dtype=np.float32)[rows.kind])


@functools.lru_cache
def characters() -> tuple[Array, int]:
    """Tiny Shakespeare as numbers, and how many characters it knows."""
    text = np.frombuffer(data.path("text/tinyshakespeare.txt").read_bytes(), np.uint8)
    known, number = np.unique(text, return_inverse=True)
    return number.astype(np.int32), len(known)


def text(seed: int, experts: int = 8, test: bool = True) -> tuple[Rows, Rows]:
    """Contexts and next characters to learn from (the first nine tenths, or eight for tuning), and to judge by."""
    number, known = characters()
    rng, tenth = np.random.default_rng(seed), len(number) // 10
    end = 9 * tenth if test else 8 * tenth
    home = rng.permutation(known) % experts  # the fixed hash of a character
    found = []
    for at in (np.arange(CONTEXT, end), rng.choice(np.arange(end + CONTEXT, end + tenth), 20_000, replace=False)):
        x = number[at[:, None] + np.arange(-CONTEXT, 0)]
        kind = x[:, -1]
        found.append(Rows(x, number[at], np.eye(experts, dtype=np.float32)[home[kind]], kind))
    return found[0], found[1]
