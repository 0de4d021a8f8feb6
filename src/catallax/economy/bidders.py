"""Buyers of linear wants who follow the central path, each by itself: what they hold, and what they would take.

A buyer with budget B wants u = v.x (+ money kept, k, where money is wanted for itself), perhaps of at most c units in all:

    min  -B log u + p.x + k      x >= 0, k >= 0, sum_j x_j + w = c, w >= 0

With l = B/u, the worth of utility in money, and r >= 0, the rent of the cap, the conditions on the path of tightness t are

    z = p + r - l v,   z_0 = 1 - l,   x_j z_j = k z_0 = r w = t B

Newton's step, told dp, is in closed form: with h_j = x_j / z_j (h_0 = k / z_0),

    dx = a - h dp + (h v) dl - h dr

    [u/l + h.v^2 + h_0     -h.v        ] [dl]   [(B - l u)/l - v.a - a_0           ]   [(h v).dp]
    [     -h.v         w/r + sum_j h_j ] [dr] = [t B/r - w - (c - x.1 - w) + a.1   ] + [-h.dp   ]

a the step that tightness and residuals ask for at unmoved prices. Rows that are lacking (no cap) are left out. So what is
taken, summed over buyers, is `target` - `slope` dp, slope = diag(h) - [hv, -h] [..]^-1 [hv, -h]': a matrix product.
A buyer that cannot go all the way (something would turn negative) goes nine tenths of the way to there.
"""

import dataclasses
import functools as ft
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.signals.interior import Move, Stance

ROWS = 512  # buyers answered at a time
SHORT = 0.9  # of the way to where something turns negative


