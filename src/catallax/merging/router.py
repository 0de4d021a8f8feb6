"""Which model answers which input? Members bid for inputs and are paid for being right; nobody is in command.

Routers for language models choose between two by a rule that someone learnt from everyone's answers (RouteLLM, FrugalGPT);
averaging asks all. Here each member says how likely it is to be right and pays to be heard; what it knows of itself it has
learnt from what it served. A batch is in `exchange`, what members believe in `confidence`, the money in `signals.ledger`.
"""

import dataclasses
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from catallax.core.errors import BadInput
from catallax.measures.power import effective_number, herfindahl, normalised
from catallax.merging.confidence import Reader
from catallax.merging.exchange import NOBODY, Exchange, Service
from catallax.merging.terms import members_of, rules_of

Array = np.ndarray


class Router(ClassifierMixin, BaseEstimator):
    """Members by price.

    `models`: (name, model) pairs, or a mapping, of anything that answers: fitted estimators, Equinox modules, functions,
    `members.Process`, `members.Endpoint` (`clone` forgets fits: wrap estimators in `FrozenEstimator` to search over them). `costs`
    of an answer, one for all or one each, in units of what a right answer is worth (`worth`). `capacity`: the largest share
    of a batch that a member can answer, one for all or one each. `max_influence`: the largest share of inputs that any
    may have. `veto`: members that do not take part. `looks`: members that answer every input before they bid, and bear
    that cost; None: those that cost nothing; True, False; names. The others bid on the input alone, and work if they win.

    `judge(answers, y)` [rows] in [0, 1]: how right answers are (None: equal or not). `features(X)` [rows, features]: what all
    may read of inputs (None: landmarks of numbers, hashed words of texts). `batch`: rows that are cleared together;
    `allowance`: batches that a member can lose before it is out; `memory`, `boldness`: of bids (`confidence`). `deadline`: seconds
    for a batch, after which answers count for nothing; `patience`: batches without an answer after which a member is out.
    `told`: members hear of what they "won", or of "all" (full information, at the cost of all answers).
    `shuffle_payments`: winners are paid for each other's answers: the control, which should do harm.

    Fitted: `names_`, `classes_`, `alive_` [members], `prices_` of capacity in the last batch, `wealth_` (stake at hand), `earned_`
    (paid out and gained or lost since the beginning), `shares_` of all inputs served, `spent_` on work, each [members];
    `ledger_` (pages, `events`, `imbalance` 0), `accuracy_` by batch; `cap_cost_`: accuracy and value on the rows of `fit`
    without the cap less those with it (None: no cap).
    """

    classes_: Array

    def __init__(
        self,
        models: Any = None,
        costs: Any = None,  # scikit-learn: a constructor stores, `fit` checks
        *,
        capacity: Any = None,
        max_influence: Any = None,
        veto: Any = (),
        looks: Any = None,
        worth: Any = 1.0,
        told: Any = "won",
        judge: Any = None,
        features: Any = None,
        batch: Any = 32,
        allowance: Any = 2.0,
        memory: Any = 0.99,
        boldness: Any = 0.5,
        deadline: Any = None,
        patience: Any = 3,
        shuffle_payments: Any = False,
        random_state: Any = None,
    ) -> None:
        self.models = models
        self.costs = costs
        self.capacity = capacity
        self.max_influence = max_influence
        self.veto = veto
        self.looks = looks
        self.worth = worth
        self.told = told
        self.judge = judge
        self.features = features
        self.batch = batch
        self.allowance = allowance
        self.memory = memory
        self.boldness = boldness
        self.deadline = deadline
        self.patience = patience
        self.shuffle_payments = shuffle_payments
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "Router":
        """Hold the exchange on inputs `X` [rows, ...] that no member has learnt from, and right answers `y` [rows]."""
        X, y = self._rows(X), self._answers(X, y)
        self._begin(X, np.unique(y))
        order = self.exchange_.rng.permutation(len(y))
        self._rounds(X[order], y[order])
        self.cap_cost_ = None if self.max_influence is None else self._cap_cost(X, y)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> "Router":
        """More inputs, in the order in which they came. `classes`: all answers, at the first call (None: those in `y`)."""
        X, y = self._rows(X), self._answers(X, y)
        if not hasattr(self, "exchange_"):
            self._begin(X, np.unique(y if classes is None else classes))
            self.cap_cost_ = None
        self._rounds(X, y)
        return self

    def predict(self, X: Any) -> Array:
        """The answers of the members that win the inputs, [rows]; where nobody can answer, the commonest right one so far.

        Inputs are cleared together, so where a capacity or a cap binds, an answer may rest on what else is in `X`.
        """
        service = self._served(X)
        answer = service.answer
        answer[service.who == NOBODY] = self.classes_[int(self.prior_.argmax())]
        return np.array(answer.tolist())

    def predict_proba(self, X: Any) -> Array:
        """Chances of the classes as the winners tell them, or by their bids, [rows, classes]; the frequencies where nobody can."""
        service = self._served(X)
        chance = service.chance
        chance[service.who == NOBODY] = self.prior_ / self.prior_.sum()
        return chance

    def route(self, X: Any) -> Array:
        """Which member answers each input, by number, [rows] (-1: nobody)."""
        return self._served(X).who

    def bids(self, X: Any) -> Array:
        """Each member's estimate of being right, in [0, 1], [rows, members]; -inf: it has nothing to offer. Lookers look."""
        check_is_fitted(self)
        X, exchange = self._rows(X), self.exchange_
        looked = exchange.ask(exchange.whom(X, exchange.rules.looks), np.zeros(len(self.names_)))
        return exchange.bids(X, exchange.reader(X), looked)

    def leave(self, name: str) -> float:
        """A member goes, now, with what it has, which is returned; nothing of it is left in what the others know."""
        check_is_fitted(self)
        if name not in self.names_:
            raise BadInput(f"there is no member {name!r}: members are {', '.join(self.names_)}")
        j = self.names_.index(name)
        wealth = float(self.exchange_.ledger.wealth[j])
        self.exchange_.leave(j, "leaves, by its own wish")
        return wealth

    def close(self) -> None:
        """End what members hold: processes."""
        if hasattr(self, "exchange_"):
            for member in self.exchange_.members:
                member.close()

    # ------------------------------------------------------------------------------------------------- what is fitted

    @property
    def names_(self) -> list[str]:
        """Members by name."""
        return self.exchange_.names

    @property
    def alive_(self) -> Array:
        """Who takes part, [members]."""
        return self.exchange_.alive

    @property
    def prices_(self) -> Array:
        """Of each one's capacity, in the last batch, [members]."""
        return self.exchange_.prices

    @property
    def wealth_(self) -> Array:
        """Stake at hand, [members]."""
        return self.exchange_.ledger.wealth

    @property
    def earned_(self) -> Array:
        """What each has gained or lost by trade since it began, [members]."""
        book = self.ledger_.table()
        return book["revenue"].sum(0) + book["price"].sum(0) + book["cost"].sum(0)

    @property
    def ledger_(self) -> Any:
        """The books (`signals.ledger.Ledger`)."""
        return self.exchange_.ledger

    @property
    def shares_(self) -> Array:
        """Of all inputs that were served, [members]."""
        served = self.exchange_.served
        return served / max(served.sum(), 1.0)

    @property
    def spent_(self) -> Array:
        """On work, in units of `worth`, since the beginning, [members]."""
        return self.exchange_.spent

    def influence(self) -> dict[str, Any]:
        """Shares of the inputs by member, Herfindahl index, effective number of members, the largest share."""
        shares = normalised(self.exchange_.served)
        return {
            "shares": dict(zip(self.names_, shares.tolist())),
            "herfindahl": herfindahl(shares),
            "effective_number": effective_number(shares),
            "largest": float(shares.max()),
        }

    def shapley(self, X: Any, y: Any, samples: int | None = None, *, seed: int = 0) -> Any:
        """What each member adds to the share of `X` that is answered rightly (`measures.power.Shapley`), bids as they are.

        All members work on all of `X`. Exact to 12 members, else give `samples`.
        """
        from catallax.merging.comparison import shapley

        return shapley(self, X, y, samples, seed)

    def report(self, X: Any, y: Any, calibration: Any = None, *, seed: int = 0) -> Any:
        """Beside the best member, the average, a cascade, the planner, chance: `merging.comparison.compare`."""
        from catallax.merging.comparison import compare

        return compare(self, X, y, calibration, seed=seed)

    # ------------------------------------------------------------------------------------------------- inside

    def _begin(self, X: Any, classes: Array) -> None:
        names, members = members_of(self.models)
        rules = rules_of(self, names)
        random = check_random_state(self.random_state)
        rng = np.random.default_rng(random.randint(2**31 - 1))
        self.classes_, self.prior_, self.accuracy_ = classes, np.zeros(len(classes)), []
        self.exchange_ = Exchange(
            names, members, classes, Reader(self.features, X, int(rng.integers(2**31))), rules, rng
        )

    def _rounds(self, X: Any, y: Array) -> None:
        for start in range(0, len(y), self.batch):
            part = slice(start, start + self.batch)
            self.accuracy_.append(self.exchange_.round(X[part], y[part]))
        at = np.clip(np.searchsorted(self.classes_, y), 0, len(self.classes_) - 1)
        self.prior_ += np.bincount(at[self.classes_[at] == y], minlength=len(self.classes_))

    def _served(self, X: Any) -> Service:
        check_is_fitted(self)
        return self.exchange_.serve(self._rows(X))

    def _cap_cost(self, X: Any, y: Array) -> tuple[float, float]:
        """Accuracy and value without the cap less those with it, on the same bids."""
        exchange, rules, found = self.exchange_, self.exchange_.rules, []
        for most in (1.0, rules.most):
            exchange.rules = dataclasses.replace(rules, most=most)
            service = exchange.serve(X)
            right = sum(float(exchange.judged(job.said, y[job.rows]).sum()) for job in service.jobs) / len(y)
            found.append((right, rules.worth * right - float(service.spent.sum()) / len(y)))
        exchange.rules = rules
        return found[0][0] - found[1][0], found[0][1] - found[1][1]

    def _rows(self, X: Any) -> Any:
        if hasattr(X, "to_numpy"):
            X = X.to_numpy()
        kept = np.asarray(X, object if len(X) and isinstance(X[0], str) else None)
        if not len(kept):
            raise BadInput("X has no rows: give at least one input")
        if kept.dtype != object:
            if kept.ndim < 2 or not np.issubdtype(kept.dtype, np.number):
                raise BadInput(
                    f"X has shape {list(kept.shape)} of {kept.dtype}: give [rows, features] of numbers, or texts"
                )
            if not np.isfinite(kept).all():
                raise BadInput(f"X[{int(np.argwhere(~np.isfinite(kept))[0][0])}] has numbers that are not finite")
        return kept

    def _answers(self, X: Any, y: Any) -> Array:
        y = np.asarray(y)
        if y.shape != (len(X),):
            raise BadInput(f"y has shape {list(y.shape)} and X {len(X)} rows: give one right answer a row")
        return y
