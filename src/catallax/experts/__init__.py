"""Experts by price: parts of a network, or whole models, that compete for inputs and pay for them.

Names are found when they are first asked for (PEP 562): `import catallax.experts` loads neither scikit-learn nor JAX.
"""

from typing import TYPE_CHECKING

from catallax.core.lazy import lazy

if TYPE_CHECKING:
    from catallax.experts.layer import PricedExperts as PricedExperts
    from catallax.experts.market_net import MarketNet as MarketNet
    from catallax.experts.payments import bid_loss as bid_loss
    from catallax.experts.payments import own_loss as own_loss
    from catallax.experts.problem import Mixture as Mixture
    from catallax.experts.production import ProductionNetwork as ProductionNetwork
    from catallax.experts.trade import trade_inputs as trade_inputs
    from catallax.signals.routing import clear as clear

__getattr__, __dir__ = lazy(
    __name__,
    {
        "MarketNet": "catallax.experts.market_net",
        "Mixture": "catallax.experts.problem",
        "PricedExperts": "catallax.experts.layer",
        "ProductionNetwork": "catallax.experts.production",
        "bid_loss": "catallax.experts.payments",
        "clear": "catallax.signals.routing",
        "own_loss": "catallax.experts.payments",
        "trade_inputs": "catallax.experts.trade",
    },
)
