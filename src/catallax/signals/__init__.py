"""Compressions of what everyone did, each written once: a price, and in time a pheromone, a vote, a density."""

from catallax.signals.barter import Barter as Barter
from catallax.signals.book import Book as Book
from catallax.signals.clearing import Clearing as Clearing
from catallax.signals.inhibition import Inhibition as Inhibition
from catallax.signals.interior import Interior as Interior
from catallax.signals.newton import NewtonPrices as NewtonPrices
from catallax.signals.price import Posts as Posts
from catallax.signals.price import Tatonnement as Tatonnement
from catallax.signals.second_order import SecondOrder as SecondOrder
from catallax.signals.vote import Vote as Vote

__all__ = [
    "Barter",
    "Book",
    "Clearing",
    "Inhibition",
    "Interior",
    "NewtonPrices",
    "Posts",
    "SecondOrder",
    "Tatonnement",
    "Vote",
]
