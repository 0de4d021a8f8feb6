"""Economies: parties that own goods and want others, coordinated by prices."""

from catallax.economy.exchange import Exchange as Exchange
from catallax.economy.traders import Influencer as Influencer
from catallax.economy.traders import PriceTaker as PriceTaker

__all__ = ["Exchange", "Influencer", "PriceTaker"]
