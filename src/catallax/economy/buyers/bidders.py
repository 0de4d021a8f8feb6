"""Buyers of linear wants who follow the central path, each by itself: what they hold, and what they would take.

A buyer with budget B wants u = v.x (+ money kept, k, where money is wanted for itself), perhaps of at most c units in all:

    min  -B log u + p.x + k      x >= 0, k >= 0, sum_j x_j + w = c, w >= 0,  x_j + w_j = c_j, w_j >= 0

With l = B/u, the worth of utility in money, r >= 0, the rent of the cap, and r_j >= 0, the premium for a limit c_j on what it
may hold of good j, the conditions on the path of tightness t are

    z_j = p_j + r + r_j - l v_j,   z_0 = 1 - l,   x_j z_j = k z_0 = r w = r_j w_j = t B

Newton's step, told dp, is in closed form: with h_j = x_j / z_j (h_0 = k / z_0),

    dz = dp + dr - v dl           dx = t B / z - x - h dz          (and more where facts have changed: z's residual)

    [u/l + h.v^2 + h_0     -h.v        ] [dl]   [B/l - t B (v.(1/z) + 1/z_0)]   [(h v).dp]
    [     -h.v         w/r + sum_j h_j ] [dr] = [t B (1/r + sum_j 1/z_j) - c] + [-h.dp   ]

Rows that are lacking (no cap) are left out; limits change the margin alone: with g = r_j / w_j, dx and h are divided by
1 + h g, after h (t B / w_j - r_j) was taken from dx, and dr_j = t B / w_j - r_j + g dx_j. So what is taken, summed over
buyers, is `target` - `slope` dp, slope = diag(h) - [hv, -h] [..]^-1 [hv, -h]': a matrix product. A buyer that cannot go
all the way (something would turn negative) goes nine tenths of the way to there.

Sums over goods are products with a vector of ones throughout: they use all cores, and plain reductions do not.
"""

import dataclasses
import functools as ft
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.signals.interior import Move, Stance

BYTES = 2**21  # of a table answered at a time: the few that lie between stay in the cache, and all cores have enough
ROWS = 512  # buyers answered at a time, at least: with fewer there is no end of blocks
HELD = ("bundle", "kept", "spare", "left")  # what moves by the share that keeps all of it positive
ROUNDED = 1e-6  # of a price, up to which a residual is float32's rounding
SHORT = 0.9  # of the way to where something turns negative


class Promise(NamedTuple):
    """The rows of a buyer's 2 x 2 system, [buyers] each: see the head of this file.

    `big` u/l + h.v^2 + h_0, and `fixed`, what of it is not of the goods; `first`: its right side. Where there are
    caps: `cross` sum_j h_j v_j, `wide` w/r + sum_j h_j, `second`: its right side.
    """

    big: Any
    fixed: Any
    first: Any
    cross: Any = None
    wide: Any = None
    second: Any = None

    def duals(self, first, second):
        """(dl, dr) for the right sides; dr 0 without caps."""
        if self.cross is None:
            return first / self.big, jnp.zeros_like(first)
        rent = (second + self.cross / self.big * first) / (self.wide - self.cross * self.cross / self.big)
        return (first + self.cross * rent) / self.big, rent


