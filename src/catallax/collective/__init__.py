"""Collectives: people who know a little each, coordinated by votes and prices.

Names are found when they are first asked for (PEP 562): labels and forecasts need no JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catallax.collective import pools as pools
    from catallax.collective import voting as voting
    from catallax.collective.crowd_labels import CrowdLabels as CrowdLabels
    from catallax.collective.forecasts import Forecasts as Forecasts
    from catallax.collective.jury import Jury as Jury
    from catallax.collective.prediction_market import PredictionMarket as PredictionMarket

# name: the module that defines it
_NAMES = {
    "CrowdLabels": "catallax.collective.crowd_labels",
    "Forecasts": "catallax.collective.forecasts",
    "Jury": "catallax.collective.jury",
    "PredictionMarket": "catallax.collective.prediction_market",
}
_MODULES = ("pools", "voting")

__all__ = ["CrowdLabels", "Forecasts", "Jury", "PredictionMarket", "pools", "voting"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(import_module(_NAMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"catallax.collective.{name}")
    else:
        raise AttributeError(f"module 'catallax.collective' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
