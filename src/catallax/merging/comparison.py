"""A router beside what else could be done with the same members: one, all, a cascade, the planner, chance.

    silence      each input to a member by lot
    best member  the one of most value on the calibration rows, for every input
    average      mean of all chances (votes, of members that tell none); all are paid
    cascade      cheap first; the next is asked where confidence is below a threshold of that stage
    calibrated cascade       the same on confidence that is learnt as the router's is, from every answer to every calibration row
    signal       the router
    planner      exact assignment on what is right, labels read, within the same capacities: no routing does better

value = worth x share right - cost, an input. Thresholds of the cascade are the best there are on the calibration rows, found from
the last stage back, each given those behind it (a stage may be left out); its fit has read every member's answer to every row.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from catallax.core.errors import BadInput
from catallax.measures import power
from catallax.merging.confidence import Confidence, own_width
from catallax.merging.exchange import NOBODY, Exchange
from catallax.merging.members.member import Said

Array = np.ndarray


class Row(NamedTuple):
    """A way to answer: share that is right, cost and value an input, and how concentrated the answering is."""

    name: str
    accuracy: float
    cost: float
    value: float
    herfindahl: float
    effective_number: float
    largest: float


class Comparison(NamedTuple):
    """Rows by name; `notes`: sentences on what binds."""

    rows: dict[str, Row]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{'':28} right    cost   value  members  largest"]
        for name, *numbers in self.rows.values():
            right, cost, value, _, many, largest = numbers
            lines.append(f"{name:28} {right:5.3f} {cost:7.4f} {value:7.4f} {many:8.2f} {largest:8.3f}")
        return "\n".join([*lines, *self.notes])


class Known(NamedTuple):
    """All members on all rows: `right` [rows, members] in [0, 1], how `sure` they are, what they `said`, bids `net` of costs."""

    right: Array
    sure: Array
    said: dict[int, Said]
    net: Array
    public: Array  # features of the inputs


def compare(router: Any, X: Any, y: Any, calibration: Any = None, *, seed: int = 0) -> Comparison:
    """Every way on inputs `X` and right answers `y`; the best member and the cascade are chosen on `calibration`, (X, y).

    None: on the rows themselves, in hindsight, which favours them. All members work on all rows, which is not charged.
    Raises `BadInput` where no member is left.
    """
    check_is_fitted(router)
    exchange, rng = router.exchange_, np.random.default_rng(seed)
    X, y = router._rows(X), router._answers(X, y)
    before = np.asarray(calibration[1]) if calibration is not None else y
    here = everything(exchange, X, y)
    past = here if calibration is None else everything(exchange, router._rows(calibration[0]), before)
    if not exchange.alive.any():
        raise BadInput("no member is left: there is nothing to compare")
    ways = [alone(exchange, here, int(j)) for j in np.flatnonzero(exchange.alive)]
    ways += [
        by_lot(exchange, here, rng),
        alone(exchange, here, best(exchange, past))._replace(name="best member"),
        average(router, here, y),
        cascade(exchange, past, here),
        cascade(exchange, *calibrated(exchange, past, here))._replace(name="calibrated cascade"),
        signal(exchange, X, y),
        planner(exchange, here),
    ]
    return Comparison({way.name: way for way in ways}, tuple(notes(router)))


def shapley(router: Any, X: Any, y: Any, samples: int | None, seed: int) -> power.Shapley:
    """What each member adds to the share of rows answered rightly by the exchange of those present."""
    check_is_fitted(router)
    exchange, X = router.exchange_, router._rows(X)
    known, count = everything(exchange, X, router._answers(X, y)), len(exchange.names)
    none = np.zeros(count, int)

    def value(present: tuple[int, ...]) -> float:
        net = np.full(known.net.shape, -np.inf)
        net[:, present] = known.net[:, present]
        won, _ = exchange.assigned(net, len(net), none)
        rows = np.flatnonzero(won != NOBODY)
        return float(known.right[rows, won[rows]].sum() / len(net))

    return power.shapley(value, count, samples, seed=seed)


def everything(exchange: Exchange, X: Any, y: Array) -> Known:
    """Every member that is there works on every row."""
    shape = (len(X), len(exchange.names))
    right, sure = np.zeros(shape), np.zeros(shape)
    said = exchange.ask(exchange.whom(X), np.zeros(shape[1]))
    said = {j: one for j, one in said.items() if exchange.alive[j]}
    looked = {j: one for j, one in said.items() if exchange.rules.looks[j]}
    public = exchange.reader(X)
    bids = exchange.bids(X, public, looked)
    for j, one in said.items():
        right[:, j] = exchange.judged(one, y)
        own = one.sure if one.chance is None else one.chance.max(1)
        sure[:, j] = np.where(one.answered, bids[:, j] if own is None else own, -1.0)
    net = exchange.rules.worth * bids - np.where(exchange.rules.looks, 0.0, exchange.rules.costs)
    return Known(right, sure, said, net, public)


def row(exchange: Exchange, name: str, right: float, cost: float, load: Any) -> Row:
    """A row of the table; `load` [members]: who answers how much."""
    shares = np.asarray(load, float)
    shares = power.normalised(shares) if shares.any() else np.full(len(shares), np.nan)
    index = float(np.square(shares).sum())
    return Row(name, right, cost, exchange.rules.worth * right - cost, index, 1 / index, float(shares.max()))


def sent(exchange: Exchange, name: str, known: Known, who: Array) -> Row:
    """Inputs sent to `who` [rows], who alone works on them."""
    rows = np.flatnonzero(who != NOBODY)
    cost = exchange.rules.costs[who[rows]].sum() / len(who)
    load = np.bincount(who[rows], minlength=len(exchange.names))
    return row(exchange, name, float(known.right[rows, who[rows]].sum() / len(who)), float(cost), load)


def alone(exchange: Exchange, known: Known, j: int) -> Row:
    """One member for all."""
    return sent(exchange, exchange.names[j], known, np.full(len(known.right), j))


def best(exchange: Exchange, known: Known) -> int:
    """The member of most value."""
    value = exchange.rules.worth * known.right.mean(0) - exchange.rules.costs
    return int(np.where(exchange.alive, value, -np.inf).argmax())


def by_lot(exchange: Exchange, known: Known, rng: np.random.Generator) -> Row:
    """Silence: nobody says anything."""
    net = np.where(exchange.alive, rng.random(known.right.shape), -np.inf)
    won, _ = exchange.assigned(net, len(net), np.zeros(net.shape[1], int))
    return sent(exchange, "silence", known, won)


def planner(exchange: Exchange, known: Known) -> Row:
    """The best routing there is, labels read."""
    net = exchange.rules.worth * known.right - exchange.rules.costs
    won, _ = exchange.assigned(np.where(exchange.alive, net, -np.inf), len(net), np.zeros(net.shape[1], int))
    return sent(exchange, "planner", known, won)


def signal(exchange: Exchange, X: Any, y: Array) -> Row:
    """The router itself: what lookers spend on looking is in its cost."""
    service = exchange.serve(X)
    right = sum(float(exchange.judged(job.said, y[job.rows]).sum()) for job in service.jobs)
    load = np.bincount(service.who[service.who != NOBODY], minlength=len(exchange.names))
    return row(exchange, "signal", right / len(y), float(service.spent.sum()) / len(y), load)


def average(router: Any, known: Known, y: Array) -> Row:
    """Mean of all chances; of members that tell none, their votes."""
    exchange, classes = router.exchange_, router.classes_
    total = np.zeros((len(y), len(classes)))
    for one in known.said.values():
        total += (one.answer[:, None] == classes[None, :]) if one.chance is None else one.chance
    right = exchange.rules.judge(classes[total.argmax(1)], y)
    there = list(known.said)
    load = np.isin(np.arange(len(exchange.names)), there)
    return row(exchange, "average", float(right.mean()), float(exchange.rules.costs[there].sum()), load)


def cascade(exchange: Exchange, past: Known, here: Known) -> Row:
    """Cheap first."""
    rules, there = exchange.rules, [j for j in here.said if j in past.said]
    order = sorted(there, key=lambda j: (rules.costs[j], -past.right[:, j].mean()))
    stages = thresholds(past.sure[:, order], past.right[:, order], rules.costs[order], rules.worth)
    who, cost = np.full(len(here.right), NOBODY), np.zeros(len(here.right))
    for j, least in zip(order, stages):
        if least is None:
            continue
        wait = who == NOBODY
        cost[wait] += rules.costs[j]
        who[wait & (here.sure[:, j] >= least)] = j
    found = sent(exchange, "cascade", here, who)
    return found._replace(cost=float(cost.mean()), value=rules.worth * found.accuracy - float(cost.mean()))


def calibrated(exchange: Exchange, past: Known, here: Known) -> tuple[Known, Known]:
    """The same with calibrated confidence: past rows by a book that has heard the other half of them, new ones by all."""
    count, known = len(past.right), [past.sure.copy(), here.sure.copy()]
    halves = [np.arange(count) % 2 == 0, np.arange(count) % 2 == 1]
    for j in (one for one in here.said if one in past.said):
        before, now = exchange.phi(past.public, past.said[j]), exchange.phi(here.public, here.said[j])
        plans = [
            (halves[0], halves[1], before, 0),
            (halves[1], halves[0], before, 0),
            (halves[0] | halves[1], None, now, 1),
        ]
        for heard, asked, phi, k in plans:
            book = Confidence(exchange.reader.width, own_width(exchange.classes), memory=1.0, boldness=0.0)
            book.hear(before[heard], past.right[heard, j])
            rows = np.arange(len(phi)) if asked is None else np.flatnonzero(asked)
            known[k][rows, j] = np.where(known[k][rows, j] < 0, -1.0, book.chance(phi[rows]))
    return past._replace(sure=known[0]), here._replace(sure=known[1])


def thresholds(sure: Array, right: Array, costs: Array, worth: float) -> list[float | None]:
    """How sure each stage must be to have the last word, None: it is left out; -inf: it always has. [rows, stages], dear last.

    From the last stage back, each the best on these rows given those behind it.
    """
    rows, stages = sure.shape
    found: list[float | None] = [None] * stages
    ahead = worth * right[:, -1] - costs[-1]  # value of all that follows, by row
    found[-1] = -np.inf
    for k in range(stages - 2, -1, -1):
        order = np.argsort(-sure[:, k], kind="stable")
        gain = np.concatenate([[0.0], np.cumsum((worth * right[:, k] - ahead)[order])]) - rows * costs[k]
        level = sure[order, k]
        apart = np.concatenate([[True], level[1:] < level[:-1], [True]])  # equals go together
        taken = int(np.where(apart, gain, -np.inf).argmax())
        if gain[taken] <= 0:
            continue
        found[k] = -np.inf if taken == rows else float(level[taken - 1])
        ahead = np.where(sure[:, k] >= found[k], worth * right[:, k], ahead) - costs[k]
    return found


def notes(router: Any) -> list[str]:
    """What binds, in sentences."""
    exchange = router.exchange_
    found = []
    if router.cap_cost_ is not None:
        right, value = router.cap_cost_
        found.append(
            f"max_influence {exchange.rules.most:g} costs {100 * right:.2f} points of accuracy, and {value:.4f} of value an "
            "input, on the rows of fit."
        )
    gone = [name for name, here in zip(exchange.names, exchange.alive) if not here]
    if gone:
        found.append(f"Out or never in: {', '.join(gone)}.")
    return found
