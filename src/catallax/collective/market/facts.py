"""What a prediction market is given, checked: one sentence for the first fact that is impossible."""

from typing import Any

import numpy as np

from catallax.collective import pools
from catallax.core.errors import BadInput

MECHANISMS = ("pari-mutuel", "lmsr", "double-auction")
UTILITIES = ("log", "fractional", "isoelastic", "cara", "neutral")
# which utilities trade by which mechanism, and why the others do not
ALLOWED = {"pari-mutuel": ("log", "fractional", "isoelastic"), "lmsr": UTILITIES, "double-auction": UTILITIES[:4]}
WHY = {
    "pari-mutuel": "stakes cannot be negative, and it would go short: take 'lmsr'",
    "double-auction": "it would buy without end at any price but its own: take 'lmsr'",
}


def check(market: Any) -> None:
    """All rules of `PredictionMarket`'s fields."""
    beliefs = np.asarray(market.beliefs)
    if beliefs.ndim != 3:
        raise BadInput(f"PredictionMarket.beliefs is {list(beliefs.shape)}: give [questions, traders, outcomes]")
    pools.forecasts(beliefs, "PredictionMarket.beliefs")
    questions, traders, outcomes = beliefs.shape
    check_kinds(market)
    check_happened(market.happened, questions, outcomes)
    for name, sign in (("wealth", 0), ("aversion", 1), ("risk_tolerance", 1), ("share", 1)):
        check_column(name, getattr(market, name), traders, strictly=bool(sign))
    if not market.wealth.sum() > 0:
        raise BadInput("PredictionMarket.wealth is 0 for everyone: nobody can trade")
    if (market.share > 1).any():
        row = int(np.argmax(market.share > 1))
        raise BadInput(
            f"PredictionMarket.share[{row}] is {market.share[row]}: nobody bets more than it owns, give at most 1"
        )
    check_chances("prior", market.prior, (outcomes,))
    if not (market.prior > 0).all():
        raise BadInput("PredictionMarket.prior must be above 0 for every outcome: what cannot happen is no outcome")
    if market.posterior is not None:
        check_chances("posterior", market.posterior, (questions, outcomes))
    if market.utility in ("cara", "neutral") and not (beliefs > 0).all():
        question, trader, outcome = np.argwhere(~(beliefs > 0))[0]
        where = f"PredictionMarket.beliefs[{question}, {trader}, {outcome}]"
        raise BadInput(
            f"{where} is 0: {market.utility} traders who rule an outcome out sell it without end, give more than 0"
        )
    check_numbers(market)


def check_kinds(market: Any) -> None:
    """A mechanism and a utility that it can serve."""
    if market.mechanism not in MECHANISMS:
        raise BadInput(f"PredictionMarket.mechanism is {market.mechanism!r}: give one of {', '.join(MECHANISMS)}")
    if market.utility not in UTILITIES:
        raise BadInput(f"PredictionMarket.utility is {market.utility!r}: give one of {', '.join(UTILITIES)}")
    if market.utility not in ALLOWED[market.mechanism]:
        why = WHY[market.mechanism]
        raise BadInput(f"PredictionMarket.utility is {market.utility!r} in a {market.mechanism}: {why}")
    if market.mechanism == "double-auction" and market.beliefs.shape[-1] != 2:
        said = f"PredictionMarket.beliefs has {market.beliefs.shape[-1]} outcomes"
        raise BadInput(f"{said}: the order book trades one claim, so a double-auction takes two outcomes")


def check_happened(happened: np.ndarray, questions: int, outcomes: int) -> None:
    """An outcome of each question."""
    if happened.shape != (questions,) or happened.dtype.kind not in "iu":
        said = f"PredictionMarket.happened is {happened.dtype}{list(happened.shape)}"
        raise BadInput(f"{said}: give the number of an outcome for each of {questions} questions")
    wrong = (happened < 0) | (happened >= outcomes)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadInput(f"PredictionMarket.happened[{row}] is {happened[row]}: give an outcome from 0 to {outcomes - 1}")


def check_column(name: str, values: np.ndarray, traders: int, strictly: bool) -> None:
    """A number a trader, at least 0 (`strictly`: above)."""
    if values.shape != (traders,):
        raise BadInput(f"PredictionMarket.{name} is {list(values.shape)}: give one for each of {traders} traders")
    wrong = ~(np.isfinite(values) & ((values > 0) if strictly else (values >= 0)))
    if wrong.any():
        row = int(np.argmax(wrong))
        least = "above 0" if strictly else "of at least 0"
        raise BadInput(f"PredictionMarket.{name}[{row}] is {values[row]}: give a number {least}")


def check_chances(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    """Probabilities of that shape."""
    if values.shape != shape:
        raise BadInput(f"PredictionMarket.{name} is {list(values.shape)}: give probabilities {list(shape)}")
    pools.forecasts(values if values.ndim > 1 else values[None], f"PredictionMarket.{name}")


def check_numbers(market: Any) -> None:
    """Liquidity, rounds, speed and ticks."""
    if not 0 < market.liquidity < np.inf:
        raise BadInput(f"PredictionMarket.liquidity is {market.liquidity!r}: give the market maker's b, above 0")
    if market.speed is not None and not 0 < market.speed <= 1:
        raise BadInput(
            f"PredictionMarket.speed is {market.speed!r}: give a share of the way to go in a round, above 0, at most 1"
        )
    for name, least in (("trading", 1), ("ticks", 2)):
        value = getattr(market, name)
        if value is not None and (type(value) is not int or not least <= value < 2**20):
            raise BadInput(f"PredictionMarket.{name} is {value!r}: give a whole number of at least {least}")
