"""One batch on the exchange: members bid for inputs, capacity clears, the winners answer, are paid for being right, and pay.

    net_ij   = worth b_ij - cost_j           b: bid, its own estimate of being right; cost 0 of one that has looked: it is spent
    price_ij = max over l != j of net_il - p_l, not above net_ij - p_j, and not below min(0, net_ij)             p: of capacity
    wealth_j = wealth_j + sum of what it served, worth right - price - cost, then what is above its stake goes to its owner

Who wins pays what the next best would have brought, so no bid of its own moves its price (Vickrey 1961; with capacities that
bind, nearly). Who bids more than it is worth pays that and earns less. A member must be able to lose all that it takes on, so its
wealth bounds how many inputs it may win: who lies, fails or is late is soon out, and what it can cost is its stake.
Input that its winner does not answer goes to the next, and the winner pays.
"""

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from catallax.merging.confidence import Confidence, Reader, own_features, own_width
from catallax.merging.members.member import Gone, Member, Said, nothing
from catallax.signals.ledger import Ledger
from catallax.signals.routing import clear

Array = np.ndarray
NOBODY = -1
FAR = 1e6  # worths below the best: an input that a member cannot answer


@dataclasses.dataclass(frozen=True)
class Rules:
    """How an exchange is held: the settings of `Router` that a batch needs."""

    costs: Array  # [members], an input
    capacity: Array  # [members], shares of a batch
    most: float  # share of the inputs that a member may have
    looks: Array  # [members], whether it answers before it bids
    vetoed: Array  # [members]
    worth: float
    told: str
    judge: Callable[[Array, Array], Array]
    batch: int
    allowance: float
    memory: float
    boldness: float
    deadline: float
    patience: int
    shuffle: bool

    @property
    def bond(self) -> Array:
        """What an input can lose a member, [members]."""
        return self.worth + self.costs


class Job(NamedTuple):
    """Inputs `rows` that a member won, what it said, and the `price` of each."""

    member: int
    rows: Array
    said: Said
    price: Array


class Service(NamedTuple):
    """`who` answered [rows] (-1: nobody), the `answer` [rows], `chance` [rows, classes]; `jobs` and `prices` [members] of capacity;
    `public` features [rows, places + 1], what lookers `looked` at, and `spent` [members] on work."""

    who: Array
    answer: Array
    chance: Array
    jobs: list[Job]
    prices: Array
    public: Array
    looked: dict[int, Said]
    spent: Array


