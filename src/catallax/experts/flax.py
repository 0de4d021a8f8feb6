"""`PricedExperts` for Flax NNX: the same layer, whose prices are a variable of the module (extra: `catallax[flax]`).

    layer = PricedExperts(256, 1024, 8, rngs=nnx.Rngs(0))
    y, info = layer(x)                 the module's prices move, as the statistics of `nnx.BatchNorm` do
    model.eval(); y, info = layer(x)   and here they stay

Only this file loads Flax.
"""

from typing import Any

import equinox as eqx
from flax import nnx  # pyright: ignore[reportMissingImports]

from catallax.experts import layer as priced


class Price(nnx.Variable):
    """A kind of variable for prices, so that they can be told from parameters, which are learnt."""


class PricedExperts(nnx.Module):
    """`catallax.experts.PricedExperts` with the same arguments, `rngs` in place of `key`.

    `parameters`: its arrays, as `nnx.Param`s by their place in the layer; `prices` [experts]: a `Price`.
    `use_running_average` (set by `model.train()` and `model.eval()`): prices stay as they are.
    """

    def __init__(self, width: int, hidden: int, experts: int, k: int = 1, *, rngs: nnx.Rngs, **how: Any):
        layer = priced.PricedExperts(width, hidden, experts, k, key=rngs.params(), **how)
        arrays, rest = eqx.partition(layer, eqx.is_array)
        self.skeleton = nnx.static(rest)
        e = arrays.experts
        self.enter, self.bias, self.leave, self.shift = (nnx.Param(a) for a in (e.enter, e.bias, e.leave, e.shift))
        self.bidder, self.level = nnx.Param(arrays.bidder), nnx.Param(arrays.level)
        self.prices = Price(layer.opening())
        self.use_running_average = False

    def layer(self) -> priced.PricedExperts:
        """The Equinox layer with the parameters as they are."""
        experts = priced.Perceptrons(*(p[...] for p in (self.enter, self.bias, self.leave, self.shift)))
        found = (experts, self.bidder[...], self.level[...])
        return eqx.tree_at(lambda m: (m.experts, m.bidder, m.level), self.skeleton, found, is_leaf=lambda x: x is None)

    def __call__(self, x: Any, *, key: Any = None, calibration: Any = None) -> tuple[Any, priced.Market]:
        """(y [tokens, width], what happened)"""
        y, prices, info = self.layer()(
            x, self.prices[...], key=key, inference=self.use_running_average, calibration=calibration
        )
        self.prices[...] = prices
        return y, info
