"""Collectives: people who know a little each, coordinated by votes and prices.

Names are found when they are first asked for (PEP 562): labels and forecasts need no JAX.
"""

from typing import TYPE_CHECKING

from catallax.core.lazy import lazy

if TYPE_CHECKING:
    from catallax.collective import pools as pools
    from catallax.collective import voting as voting
    from catallax.collective.crowd_labels import CrowdLabels as CrowdLabels
    from catallax.collective.forecasts import Forecasts as Forecasts
    from catallax.collective.jury import Jury as Jury
    from catallax.collective.prediction_market import PredictionMarket as PredictionMarket

__getattr__, __dir__ = lazy(
    __name__,
    {
        "CrowdLabels": "catallax.collective.crowd_labels",
        "Forecasts": "catallax.collective.forecasts",
        "Jury": "catallax.collective.jury",
        "PredictionMarket": "catallax.collective.prediction_market",
    },
    {"pools": "catallax.collective.pools", "voting": "catallax.collective.voting"},
)
