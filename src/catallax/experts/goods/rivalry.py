"""Learning in a `ProductionNetwork`: together, or against each other.

    collaboration   one gradient for all, shares fixed
    fitted          one gradient for all, shares among what it fits (softmax of free numbers): the control that has no market
    competition     each supplier climbs its own revenue at the prices of the round (`own_gradients`, at a share of one), and
                    shares follow value, w_s <- w_s exp(rate (v_s - v) / scale) / Z: replicator dynamics
    shuffled        as competition, but what rivals earn is dealt out among them at random: the control. What it leaves as it is:
                    suppliers still learn at the true prices

v_s = p . f_s - c_s, v = sum_s w_s v_s; `scale`: a running mean of |v_s|, so that `rate` has no unit. Prices of a network that has
learnt nothing mean little (a supplier of noise then earns as much as any), so for `grace` steps all learn and no share moves. Then
wealth passes between rivals, w_s (v_s - v) / scale to s, which sums to 0: what is left of profit, v - bill, is the industry's
in common, tells no rival from another, and is without bounds where one rival's Jacobian is (all were ruined at once by a supplier
of noise, and who stayed was settled by one batch). Who has nothing left, or a share below `exit`, is bankrupt. An entrant,
where `entrants` makes one, takes its place with an allowance and an equal share; else its share goes to its rivals.

P. Taylor, L. Jonker, Evolutionary stable strategies and game dynamics, Mathematical Biosciences 40, 1978.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from catallax.core.errors import BadInput
from catallax.core.progress import Interrupt
from catallax.experts.production import ProductionNetwork, accounts, own_gradients

REGIMES = ("collaboration", "fitted", "competition", "shuffled")
ALLOWANCE = 10.0  # of an entrant, in units of scale
ADAM = optax.adam(3e-3)


class Trained(NamedTuple):
    """A network that has learnt. `loss` [steps]; `wealth` by good; `shares`: [steps, suppliers] by good; `events`: (step, good,
    supplier, what)."""

    network: ProductionNetwork
    loss: np.ndarray
    wealth: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]
    events: list[tuple[int, str, int, str]]


def train(
    network: ProductionNetwork,
    x: Any,
    target: Any,
    loss: Any,
    *,
    regime: str = "competition",
    steps: int = 500,
    batch: int = 64,
    optimiser: Any = ADAM,
    rate: float = 0.05,
    exit: float = 1e-2,
    grace: int = 100,
    entrants: Any = None,
    seed: int = 0,
) -> Trained:
    """Learn from `x` [rows, features] and `target` [rows], in batches. `loss(prediction, target)` of one row.

    `optimiser`: of Optax, one for each supplier; `rate`: of shares (where they are fitted, Adam's). `entrants(key, good,
    supplier)` makes a new module, like the one whose place it takes. Ctrl-C keeps what is learnt. Raises `BadInput` for an
    unknown regime.
    """
    if regime not in REGIMES:
        raise BadInput(f"regime must be one of {', '.join(REGIMES)}, not {regime!r}")
    market, rng = Rivals(network, rate, exit, entrants, seed), np.random.default_rng(seed)
    state = _begin(optimiser, network)
    together = regime in ("collaboration", "fitted")
    fitter = optax.adam(rate)
    fit = _begin_one(fitter, network.shares) if regime == "fitted" else None
    losses, shares = [], []
    x, target = jnp.asarray(x), jnp.asarray(target)
    with Interrupt() as interrupt:
        for t in range(steps):
            rows = rng.choice(len(x), min(batch, len(x)), replace=False)
            network, state, books = _step(network, state, (x, target, rows), loss, optimiser, together)
            if fit is not None and t >= grace:
                network, fit = _fit_shares(network, books.value, fit, fitter)
            if not together and t >= grace:
                network, fresh = market.trade(network, books, t, shuffled=regime == "shuffled")
                for g, s in fresh:
                    state[g][s] = _begin_one(optimiser, network.goods[g].suppliers[s])
            losses.append(float(books.loss))
            shares.append([np.asarray(one) for one in network.shares])
            if interrupt.seen:
                break
    history = tuple(np.stack(one) for one in zip(*shares))
    return Trained(network, np.array(losses), tuple(market.wealth), history, market.events)


class Rivals:
    """Shares, wealth, exit and entry; on the host, between steps."""

    def __init__(self, network: ProductionNetwork, rate: float, exit: float, entrants: Any, seed: int) -> None:
        self.rate, self.exit, self.entrants = rate, exit, entrants
        self.key, self.rng = jax.random.key(seed), np.random.default_rng(seed + 1)
        self.wealth = [np.full(len(good.suppliers), ALLOWANCE) for good in network.goods]
        self.scale = [0.0] * len(network.goods)
        self.events: list[tuple[int, str, int, str]] = []

    def trade(self, network: ProductionNetwork, books: Any, t: int, shuffled: bool) -> tuple[ProductionNetwork, list]:
        """The network with new shares, and who has entered, (good, supplier)."""
        shares, fresh, modules = [], [], {}
        for g, good in enumerate(network.goods):
            share = np.asarray(network.shares[g], np.float64)
            value = np.asarray(books.value[g], np.float64) - np.asarray(good.cost)
            if shuffled:
                value[share > 0] = self.rng.permutation(value[share > 0])
            typical = float(share @ np.abs(value))
            self.scale[g] = typical if self.scale[g] == 0 else 0.95 * self.scale[g] + 0.05 * typical
            above = (value - share @ value) / max(self.scale[g], 1e-12)
            self.wealth[g] += share * above
            share = share * np.exp(np.clip(self.rate * above, -1, 1))
            share, came = self._exit(g, good, share / share.sum(), t)
            for s in came:
                self.key, key = jax.random.split(self.key)
                modules[g, s] = self.entrants(key, g, s)
            fresh += [(g, s) for s in came]
            shares.append(jnp.asarray(share, network.shares[g].dtype))
        network = eqx.tree_at(lambda n: n.shares, network, tuple(shares))
        for (g, s), module in modules.items():
            network = eqx.tree_at(lambda n, g=g, s=s: n.goods[g].suppliers[s], network, module)
        return network, fresh

    def _exit(self, g: int, good: Any, share: np.ndarray, t: int) -> tuple[np.ndarray, list[int]]:
        broke = (share > 0) & ((self.wealth[g] <= 0) | (share < self.exit))
        broke[int(share.argmax())] = False  # the last one stays
        came = []
        for s in np.flatnonzero(broke).tolist():
            self.events.append((t, good.name, s, "bankrupt"))
            share[s] = 0.0
            if self.entrants is not None:
                came.append(s)
                self.events.append((t, good.name, s, "enters"))
                self.wealth[g][s], share[s] = ALLOWANCE, 1 / len(share)
        return share / share.sum(), came


@eqx.filter_jit
def _step(network: Any, state: Any, data: Any, loss: Any, optimiser: Any, together: bool) -> tuple[Any, Any, Any]:
    x, t = data[0][data[2]], data[1][data[2]]
    books = accounts(network, x, t, loss)
    if together:
        whole = eqx.filter_grad(lambda n: -jax.vmap(loss)(jax.vmap(n)(x), t).mean())(network)
        climb = tuple(good.suppliers for good in whole.goods)
    else:
        climb = own_gradients(network, x, t, loss, tuple(jnp.ones_like(one) for one in network.shares))
    suppliers, after = [], []
    for good, slopes, states in zip(network.goods, climb, state):
        moved = [_move(optimiser, *one) for one in zip(good.suppliers, slopes, states)]
        suppliers.append(tuple(one for one, _ in moved))
        after.append([s for _, s in moved])
    network = eqx.tree_at(lambda n: [good.suppliers for good in n.goods], network, suppliers)
    return network, after, books


@eqx.filter_jit
def _fit_shares(network: Any, value: Any, state: Any, optimiser: Any) -> tuple[Any, Any]:
    """Shares moved along the gradient of welfare less costs in free numbers whose softmax they are, w_s (v_s - v)."""
    free = tuple(jnp.log(w) for w in network.shares)
    climb = tuple(w * (v - good.cost - w @ (v - good.cost)) for w, v, good in zip(network.shares, value, network.goods))
    free, state = _move(optimiser, free, climb, state)
    return eqx.tree_at(lambda n: n.shares, network, tuple(jax.nn.softmax(one) for one in free)), state


def _move(optimiser: Any, module: Any, climb: Any, state: Any) -> tuple[Any, Any]:
    parameters = eqx.filter(module, eqx.is_inexact_array)
    update, state = optimiser.update(jax.tree.map(lambda g: -g, climb), state, parameters)
    return eqx.apply_updates(module, update), state


def _begin(optimiser: Any, network: ProductionNetwork) -> list[list[Any]]:
    return [[_begin_one(optimiser, one) for one in good.suppliers] for good in network.goods]


def _begin_one(optimiser: Any, module: Any) -> Any:
    return optimiser.init(eqx.filter(module, eqx.is_inexact_array))
