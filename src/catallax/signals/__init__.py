"""Compressions of what everyone did, each written once: a price, and in time a pheromone, a vote, a density."""

from catallax.signals.price import Posts as Posts
from catallax.signals.price import Tatonnement as Tatonnement

__all__ = ["Posts", "Tatonnement"]
