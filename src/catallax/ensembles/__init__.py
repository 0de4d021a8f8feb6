"""Ensembles: fitted models that trade on what will happen, as scikit-learn estimators.

Names are found when they are first asked for (PEP 562): `import catallax.ensembles` loads neither scikit-learn nor JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catallax.ensembles.classifier import MarketClassifier as MarketClassifier
    from catallax.ensembles.leaves import LeafMarketClassifier as LeafMarketClassifier
    from catallax.ensembles.online import OnlineMarket as OnlineMarket
    from catallax.ensembles.regressor import MarketRegressor as MarketRegressor

# name: the module that defines it
_NAMES = {
    "LeafMarketClassifier": "catallax.ensembles.leaves",
    "MarketClassifier": "catallax.ensembles.classifier",
    "MarketRegressor": "catallax.ensembles.regressor",
    "OnlineMarket": "catallax.ensembles.online",
}

__all__ = ["LeafMarketClassifier", "MarketClassifier", "MarketRegressor", "OnlineMarket"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'catallax.ensembles' has no attribute {name!r}")
    value = getattr(import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
