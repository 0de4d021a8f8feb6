"""A classifier whose parts compete for inputs: modules of any make bid, are paid what they improve, and learn what they buy.

Of many models scikit-learn averages all (voting) or lets a planner weigh them (stacking), each having learnt from everything. Here
every module owns the inputs that it bought, and no label of any other reaches it: who is good at an input wins it, learns from it,
and gets better at its like. One round is in `bank.market`, what is known to whom in `bank.rules`, the money in `signals.ledger`.
"""

import dataclasses
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.core.progress import Frame, Interrupt
from catallax.experts.bank.bids import with_own
from catallax.experts.bank.market import Market, mixture
from catallax.experts.bank.modules import NEW
from catallax.experts.bank.rules import REGIMES, Rules, hand_out
from catallax.measures import specialisation
from catallax.signals.routing import ROUNDS

Array = np.ndarray
PRICES = tuple(ROUNDS)


class MarketNet(ClassifierMixin, BaseEstimator):
    """Experts by price.

    `modules`: classifiers with `predict_proba`, or (name, classifier) pairs; None: an MLP, a tree, neighbours. `capacity`: the
    largest share of a batch that a module may win, one for all or one each; None: no limit. `price`: how capacities are
    cleared (rules of `experts.clear`). `regime`: "signal", "full_information", "planner", "silence" (`bank.rules`).
    `winners`: how many modules get an input, and answer together for a new one. `cost`: nats that an input costs a module.

    `epochs`: how often the rows come to market, `batch` at a time. `samples`: the share of a batch on which a module is told what
    it would have gained (and does not own, nor learn from). `folds`: copies of a module that are held out in turn, so
    that it is paid for foresight. `passes`: of `partial_fit` over a purchase. `floor`: the least chance a module may state.
    `allowance`: lent to who enters, nats for each row of a batch; `rent`: share of its wealth that it owes a round; `entry`:
    whether a bankrupt is replaced; `reach`: how broad the kinds of input are that bids tell apart; `boldness`, `memory`: of
    bids, too (`bank.bids`).
    `shuffle_payments`: pay every winner what another earned: the control, which should do harm. `processes`: each module in
    a process of its own; one that is killed, or does not answer for `timeout` seconds, is out, and the others go on.
    `look`: called after each round with a `core.progress.Frame`; true from it stops. Ctrl-C stops after the round and
    keeps what is learnt.

    Fitted: `classes_`, `names_`, `modules_` (None: gone), `prices_` of capacity and `wealth_` [modules] in nats, `ledger_`,
    `losses_` (of what was sold, held out, nats a row, by round), `specialisation_`, `status_`, `n_rounds_`.
    """

    classes_: Array

    def __init__(
        self,
        modules: Any = None,
        *,
        capacity: Any = None,  # scikit-learn: a constructor stores, `fit` checks
        price: Any = "dual",
        regime: Any = "signal",
        winners: Any = 1,
        cost: Any = 0.0,
        epochs: Any = 20,
        batch: Any = 400,
        samples: Any = 0.1,
        folds: Any = 2,
        passes: Any = 5,
        floor: Any = 1e-3,
        allowance: Any = 1.0,
        rent: Any = 0.01,
        entry: Any = True,
        reach: Any = 4.0,
        boldness: Any = 0.3,
        memory: Any = 0.97,
        shuffle_payments: Any = False,
        processes: Any = False,
        timeout: Any = 60.0,
        look: Any = None,
        random_state: Any = None,
    ) -> None:
        self.modules = modules
        self.capacity = capacity
        self.price = price
        self.regime = regime
        self.winners = winners
        self.cost = cost
        self.epochs = epochs
        self.batch = batch
        self.samples = samples
        self.folds = folds
        self.passes = passes
        self.floor = floor
        self.allowance = allowance
        self.rent = rent
        self.entry = entry
        self.reach = reach
        self.boldness = boldness
        self.memory = memory
        self.shuffle_payments = shuffle_payments
        self.processes = processes
        self.timeout = timeout
        self.look = look
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "MarketNet":
        """Hold the market on `X` [rows, features], `y` [rows] labels."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = np.asarray(encoder.classes_)
        if len(self.classes_) < 2:
            raise BadInput(f"y has one class only, {self.classes_.tolist()[0]!r}: there is nothing to tell apart")
        self.names_, estimators = self._given()
        rules = self._rules(len(estimators))
        rules = dataclasses.replace(rules, allowance=float(self.allowance) * min(int(self.batch), len(y)))
        encoded = encoder.transform(y)
        prior = (np.bincount(encoded) + 1.0) / (len(y) + len(self.classes_))
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        market = Market(self.names_, estimators, X, encoded, prior, rules, rng)
        try:
            self._trade(market, rng)
            self._keep(market)
        finally:
            market.shut()
        return self

    def predict_proba(self, X: Any) -> Array:
        """Chances of the classes by the winners of each row, mixed by bid less price, [rows, classes]."""
        chance, net, won = self._routed(X)
        return mixture(chance, net, won, self.prior_)

    def predict(self, X: Any) -> Array:
        """The likeliest class, [rows]."""
        likeliest = self.predict_proba(X).argmax(1)
        return self.classes_[likeliest]

    def route(self, X: Any) -> Array:
        """Which modules win each row, by number, dearest first, [rows, winners] (-1: nobody)."""
        return self._routed(X)[2]

    def bids(self, X: Any) -> Array:
        """What each module would bid, nats, [rows, modules]."""
        return self._routed(X)[1] + self.prices_

    def upper_bound(self, X: Any, y: Any) -> float:
        """The loss, nats a row, if a planner who has read the labels `y` gave each row to the module that does best.

        By exact assignment under the capacities: no way of sending rows to these modules, as they are, does better.
        """
        X = self._known(X)
        y = np.searchsorted(self.classes_, y)
        chance = self._chances(X)
        gain = np.log(chance[:, np.arange(len(y)), y]).T
        won, _ = hand_out(gain, self._rules_again("planner", 1), self._there(), np.random.default_rng(0))
        return float(-np.where(won[:, 0] < 0, np.log(self.prior_[y]), gain[np.arange(len(y)), won[:, 0]]).mean())

    # ------------------------------------------------------------------------------------------------- the market

    def _trade(self, market: Market, rng: np.random.Generator) -> None:
        rows, began = len(market.X), time.perf_counter()
        batch = min(int(self.batch), rows)
        each = -(-rows // batch)
        self.losses_, self.status_, rounds = [], Status.DONE, self.epochs * each
        with Interrupt() as interrupt:
            for t in range(rounds):
                if t % each == 0:
                    order = np.array_split(rng.permutation(rows), each)
                self.losses_.append(market.round(order[t % each]))
                stop = self.look is not None and self.look(self._frame(market, t + 1, rounds, began))
                if interrupt.seen or (stop and t + 1 < rounds):
                    self.status_ = Status.INTERRUPTED if interrupt.seen else Status.STOPPED
                    break
        self.losses_ = np.array(self.losses_)
        self.n_rounds_ = len(self.losses_)

    def _frame(self, market: Market, t: int, rounds: int, began: float) -> Frame:
        values = {
            "loss": np.array(self.losses_[-1]),
            "price": market.prices.copy(),
            "wealth": market.ledger.wealth.copy(),
            "load": market.load.copy(),
            "process": market.processes(),
        }
        return Frame(t, rounds, float(self.losses_[-1]), values, time.perf_counter() - began)

    def _keep(self, market: Market) -> None:
        """What a fitted market is."""
        market.last_call()
        self.modules_ = market.close()
        market.alive[:] = [one is not None for one in self.modules_]
        self.prior_, self.features_, self.bidders_ = market.prior, market.features, market.bidders
        self.prices_, self.wealth_ = market.prices, market.ledger.wealth
        self.ledger_ = market.ledger
        self.specialisation_ = _specialisation(market)

    def _routed(self, X: Any) -> tuple[Array, Array, Array]:
        """Answers [modules, rows, classes], bids less prices [rows, modules], winners [rows, k]."""
        X = self._known(X)
        chance, there = self._chances(X), self._there()
        net = np.full((len(X), len(self.names_)), -np.inf)
        public = self.features_(X)
        for j in np.flatnonzero(there):
            bidder = self.bidders_[j]
            net[:, j] = bidder.bids(bidder.raw(with_own(public, chance[j]))) - self.prices_[j] - self._costs()[j]
        if self.regime == "silence":  # nobody has said anything: all are heard alike
            won = np.broadcast_to(np.where(there, np.arange(len(there)), -1), net.shape)
            return chance, np.where(there, 0.0, -np.inf) + np.zeros(net.shape), won
        count = min(self.winners, int(there.sum()))
        won = np.argsort(-net, 1, kind="stable")[:, :count]
        return chance, net, won

    def _chances(self, X: Array) -> Array:
        fold = np.full(len(X), NEW)
        return np.stack(
            [
                one.offer(X, fold) if one is not None else np.broadcast_to(self.prior_, (len(X), len(self.prior_)))
                for one in self.modules_
            ]
        )

    def _there(self) -> Array:
        return np.array([one is not None for one in self.modules_])

    def _known(self, X: Any) -> Array:
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, reset=False, dtype=np.float64))

    # ------------------------------------------------------------------------------------------------- settings

    def _given(self) -> tuple[list[str], list[Any]]:
        given = _defaults() if self.modules is None else self.modules
        if not isinstance(given, (list, tuple)) or not given:
            raise BadInput("modules must be a list of classifiers, or of (name, classifier), at least one of them")
        names, estimators = [], []
        for i, one in enumerate(given):
            name, one = one if isinstance(one, tuple) else (f"{type(one).__name__.lower()}-{i}", one)
            if not is_classifier(one) or not hasattr(one, "predict_proba"):
                raise BadInput(f"module {name!r} must be a classifier with predict_proba: {type(one).__name__} is none")
            names.append(name)
            estimators.append(one)
        if len(set(names)) < len(names):
            raise BadInput(f"names of modules must differ, and are {', '.join(names)}")
        return names, estimators

    def _costs(self) -> Array:
        return np.broadcast_to(np.asarray(self.cost, np.float64), len(self.names_))

    def _rules(self, count: int) -> Rules:
        """The settings, checked. Raises `BadInput`."""
        for field, allowed in (("regime", REGIMES), ("price", PRICES)):
            if getattr(self, field) not in allowed:
                raise BadInput(f"{field} must be one of {', '.join(allowed)}, not {getattr(self, field)!r}")
        for field, low, high in _RANGES:
            if not low <= getattr(self, field) <= high:
                raise BadInput(f"{field} must lie in [{low:g}, {high:g}], not {getattr(self, field)!r}")
        if self.winners > count:
            raise BadInput(
                f"winners is {self.winners} and there are {count} modules: no input can have more winners than that"
            )
        return self._rules_again(self.regime, self.winners)

    def _rules_again(self, regime: str, winners: int) -> Rules:
        return Rules(
            regime=regime,
            price=self.price,
            winners=winners,
            capacity=self._capacity(),
            cost=self._costs(),
            samples=self.samples,
            folds=self.folds,
            passes=self.passes,
            floor=self.floor,
            allowance=self.allowance,
            rent=self.rent,
            reach=self.reach,
            boldness=self.boldness,
            memory=self.memory,
            entry=bool(self.entry),
            shuffle=bool(self.shuffle_payments),
            processes=bool(self.processes),
            timeout=self.timeout,
        )

    def _capacity(self) -> Any:
        if self.capacity is None:
            return None
        capacity = np.asarray(self.capacity, np.float64)
        if capacity.shape not in ((), (len(self.names_),)) or not ((capacity > 0) & (capacity <= 1)).all():
            raise BadInput(
                f"capacity must be a share in (0, 1], one for all or one for each module, not {self.capacity!r}"
            )
        capacity = np.broadcast_to(capacity, len(self.names_))
        if capacity.sum() < self.winners - 1e-9:
            raise BadInput(
                f"capacities add up to {capacity.sum():g} and every input needs {self.winners}: raise capacity, or lower winners"
            )
        return capacity


_RANGES = (
    ("winners", 1, np.inf),
    ("epochs", 1, np.inf),
    ("batch", 1, np.inf),
    ("samples", 0, 1),
    ("folds", 2, np.inf),
    ("passes", 1, np.inf),
    ("floor", 1e-12, 0.5),
    ("allowance", 1e-12, np.inf),
    ("rent", 0, 1),
    ("reach", 1e-3, 1e3),
    ("boldness", 0, np.inf),
    ("memory", 0, 1),
    ("timeout", 1e-3, np.inf),
)


def _defaults() -> list[tuple[str, Any]]:
    small: Any = 32  # scikit-learn's annotations know a text alone
    from sklearn.pipeline import make_pipeline

    return [
        ("network", MLPClassifier(32, learning_rate_init=0.01, batch_size=small)),
        ("tree", DecisionTreeClassifier(min_samples_leaf=5)),
        ("neighbours", make_pipeline(StandardScaler(), KNeighborsClassifier(5))),
    ]


def _specialisation(market: Market) -> dict[str, Any]:
    """Who owns what at the end: counts [classes, modules], and what they say (`measures.specialisation`)."""
    owned = specialisation.together(market.y, market.owner, len(market.prior), len(market.names))
    load = owned.sum(0)
    said: dict[str, Any] = {
        "owned": owned,
        "max_violation": specialisation.max_violation(load),
        "load_entropy": specialisation.load_entropy(load),
        "dead": specialisation.dead(load),
    }
    if load.sum():
        said |= {
            "mutual_information": specialisation.mutual_information(owned),
            "alignment": specialisation.alignment(owned),
        }
    return said
