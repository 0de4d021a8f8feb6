"""The next character of tiny Shakespeare: a market of n-grams, against each of them, their mean, Kelly, fitted mixtures.

    python -m benchmarks.characters [--quick] [--json]

Traders are interpolated Kneser-Ney models of the last 1 to 6 characters (`ensembles.characters.Ngram`). Everything is
online: each character is offered on, then paid for, then learnt, by traders and markets alike, from the first on; what is
reported is the last tenth. All see the same offers. Controls:

    order n                  one trader alone
    mean                     of all six, equal weights
    mixture fitted (EM)      the best fixed mixture for the first nine tenths, in hindsight
    kelly, fractional        markets of purses
    log pool, fixed          the log market, whose tolerances stop changing at nine tenths
    zlib, bz2, lzma          bytes that the last tenth adds to a compressed file

A second table is the protocol of language models: traders stop learning at nine tenths, and only markets go on.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import time
import zlib
from typing import Any

import numpy as np

from benchmarks import data, harness

NAME = "text/tinyshakespeare.txt"
ORDERS = (1, 2, 3, 4, 5, 6)
QUICK = 100_000  # characters
BLOCK = 10_000  # characters that are offered on before markets take them in, one by one
PIECE = 500  # characters to a difference of which the standard error is taken
CAP = 0.4
FLOOR = 1e-6
QUESTION = (
    "Does a market of n-grams know the next character better than the best of them? {characters:,} characters, "
    "{symbols} different; bits a character on the last {last:,}."
)


class Offers:
    """A member that looks up what a trader has offered: X is the row of the block."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.log = np.empty((0, 0, 0))

    def __call__(self, rows: Any) -> np.ndarray:
        return self.log[np.asarray(rows)[:, 0].astype(int), self.place]


class Stand:
    """A market and the log of its prices of what came."""

    def __init__(self, symbols: int, **given: Any) -> None:
        from catallax.ensembles import OnlineMarket

        self.offers = [Offers(k) for k in range(len(ORDERS))]
        named = [(f"order {order}", one) for order, one in zip(ORDERS, self.offers, strict=True)]
        self.market = OnlineMarket(named, floor=FLOOR, **given)
        self.symbols = np.arange(symbols)
        self.paid: list[np.ndarray] = []

    def take(self, log: np.ndarray, y: np.ndarray, learns: bool = True) -> None:
        """One block: its loss, character by character, by pieces."""
        for one in self.offers:
            one.log = log
        rows = np.arange(len(y))[:, None]
        if not learns:
            price = self.market.predict_proba(rows)[np.arange(len(y)), y]
            self.paid += [-np.log2(piece).sum(keepdims=True) for piece in np.split(price, range(PIECE, len(y), PIECE))]
            return
        for start in range(0, len(y), PIECE):
            part = slice(start, start + PIECE)
            before = self.market.log_loss_ * self.market.rows_ if hasattr(self.market, "members_") else 0.0
            self.market.partial_fit(rows[part], y[part], classes=self.symbols)
            spent = self.market.log_loss_ * self.market.rows_ - before
            self.paid.append(np.array([spent / np.log(2)]))


def text(limit: int | None) -> tuple[np.ndarray, int, bytes]:
    """Characters as numbers, how many there are, and the bytes."""
    raw = data.path(NAME).read_bytes()[:limit]
    symbols, codes = np.unique(np.frombuffer(raw, np.uint8), return_inverse=True)
    return codes.astype(np.int64), len(symbols), raw


def markets(symbols: int) -> dict[str, Stand]:
    """All that are compared."""
    return {
        "kelly": Stand(symbols, market="kelly"),
        "fractional": Stand(symbols, market="fractional"),
        "log pool": Stand(symbols, market="log"),
        f"log pool, no trader above {CAP:.0%}": Stand(symbols, market="log", max_influence=CAP),
        "log pool, fixed": Stand(symbols, market="log"),
    }


def pass_over(
    y: np.ndarray, symbols: int, cut: int, learning: bool
) -> tuple[np.ndarray, dict[str, Stand], dict[str, float]]:
    """Reads the text once: the log-offers on what came [characters, orders], the markets, seconds of the processor.

    `learning`: whether traders go on after `cut`.
    """
    from catallax.ensembles.characters import Ngram, windows

    traders, stands = [Ngram(order, symbols) for order in ORDERS], markets(symbols)
    X = windows(y, max(ORDERS))
    came, seconds = np.empty((len(y), len(ORDERS))), {"traders": 0.0, "markets": 0.0}
    ends = [*range(BLOCK, cut, BLOCK), cut, *range(cut + BLOCK, len(y), BLOCK), len(y)]
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part = slice(start, end)
        watch = time.process_time()
        goes_on = learning or start < cut
        log = np.stack([t.offer_and_learn(X[part], y[part]) if goes_on else t.log_offers(X[part]) for t in traders], 1)
        came[part] = log[np.arange(len(log)), :, y[part]]
        seconds["traders"] += time.process_time() - watch
        watch = time.process_time()
        for name, stand in stands.items():
            stand.take(log, y[part], learns=start < cut or "fixed" not in name)
        seconds["markets"] += time.process_time() - watch
    return came, stands, seconds


