"""Is an allocation fair? What each buyer thinks of the others' bundles: a door from `Allocation` to `measures.fairness`.

Entitlements are budgets. Money kept (quasi-linear wants) is one more good, worth 1 a unit to everyone. Where worth is no
sum over goods it is the buyer's utility of a bundle, read per entitlement, which makes sense where twice the bundle is twice
the utility, as it is for all kinds of `Fisher`. At an equilibrium without caps nobody envies anybody, whatever the budgets,
and all have at least their due; what is found above that is the gap's.

H. Varian, Equity, envy, and efficiency, J. Economic Theory 9, 1974.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from catallax.core.errors import Refused
from catallax.economy.trade.demand import Traders
from catallax.measures import fairness as measures

if TYPE_CHECKING:
    from catallax.economy.allocate import Allocation

WHOLE = 1e-3  # an allocation no further than this from whole units is taken as one of whole units


class Fairness(NamedTuple):
    """Measures of `catallax.measures.fairness`. `envy_up_to_one`: None where units are shared."""

    envy: measures.Envy
    proportionality: measures.Proportion
    envy_up_to_one: measures.Envy | None


def fairness(allocation: Allocation, worth: measures.Worth | None = None) -> Fairness:
    """Envy, shares of the due, and envy up to one good; `worth` (party, bundles [b, goods]) -> [b], default the wants.

    Raises `Refused` for utilities of one's own without a `worth`.
    """
    facts, given = allocation.facts, allocation.allocation
    budget, supply, kind = facts["budgets"], facts["supply"], facts["utility"]
    whole = None
    if worth is None and kind == "quasi-linear":
        values = np.column_stack([facts["valuations"], np.ones(len(given))])
        given = np.column_stack([given, allocation.kept])
        supply = np.append(supply, allocation.kept.sum())
    else:
        values = worth or (facts["valuations"] if kind == "linear" else own_worth(allocation))
        units = np.round(given)
        if np.abs(given - units).max() <= WHOLE:
            whole = measures.envy_up_to_one(values, units, budget)
    return Fairness(
        measures.envy(values, given, budget), measures.proportionality(values, given, budget, supply), whole
    )


def own_worth(allocation: Allocation) -> measures.Worth:
    """What buyers of one of the CES kinds think of bundles."""
    facts = allocation.facts
    if not isinstance(facts["utility"], str):
        raise Refused("what bundles are worth by a utility of your own is not known here: pass worth(party, bundles)")
    elasticity = {"cobb-douglas": 1.0, "leontief": 0.0}.get(facts["utility"])
    taste = np.asarray(facts["valuations"], np.float64)

    def worth(party: int, bundles: np.ndarray) -> np.ndarray:
        if not taste[party].any():
            return np.zeros(len(bundles))
        likes = facts["elasticity"][party] if elasticity is None else elasticity
        same = np.broadcast_to(taste[party], bundles.shape)
        return Traders(same, np.full(len(bundles), likes)).utility(bundles)

    return worth