class Bidder(Agent):
    """A buyer and where it is on the path. All fields but `value` are made by `opening`."""

    value: Float[Array, "*buyers goods"]
    budget: Float[Array, "*buyers"]
    bundle: Float[Array, "*buyers goods"]
    slack: Float[Array, "*buyers goods"]
    worth: Float[Array, "*buyers"]
    promise: Any = None
    kept: Any = None  # Float[Array, "*buyers"], or None
    idle: Any = None  # Float[Array, "*buyers"], or None
    cap: Any = None  # Float[Array, "*buyers"], or None
    spare: Any = None  # Float[Array, "*buyers"], or None
    rent: Any = None  # Float[Array, "*buyers"], or None
    limit: Any = None  # Float[Array, "*buyers goods"], or None
    left: Any = None  # Float[Array, "*buyers goods"], or None
    premium: Any = None  # Float[Array, "*buyers goods"], or None

    @classmethod
    def opening(cls, value, budget, price, supply, money: bool = False, cap=None, limit=None) -> "Bidder":
        """Stacked buyers at the start: each holds its budget's share of everything, or what its caps allow of it."""
        share = budget[:, None] * supply
        share = share if limit is None else jnp.minimum(share, 0.5 * limit)
        if cap is not None:
            share = share * jnp.minimum(1, 0.5 * cap / jnp.maximum(share.sum(1), jnp.finfo(share.dtype).tiny))[:, None]
        kept = 0.5 * budget if money else None
        got = (value * share).sum(1) + (0 if kept is None else kept)
        rent = None if cap is None else 0.1 * budget / cap
        premium = None if limit is None else 0.1 * budget[:, None] / (limit * supply.size)
        dear = price + (0 if rent is None else rent[:, None]) + (0 if premium is None else premium)
        dear = jnp.broadcast_to(dear, value.shape)
        most = jnp.min(jnp.where(value > 0, dear / jnp.where(value > 0, value, 1), jnp.inf), 1)
        most = jnp.minimum(most, 1) if money else most
        worth = jnp.minimum(budget / jnp.maximum(got, jnp.finfo(share.dtype).tiny), 0.8 * most)
        slack, idle = dear - worth[:, None] * value, 1 - worth if money else None
        one = jnp.ones_like(budget)  # nobody moves in the first round: nothing has been promised
        promise = Promise(one, one, one) if cap is None else Promise(one, one, one, one, 2 * one, one)
        spare = None if cap is None else jnp.maximum(cap - share.sum(1), 0.1 * cap)
        left = None if limit is None else limit - share
        return cls(value, budget, share, slack, worth, promise, kept, idle, cap, spare, rent, limit, left, premium)

    def respond(self, view: View, key):
        """Moves on, and says what it would take next."""
        one = jax.tree.map(lambda x: x[None], self)
        moved, stance = one.tally(view, None)
        return jax.tree.map(lambda x: x[0], moved), stance

    def tally(self, view: View, keys):
        """The same for stacked buyers, summed, block by block."""

        def few(part: "Bidder"):
            return part.moved(view.public).stance(view.public)

        count = self.budget.shape[0]
        rows = block(count, self.value.shape[-1] * self.value.dtype.itemsize)
        if rows == count:
            return few(self)
        cut = jax.tree.map(lambda x: x.reshape(-1, rows, *x.shape[1:]), self)
        moved, stances = jax.lax.map(few, cut)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), moved), jax.tree.map(lambda x: x.sum(0), stances)

    def margin(self, price, tightness):
        """(h, a) [buyers, goods]: dx = a - h (dz - residual)."""
        apart = (tightness * self.budget)[:, None]
        h, a = self.bundle / self.slack, (apart - self.bundle * self.residual(price)) / self.slack - self.bundle
        if self.limit is None:
            return h, a
        shrunk = 1 / (1 + h * self.premium / self.left)
        return h * shrunk, (a - h * (apart / self.left - self.premium)) * shrunk

    def residual(self, price):
        """By how much slack is not what it is called: 0 but for rounding, which is left alone, and where facts have changed."""
        dear = price + (0 if self.rent is None else self.rent[:, None]) + (0 if self.premium is None else self.premium)
        off = dear - self.worth[:, None] * self.value - self.slack
        return jnp.where(jnp.abs(off) > ROUNDED * dear, off, 0)

    def moved(self, told: Move) -> "Bidder":
        """Stacked buyers after the step that the announced move of prices asks for."""
        more = self.change(told)
        primal = ft.reduce(jnp.minimum, [least(getattr(self, f), more[f]) for f in HELD if f in more])
        going = (told.tightness > 0).astype(primal.dtype)
        share: dict[str, Any] = dict.fromkeys(HELD, going * primal)
        whole = jnp.broadcast_to(going, primal.shape)
        new = {f: getattr(self, f) + along(share.get(f, whole), d) * d for f, d in more.items()}
        return dataclasses.replace(self, **new)

    def change(self, told: Move) -> dict[str, Any]:
        """The change of every field that moves, prices having risen."""
        rose, tightness, before = told.rose, told.tightness, told.price - told.rose
        h, a = self.margin(before, tightness)
        promise, capped = self.promise, self.cap is not None
        first = promise.first + goods(h * self.value * rose)
        dl, dr = promise.duals(first, promise.second - h @ rose if capped else None)
        dear = rose + dr[:, None] if capped else rose
        bundle = a - h * (dear - self.value * dl[:, None])
        more = {"bundle": bundle}
        if capped:
            dr = jnp.maximum(dr, -SHORT * self.rent)
            more |= {"rent": dr, "spare": self.cap - goods(self.bundle) - self.spare - goods(bundle)}
            dear = rose + dr[:, None]
        if self.limit is not None:
            premium = (tightness * self.budget)[:, None] / self.left - self.premium + self.premium / self.left * bundle
            premium = jnp.maximum(premium, -SHORT * self.premium)
            more |= {"left": -bundle, "premium": premium}
            dear = dear + premium
        if self.kept is not None:
            more |= {"kept": tightness * self.budget / self.idle - self.kept + self.kept / self.idle * dl}
        dear = dear + self.residual(before)
        # Prices have moved for all; the worth of utility is the buyer's own, and gives way so that slacks stay positive.
        room = jnp.where(self.value > 0, (SHORT * self.slack + dear) / self.value, jnp.inf)
        dl = jnp.minimum(dl, jnp.min(room, 1))
        if self.kept is not None:
            dl = jnp.minimum(dl, SHORT * self.idle)
        dl = jnp.maximum(dl, -SHORT * self.worth)
        if self.kept is not None:
            more |= {"idle": -dl}
        return more | {"worth": dl, "slack": dear - dl[:, None] * self.value}

    def stance(self, told: Move) -> tuple["Bidder", Stance]:
        """Stacked buyers with a new promise, and the sum of what they hold and would take."""
        h, a = self.margin(told.price, told.next)
        promise = self.promised(h, a, told.next)
        dl, dr = promise.duals(promise.first, promise.second)
        root = jnp.sqrt(promise.big)
        one = h * self.value / root[:, None]
        held = buyers(self.bundle)
        target = held + buyers(a) + (dl * root) @ one - (0 if self.cap is None else dr @ h)
        slope = slope_of(promise, h, one, self.value)
        apart = jnp.vdot(self.bundle, self.slack) + (0 if self.kept is None else jnp.vdot(self.kept, self.idle))
        stance = Stance(held, self.valued(held, told.price), target, slope, apart, self.shortfall())
        return dataclasses.replace(self, promise=promise), stance

    def valued(self, held, price):
        """What is held is worth at the margin, money [goods]: its price, and rents where there are any."""
        capped = self.cap is not None or self.limit is not None
        return self.worth @ (self.value * self.bundle) if capped else price * held

    def promised(self, h, a, tightness) -> Promise:
        """The system of the next step."""
        got, real, apart = self.got(), self.budget > 0, tightness * self.budget
        worth = jnp.where(real, self.worth, 1)
        fixed = jnp.where(real, got / worth, 1)
        first = jnp.where(real, self.budget / worth - got, 0) - goods(self.value * a)
        if self.kept is not None:
            fixed = fixed + self.kept / self.idle
            first = first - (apart / self.idle - self.kept)
        big = fixed + goods(h * self.value * self.value)
        if self.cap is None:
            return Promise(big, fixed, first)
        second = apart / self.rent - self.cap + goods(self.bundle) + goods(a)
        return Promise(big, fixed, first, goods(h * self.value), self.spare / self.rent + goods(h), second)

    def shortfall(self):
        """sum_i of B log(B / (l u)) and of what is kept or paid as rent: with p.supply - sum B, no less than the gap.

        B / l is what the budget would buy at the most, as no good is worth more than its price at l.
        """
        got, real = self.got(), self.budget > 0
        short = self.budget * jnp.log(jnp.where(real, self.budget / jnp.where(real, self.worth * got, 1), 1))
        short = short if self.rent is None else short + self.rent * self.cap
        short = short if self.premium is None else short + goods(self.premium * self.limit)
        return jnp.sum(short if self.kept is None else short + self.kept)

    def got(self):
        """Utility, [buyers]."""
        got = goods(self.value * self.bundle)
        return got if self.kept is None else got + self.kept