def fitted(came: np.ndarray, rounds: int = 200) -> np.ndarray:
    """Weights of the mixture that would have been best: EM on the probabilities of what came [characters, members]."""
    p, weight = np.exp(came), np.full(came.shape[1], 1 / came.shape[1])
    for _ in range(rounds):
        weight = weight * (p.T @ (1 / (p @ weight))) / len(p)
    return weight


def pieces(bits: np.ndarray) -> np.ndarray:
    """Sums over runs of `PIECE` characters."""
    return np.add.reduceat(bits, np.arange(0, len(bits), PIECE))


def table(
    y: np.ndarray, cut: int, came: np.ndarray, stands: dict[str, Stand], title: str, more: dict[str, float]
) -> harness.Table:
    """Bits a character on the last tenth, and how far from the best trader alone."""
    bits = {f"order {n}": pieces(-came[cut:, k] / np.log(2)) for k, n in enumerate(ORDERS)}
    best = min(bits, key=lambda name: bits[name].sum())
    bits["mean"] = pieces(-np.log2(np.exp(came[cut:]).mean(axis=1)))
    weight = fitted(came[:cut])
    bits["mixture fitted (EM)"] = pieces(-np.log2(np.exp(came[cut:]) @ weight))
    first = -(-cut // PIECE)  # blocks end at the cut
    bits |= {name: np.concatenate(stand.paid)[first:] for name, stand in stands.items()}
    count, last = len(y) - cut, pieces(np.ones(len(y) - cut))
    rows = []
    for name, sums in bits.items():
        gap = (sums - bits[best]) / last
        error = gap.std(ddof=1) / np.sqrt(len(gap))
        beside = "" if name == best else f"{(sums - bits[best]).sum() / count:+.4f} +- {error:.4f}"
        rows.append({"who": name, "bits": f"{sums.sum() / count:.4f}", f"less {best}": beside})
    rows += [{"who": name, "bits": f"{value:.4f}"} for name, value in more.items()]
    log, cap = (stands[name].market for name in ("log pool", f"log pool, no trader above {CAP:.0%}"))
    moved = max(stand.market.audit_ for stand in stands.values())
    tolerance = ", ".join(f"{name} {value:.2f}" for name, value in log.tolerance_.items())
    return harness.Table(
        title,
        rows,
        [
            f"Tolerances of the log pool at the end: {tolerance}; they sum to {sum(log.tolerance_.values()):.2f}.",
            f"Largest influence: {max(log.influence_.values()):.3f}; with the cap {max(cap.influence_.values()):.3f}.",
            f"Largest change of all money in one round, of {len(ORDERS)} purses: {moved:.1e}.",
            f"The fitted mixture: {', '.join(f'{w:.3f}' for w in weight)}.",
            f"+- is one standard error, of means over {PIECE} characters.",
        ],
    )


def archives(raw: bytes, cut: int) -> dict[str, float]:
    """Bits a character that general compressors need for the last tenth, having seen the rest."""
    pack = {"zlib": lambda b: zlib.compress(b, 9), "bz2": bz2.compress, "lzma": lambda b: lzma.compress(b, preset=9)}
    return {name: 8 * (len(one(raw)) - len(one(raw[:cut]))) / (len(raw) - cut) for name, one in pack.items()}


def benchmark(options: harness.Options) -> harness.Report:
    """Two passes over the text."""
    y, symbols, raw = text(QUICK if options.quick else None)
    cut = len(y) * 9 // 10 // PIECE * PIECE
    tables = []
    for learning, title in ((True, "Traders learn to the end"), (False, "Traders stop learning at nine tenths")):
        harness.say(f"  {title}")
        came, stands, seconds = pass_over(y, symbols, cut, learning)
        found = table(y, cut, came, stands, title, archives(raw, cut) if learning else {})
        note = f"{seconds['traders']:.0f} s of the processor for six traders, {seconds['markets']:.0f} s for {len(stands)} markets."
        tables.append(harness.Table(found.title, found.rows, [*found.notes, note]))
    question = QUESTION.format(characters=len(y), symbols=symbols, last=len(y) - cut)
    return harness.Report("characters", question, tables, harness.versions("numpy", "numba", "scikit-learn"), options)


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
