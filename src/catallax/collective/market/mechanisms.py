"""Two mechanisms that turn what traders want into a price, question after question: a pari-mutuel, and a market maker (LMSR).

    pari-mutuel     c_k = S_k / sum_j S_j          S_k stakes on outcome k; what is staked is shared by who staked on what happened
    market maker    c_k ~ q_k exp(Q_k / b)         Q_k claims sold on outcome k, each of which pays 1 where k happens

Each question is open for `trading` rounds; after the last it is settled, and the next opens at the prior q. In a pari-mutuel
stakes may be changed until then. The maker fills all orders of a round at the price to which they bring it, for
C(Q) = b log sum_k q_k exp(Q_k / b): as C is convex, C(Q + D) - C(Q) <= c(Q + D).D, and its loss on a question is at most
b log(1 / q_y) of what happens. Whoever is told nothing else has to know these accounts; they add up to what there was.

R. Hanson, Combinatorial information market design, Information Systems Frontiers 5, 2003. E. Eisenberg and D. Gale,
Consensus of subjective probabilities: the pari-mutuel method, Ann. Math. Stat. 30, 1959.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from catallax.core.channel import Span
from catallax.core.signal import Signal


class Quote(NamedTuple):
    """What everyone reads: the `price` of a claim of 1 on each outcome; the number of the `question`; what `happened` in the
    one before, at its opening (else -1); whether it is `live`, or all questions are over."""

    price: Float[Array, " outcomes"]
    question: Int[Array, ""]
    happened: Int[Array, ""]
    live: Any


class Receipt(NamedTuple):
    """What one trader alone is told: `due`, money it gets (a maker's bill: below 0); `rivals` [outcomes], what others have
    staked (of influencers in a pari-mutuel alone)."""

    due: Any
    rivals: Any = None


class Clock(eqx.Module):
    """Where in the stream of questions it is. `happened` [questions]: what is going to happen, told when a question is settled;
    `round`: rounds gone by; `trading`: rounds a question."""

    happened: Int[Array, " questions"]
    round: Int[Array, ""]
    trading: int = eqx.field(static=True)

    @property
    def questions(self) -> int:
        return self.happened.shape[0]

    @property
    def question(self) -> Int[Array, ""]:
        """The number of the question that is open (of the last, when all are over)."""
        return jnp.minimum(self.round // self.trading, self.questions - 1)

    @property
    def live(self) -> Any:
        """Whether a question is open."""
        return self.round < self.questions * self.trading

    @property
    def closes(self) -> Any:
        """Whether this is the last round of a question."""
        return self.live & (self.round % self.trading == self.trading - 1)

    @property
    def told(self) -> Int[Array, ""]:
        """What happened in the question that was settled right before this round, or -1."""
        before = self.round // self.trading - 1
        settled = (self.round % self.trading == 0) & (self.round > 0) & (before < self.questions)
        return jnp.where(settled, self.happened[jnp.clip(before, 0, self.questions - 1)], -1)

    @property
    def left(self) -> Any:
        """Questions whose accounts are not settled yet."""
        return jnp.maximum(self.questions - self.round // self.trading, 0)

    def tick(self) -> "Clock":
        """A round later; one round after the last question it stands still."""
        later = jnp.minimum(self.round + 1, self.questions * self.trading + 1)
        return eqx.tree_at(lambda c: c.round, self, later)


class Exchange(Signal):
    """What both mechanisms share. `prior` [outcomes]; `closing` [questions, outcomes]: the last price of each question (the
    prior's, of one that has not closed)."""

    clocked: ClassVar[bool] = True

    clock: Clock
    prior: Float[Array, " outcomes"]
    closing: Float[Array, "questions outcomes"]

    @property
    @abc.abstractmethod
    def price(self) -> Float[Array, " outcomes"]:
        """The price of a claim of 1 on each outcome."""

    def public(self) -> Quote:
        """Price, question, what happened."""
        return Quote(self.price, self.clock.question, self.clock.told, self.clock.live)

    def unrest(self, summary: Any) -> Any:
        """Questions left: at rest all are settled."""
        return self.clock.left.astype(self.prior.dtype)

    def span(self) -> Span:
        """Prices, 0 to 1."""
        return Span(0.0, 1.0)

    def written(self, price: Float[Array, " outcomes"]) -> Float[Array, "questions outcomes"]:
        """`closing` with the price at which this round's question closes, if it does."""
        at = self.clock.question
        return self.closing.at[at].set(jnp.where(self.clock.closes, price, self.closing[at]))


class PariMutuel(Exchange):
    """`stakes` [outcomes], of all, as they stand; `shares_rivals`: whether each is told what the others have staked."""

    stakes: Float[Array, " outcomes"]
    shares_rivals: bool = eqx.field(static=True, default=False)

    @property
    def price(self) -> Float[Array, " outcomes"]:
        """The odds, as shares of the pot; the prior where a question opens."""
        return jnp.where(self.clock.round % self.clock.trading == 0, self.prior, self.odds)

    @property
    def odds(self) -> Float[Array, " outcomes"]:
        """Shares of the pot."""
        pot = self.stakes.sum()
        return jnp.where(pot > 0, self.stakes / jnp.where(pot > 0, pot, 1), self.prior)

    def local(self, agents: Any) -> Receipt:
        """Each one's part of the pot of what happened, or its stakes back where nobody staked on that."""
        rivals = None
        if self.shares_rivals:
            others = self.stakes - agents.stake
            opens = self.clock.round % self.clock.trading == 0
            rivals = jnp.where(opens, self.prior * others.sum(-1, keepdims=True), others)
        return Receipt(self.due(agents.stake), rivals)

    def due(self, stake: Any) -> Float[Array, " traders"]:
        """What is paid [traders] to the holders of these stakes [traders, outcomes] in this round."""
        happened = self.clock.told
        right = self.stakes[jnp.maximum(happened, 0)]
        won = stake[:, jnp.maximum(happened, 0)] * self.stakes.sum() / jnp.where(right > 0, right, 1)
        return jnp.where(happened >= 0, jnp.where(right > 0, won, stake.sum(-1)), 0)

    def propagate(self, summary: Float[Array, " outcomes"]) -> "PariMutuel":
        """The next round: stakes as they stand now."""
        moved = eqx.tree_at(lambda s: s.stakes, self, jnp.where(self.clock.live, summary, 0))
        change = (self.clock.tick(), self.written(moved.odds))
        return eqx.tree_at(lambda s: (s.clock, s.closing), moved, change)


class Maker(Exchange):
    """`sold` [outcomes], claims of the open question; `filled` [outcomes], the price of the last orders; `account`, what the
    maker has taken less what it has paid; `liquidity` b."""

    sold: Float[Array, " outcomes"]
    filled: Float[Array, " outcomes"]
    account: Float[Array, ""]
    liquidity: Float[Array, ""]

    @property
    def price(self) -> Float[Array, " outcomes"]:
        """The gradient of the cost function."""
        return self.at(self.sold)

    def at(self, sold: Any) -> Float[Array, " outcomes"]:
        """The price where so many claims [outcomes] are sold."""
        return jax.nn.softmax(jnp.log(self.prior) + sold / self.liquidity)

    def local(self, agents: Any) -> Receipt:
        """The bill of each one's last order."""
        return Receipt(-(agents.order @ self.filled))

    def propagate(self, summary: Float[Array, " outcomes"]) -> "Maker":
        """All orders filled at the price to which they bring it; the question settled where it closes."""
        orders, closes = jnp.where(self.clock.live, summary, 0), self.clock.closes
        sold = self.sold + orders
        filled = self.at(sold)
        paid = jnp.where(closes, sold[self.clock.happened[self.clock.question]], 0)
        account = self.account + filled @ orders - paid
        change = (self.clock.tick(), self.written(filled), jnp.where(closes, 0, sold), filled, account)
        return eqx.tree_at(lambda s: (s.clock, s.closing, s.sold, s.filled, s.account), self, change)
