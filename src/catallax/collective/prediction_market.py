"""A prediction market: traders who know a little each, and a price that says what they know together.

    silence           everyone believes what its own signal says
    signal            the price, under one of three mechanisms (`collective.market`)
    planner           the posterior of all private signals, by Bayes' rule and the chances that made them
    full information  in a pari-mutuel, everyone knows how its own stakes move the odds; before a market maker, where the
                      chances of all signals are known, when to tell the truth is a game (`collective.market.timing`)

    mechanism         utility                          price at rest
    pari-mutuel       log, fractional, isoelastic      mean of beliefs by wealth; `pools.clearing`
    lmsr              log, fractional, isoelastic      between that and the prior
                      cara                             c_k ~ q_k^(b / (b + sum t)) prod_m p_mk^(t_m / (b + sum t))
                      neutral                          c_k ~ q_k prod_m (p_mk / q_k): everyone's evidence, each once
    double-auction    log, fractional, isoelastic      the same as in a pari-mutuel, to within a tick and a claim
                      cara                             the logarithmic pool by tolerance

Questions come one after the other. Each is open for `trading` rounds, then what happened is told and paid for: wealth is
what a trader was right by. The headline, efficiency, is the share of the traders' joint information that is in the price,

    1 - sum_i KL(pooled posterior_i, price_i) / sum_i KL(pooled posterior_i, prior)

1 for the planner, 0 for the prior; below 0 it misleads. It is the expected log score, with no luck in it.

A. Storkey, Machine learning markets, AISTATS 2011. R. Hanson, Combinatorial information market design, 2003. A. Beygelzimer,
J. Langford and D. Pennock, 2012 (1201.6655). Y. Chen et al., Gaming prediction markets, Algorithmica 58, 2010.
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from catallax.collective import pools
from catallax.collective.market import contests, facts, judgement, origins, societies
from catallax.collective.market.contests import LEAST
from catallax.collective.market.mechanisms import Maker
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.record import Record
from catallax.core.scene import Bars, Scene, Series
from catallax.core.society import HostSociety, Society
from catallax.measures.welfare import gini

COLUMNS = ("wealth", "share", "aversion", "risk_tolerance")


class PredictionMarket(Problem):
    """Traders bet on questions, one after the other.

    **Fields:** `beliefs` [questions, traders, outcomes], what each thinks by its own signal alone; `happened` [questions];
    `prior` [outcomes] (default: all alike); `posterior` [questions, outcomes], of all signals together (default: signals are
    independent given the outcome, prior prod_m (belief_m / prior)); `wealth` [traders], money of which a right claim pays 1
    (default 1); `utility`: log, fractional, isoelastic, cara or neutral; `share` [traders] of wealth that fractional
    traders bet (0.5), `aversion` [traders] of isoelastic ones (2), `risk_tolerance` [traders] of cara ones, money (1);
    `mechanism`: pari-mutuel, lmsr or double-auction; `liquidity` b of the market maker, money; `trading`: rounds a question
    (default: 1 where that is enough, else 8); `speed`: how much of the way to what it wants a trader goes in a round
    (default: what brings the price there soonest); `ticks`: prices that an order book has; `joint` and `signals`: see
    `from_joint`; `names`: for messages and pictures.

    **Raises** `BadInput` where a fact is missing or impossible (see `collective.market.facts`).
    """

    beliefs: Any
    happened: Any
    prior: Any = None
    posterior: Any = None
    wealth: Any = None
    utility: str = eqx.field(static=True, default="log")
    mechanism: str = eqx.field(static=True, default="pari-mutuel")
    share: Any = None
    aversion: Any = None
    risk_tolerance: Any = None
    liquidity: float = 1.0
    trading: int | None = eqx.field(static=True, default=None)
    speed: float | None = None
    ticks: int = eqx.field(static=True, default=100)
    joint: Any = None
    signals: Any = None
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)

    headline: ClassVar[str] = "efficiency"

    def __post_init__(self) -> None:
        for name in ("beliefs", "happened", "prior", "posterior", "joint", "signals", *COLUMNS):
            value = getattr(self, name)
            if value is not None:
                setattr(self, name, origins.as_array(f"PredictionMarket.{name}", value))
        if self.beliefs.ndim == 3 and self.beliefs.size:
            self.prior = pools.uniform(self.beliefs.shape[-1]) if self.prior is None else self.prior
            for name, default in zip(COLUMNS, (1.0, 0.5, 2.0, 1.0), strict=True):
                if getattr(self, name) is None:
                    setattr(self, name, np.full(self.beliefs.shape[1], default))

    def __check_init__(self) -> None:
        facts.check(self)

    # --- where markets come from ---

    @classmethod
    def from_signals(
        cls, likelihood: Any, signals: Any, happened: Any, prior: Any = None, **settings: Any
    ) -> "PredictionMarket":
        """Signals that are independent given the outcome: `likelihood` [traders, outcomes, signals], the chance of each;
        `signals` [questions, traders], what each got. Raises `BadInput` where one of them is impossible."""
        return cls(happened=happened, **origins.from_signals(likelihood, signals, prior), **settings)

    @classmethod
    def from_joint(cls, joint: Any, signals: Any, happened: Any, **settings: Any) -> "PredictionMarket":
        """Signals of any kind: `joint` [outcomes, signals of trader 0, of trader 1, ...], chances that sum to 1; `signals`
        [questions, traders], what each got. Knows how signals hang together, so `contest` is the game of timing."""
        return cls(happened=happened, **origins.from_joint(joint, signals), **settings)

    @classmethod
    def drawn(
        cls, seed: int, traders: int = 12, questions: int = 30, outcomes: int = 2, **settings: Any
    ) -> "PredictionMarket":
        """Questions whose answers are drawn, and traders who are each told the right one with a chance of their own (0.5 to 0.8
        of two outcomes, (2 u + n - 2) / n of n with u so drawn), and else one of the others."""
        random = np.random.default_rng(seed)
        right = (2 * random.uniform(0.5, 0.8, traders) + outcomes - 2) / outcomes
        likelihood = np.where(np.eye(outcomes), right[:, None, None], (1 - right[:, None, None]) / (outcomes - 1))
        happened = random.integers(outcomes, size=questions)
        wrong = (happened[:, None] + random.integers(1, outcomes, (questions, traders))) % outcomes
        signals = np.where(random.random((questions, traders)) < right, happened[:, None], wrong)
        return cls.from_signals(likelihood, signals, happened, **settings)

    @classmethod
    def example(cls) -> "PredictionMarket":
        """Twelve cara traders of drawn signals before a market maker, thirty questions."""
        return cls.drawn(0, utility="cara", mechanism="lmsr", liquidity=2.0)

    @classmethod
    def bluff(cls) -> "PredictionMarket":
        """Two neutral traders before a market maker, thirty questions. Half the time signals tell of the outcome apart from each
        other, half the time only both together do: trader 0, who knows all this, is tempted to mislead trader 1."""
        joint = origins.half_apart()
        happened, *signals = np.unravel_index(np.random.default_rng(0).choice(8, 30, p=joint.ravel()), joint.shape)
        return cls.from_joint(joint, np.stack(signals, 1), happened, utility="neutral", mechanism="lmsr")

    # --- the regimes ---

    @property
    def pooled(self) -> Float[np.ndarray, "questions outcomes"]:
        """The posterior of all signals together."""
        if self.posterior is not None:
            return self.posterior
        return pools.logarithmic(self.beliefs, np.ones(self.beliefs.shape[1]), self.prior)

    @property
    def rounds_each(self) -> int:
        """Rounds that a question is open."""
        quick = self.utility == "neutral" or (self.mechanism == "pari-mutuel" and self.utility in ("log", "fractional"))
        return self.trading or (1 if quick else 8)

    def society(self, leak: float = 0.0) -> Society:
        """Traders and their market. `leak`: the share of the own effect on the price that each knows.

        Raises `Refused` with a leak in a double auction, and in a pari-mutuel for any utility but log.
        """
        if not (isinstance(leak, (int, float)) and 0 <= leak <= 1):
            raise BadInput(f"leak is {leak!r}: the believed share of the own effect must be in [0, 1]")
        make = {"pari-mutuel": societies.bettors, "lmsr": societies.customers, "double-auction": societies.floor}
        return make[self.mechanism](self, float(leak))

    def silence(self) -> Outcome:
        """Nobody is told anything: the forecasts that there are, one a trader. Scores are means over traders."""
        price = np.swapaxes(self.beliefs, 0, 1)
        return Outcome(values=dict(price=price, wealth=self.wealth, account=0.0, question=0), certificate=0.0)

    def plan(self) -> Outcome:
        """Bayes' rule for all signals together."""
        values = dict(price=self.pooled, wealth=self.wealth, account=0.0, question=0)
        return Outcome(code=CODES.index(Status.SETTLED), values=values, certificate=0.0)

    def contest(self, leak: float = 1.0, tolerance: float = 1e-6) -> Outcome:
        """Full information. Where the chances of all signals are known, before a market maker: the game of timing, in which
        trader 0 moves first and last; `price` is the one that stands before its last move, too late for anybody to use, in the
        mean of logs over its messages. Else everyone reckons with the share `leak` of the own effect on the price; certificate:
        at leak 1 the largest gain that another trade of its own would bring anyone at a closing.

        Raises `Refused` for a double auction, and for neutral traders where the chances of signals are not known.
        """
        if self.utility == "neutral" and self.joint is not None:
            return contests.in_time(self, leak, tolerance)
        if self.mechanism == "double-auction":
            raise Refused(
                "a double auction among traders who know everything has too many equilibria: none is the answer"
            )
        if self.utility == "neutral":
            raise Refused(
                "what neutral traders do who know everything is a game of timing, which is solved for two or three traders "
                "whose signals' chances are known: build the market by from_joint()"
            )
        return contests.influenced(self, leak, tolerance)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`price` [questions, outcomes] at which each question closed (the prior, before); `wealth` [traders], claims counted
        at the price; `account` of the market maker; the `question` that is open."""
        if isinstance(society, HostSociety):
            return Outcome(society, values=self.on_the_floor(society))
        signal: Any = society.signal
        price, wealth = (np.asarray(x, np.float64) for x in (signal.closing, wealth_of(society)))
        values = dict(price=price, wealth=wealth, account=judgement.maker_account(society))
        return Outcome(society, values=values | {"question": int(signal.clock.question)})

    def on_the_floor(self, society: Any) -> dict[str, Any]:
        """The same of a double auction."""
        price = np.stack([1 - society.closing, society.closing], 1)
        return dict(price=price, wealth=wealth_of(society), account=0.0, question=society.question)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency` (see the head of this file); of what happened, `log_score` (mean log price, nats), `brier` (mean sum of
        squares, 0 to 2) and `pooled_log_score`, the planner's; Gini's index of wealth."""
        price, pooled = np.maximum(outcome.price, LEAST), self.pooled
        known = divergence(pooled, self.prior).sum()
        missing = divergence(pooled, price).sum(-1).mean()
        at = np.arange(len(self.happened)), self.happened
        miss = np.asarray(outcome.price) - np.eye(len(self.prior))[self.happened]
        return dict(
            efficiency=float(1 - missing / known) if known > 0 else float("nan"),
            log_score=float(np.log(price[(..., *at)]).mean()),
            brier=float((miss**2).sum(-1).mean()),
            pooled_log_score=float(np.log(np.maximum(pooled[at], LEAST)).mean()),
            gini=gini(np.maximum(outcome.wealth, 0)),
        )

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the price, on average: a trader's share of the wealth, tolerance or evidence that makes it, a market
        maker's liquidity among these."""
        if self.utility == "neutral":
            return 1 / self.beliefs.shape[1]
        weight, maker = societies.weight(self), self.liquidity if self.mechanism == "lmsr" else 0.0
        return float((weight / (weight.sum() + maker)).mean())

    def gain(self, outcome: Outcome) -> float:
        """In a pari-mutuel of log utility, what knowing the own effect on the odds would bring the trader whom it brings most, a
        share of wealth, on average over questions, at the wealth of the end. Else `Refused`."""
        if self.mechanism == "lmsr":
            raise Refused(
                "before a market maker the own position of most use is the same whether one knows its effect or moves with the "
                "price: nothing is gained but by timing (see contest)"
            )
        if self.mechanism != "pari-mutuel" or self.utility != "log":
            raise Refused("what the own effect is worth is known of log utility in a pari-mutuel")
        stake = outcome.wealth[:, None] * self.beliefs
        return float(judgement.gains_from_stakes(self.beliefs, stake).mean(0).max())

    def conserved(self, society: Society) -> dict[str, Any]:
        """All money, the market maker's account with it, and the claims that it sold, less what traders hold."""
        if isinstance(society, HostSociety):
            held, money = society.signal.local(society.agents).T
            return {"money": int((society.agents.purse + money).sum()), "claims": int(held.sum())}
        cash, held = (np.asarray(x, np.float64) for x in judgement.settled(society))
        signal: Any = society.signal
        sold = np.asarray(signal.sold, np.float64) if isinstance(signal, Maker) else 0.0
        return {"money": float(cash.sum()) + judgement.maker_account(society), "claims": held.sum(0) - sold}

    def record(self, every: int = 1) -> Record:
        """Prices that the round's trades came to, trades (stakes, orders, claims held) and wealth:
        `run(market, rounds, record=market.record())`."""
        trade = {"pari-mutuel": contests.stake_of, "lmsr": contests.order_of, "double-auction": held_of}[self.mechanism]
        return Record(every=every, folder=None, price=traded_at, trade=trade, wealth=wealth_of)

    def watch(self) -> dict[str, Any]:
        """The price of the open question."""
        return {"price": price_of}

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        questions, traders, _ = self.beliefs.shape
        crowd = f"{traders:,} traders, {questions:,} questions"
        return dict(signal="price", measure="share of the joint information in the price", population=crowd)

    def scene(self, society: Society) -> Scene:
        """Closing prices beside the pooled posterior, of the outcome 1 of each question; wealth."""
        values, at = self.outcome(society).values, np.arange(len(self.happened))
        curves = [Series(at, x[:, 1], name) for x, name in ((values["price"], "price"), (self.pooled, "all signals"))]
        labels = self.names or tuple(f"trader {m}" for m in range(self.beliefs.shape[1]))
        return Scene("prediction market", (*curves, Bars(labels, values["wealth"], "wealth")))

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "PredictionMarket":
        """The market of the traders `keep`. Where a posterior was given it stays, for what the rest know of it is not known.

        `Refused` where nobody would be left who has money.
        """
        chosen = np.arange(self.beliefs.shape[1])[np.asarray(keep)]
        if not chosen.size or not self.wealth[chosen].sum() > 0:
            raise Refused("nobody who would be left has money to trade with: there is no market")
        some = {name: getattr(self, name)[chosen] for name in COLUMNS}
        names = None if self.names is None else tuple(self.names[i] for i in chosen)
        return dataclasses.replace(self, beliefs=self.beliefs[:, chosen], joint=None, signals=None, names=names, **some)

    def replicate(self, copies: int) -> "PredictionMarket":
        """Each trader `copies` times, a market maker with as many times the liquidity; they know no more than before."""
        if self.utility == "neutral" and copies > 1:
            raise Refused(
                "neutral traders take each other's evidence for news: copies of the same would count it twice"
            )
        many = {name: np.tile(getattr(self, name), copies) for name in COLUMNS}
        beliefs, liquidity = np.tile(self.beliefs, (1, copies, 1)), self.liquidity * copies
        known = dict(joint=self.joint, signals=self.signals) if copies == 1 else dict(joint=None, signals=None)
        return dataclasses.replace(
            self, beliefs=beliefs, posterior=self.pooled, liquidity=liquidity, names=None, **known, **many
        )

    def shocked(self, key: Any, size: float) -> "PredictionMarket":
        """Everyone's log-odds multiplied by exp(size x normal), one draw a trader: other people know more now, or less. Where the
        chances of all signals are known, each of these is, independently."""
        if self.joint is not None and self.signals is not None:
            factor = np.exp(size * np.asarray(jax.random.normal(key, self.joint.shape), np.float64))
            return self.of_joint(self.joint * factor / (self.joint * factor).sum())
        factor = np.exp(size * np.asarray(jax.random.normal(key, self.beliefs.shape[1:2]), np.float64))
        logs = np.log(self.prior) + factor[:, None] * (pools.logarithm(self.beliefs) - np.log(self.prior))
        return dataclasses.replace(self, beliefs=pools.normalised(logs))

    def of_joint(self, joint: np.ndarray) -> "PredictionMarket":
        """The same signals, of other chances."""
        kept = ("utility", "mechanism", "liquidity", "trading", "speed", "ticks", "names", *COLUMNS)
        return PredictionMarket.from_joint(
            joint, self.signals, self.happened, **{name: getattr(self, name) for name in kept}
        )

    def carried(self, old: Society, keep: Any = None) -> Society:
        """This market before its first question, with the wealth of `old`, and its closing prices until there are new ones. Who
        owes money begins with next to none."""
        values = self.outcome(old).values
        wealth = values["wealth"] if keep is None else values["wealth"][np.asarray(keep)]
        fresh: Any = dataclasses.replace(self, wealth=np.maximum(wealth, LEAST)).society()
        if isinstance(fresh, HostSociety):
            return dataclasses.replace(fresh, closing=values["price"][:, 1].copy())
        closing = jnp.asarray(values["price"], fresh.signal.closing.dtype)
        return eqx.tree_at(lambda s: s.signal.closing, fresh, closing)