def block(count: int, width: int) -> int:
    """How many of `count` buyers are answered at a time, whose rows have `width` bytes: all, or the largest divisor that fits."""
    most = max(1, BYTES // width)
    rows = count if count <= most else max(k for k in range(1, most + 1) if count % k == 0)
    return rows if rows >= ROWS or rows == most else count


def goods(table):
    """The sum over goods, [buyers]: a product uses all cores, where a reduction along rows does not.

    A column, so that a sum that follows is not joined to it: then `table` itself need not be written down.
    """
    return (table @ jnp.ones((table.shape[-1], 1), table.dtype))[:, 0]


def buyers(table):
    """The sum over buyers, [goods]."""
    return jnp.ones(table.shape[0], table.dtype) @ table


def slope_of(promise: Promise, h, one, value):
    """How much less is taken for every rise of prices, summed, [goods, goods]; `one`: h v / sqrt(big)."""
    big, cross, wide = promise.big, promise.cross, promise.wide
    if cross is None and h.dtype != jnp.float64:  # which has digits to spare
        return off_diagonal(-one.T @ one) + jnp.diag(buyers(h * rest(promise, h * value * value) / big[:, None]))
    slope = jnp.diag(buyers(h)) - one.T @ one
    if cross is None:
        return slope
    two = ((cross / big)[:, None] * (h * value) - h) / jnp.sqrt(wide - cross * cross / big)[:, None]
    return slope - two.T @ two


def rest(promise: Promise, part):
    """`big` less h_j v_j^2 (`part`) [buyers, goods], summed over the others where good j is most of it: nothing cancels."""
    big = promise.big[:, None]
    most = 2 * part > big  # of one good at most
    others = promise.fixed + goods(jnp.where(most, 0, part))
    return jnp.where(most, others[:, None], big - part)


def off_diagonal(matrix):
    """The matrix with zeros on its diagonal."""
    return jnp.where(jnp.eye(matrix.shape[0], dtype=bool), 0, matrix)


def along(share, like):
    """A number a buyer, to be multiplied with `like`."""
    return share[:, None] if like.ndim > 1 else share


def least(x, change):
    """The share of a change, at most 1, that leaves everything of a row above a tenth of what it was."""
    most = jnp.max((-change / x).reshape(len(x), -1), 1)
    return SHORT / jnp.maximum(SHORT, most)