class Bidder(Agent):
    """A buyer and where it is on the path. All fields but `value` are made by `opening`."""

    value: Float[Array, "*buyers goods"]
    budget: Float[Array, "*buyers"]
    bundle: Float[Array, "*buyers goods"]
    slack: Float[Array, "*buyers goods"]
    worth: Float[Array, "*buyers"]
    kept: Any = None  # Float[Array, "*buyers"], or None
    idle: Any = None  # Float[Array, "*buyers"], or None
    cap: Any = None  # Float[Array, "*buyers"], or None
    spare: Any = None  # Float[Array, "*buyers"], or None
    rent: Any = None  # Float[Array, "*buyers"], or None

    @classmethod
    def opening(cls, value, budget, price, supply, money: bool = False, cap=None) -> "Bidder":
        """Stacked buyers at the start: each holds its budget's share of everything, or what its cap allows of it."""
        share = budget[:, None] * supply
        if cap is not None:
            share = share * jnp.minimum(1, 0.5 * cap / jnp.maximum(share.sum(1), jnp.finfo(share.dtype).tiny))[:, None]
        kept = 0.5 * budget if money else None
        got = (value * share).sum(1) + (0 if kept is None else kept)
        rent: Any = None if cap is None else 0.1 * budget / cap
        dear = jnp.broadcast_to(price if rent is None else price + rent[:, None], value.shape)
        most = jnp.min(jnp.where(value > 0, dear / jnp.where(value > 0, value, 1), jnp.inf), 1)
        most = jnp.minimum(most, 1) if money else most
        worth = jnp.minimum(budget / jnp.maximum(got, jnp.finfo(share.dtype).tiny), 0.8 * most)
        slack, idle = dear - worth[:, None] * value, 1 - worth if money else None
        if cap is None or rent is None:
            return cls(value, budget, share, slack, worth, kept, idle)
        spare = jnp.maximum(cap - share.sum(1), 0.1 * cap)
        return cls(value, budget, share, slack, worth, kept, idle, cap, spare, rent)

    def respond(self, view: View, key):
        """Moves on, and says what it would take next."""
        one = jax.tree.map(lambda x: x[None], self)
        moved, stance = one.tally(view, None)
        return jax.tree.map(lambda x: x[0], moved), stance

    def tally(self, view: View, keys):
        """The same for stacked buyers, summed; a few at a time, so that what lies between stays in the cache."""

        def few(part: "Bidder"):
            moved = part.moved(view.public)
            return moved, moved.stance(view.public)

        count = self.budget.shape[0]
        if count <= ROWS or count % ROWS:
            return few(self)
        cut = jax.tree.map(lambda x: x.reshape(-1, ROWS, *x.shape[1:]), self)
        moved, stances = jax.lax.map(few, cut)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), moved), jax.tree.map(lambda x: x.sum(0), stances)

    def moved(self, told: Move) -> "Bidder":
        """Stacked buyers after the step that the announced move of prices asks for."""
        more = Step.of(self, told.price - told.rose, told.tightness).taken(self, told.rose)
        primal = ft.reduce(
            jnp.minimum, [least(getattr(self, f), more[f]) for f in ("bundle", "kept", "spare") if f in more]
        )
        going = (told.tightness > 0).astype(primal.dtype)
        share: dict[str, Any] = dict.fromkeys(("bundle", "kept", "spare"), going * primal)
        whole = jnp.broadcast_to(going, primal.shape)
        new = {f: getattr(self, f) + along(share.get(f, whole), d) * d for f, d in more.items()}
        return dataclasses.replace(self, **new)

    def stance(self, told: Move) -> Stance:
        """The sum over stacked buyers of what they hold and would take."""
        step = Step.of(self, told.price, told.next)
        apart = jnp.sum(self.bundle * self.slack) + (0 if self.kept is None else jnp.sum(self.kept * self.idle))
        held = self.bundle.sum(0)
        return Stance(held, held + step.unmoved(), step.slope(), apart, self.shortfall(told.price))

    def shortfall(self, price):
        """sum_i of B log(V / u) and of what is kept or paid as rent: with p.supply - sum B, the gap."""
        got, kept = self.got(), self.kept
        rent = 0 if self.rent is None else self.rent[:, None]
        best = jnp.max(self.value / (price + rent), 1)
        best = best if kept is None else jnp.maximum(best, 1)
        real = self.budget > 0
        short = self.budget * jnp.log(jnp.where(real, self.budget * best / jnp.where(real, got, 1), 1))
        short = short if self.rent is None else short + self.rent * self.cap
        return jnp.sum(short if kept is None else short + kept)

    def got(self):
        """Utility, [buyers]."""
        return jnp.sum(self.value * self.bundle, 1) + (0 if self.kept is None else self.kept)


def off_diagonal(matrix):
    """The matrix with zeros on its diagonal."""
    return jnp.where(jnp.eye(matrix.shape[0], dtype=bool), 0, matrix)


def along(share, like):
    """A number a buyer, to be multiplied with `like`."""
    return share[:, None] if like.ndim > 1 else share


def least(x, change):
    """The share of a change, at most 1, that leaves everything of a row above a tenth of what it was."""
    share = jnp.min(jnp.where(change < 0, SHORT * x / jnp.where(change < 0, -change, 1), 1).reshape(len(x), -1), 1)
    return jnp.minimum(1, share)


