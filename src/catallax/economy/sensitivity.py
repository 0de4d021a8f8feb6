"""What a change of facts does to welfare: derivatives at equilibrium, and a tax on what is bought.

**Fisher markets.** Equilibrium is where W = sum_i B_i log u_i (less what is kept, where money is wanted for itself) is
greatest, so by the envelope theorem W changes as the programme does where its solution stays as it is:

    dW/ds_j = p_j       dW/dB_i = log u_i       dW/dc_i = r_i       dW/dv_ij = B_i (dV_i/dv_ij) / V_i

Nothing is solved again, and `jax.grad` through `settle` (which the set-valued demand of linear wants has not got) is not
needed. Utilities are unique, so dW/dB always exists. dW/ds and dW/dc exist where prices and rents are unique, as they are
where everyone's wants are smooth or linear and all is sold. dW/dv of linear wants is B_i x_ij / u_i, and exists where the
allocation is unique; where goods tie it is one of those between the derivatives from either side.

**Smooth wants** have prices with a derivative in every fact, by the implicit function theorem (`settle`). So any welfare of
any utilities can be differentiated:

    jax.grad(lambda e: log_utilities(dataclasses.replace(economy, endowment=e)).sum())(economy.endowment)

**A tax** of t_j on the value of good j bought, handed back in equal shares: everything is sold and bought on the same
posts, so who owns e_ij pays q_j = (1 + t_j) p_j a unit and has the income e_i.p + sum_j t_j p_j s_j / n, which is

    e'_i.q,    e'_ij = (e_ij + t_j s_j / n) / (1 + t_j)

The taxed economy is the untaxed one of these endowments: `taxed`. (A tax on what is bought beyond the own goods would drive a
wedge between buyers and sellers; this one only shares.)

P. Milgrom and I. Segal, Envelope theorems for arbitrary choice sets, Econometrica 70, 2002.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import Refused
from catallax.core.outcome import Outcome, Status
from catallax.core.settle import settle
from catallax.economy.checks import check_numbers
from catallax.economy.exchange import Exchange
from catallax.economy.facts import floats
from catallax.economy.fisher import Fisher
from catallax.economy.utility import CES

NEAR = 100  # roundings: the gap at which prices stand still
ELASTICITY = {"cobb-douglas": 1.0, "leontief": 0.0}


class Marginal(NamedTuple):
    """Derivatives of W, float64: by `supply` [goods], `budgets` [buyers], `valuations` [buyers, goods] (None for a utility of
    one's own), `cap` [buyers] (None without).
    """

    supply: np.ndarray
    budgets: np.ndarray
    valuations: np.ndarray | None
    cap: np.ndarray | None


def marginal_welfare(market: Fisher, rest: Outcome) -> Marginal:
    """Derivatives of the market's Nash welfare W at `rest`, as `settle(market)` gives it; as exact as its gap.

    W is in units of money (times log utility). Raises `Refused` where the market did not settle.
    """
    if rest.status is not Status.SETTLED or "price" not in rest.values:
        raise Refused(f"derivatives are those at equilibrium, and this is {rest.status}: give settle()'s, at rest")
    cap = None if market.cap is None else np.asarray(rest.rent)
    return Marginal(np.asarray(rest.price), np.log(rest.utilities), by_valuations(market, rest), cap)


def by_valuations(market: Fisher, rest: Outcome) -> np.ndarray | None:
    """B_i (dV_i/dv_ij) / V_i; of linear wants B_i x_ij / u_i, where V has a kink."""
    budget, value = (np.asarray(x, np.float64) for x in (market.budgets, market.valuations))
    if market.interior:
        return budget[:, None] * rest.allocation / rest.utilities[:, None]
    if not isinstance(market.utility, str):
        return None
    elasticity = np.asarray(ELASTICITY.get(market.utility, market.elasticity), np.float64)
    with jax.enable_x64(True):
        log_price, spread = jnp.log(jnp.asarray(rest.price)), jnp.asarray(np.broadcast_to(elasticity, budget.shape))
        slope = jax.vmap(jax.grad(lambda taste, s: CES(taste, s).log_indirect(log_price)))(jnp.asarray(value), spread)
        return budget[:, None] * np.asarray(slope)


def log_utilities(problem: Exchange | Fisher, tolerance: Any = 1e-10) -> Float[Array, " parties"]:
    """log u of everyone at equilibrium prices, differentiable in every fact. Set `jax_enable_x64` for derivatives.

    Raises `Refused` for linear wants: what is bought jumps where goods tie, and so may the derivative of prices.
    """
    if (problem.linear if isinstance(problem, Exchange) else problem.interior) is True:
        raise Refused(
            "prices of linear wants have no derivative where goods tie: use marginal_welfare, of Fisher markets"
        )
    if isinstance(problem, Fisher):  # closer than allocations need: a derivative is no better than its prices
        problem = dataclasses.replace(problem, goal=NEAR * float(jnp.finfo(problem.valuations.dtype).eps))
    society = settle(problem, tolerance).society
    price = society.signal.public()
    if isinstance(problem, Exchange):
        income = problem.endowment @ price
    else:
        income, price = problem.budgets, price * problem.budgets.sum()
    worth = jax.vmap(lambda utility: utility.log_indirect(jnp.log(price)))(problem.wants)
    return jnp.log(income) + worth


def taxed(economy: Exchange, tax: Any) -> Exchange:
    """The economy with a tax on the value of each good bought, in equal shares handed back; its prices include the tax.

    `tax` [goods] >= 0, a share of the price, or one number for all. Traceable, so that a tax can be found by gradient.
    Raises `BadInput` for another shape, or a number that is negative or not finite.
    """
    rate = floats(tax)
    rate = jnp.broadcast_to(rate, economy.endowment.shape[1:]) if rate.ndim == 0 else rate
    check_numbers("tax", rate, economy.endowment.shape[1:], 0.0)
    pooled = rate * economy.endowment.mean(0)
    return dataclasses.replace(economy, endowment=(economy.endowment + pooled) / (1 + rate))
