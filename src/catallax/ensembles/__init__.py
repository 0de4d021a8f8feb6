"""Ensembles: fitted models that trade on what will happen, as scikit-learn estimators.

Names are found when they are first asked for (PEP 562): `import catallax.ensembles` loads neither scikit-learn nor JAX.
"""

from typing import TYPE_CHECKING

from catallax.core.lazy import lazy

if TYPE_CHECKING:
    from catallax.ensembles.classifier import MarketClassifier as MarketClassifier
    from catallax.ensembles.leaves import LeafMarketClassifier as LeafMarketClassifier
    from catallax.ensembles.online import OnlineMarket as OnlineMarket
    from catallax.ensembles.regressor import MarketRegressor as MarketRegressor

__getattr__, __dir__ = lazy(
    __name__,
    {
        "LeafMarketClassifier": "catallax.ensembles.leaves",
        "MarketClassifier": "catallax.ensembles.classifier",
        "MarketRegressor": "catallax.ensembles.regressor",
        "OnlineMarket": "catallax.ensembles.online",
    },
)