# --- parts --------------------------------------------------------------------------------------------------------


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p, q) over the last axis, nats; `q` above 0."""
    return np.sum(p * (np.log(np.where(p > 0, p, 1)) - np.log(q)), -1)


def price_of(society: Any) -> Any:
    """The price of the open question [outcomes] (of a double auction, that of outcome 1)."""
    return getattr(society if isinstance(society, HostSociety) else society.signal, "price")  # noqa: B009


def traded_at(society: Any) -> Any:
    """The price that the last trades came to [outcomes]: that of the question that has just closed, where the next opens."""
    if isinstance(society, HostSociety):
        return price_of(society)
    signal = society.signal
    before = jnp.maximum(signal.clock.round // signal.clock.trading - 1, 0)
    return jnp.where(signal.clock.told >= 0, signal.closing[jnp.minimum(before, len(signal.closing) - 1)], signal.price)


def wealth_of(society: Any) -> Any:
    """Wealth of each [traders], claims counted at the price."""
    if isinstance(society, HostSociety):
        (held, money), crowd = society.signal.local(society.agents).T, society.agents
        return (crowd.purse + money + held * crowd.ticks * price_of(society)) / crowd.ticks
    return judgement.wealth(society)


def held_of(society: Any) -> Any:
    """Claims that each holds from an order book [traders]."""
    return society.signal.local(society.agents)[:, 0].copy()
