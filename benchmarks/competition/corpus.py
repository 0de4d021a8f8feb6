"""Texts, their alphabet, and contexts drawn from them.

A context is CONTEXT characters, its target the character that follows. The alphabet is fixed, so that nothing about it is
learnt from data: a line's end, the 95 printable ASCII characters, and one symbol for all others. Of each text the first
TRAIN is learnt from, the next HELD chooses learning rates, and the last HELD is read once, by the final runs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks import data

CONTEXT = 32
SYMBOLS = 97
TRAIN, HELD = 0.8, 0.1
# Two sources always: batches of one text and of two then have one shape, and one program serves both.
TEXTS = {"shakespeare": "text/tinyshakespeare.txt", "wikitext": "text/wikitext2_valid.txt"}
CORPORA = {"Shakespeare": ("shakespeare", "shakespeare"), "Shakespeare + WikiText": ("shakespeare", "wikitext")}


class Part(NamedTuple):
    """A piece of each text of a corpus, all of one length: `symbols` [sources, characters]."""

    symbols: np.ndarray


class Corpus(NamedTuple):
    """Training, validation and test parts."""

    train: Part
    validation: Part
    test: Part


class Rows(NamedTuple):
    """`context` [rows, CONTEXT], `target` [rows], `source` [rows]."""

    context: Any
    target: Any
    source: Any


def encoded(text: str) -> np.ndarray:
    """uint8[characters]: 0 a line's end, 1 to 95 printable ASCII, 96 anything else."""
    code = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
    known = (code >= 32) & (code < 127)
    return np.where(known, code - 31, np.where(code == 10, 0, SYMBOLS - 1)).astype(np.uint8)


def corpus(name: str, texts: dict[str, str] | None = None) -> Corpus:
    """A corpus by name; `texts`: in place of the files. Parts of all its texts are cut to the shortest."""
    read = texts or {k: data.path(v).read_text(encoding="utf-8") for k, v in TEXTS.items() if k in CORPORA[name]}
    whole = [encoded(read[source]) for source in CORPORA[name]]
    ends = [(0.0, TRAIN), (TRAIN, TRAIN + HELD), (TRAIN + HELD, TRAIN + 2 * HELD)]
    return Corpus(*(cut(whole, *one) for one in ends))


def cut(whole: list[np.ndarray], start: float, end: float) -> Part:
    """The same shares of each text, all as long as the shortest."""
    pieces = [one[round(start * len(one)) : round(end * len(one))] for one in whole]
    length = min(map(len, pieces))
    return Part(np.stack([one[:length] for one in pieces]))


def spaced(part: Part, rows: int) -> Rows:
    """Evenly spaced contexts, as many of each source, in an order in which neighbours are far apart."""
    sources, length = part.symbols.shape
    start = np.linspace(0, length - CONTEXT - 1, rows).astype(int)
    source = np.arange(rows) % sources
    order = np.random.default_rng(0).permutation(rows)
    source, start = source[order], start[order]
    window = part.symbols[source[:, None], start[:, None] + np.arange(CONTEXT + 1)].astype(np.int32)
    return Rows(window[:, :-1], window[:, -1], source)


def drawn(symbols: Any, key: Any, rows: int) -> Rows:
    """A batch inside a compiled step: every context as likely as any other, half of a mixed batch from each source."""
    import jax
    import jax.numpy as jnp

    sources, length = symbols.shape
    source = jnp.arange(rows) % sources
    start = jax.random.randint(key, (rows,), 0, length - CONTEXT)
    window = symbols[source[:, None], start[:, None] + jnp.arange(CONTEXT + 1)].astype(jnp.int32)
    return Rows(window[:, :-1], window[:, -1], source)
