"""A network as an economy: goods are made of goods, rivals supply each, and the last good is the prediction.

    y_g = sum_s w_gs f_gs(y_inputs of g)                         shares w >= 0, sum_s w_gs = 1; goods are vectors, one per row
    W = -loss(y_last, target)                                    welfare of a row
    p_g = dW / dy_g                                              the price of a good: the adjoint; may be negative
    bill_g = sum_s w_gs p_g . (J_gs y_in)                        what g's makers are charged for what g is made of (J: Jacobian)
    profit_gs = w_gs (p_g . f_gs - bill_g - c_gs)                c: cost of a unit of share

An input is charged at one price to all rivals. By the chain rule the bills for a good add up to p_g . y_g, what its makers
are paid, so money only passes through: all profits and costs together are p_last . y_last - p_0 . y_0, what the consumer pays less
what the raw input is worth. Under constant returns (f(a y) = a f(y)) the profits of an industry without costs sum to zero.
Three identities (tested): a chain of sole suppliers is a multilayer network and its prices are the adjoints; the gradient of
-loss in a supplier's parameters is the gradient of its own w p . f at fixed prices and inputs; and where shares follow
dw_s/dt = w_s (p . f_s - mean), dW/dt is the variance of p . f_s, sum_g Var_w(p_g . f_gs): never negative.

A. Sudhir, L. Tran-Thanh, Market-based architectures in RL and beyond, AAMAS 2025 (prices by backpropagation).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput

RAW = "input"  # the name of what comes in


class Good(eqx.Module):
    """One good: what it is made of, by name and in the order in which its makers take it, and its makers.

    `suppliers`: modules that map one vector for each of `inputs` to a vector, all of one width; `cost`: of a unit of share, each.
    """

    name: str = eqx.field(static=True)
    inputs: tuple[str, ...] = eqx.field(static=True)
    suppliers: tuple[Any, ...]
    cost: Float[Array, " suppliers"]

    def __init__(self, name: str, inputs: Any, suppliers: Any, cost: Any = 0.0) -> None:
        self.name = name
        self.inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        self.suppliers = tuple(suppliers)
        if not self.suppliers or not self.inputs:
            raise BadInput(f"good {name!r} must be made of something, by someone: give inputs and suppliers")
        self.cost = jnp.broadcast_to(jnp.asarray(cost, float), (len(self.suppliers),))


class Accounts(NamedTuple):
    """One batch, in welfare [nats, where the loss is]: means over rows, each a tuple by good.

    `good` and `price` [rows, width]; `value` [suppliers]: p . f of a unit of share; `bill`: for inputs, a number;
    `profit` [suppliers]. `loss`: mean over rows; `raw`: what the raw input is worth, p_0 . y_0.
    """

    loss: Array
    good: tuple[Array, ...]
    price: tuple[Array, ...]
    value: tuple[Array, ...]
    bill: tuple[Array, ...]
    profit: tuple[Array, ...]
    raw: Array


class ProductionNetwork(eqx.Module):
    """Goods in order of making: each of raw "input" or of goods before it. The last is the prediction.

    `shares`: of each good's suppliers (None: equal). Raises `BadInput` where an intermediate good has no rival suppliers (a
    `monopoly` is allowed on demand), or a good is made of one that is not there yet.
    """

    goods: tuple[Good, ...]
    shares: tuple[Float[Array, " suppliers"], ...]

    def __init__(self, goods: Any, shares: Any = None, monopoly: bool = False) -> None:
        self.goods = tuple(goods)
        _check(self.goods, monopoly)
        if shares is None:
            shares = [jnp.full(len(good.suppliers), 1 / len(good.suppliers)) for good in self.goods]
        self.shares = tuple(jnp.asarray(one, float) for one in shares)
        if [len(one) for one in self.shares] != [len(good.suppliers) for good in self.goods]:
            raise BadInput("shares must hold, for each good, one number for each of its suppliers")

    def __call__(self, x: Float[Array, " features"]) -> Float[Array, " outputs"]:
        """The prediction for one row."""
        return self.produce(x)[self.goods[-1].name]

    def produce(self, x: Float[Array, " features"], gifts: Any = None) -> dict[str, Array]:
        """Every good by name, for one row. `gifts`: by name, what comes on top of what is made (its worth is its price)."""
        there = {RAW: x if gifts is None else x + gifts[RAW]}
        for good, share in zip(self.goods, self.shares):
            made = jnp.tensordot(share, self.offers(good, there), 1)
            there[good.name] = made if gifts is None else made + gifts[good.name]
        return there

    def offers(self, good: Good, there: dict[str, Array]) -> Float[Array, "suppliers width"]:
        """What each supplier of a good would deliver at a share of one."""
        return jnp.stack([one(*(there[name] for name in good.inputs)) for one in good.suppliers])

    def prices(self, x: Float[Array, " features"], target: Any, loss: Any) -> dict[str, Array]:
        """What a little more of each good is worth, by name, for one row: d(-loss)/dgood."""
        nothing = {name: jnp.zeros_like(value) for name, value in jax.eval_shape(self.produce, x).items()}
        return jax.grad(lambda gifts: -loss(self.produce(x, gifts)[self.goods[-1].name], target))(nothing)


def accounts(network: ProductionNetwork, x: Array, target: Any, loss: Any) -> Accounts:
    """The books of a batch: `x` [rows, features], `target` [rows], `loss(prediction, target)` of one row."""
    good, price, value, bill, raw = jax.vmap(lambda x, t: _row(network, x, t, loss))(x, target)
    value, bill = jax.tree.map(lambda a: a.mean(0), (value, bill))
    profit = tuple(
        share * (v - b - good_.cost) for share, v, b, good_ in zip(network.shares, value, bill, network.goods)
    )
    losses = jax.vmap(loss)(good[-1], target)
    return Accounts(losses.mean(), good, price, value, bill, profit, raw.mean())


def own_gradients(network: ProductionNetwork, x: Array, target: Any, loss: Any, shares: Any = None) -> tuple[Any, ...]:
    """What each supplier would change to sell better: the gradient of its own mean w p . f, prices and inputs as they are.

    Nothing passes from one supplier to another but goods and prices. A tuple by good of tuples by supplier. `shares`: those at
    which they count on selling (None: the network's).
    """
    there = jax.lax.stop_gradient(jax.vmap(network.produce)(x))
    price = jax.lax.stop_gradient(jax.vmap(lambda x, t: network.prices(x, t, loss))(x, target))

    def revenue(supplier: Any, share: Array, good: Good) -> Array:
        sold = jax.vmap(supplier)(*(there[name] for name in good.inputs))
        return share * (price[good.name] * sold).sum(1).mean()

    return tuple(
        tuple(eqx.filter_grad(revenue)(one, w, good) for one, w in zip(good.suppliers, share))
        for good, share in zip(network.goods, network.shares if shares is None else shares)
    )


def _row(network: ProductionNetwork, x: Array, target: Any, loss: Any) -> tuple[Any, ...]:
    """Goods, prices, values and bills by good, and the worth of the raw input, of one row."""
    there, price = network.produce(x), network.prices(x, target, loss)
    value, bill = [], []
    for good, share in zip(network.goods, network.shares):
        inputs = {name: there[name] for name in good.inputs}
        offered, more = jax.jvp(lambda inputs, good=good: network.offers(good, inputs), (inputs,), (inputs,))
        value.append(offered @ price[good.name])
        bill.append(share @ more @ price[good.name])
    names = [good.name for good in network.goods]
    goods, prices = tuple(there[name] for name in names), tuple(price[name] for name in names)
    return goods, prices, tuple(value), tuple(bill), price[RAW] @ x


def _check(goods: tuple[Good, ...], monopoly: bool) -> None:
    if not goods:
        raise BadInput("a production network must make something: give one good at least")
    there = {RAW}
    for good in goods:
        missing = [name for name in good.inputs if name not in there]
        if missing:
            raise BadInput(f"good {good.name!r} is made of {missing[0]!r}, which is not made before it: put that first")
        if good.name in there:
            raise BadInput(f"two goods are named {good.name!r}: names must differ, and {RAW!r} is raw")
        if len(good.suppliers) < 2 and good is not goods[-1] and not monopoly:
            raise BadInput(f"good {good.name!r} has one supplier: give it a rival, or say monopoly=True")
        there.add(good.name)
