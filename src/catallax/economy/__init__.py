"""Economies: parties that own goods and want others, coordinated by prices."""

from typing import TYPE_CHECKING, Any

from catallax.economy import sensitivity as sensitivity
from catallax.economy import textbook as textbook
from catallax.economy.allocate import Allocation as Allocation
from catallax.economy.allocate import allocate as allocate
from catallax.economy.auction import DoubleAuction as DoubleAuction
from catallax.economy.exchange import Exchange as Exchange
from catallax.economy.externality import Externality as Externality
from catallax.economy.fisher import Fisher as Fisher
from catallax.economy.games import NormalForm as NormalForm
from catallax.economy.many import Allocations as Allocations
from catallax.economy.many import allocate_many as allocate_many
from catallax.economy.routing import Routing as Routing
from catallax.economy.trade.traders import Influencer as Influencer
from catallax.economy.trade.traders import PriceTaker as PriceTaker
from catallax.economy.utility import Utility as Utility

if TYPE_CHECKING:
    from catallax.economy.courses.ceei import Courses as Courses

__all__ = [
    "Allocation",
    "Allocations",
    "Courses",
    "DoubleAuction",
    "Exchange",
    "Externality",
    "Fisher",
    "Influencer",
    "NormalForm",
    "PriceTaker",
    "Routing",
    "Utility",
    "allocate",
    "allocate_many",
    "sensitivity",
    "textbook",
]


def __getattr__(name: str) -> Any:
    """`Courses` brings numba along: only for those who ask for it."""
    if name == "Courses":
        from catallax.economy.courses.ceei import Courses

        return Courses
    raise AttributeError(f"module 'catallax.economy' has no attribute {name!r}")