class Exchange:
    """Members, their books, and their money. Names of events are sentences in `ledger.events`."""

    def __init__(self, names: list[str], members: list[Member], classes: Array, reader: Reader, rules: Rules, rng: Any):
        self.names, self.members, self.classes, self.reader = names, members, classes, reader
        self.rules, self.rng = rules, rng
        count = len(names)
        own = own_width(classes)
        belief = dict(memory=rules.memory, boldness=rules.boldness)
        self.books = [Confidence(reader.width, own if looks else 0, **belief) for looks in rules.looks]
        self.alive, self.late = ~rules.vetoed, np.zeros(count, int)
        self.prices, self.served, self.right = np.zeros(count), np.zeros(count), np.zeros(count)
        self.spent, self.drawn = np.zeros(count), np.zeros(count)
        self.ledger = Ledger(names)
        for j in range(count):
            if rules.vetoed[j]:
                self.ledger.note(j, "has a veto: it is never asked")
            else:
                self.ledger.lend(j, float(self.stake[j]))

    @property
    def stake(self) -> Array:
        """What a member begins with, and the most it keeps, [members]."""
        return self.rules.allowance * self.rules.batch * self.rules.bond

    def round(self, X: Any, y: Array) -> float:
        """One batch: served, paid, learnt from; the share that was answered rightly."""
        service = self.serve(X, self.rng)
        right = [self.judged(job.said, y[job.rows]) for job in service.jobs]
        got = right
        if self.rules.shuffle and right:
            cuts = np.cumsum([len(part) for part in right])[:-1]
            got = np.split(self.rng.permutation(np.concatenate(right)), cuts)
        self.learn(X, y, service, got)
        self.pay(service, got)
        self.prices = service.prices
        truly = np.zeros(len(y))
        for job, part in zip(service.jobs, right):
            truly[job.rows] = np.maximum(truly[job.rows], part)
        return float(truly.mean())

    # ----------------------------------------------------------------------------------------------- serving

    def serve(self, X: Any, rng: np.random.Generator | None = None) -> Service:
        """Answers to the inputs; with `rng`, bids are drawn from beliefs: members try what they do not know."""
        rows, count = len(X), len(self.names)
        public, spent = self.reader(X), np.zeros(count)
        looked = self.ask(self.whom(X, self.rules.looks), spent)
        bids = self.bids(X, public, looked, rng)
        net = self.rules.worth * bids - np.where(self.rules.looks, 0.0, self.rules.costs)
        who, answer = np.full(rows, NOBODY), np.full(rows, None, object)
        chance, jobs, prices, used = np.full((rows, len(self.classes)), np.nan), [], None, np.zeros(count, int)
        wait = np.arange(rows)
        while len(wait):
            net[:, ~self.alive] = -np.inf
            won, level = self.assigned(net[wait], rows, used)
            prices = level if prices is None else prices
            if (won == NOBODY).all():
                break
            price = self.next_best(net[wait], level, won)
            mine = {j: wait[won == j] for j in np.unique(won[won != NOBODY]).tolist()}
            said = self.ask({j: X[part] for j, part in mine.items() if j not in looked}, spent)
            for j, part in mine.items():
                one = looked[j].some(part) if j in looked else said[j]
                jobs.append(Job(j, part, one, price[won == j]))
                done = part[one.answered]
                who[done], answer[done] = j, one.answer[one.answered]
                chance[done] = self.spread(one, bids[part, j])[one.answered]
                used[j] += len(done)
                net[part, j] = -np.inf
            wait = wait[who[wait] == NOBODY]
        return Service(who, answer, chance, jobs, np.zeros(count) if prices is None else prices, public, looked, spent)

    def bids(self, X: Any, public: Array, looked: dict[int, Said], rng: Any = None) -> Array:
        """Each member's own estimate of being right, [rows, members]; -inf where it has nothing to offer."""
        found = np.full((len(X), len(self.names)), -np.inf)
        for j in np.flatnonzero(self.alive).tolist():
            said = looked.get(j)
            if self.rules.looks[j] and said is None:
                continue
            given = said.bid if said is not None and said.bid is not None else self.told(j, X)
            if given is None and self.alive[j]:
                phi = self.phi(public, said)
                given = self.books[j].chance(phi) if rng is None else self.books[j].drawn(phi, rng)
            if given is not None:
                found[:, j] = given if said is None else np.where(said.answered, given, -np.inf)
        return found

    def told(self, j: int, X: Any) -> Array | None:
        """What a member that keeps a book of its own bids."""
        try:
            return self.members[j].bid(X)
        except Gone as reason:
            self.leave(j, str(reason))
            return None

    def phi(self, public: Array, said: Said | None) -> Array:
        """What a member knows of inputs before it bids, [rows, features]."""
        return public if said is None else np.hstack([public, own_features(said, self.classes)])

    def assigned(self, net: Array, rows: int, used: Array) -> tuple[Array, Array]:
        """Winners [waiting] and prices of capacity [members]."""
        prices, can = np.zeros(net.shape[1]), np.isfinite(net)
        here = np.flatnonzero(can.any(0))
        if not here.size:
            return np.full(len(net), NOBODY), prices
        room = np.minimum(np.maximum(self.room(rows, here) - used, 0)[here], len(net))
        if (room >= len(net)).all():
            won = here[net[:, here].argmax(1)]
        else:
            top = float(np.abs(net[can]).max()) + self.rules.worth
            offer = np.where(can, net, -FAR * top)[:, here] + 2 * top  # it is better to be served than not
            found = clear(offer, room, 1, "exact", opt_out=bool(room.sum() < len(net)))
            prices[here] = found.prices
            choice = found.assignment[:, 0]
            won = np.where(choice == NOBODY, NOBODY, here[choice])
        held = can[np.arange(len(net)), won] & (won != NOBODY)
        return np.where(held, won, NOBODY), prices

    def room(self, rows: int, here: Array) -> Array:
        """How many of `rows` inputs each may have, [members]: by capacity, by the cap on influence, by wealth."""
        rules, most = self.rules, np.zeros(len(self.names))
        cap = max(np.ceil(rules.most * rows - 1e-9), np.ceil(rows / len(here)))
        most[here] = np.minimum(np.ceil(rules.capacity[here] * rows - 1e-9), cap)
        share = np.clip(self.ledger.wealth / (rules.batch * rules.bond), 0, 1)
        room = np.minimum(most, np.floor(share * rows + 1e-9))
        if room.sum() < rows and share[here].sum() > 0:  # together they cannot bond all: each in its proportion
            room = np.minimum(most, np.ceil(rows * share / share[here].sum()))
        return room.astype(int)

    def next_best(self, net: Array, prices: Array, won: Array) -> Array:
        """What an input would have brought without its winner, [waiting], within what the winner can pay."""
        rows = np.flatnonzero(won != NOBODY)
        rest, found = net - prices, np.zeros(len(net))
        own = net[rows, won[rows]]
        rest[rows, won[rows]] = -np.inf
        top = np.maximum(own - prices[won[rows]], np.minimum(own, 0))
        found[rows] = np.clip(rest[rows].max(1), np.minimum(own, 0), top)
        return found

    def spread(self, said: Said, bid: Array) -> Array:
        """Chances of the classes, [rows, classes]: as said, or the bid on what is said and the rest even."""
        if said.chance is not None:
            return said.chance
        count = len(self.classes)
        if count < 2:
            return np.ones((len(bid), count))
        hit = said.answer[:, None] == self.classes[None, :]
        sure = np.clip(bid, 1.01 / count, 1)[:, None]
        return np.where(hit.any(1)[:, None], np.where(hit, sure, (1 - sure) / (count - 1)), 1 / count)

    def whom(self, X: Any, which: Any = True) -> dict[int, Any]:
        """All inputs for members `which` that are there."""
        return dict.fromkeys(np.flatnonzero(self.alive & which).tolist(), X)

    def ask(self, wanted: dict[int, Any], spent: Array) -> dict[int, Said]:
        """What members say, those elsewhere all at once. Who is gone leaves; who is late, or says nothing too often, too."""
        far = [j for j in wanted if self.members[j].remote]
        found = {j: self.asked(j, wanted[j]) for j in wanted if j not in far}
        if far:
            with ThreadPoolExecutor(len(far)) as pool:
                found |= dict(zip(far, pool.map(lambda j: self.asked(j, wanted[j]), far)))
        for j in wanted:
            said, why = found[j]
            spent[j] += self.rules.costs[j] * len(wanted[j])
            if why:
                self.ledger.note(j, why)
            self.late[j] = 0 if said.answered.any() else self.late[j] + 1
            if why.startswith("gone"):
                self.leave(j, "leaves")
            elif self.late[j] >= self.rules.patience:
                self.leave(j, f"is out: {self.late[j]} times without an answer")
        return {j: said for j, (said, _) in found.items()}

    def asked(self, j: int, X: Any) -> tuple[Said, str]:
        """What one says, and what went wrong."""
        start = time.monotonic()
        try:
            said = self.members[j].ask(X, self.classes)
        except Gone as reason:
            return nothing(len(X)), f"gone: {reason}"
        took = time.monotonic() - start
        if took > self.rules.deadline:
            return nothing(len(X)), f"late: {took:.3g} s of {self.rules.deadline:g}"
        return said, ""

    # ----------------------------------------------------------------------------------------------- money

    def judged(self, said: Said, y: Array) -> Array:
        """How right answers are, [rows] in [0, 1]; no answer is none."""
        found = np.zeros(len(y))
        kept = said.answered
        if kept.any():
            found[kept] = self.rules.judge(said.answer[kept], y[kept])
        return found

    def learn(self, X: Any, y: Array, service: Service, got: list[Array]) -> None:
        """Members hear what became of what they served; of everything, where all is told."""
        won: dict[int, list[tuple[Array, Array]]] = {}
        for job, part in zip(service.jobs, got):
            won.setdefault(job.member, []).append((job.rows, part))
        heard = {j: tuple(np.concatenate(part) for part in zip(*parts)) for j, parts in won.items()}
        for j, (rows, right) in heard.items():
            self.books[j].repent(self.seen(j, rows, service), right)
        if self.rules.told == "all":
            said = service.looked | self.ask(
                self.whom(X, ~self.rules.looks), self.spent
            )  # the public's expense, no member's
            heard = {j: (np.arange(len(y)), self.judged(one, y)) for j, one in said.items()}
        for j, (rows, right) in heard.items():
            self.books[j].hear(self.seen(j, rows, service), right)

    def seen(self, j: int, rows: Array, service: Service) -> Array:
        """What a member knew of inputs when it bid for them."""
        said = service.looked[j].some(rows) if self.rules.looks[j] else None
        return self.phi(service.public[rows], said)

    def pay(self, service: Service, got: list[Array]) -> None:
        """Revenue for what was right, prices, costs; what is above the stake goes to owners, who has nothing left is out."""
        count = len(self.names)
        revenue, price = np.zeros(count), np.zeros(count)
        for job, part in zip(service.jobs, got):
            revenue[job.member] += self.rules.worth * part.sum()
            price[job.member] += job.price.sum()
            self.right[job.member] += part.sum()
        gone = ~self.alive  # who left in this batch has paid with its estate
        revenue, price, cost = (np.where(gone, 0.0, one) for one in (revenue, price, service.spent))
        self.ledger.post(revenue, price, cost, 0.0)
        self.spent += service.spent
        self.served += np.bincount(service.who[service.who != NOBODY], minlength=count)
        for j in np.flatnonzero(self.alive).tolist():
            over = float(self.ledger.wealth[j] - self.stake[j])
            if over > 0:
                self.ledger.lend(j, -over)
                self.drawn[j] += over
            elif self.ledger.wealth[j] < self.rules.bond[j]:
                self.leave(j, "bankrupt")
        self.ledger.close()

    def leave(self, j: int, why: str) -> None:
        """A member is out; what it has is the treasury's."""
        if self.alive[j]:
            self.alive[j] = False
            self.members[j].close()
            self.ledger.estate(j, why)