class Step(NamedTuple):
    """Newton's step of stacked buyers, up to the move of prices: see the head of this file."""

    h: Any
    hv: Any
    a: Any
    idle: Any  # h_0 and a_0
    first: Any  # A, c_1
    fixed: Any  # what of A is not of the goods
    second: Any  # (S, W, c_2) where there are caps
    residual: Any
    value: Any

    @classmethod
    def of(cls, at: Bidder, price, tightness) -> "Step":
        value, budget = at.value, at.budget
        apart = tightness * budget
        rent = 0 if at.rent is None else at.rent[:, None]
        residual = price + rent - at.worth[:, None] * value - at.slack
        h = at.bundle / at.slack
        a = apart[:, None] / at.slack - at.bundle - h * residual
        hv = h * value
        got, real = at.got(), budget > 0
        fixed = jnp.where(real, got / jnp.where(real, at.worth, 1), 1)
        c = jnp.where(real, budget / jnp.where(real, at.worth, 1) - got, 0) - jnp.sum(value * a, 1)
        idle = second = None
        if at.kept is not None:
            h0 = at.kept / at.idle
            idle = h0, apart / at.idle - at.kept - h0 * (1 - at.worth - at.idle)
            fixed, c = fixed + h0, c - idle[1]
        big = fixed + jnp.sum(hv * value, 1)
        if at.cap is not None:
            c2 = apart / at.rent - at.spare - (at.cap - at.bundle.sum(1) - at.spare) + a.sum(1)
            second = hv.sum(1), at.spare / at.rent + h.sum(1), c2
        return cls(h, hv, a, idle, (big, c), fixed, second, residual, value)

    def duals(self, first, second):
        """(dl, dr) for the right sides; dr 0 without caps."""
        big, _ = self.first
        if self.second is None:
            return first / big, jnp.zeros_like(first)
        s, w, _ = self.second
        rent = (second + s / big * first) / (w - s * s / big)
        return (first + s * rent) / big, rent

    def unmoved(self):
        """What is taken more at unmoved prices, summed, [goods]."""
        dl, dr = self.duals(self.first[1], None if self.second is None else self.second[2])
        return self.a.sum(0) + dl @ self.hv - dr @ self.h

    def slope(self):
        """How much less is taken for every rise of prices, summed, [goods, goods]."""
        big, _ = self.first
        one = self.hv / jnp.sqrt(big)[:, None]
        if self.second is None:
            return off_diagonal(-one.T @ one) + jnp.diag((self.h * (self.rest() / big[:, None])).sum(0))
        slope = jnp.diag(self.h.sum(0)) - one.T @ one
        s, w, _ = self.second
        two = ((s / big)[:, None] * self.hv - self.h) / jnp.sqrt(w - s * s / big)[:, None]
        return slope - two.T @ two

    def rest(self):
        """A - h_j v_j^2 [buyers, goods], summed over the others where good j is most of A: nothing cancels."""
        big, _ = self.first
        part = self.hv * self.value
        most = 2 * part > big[:, None]  # of one good at most
        others = self.fixed + jnp.sum(jnp.where(most, 0, part), 1)
        return jnp.where(most, others[:, None], big[:, None] - part)

    def taken(self, at: Bidder, rose) -> dict[str, Any]:
        """The change of every field that moves, when prices rise by `rose`."""
        first = self.first[1] + self.hv @ rose
        dl, dr = self.duals(first, None if self.second is None else self.second[2] - self.h @ rose)
        bundle = self.a - self.h * rose + self.hv * dl[:, None] - self.h * dr[:, None]
        more = {"bundle": bundle}
        if self.second is not None:
            dr = jnp.maximum(dr, -SHORT * at.rent)
            more |= {"rent": dr, "spare": at.cap - at.bundle.sum(1) - at.spare - bundle.sum(1)}
        if self.idle is not None:
            more |= {"kept": self.idle[1] + self.idle[0] * dl}
        # Prices have moved for all; the worth of utility is the buyer's own, and gives way so that slacks stay positive.
        dear = self.residual + rose + dr[:, None]
        most = jnp.min(
            jnp.where(self.value > 0, (SHORT * at.slack + dear) / jnp.where(self.value > 0, self.value, 1), jnp.inf), 1
        )
        dl = jnp.minimum(dl, most)
        if self.idle is not None:
            dl = jnp.minimum(dl, SHORT * at.idle + 1 - at.worth - at.idle)
        dl = jnp.maximum(dl, -SHORT * at.worth)
        if self.idle is not None:
            more |= {"idle": 1 - at.worth - at.idle - dl}
        more |= {"worth": dl, "slack": dear - dl[:, None] * self.value}
        return more
