"""One round: inputs are shown, modules bid, prices clear, the winners are paid their loss reduction, pay the price, and learn.

    gain_ij  = log q_j(y_i | x_i) - log q_0(y_i)       q_0: the public baseline, the frequencies of classes; q_j: held out
    wealth_j = wealth_j + sum of what it won, gain - price - cost, then - rent wealth_j

A module is told what it gained on what it won and on a few samples, the prices, and nothing of its rivals. One that has
nothing left is bankrupt: what it owned is free, and an entrant of its make begins anew with an allowance.
"""

import dataclasses
from typing import Any

import numpy as np

from catallax.experts.bank.bids import Bidder, Features, with_own
from catallax.experts.bank.modules import Module
from catallax.experts.bank.processes import Gone, ProcessModule
from catallax.experts.bank.rules import NOBODY, Rules, hand_out, next_best
from catallax.signals.ledger import Ledger

Array = np.ndarray
WAVES = 256
FADE = 0.9  # of prices and loads, a round


class Market:
    """Modules, what they bid on, what they have. `X` [rows, features], `y` [rows] class numbers."""

    def __init__(
        self, names: list[str], estimators: list[Any], X: Array, y: Array, prior: Array, rules: Rules, rng: Any
    ):
        self.names, self.estimators, self.rules, self.rng = names, estimators, rules, rng
        self.X, self.y, self.prior = X, y, prior
        self.fold = rng.permutation(len(X)) % rules.folds
        self.owner = np.full((len(X), max(rules.winners, 1)), NOBODY)
        self.features = Features(X, WAVES, rules.reach, rng)
        self.ledger = Ledger(names)
        self.alive = np.ones(len(names), bool)
        self.prices, self.load = np.zeros(len(names)), np.zeros(len(names))
        self.modules: list[Any] = [None] * len(names)
        self.bidders: list[Any] = [None] * len(names)
        for module in range(len(names)):
            self._enter(module)

    def round(self, batch: Array) -> float:
        """Hold one round on rows `batch`; the loss of what was sold, nats a row."""
        rules, X, y, fold = self.rules, self.X[batch], self.y[batch], self.fold[batch]
        chance = self.offers(X, fold)
        gain = np.log(chance[:, np.arange(len(batch)), y]).T - np.log(self.prior[y])[:, None]
        phi, raw, bid = self._bids(X, chance)
        worth = (gain if rules.regime == "planner" else bid) - rules.cost
        won, prices = hand_out(worth, rules, self.alive, self.rng)
        told = self._pay(worth, gain, prices, won)
        self._tell(phi, raw, gain, told, won)
        self._deliver(batch, won)
        self._count(won, prices)
        self._settle_accounts()
        return float(-np.log(self._sold(chance, worth - prices, won)[np.arange(len(y)), y]).mean())

    def offers(self, X: Array, fold: Array) -> Array:
        """What each module answers, [modules, rows, classes]; the baseline for those who are gone."""
        chance = np.broadcast_to(self.prior, (len(self.names), len(X), len(self.prior))).copy()
        for module, answer in self._ask("offer", [(X, fold)] * len(self.names)):
            chance[module] = answer
        return chance

    def last_call(self) -> None:
        """Prices that clear the capacities at what modules believe now, on all rows, held out: those that inference keeps."""
        if self.rules.regime == "silence":
            return
        chance, public = self.offers(self.X, self.fold), self.features(self.X)
        bid = [one.bids(one.raw(with_own(public, chance[j]))) for j, one in enumerate(self.bidders)]
        signal = dataclasses.replace(self.rules, regime="signal")  # a planner's prices are of gains, and clear no bids
        _, self.prices = hand_out(np.array(bid).T - self.rules.cost, signal, self.alive, self.rng)

    def close(self) -> list[Any]:
        """End all processes; the modules, None for those that are gone."""
        kept: list[Any] = [None] * len(self.names)
        for module, settled in self._ask("settled", [()] * len(self.names)):
            kept[module] = settled
        self.shut()
        return kept

    def shut(self) -> None:
        """End all processes, whatever became of the modules."""
        for module in np.flatnonzero(self.alive):
            self.modules[module].close()

    def processes(self) -> Array:
        """The numbers of the modules' processes, [modules]; 0: it has none."""
        return np.array([one.process if here else 0 for one, here in zip(self.modules, self.alive)])

    def _bids(self, X: Array, chance: Array) -> tuple[list[Array], Array, Array]:
        """Features, bids as believed, and bids as made: no more than a module has. [rows, modules]"""
        public, shape = self.features(X), (len(X), len(self.names))
        phi, raw, bid = [], np.zeros(shape), np.zeros(shape)
        for j, bidder in enumerate(self.bidders):
            phi.append(with_own(public, chance[j]))
            raw[:, j] = bidder.raw(phi[j], self.rng.normal(size=phi[j].shape[1]))
            bid[:, j] = np.minimum(bidder.bids(raw[:, j]), max(self.ledger.wealth[j], 0.0))
        return phi, raw, bid

    def _pay(self, worth: Array, gain: Array, prices: Array, won: Array) -> Array:
        """Post the round; what each winner is told that it earned, [rows, k]."""
        rows, slots = np.nonzero(won != NOBODY)
        who = won[rows, slots]
        earned = gain[rows, who]
        if self.rules.shuffle:
            earned = self.rng.permutation(earned)
        told = np.zeros(won.shape)
        told[rows, slots] = earned
        if self.rules.regime != "silence":
            price = next_best(worth, prices, won, self.alive)[rows]
            self.ledger.post(
                self._sum(who, earned), self._sum(who, price), self._sum(who, self.rules.cost[who]), self.rules.rent
            )
        return told

    def _tell(self, phi: list[Array], raw: Array, gain: Array, told: Array, won: Array) -> None:
        """Each module hears what it won and what samples would have been worth to it; or all, by the regime."""
        if self.rules.regime == "silence":
            return
        everything = self.rules.regime in ("full_information", "planner")
        for j in np.flatnonzero(self.alive):
            rows, slots = np.nonzero(won == j)
            shown = np.ones(len(gain), bool) if everything else self.rng.random(len(gain)) < self.rules.samples
            shown[rows] = False
            sample = gain[shown, j]
            if self.rules.shuffle:
                sample = self.rng.permutation(gain[shown].ravel())[: len(sample)]
            self.bidders[j].repent(raw[rows, j], told[rows, slots])
            self.bidders[j].hear(np.vstack([phi[j][rows], phi[j][shown]]), np.concatenate([told[rows, slots], sample]))

    def _deliver(self, batch: Array, won: Array) -> None:
        """What was bought changes hands, and is learnt from."""
        before = self.owner[batch]
        self.owner[batch] = won
        orders = []
        for j in range(len(self.names)):
            mine = (won == j).any(1)
            rows, lost = batch[mine], batch[(before == j).any(1) & ~mine]
            orders.append((rows, self.X[rows], self.y[rows], self.fold[rows], lost))
        for _ in self._ask("buy", orders):
            pass

    def _count(self, won: Array, prices: Array) -> None:
        load = np.bincount(won[won != NOBODY], minlength=len(self.names)) / len(won)
        fade = FADE if self.ledger.pages else 0.0
        self.prices = fade * self.prices + (1 - fade) * prices
        self.load = fade * self.load + (1 - fade) * load

    def _settle_accounts(self) -> None:
        """Who has nothing left leaves; where there is entry another takes its place. The page is closed."""
        if self.rules.regime != "silence":
            for j in np.flatnonzero(self.alive & (self.ledger.wealth <= 0)).tolist():
                self._leave(j, "bankrupt")
                if self.rules.entry:
                    self._enter(j)
        self.ledger.close()

    def _sold(self, chance: Array, net: Array, won: Array) -> Array:
        """What the winners answer together, [rows, classes]."""
        return mixture(chance, net, won, self.prior)

    def _enter(self, j: int) -> None:
        rules, seed = self.rules, int(self.rng.integers(2**31 - 1))
        given = (self.estimators[j], self.prior, rules.folds, rules.passes, rules.floor, seed)
        self.modules[j] = ProcessModule(given, rules.timeout) if rules.processes else Module(*given)
        width = len(self.features.phase) + 3
        self.bidders[j] = Bidder(width, boldness=rules.boldness, memory=rules.memory)
        self.alive[j] = True
        self.ledger.lend(j, rules.allowance)
        self.ledger.note(j, "enters")

    def _leave(self, j: int, event: str) -> None:
        self.modules[j].close()
        self.alive[j] = False
        self.ledger.estate(j, event)
        self.owner[self.owner == j] = NOBODY

    def _ask(self, verb: str, given: list[tuple]) -> list[tuple[int, Any]]:
        """What all who are there say; those with processes think at once. Who does not answer is gone."""
        said = []
        asked = [
            j for j in np.flatnonzero(self.alive).tolist() if not self.rules.processes or self._heard(j, verb, given[j])
        ]
        for j in asked:
            try:
                said.append(
                    (j, self.modules[j].answer() if self.rules.processes else getattr(self.modules[j], verb)(*given[j]))
                )
            except Gone as reason:
                self._leave(j, str(reason))
        return said

    def _heard(self, j: int, verb: str, given: tuple) -> bool:
        try:
            self.modules[j].ask(verb, *given)
        except Gone as reason:
            self._leave(j, str(reason))
            return False
        return True

    def _sum(self, who: Array, amount: Array) -> Array:
        return np.bincount(who, weights=amount, minlength=len(self.names))


def mixture(chance: Array, net: Array, won: Array, prior: Array) -> Array:
    """Winners' answers, mixed by exp(bid - price): a bid is a likelihood that is expected, in nats. [rows, classes]

    `chance` [modules, rows, classes], `net` [rows, modules], `won` [rows, k]; the baseline where nobody won.
    """
    rows = np.arange(len(won))[:, None]
    weight = np.where(won == NOBODY, -np.inf, net[rows, won])
    top = weight.max(1, keepdims=True)
    weight = np.where(won == NOBODY, 0.0, np.exp(weight - np.where(np.isfinite(top), top, 0.0)))
    total = weight.sum(1, keepdims=True)
    mixed = (weight[..., None] * chance[won, rows]).sum(1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mixed, prior)
