"""Objectives of experts: each is paid what it turned out to be worth, less its price, less its cost.

    gain_ir = b_i - l_ir          b: loss of a public baseline on token i, l_ir: realised loss of the r-th expert it bought [nats]
    profit_j = sum over the tokens that j won of (gain - p_j - cost_j)
    own loss = - sum_j profit_j / tokens

l_ir rests on one expert's own output, so d profit_j / d theta_l = 0 for l != j: no gradient crosses experts, and the baseline,
prices and costs are facts. Bids are fitted to realised gains by least squares on what was won and on what came by lot.

The winner's curse: who wins bid too much on average. Where lots were drawn, nothing was selected, so there

    E[gain | bid] = gain_j + slope_j (bid - bid_j),   slope_j = cov(bid, gain) / var(bid) in [0, 1]

(bars over bid_j and gain_j: means of j's lots), the linear posterior mean; ranking by it shrinks bids that say little.

R. H. Thaler, Anomalies: the winner's curse, J. Economic Perspectives 2, 1988; C. Stein, Ann. Math. Stat. 1956 (shrinkage).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Ledger(NamedTuple):
    """Accounts of each expert over a batch, [experts], in the unit of the loss: `gain` realised, `paid` for tokens at the
    prices, `cost`; `profit` = gain - paid - cost."""

    gain: Float[Array, " experts"]
    paid: Float[Array, " experts"]
    cost: Float[Array, " experts"]

    @property
    def profit(self) -> Float[Array, " experts"]:
        """What is left to each."""
        return self.gain - self.paid - self.cost


class Calibration(NamedTuple):
    """What a bid of expert j is worth on tokens that came by lot: gain + slope (bid - `bid`), all [experts]."""

    bid: Float[Array, " experts"]
    gain: Float[Array, " experts"]
    slope: Float[Array, " experts"]


def own_loss(
    losses: Float[Array, "tokens k"],
    baseline: Float[Array, " tokens"],
    choice: Int[Array, "tokens k"],
    prices: Float[Array, " experts"],
    costs: Any = 0.0,
) -> tuple[Float[Array, ""], Ledger]:
    """(minus the profit of all experts per token, accounts of each). Differentiate it in the experts' parameters.

    `losses`: of each expert's own output alone, as from `info.outputs`; `baseline`: without experts; `choice`: -1 counts
    for nothing. Summed over experts, and still each one's own: its parameters are in its own terms only.
    """
    bought = (choice >= 0).astype(losses.dtype)
    who, experts = jnp.maximum(choice, 0), prices.shape[0]
    gains = (jax.lax.stop_gradient(baseline)[:, None] - losses) * bought
    paid = jax.lax.stop_gradient(prices)[who] * bought
    spent = jnp.broadcast_to(jnp.asarray(costs, losses.dtype), (experts,))[who] * bought
    accounts = Ledger(*(jax.lax.stop_gradient(of_each(v, choice, experts)) for v in (gains, paid, spent)))
    return -jnp.sum(gains - paid - spent) / losses.shape[0], accounts


def gains_of(losses: Float[Array, "tokens k"], baseline: Float[Array, " tokens"]) -> Float[Array, "tokens k"]:
    """Realised loss reduction, a fact."""
    return jax.lax.stop_gradient(baseline[:, None] - losses)


def bid_loss(
    bids: Float[Array, "tokens experts"], choice: Int[Array, "tokens k"], gains: Float[Array, "tokens k"]
) -> Float[Array, ""]:
    """Half the mean squared error of bids on all that was bought, won or by lot. Differentiate it in the bidder's parameters."""
    bought = choice >= 0
    said = jnp.take_along_axis(bids, jnp.maximum(choice, 0), 1)
    missed = jnp.where(bought, said - jax.lax.stop_gradient(gains), 0)
    return jnp.sum(missed**2) / (2 * jnp.maximum(jnp.sum(bought), 1))


def calibrate(
    bids: Float[Array, "tokens experts"],
    choice: Int[Array, "tokens k"],
    gains: Float[Array, "tokens k"],
    explored: Bool[Array, " tokens"],
) -> Calibration:
    """Means and slopes on tokens that came by lot; slope 0 for an expert that had fewer than two different ones."""
    experts = bids.shape[1]
    lot = jnp.where(explored[:, None], choice, -1)
    said = jax.lax.stop_gradient(jnp.take_along_axis(bids, jnp.maximum(choice, 0), 1))
    count = jnp.maximum(of_each((lot >= 0).astype(said.dtype), lot, experts), 1)
    bid, gain = of_each(said, lot, experts) / count, of_each(gains, lot, experts) / count
    off_bid, off_gain = said - bid[jnp.maximum(lot, 0)], gains - gain[jnp.maximum(lot, 0)]
    both, own = of_each(off_bid * off_gain, lot, experts), of_each(off_bid**2, lot, experts)
    slope = jnp.where(own > 0, jnp.clip(both / jnp.where(own > 0, own, 1), 0, 1), 0)
    return Calibration(bid, gain, slope)


def expected(bids: Float[Array, "tokens experts"], calibration: Calibration) -> Float[Array, "tokens experts"]:
    """What bids are worth by a calibration, [tokens, experts]."""
    return calibration.gain + calibration.slope * (bids - calibration.bid)


def blended(old: Calibration, new: Calibration, rate: Any) -> Calibration:
    """A calibration that follows the batches: (1 - rate) old + rate new."""
    return Calibration(*((1 - rate) * a + rate * b for a, b in zip(old, new)))


def of_each(values: Any, choice: Any, experts: int) -> Float[Array, " experts"]:
    """Sums of values [tokens, k] by expert, what is at -1 left out."""
    return jnp.sum(values[..., None] * (choice[..., None] == jnp.arange(experts)), (0, 1))
