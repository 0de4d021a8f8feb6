"""One forecast out of many people's, kept up to date: a market that learns whom to trust from what has been resolved.

Everyone who has spoken on a question is a trader with constant absolute risk aversion; the price is where nobody wishes
to trade with a logarithmic maker (`online/price.py`: the formula, what is learnt, and the source). So it is a logarithmic
pool of what people said, each weighted by a risk tolerance of their own that grows when they moved prices the right way,
faded where they have not looked again while others did, and made more extreme than any of them by as much as has paid.

Strictly causal. The price after a forecast depends on what was said up to that instant and on outcomes that became known
before it, and on nothing else: a file cut at any date gives the same bits up to there. An outcome without a date is
learnt from after everything else, and so teaches no price in the same file.

The starting values (extremising 1.5, fading 2, tremble 0.04, spread 1) were chosen by log-loss on the first quarter of
PredictionBook, rounded; all but the tremble and the spread are learnt from there on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catallax.collective.online import price as market
from catallax.collective.online.ledger import Ledger
from catallax.collective.online.stakes import YES_NO, Stakes, gathered
from catallax.core.errors import BadInput, Refused
from catallax.core.scene import Scene, Series
from catallax.io.forecasts import ForecastRows, forecast_rows


@dataclass(frozen=True)
class History:
    """Every forecast that was taken in, and the price right after it; in the order of time within each call."""

    question: list[Any]  # [forecasts]
    user: list[Any]  # [forecasts]
    time: NDArray[np.float64]  # [forecasts], days since 1970-01-01 UTC, or as given
    probability: NDArray[np.float64]  # [forecasts], of yes; [forecasts, options] where options are named
    price: NDArray[np.float64]  # the same shape


@dataclass(frozen=True)
class Closing:
    """Every question that has ended, in the order of first appearance."""

    question: list[Any]  # [questions]
    time: NDArray[np.float64]  # [questions], when it was resolved; NaN: no date
    outcome: NDArray[np.int64]  # [questions], 1 or 0; where options are named, the number of the one that came true
    price: NDArray[np.float64]  # [questions], of yes; [questions, options] where options are named


class Forecasts:
    """Aggregates dated forecasts of people online.

    Parameters
    ----------
    extremising : the power to which beliefs are raised before the pool, at first (positive; 1: none).
    fading : how fast old forecasts fade, at first: one made when the question opened counts exp(-fading) of one made now.
    spread : standard deviation of the logarithm of a person's risk tolerance, before anything is known of them.
    tremble : every belief is taken to be uniform with this probability, so that nobody's 0 or 1 settles a question.

    After `fit`
    -----------
    tolerance_ : risk tolerance by user, as a multiple of the maker's liquidity.
    extremising_, fading_ : what has been learnt of them. prior_ : the maker's own probability of yes (0.5 where options are
    named). tolerance_of_strangers_ : that of somebody nobody has heard of.
    history_ : every forecast and the price right after it. closing_ : every question that ended, and its last price.
    options_ : by question. dropped_ : forecasts made when their question had been resolved, which count for nothing.
    notes_ : sentences on what was dropped and what could not be used.
    """

    def __init__(
        self, extremising: float = 1.5, fading: float = 2.0, spread: float = 1.0, tremble: float = 0.04
    ) -> None:
        self.extremising = extremising
        self.fading = fading
        self.spread = spread
        self.tremble = tremble

    def fit(
        self,
        question: Any,
        user: Any = None,
        time: Any = None,
        probability: Any = None,
        outcome: Any = None,
        resolved: Any = None,
        option: Any = None,
    ) -> "Forecasts":
        """Forgets all, then takes in these rows: columns of one length, or one `ForecastRows`.

        `time` and `resolved`: dates (ISO texts, datetime64) or days; `outcome` 1, 0 or unknown (NaN, None, empty);
        `option` as in `io.read_forecasts`. Rows may come in any order. Of one person's forecasts of one question the
        latest stands.

        Raises `BadInput` where a probability lies outside [0, 1], a date is none, an outcome is not 0 or 1, a question ends
        in two ways or at two times, or options do not fit together.
        """
        self._ledger = self._opened()
        self.dropped_ = self._undated = 0
        return self.partial_fit(question, user, time, probability, outcome, resolved, option)

    def partial_fit(
        self,
        question: Any,
        user: Any = None,
        time: Any = None,
        probability: Any = None,
        outcome: Any = None,
        resolved: Any = None,
        option: Any = None,
    ) -> "Forecasts":
        """Takes in further rows, later than all before. Fed piece by piece, with each outcome empty until it is known, a
        file gives the same bits as at once.

        Raises `BadInput` as `fit` does, and where a forecast is older than what was taken in before, or an outcome
        contradicts one.
        """
        if not hasattr(self, "_ledger"):
            return self.fit(question, user, time, probability, outcome, resolved, option)
        rows = question
        if not isinstance(question, ForecastRows):
            rows = forecast_rows(question, user, time, probability, outcome, resolved, option)
        self._check_kind(rows)
        stakes = gathered(rows, self._ledger.options)
        self._take_in(rows, stakes)
        return self

    def resolve(self, question: Any, outcome: Any, time: Any) -> "Forecasts":
        """Says how questions ended, and when that became known: columns of one length. An outcome that is told late counts
        from when it is told.

        Raises `BadInput` for a question without forecasts, an outcome that is not among its options (0 or 1 where they are
        not named), or one that contradicts an earlier one.
        """
        ledger, rows = self._fitted(), forecast_rows(question, question, time, np.zeros(len(question)))
        ends: dict[Any, tuple[int, float, int]] = {}
        for row, (name, value) in enumerate(zip(rows.question, list(outcome), strict=True)):
            if name not in ledger.questions:
                raise BadInput(f"{rows.place(row)}: nobody has forecast question {name!r}; give its forecasts first")
            options = ledger.options[name]
            if (value not in (0, 1)) if options == YES_NO else (value not in options):
                raise BadInput(
                    f"{rows.place(row)}: {value!r} is no outcome of question {name!r}; give one of its options"
                )
            won = 1 - int(value) if options == YES_NO else options.index(value)
            if name in ends and ends[name][:2] != (won, rows.time[row]):
                raise BadInput(f"{rows.place(row)}: question {name!r} ends twice; give one outcome")
            ends[name] = (won, float(rows.time[row]), row)
        self._take_in(rows, Stakes([], [], np.empty(0), [], [], {}, ends))
        return self

    def predict(self, question: Any = None) -> NDArray[np.float64]:
        """The price of each question now, or of those that ended, at their end: [questions] the probability of yes;
        [questions, options] where options are named, NaN beyond a question's own. All questions where none are named.

        Raises `BadInput` for a question that nobody has forecast.
        """
        ledger = self._fitted()
        names = list(ledger.questions) if question is None else list(question)
        for name in names:
            if name not in ledger.questions:
                raise BadInput(
                    f"nobody has forecast question {name!r}; ask for one of the {len(ledger.questions):,} known"
                )
        return self._shown(ledger.prices([ledger.questions[name] for name in names]))

    # --- what has been learnt ---

    @property
    def tolerance_(self) -> dict[Any, float]:
        ledger = self._fitted()
        tolerance = np.exp(ledger.common[market.MEAN] + ledger.offset)
        return {name: float(tolerance[k]) for name, k in ledger.people.items()}

    @property
    def tolerance_of_strangers_(self) -> float:
        return float(np.exp(self._fitted().common[market.MEAN]))

    @property
    def extremising_(self) -> float:
        return float(self._fitted().common[market.EXTREMISING])

    @property
    def fading_(self) -> float:
        return float(self._fitted().common[market.FADING])

    @property
    def prior_(self) -> float:
        return float(1 / (1 + np.exp(-self._fitted().common[market.PRIOR])))

    @property
    def options_(self) -> dict[Any, tuple[Any, ...]]:
        return dict(self._fitted().options)

    @property
    def history_(self) -> History:
        ledger = self._fitted()
        questions, people = list(ledger.questions), list(ledger.people)
        return History(
            [questions[k] for k in ledger.question],
            [people[k] for k in ledger.user],
            ledger.time.copy(),
            self._shown(ledger.said),
            self._shown(ledger.price),
        )

    @property
    def closing_(self) -> Closing:
        ledger = self._fitted()
        ended = np.flatnonzero(ledger.won >= 0)
        names, won = list(ledger.questions), ledger.won[ended]
        return Closing(
            [names[k] for k in ended],
            ledger.ended[ended],
            won.copy() if self._named else 1 - won,
            self._shown(ledger.closing[ended]),
        )

    @property
    def notes_(self) -> list[str]:
        self._fitted()
        late = f"forecasts made when their question had been resolved, which count for nothing: {self.dropped_:,}"
        undated = (
            f"outcomes without a date: {self._undated:,}; they were learnt from after all forecasts and taught no price "
            "here; give a column resolved"
        )
        return [late] * (self.dropped_ > 0) + [undated] * (self._undated > 0)

    def scene(self, question: Any) -> Scene:
        """The path of one question's price, forecasts beside it: time in days, probability of yes (of the first option)."""
        ledger = self._fitted()
        if question not in ledger.questions:
            raise BadInput(f"nobody has forecast question {question!r}; ask for one of those known")
        rows = np.flatnonzero(ledger.question == ledger.questions[question])
        days = ledger.time[rows]
        curves = [
            Series(days, ledger.price[rows, 0], "price, probability"),
            Series(days, ledger.said[rows, 0], "said, probability"),
        ]
        return Scene(f"Question {question}", curves)

    # --- how rows are taken in ---

    def _opened(self) -> Ledger:
        for name in ("extremising", "spread"):
            if not 0 < getattr(self, name) < np.inf:
                raise BadInput(f"{name} is {getattr(self, name)}: give a positive number")
        if not 0 <= self.fading < np.inf:
            raise BadInput(f"fading is {self.fading}: give a number of at least 0")
        if not 0 < self.tremble < 1:
            raise BadInput(f"tremble is {self.tremble}: give a number between 0 and 1")
        self._named: bool | None = None
        common = np.array([0.0, self.fading, self.extremising, 0.0])
        return Ledger(common, np.ones(4), float(self.spread) ** -2, float(self.tremble))

    def _fitted(self) -> Ledger:
        if not hasattr(self, "_ledger"):
            raise Refused("this market has seen no forecasts yet: call fit first")
        return self._ledger

    def _check_kind(self, rows: ForecastRows) -> None:
        named = rows.option is not None
        if self._named is not None and self._named != named and len(rows):
            raise BadInput("some forecasts name options and others do not; give a column option in all or in none")
        if self._named is None:
            self._named = named
            if named:  # what comes first means nothing where options have names
                self._ledger.common_precision[market.PRIOR] = np.inf

    def _shown(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        return prices.copy() if self._named else prices[:, 0].copy()

    def _take_in(self, rows: ForecastRows, stakes: Stakes) -> None:
        ledger = self._ledger
        ends = self._new_ends(rows, stakes)
        kept = self._kept(rows, stakes, ends)
        order = kept[np.argsort(stakes.time[kept], kind="stable")]
        new = [name for name in dict.fromkeys(stakes.question[k] for k in order) if name not in ledger.questions]
        first = dict(zip((stakes.question[k] for k in order[::-1]), stakes.time[order[::-1]], strict=True))
        ledger.add_questions(new, np.array([first[name] for name in new], float), stakes.options)
        added = ledger.add_rows(
            [ledger.questions[stakes.question[k]] for k in order],
            [stakes.user[k] for k in order],
            stakes.time[order],
            [stakes.belief[k] for k in order],
        )
        ending = [name for name in ends if name in ledger.questions]  # the others have no forecast that counts
        places = [ledger.questions[name] for name in ending]
        dates = np.array([ends[name][1] for name in ending], float)
        ledger.won[places] = [ends[name][0] for name in ending]
        ledger.ended[places] = dates
        dated = np.fmax(dates, ledger.clock)  # told late: known from now on
        when = np.where(np.isnan(dates), np.inf, dated)
        ledger.play(added, places, when)
        self._undated += int(np.isnan(dates).sum())
        self._move_clock(stakes.time[order], dated[~np.isnan(dates)])

    def _new_ends(self, rows: ForecastRows, stakes: Stakes) -> dict[Any, tuple[int, float, int]]:
        """Outcomes that were not known before."""
        ledger, new = self._ledger, {}
        for name, (won, when, row) in stakes.ends.items():
            before = int(ledger.won[ledger.questions[name]]) if name in ledger.questions else -1
            if before < 0:
                new[name] = (won, when, row)
            elif before != won:
                raise BadInput(f"{rows.place(row)}: question {name!r} ended another way before; give one outcome")
        return new

    def _kept(self, rows: ForecastRows, stakes: Stakes, ends: dict[Any, tuple[int, float, int]]) -> NDArray[np.int64]:
        """The stakes that count: those made before their question was resolved. None may be older than the clock."""
        ledger = self._ledger
        end = np.array([ends[name][1] if name in ends else self._ended(name) for name in stakes.question], float)
        late = stakes.time >= end  # an open question ends at NaN
        self.dropped_ += int(late.sum())
        old = ~late & ((stakes.time < ledger.clock) | (stakes.time <= ledger.learnt))
        for k in np.flatnonzero(old)[:1].tolist():
            raise BadInput(
                f"{rows.place(stakes.row[k])}: the forecast is not later than what was taken in before; give rows in the "
                "order of time, and leave an outcome empty until it is known"
            )
        return np.flatnonzero(~late)

    def _ended(self, name: Any) -> float:
        """When a question ended: infinitely long ago where that has no date, NaN where it is open."""
        ledger = self._ledger
        if name not in ledger.questions or ledger.won[ledger.questions[name]] < 0:
            return np.nan
        when = float(ledger.ended[ledger.questions[name]])
        return -np.inf if np.isnan(when) else when

    def _move_clock(self, said: NDArray[np.float64], learnt: NDArray[np.float64]) -> None:
        ledger = self._ledger
        ledger.learnt = max(ledger.learnt, *learnt.tolist(), -np.inf)
        ledger.clock = max(ledger.clock, ledger.learnt, *said.tolist(), -np.inf)
