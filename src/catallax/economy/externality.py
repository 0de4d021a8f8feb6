"""A good whose use harms others: prices alone then fail, and a tax repairs them.

    silence           no price is called: nobody buys anything
    signal            everyone hears the price (and tax) and buys what it is worth (competitive equilibrium)
    planner           the greatest welfare
    full information  everyone also knows what the own purchase does to the price and to the own suffering (Nash)

Consumer i draws b_i x_i - c_i x_i^2 / 2 from x_i, and suffers h_i X^2 / 2 from all that is used, X = sum_i x_i (smoke). Makers
supply X at the price k + m X, their marginal cost. All in units of money, tax handed back and profits shared equally, so

    W = sum_i [b_i x_i - c_i x_i^2 / 2] - k X - m X^2 / 2 - H X^2 / 2,     H = sum_i h_i

    who believes in the share l of the own effect      b_i - c_i x_i = k + m X + tax + l (m x_i + h_i X)
    planner                                            b_i - c_i x_i = k + m X + H X

so Pigou's tax H X*, the harm that one more unit does to all at the optimum X*, makes the price-takers' equilibrium optimal.
Given X, each answers by a formula, and the sum of answers falls in X: every regime has one solution. Efficiency is W over
that of the planner; it is below 0 where all would be better off without the good.

A. Pigou, The economics of welfare, 1920.
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Scene
from catallax.core.settle import settle
from catallax.core.society import Society
from catallax.economy.checks import check_numbers
from catallax.economy.consumers import Consumer, TaxedPrice, bought
from catallax.economy.facts import floats


class Externality(Problem):
    """Consumers of a good that harms all who live there.

    **Fields:** `benefit` b [consumers]: money that the first unit is worth; `satiation` c [consumers] > 0: how much less each
    further one; `harm` h [consumers] >= 0 (suffers h X^2 / 2); `base` k >= 0 and `rise` m >= 0: marginal cost k + m X;
    `tax` on each unit (negative: a subsidy); `names`, for pictures.

    **Raises** `BadInput` where a fact is missing or impossible, or nobody values the first unit above its cost.
    """

    benefit: Float[Array, " consumers"] = eqx.field(converter=floats)
    satiation: Float[Array, " consumers"] = eqx.field(converter=floats)
    harm: Float[Array, " consumers"] = eqx.field(converter=floats)
    base: Float[Array, ""] = eqx.field(converter=floats, default=0.0)
    rise: Float[Array, ""] = eqx.field(converter=floats, default=0.0)
    tax: Float[Array, ""] = eqx.field(converter=floats, default=0.0)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        check_numbers("Externality.benefit", self.benefit, ("consumers",))
        check_numbers("Externality.satiation", self.satiation, self.benefit.shape, np.nextafter(0, 1))
        check_numbers("Externality.harm", self.harm, self.benefit.shape, 0.0)
        for field, least in dict(base=0.0, rise=0.0, tax=-np.inf).items():
            check_numbers(f"Externality.{field}", getattr(self, field), (), least)
        if not self.traced and not (np.asarray(self.benefit) > np.asarray(self.base)).any():
            raise BadInput(f"nobody values the first unit above its cost {float(self.base):g}: there is no market")
        if self.names is not None and len(self.names) != self.benefit.size:
            raise BadInput(f"Externality.names has {len(self.names)} entries: give one for each of {self.benefit.size}")

    @classmethod
    def example(cls) -> "Externality":
        """Eight who heat with coal in one valley: untaxed, they burn 1.7 times what would be best for all."""
        benefit = np.array([12.0, 11, 10, 9, 8, 8, 7, 6])
        return cls(benefit, np.ones(8), np.full(8, 0.015), base=2.0, rise=0.05)

    @property
    def traced(self) -> bool:
        """True inside `jit` or `grad`."""
        return any(isinstance(x, Tracer) for x in jax.tree.leaves(self))

    def exact(self) -> tuple[Any, ...]:
        """b, c, h, k, m and the tax in float64: what judges outcomes."""
        facts = (self.benefit, self.satiation, self.harm, self.base, self.rise, self.tax)
        return tuple(np.asarray(x, np.float64) for x in facts)

    # --- the regimes ---

    def society(self, leak: float | Float[Array, ""] = 0.0) -> Society:
        """Consumers and the price, at first that of nothing bought."""
        if isinstance(leak, (int, float)) and not 0 <= leak <= 1:
            raise BadInput(f"leak is {leak!r}: the believed share of the own effect must be in [0, 1]")
        informed = not (isinstance(leak, (int, float)) and leak == 0)
        known = jnp.asarray(leak, self.benefit.dtype) if informed else None
        agents = Consumer(self.benefit, self.satiation, self.harm, self.rise, known)
        steep = (self.rise + leak * self.harm) / (self.satiation + leak * self.rise)
        step = 1 / (1 + steep.sum())  # where all buy, the answer to X is linear, and this goes there at once
        choke = jnp.maximum(jnp.max(self.benefit), self.base + 1)
        reach = jnp.sum(jnp.maximum(self.benefit - self.base - jnp.minimum(self.tax, 0), 0) / self.satiation)
        signal = TaxedPrice(jnp.zeros_like(self.rise), self.base, self.rise, self.tax, step, choke, reach, informed)
        return Society(agents, signal)

    def silence(self) -> Outcome:
        """No price is called, so nobody buys."""
        return Outcome(values=self.valued(np.zeros(self.benefit.shape)), certificate=0.0)

    def plan(self) -> Outcome:
        """The greatest welfare: X by bisection; certificate: the largest slope of W that is left, as a share of b."""
        b, c, h, k, m, _ = self.exact()
        quantity = self.balanced(lambda total: np.maximum(b - k - (m + h.sum()) * total, 0) / c)
        slope = b - c * quantity - k - (m + h.sum()) * quantity.sum()
        left = np.where(quantity > 0, np.abs(slope), np.maximum(slope, 0))
        return self.ended(quantity, float(left.max() / np.abs(b).max()))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Nash at the settled rounds of those who know their own effects; certificate: the largest gain left to anyone."""
        if leak == 0:
            return settle(self)
        rest = settle(self.society(leak))
        values = self.outcome(rest.society).values
        found = dataclasses.replace(rest, values=values)
        left = self.gain(found) if leak == 1 else 0.0
        certificate = max(float(rest.certificate), left)
        status = Status.SETTLED if certificate <= 1e-6 else Status.UNSETTLED
        return dataclasses.replace(found, certificate=certificate, code=CODES.index(status))

    def ended(self, quantity: np.ndarray, certificate: float) -> Outcome:
        status = Status.SETTLED if certificate <= 1e-6 else Status.UNSETTLED
        return Outcome(code=CODES.index(status), certificate=certificate, values=self.valued(quantity))

    def balanced(self, answer: Any) -> np.ndarray:
        """The quantities that answer to their own sum; `answer` falls in it."""
        from scipy.optimize import brentq

        most = float(answer(0.0).sum())
        if not most:
            return answer(0.0)
        return answer(brentq(lambda total: float(answer(total).sum() - total), 0.0, most, xtol=1e-300))

    # --- the tax ---

    def taxed(self, tax: Any) -> "Externality":
        """The same market with another tax."""
        return dataclasses.replace(self, tax=tax)

    def pigou_tax(self) -> float:
        """H X*: the harm that one more unit does to all at the planner's optimum."""
        return float(self.exact()[2].sum() * self.plan().quantity.sum())

    def total_welfare(self, society: Society) -> Any:
        """W of what consumers buy at the society's price. Differentiable: the tax that is best can be found by gradient."""
        heard = society.signal.public()
        agents = society.agents
        if agents.leak is not None:
            raise Refused("total_welfare is of price-takers: give society() without a leak")
        quantity = bought(agents.benefit, agents.satiation, heard)
        total = quantity.sum()
        drawn = (agents.benefit * quantity - agents.satiation * quantity**2 / 2).sum()
        return drawn - self.base * total - (self.rise + self.harm.sum()) * total**2 / 2

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """What is bought at the price that is heard (default: the exact one)."""
        b, c, h, k, m, tax = self.exact()
        signal: Any = society.signal
        told = signal.public() if heard is None else heard
        leak = 0.0 if society.agents.leak is None else float(society.agents.leak)
        price, total = (np.asarray(x, np.float64) for x in (told if signal.all else (told, 0.0)))
        quantity = np.maximum(b - price - leak * h * total, 0) / (c + leak * m)
        announced = np.asarray(signal.total, np.float64)
        return Outcome(society, values=self.valued(quantity) | {"price": float(k + m * announced + tax)})

    def valued(self, quantity: np.ndarray) -> dict[str, Any]:
        """`quantity` [consumers]; `utilities` [consumers], which add up to W."""
        b, c, h, k, m, _ = self.exact()
        total = quantity.sum()
        price = k + m * total
        profit = m * total**2 / 2  # the tax comes back to those who pay it, all together: it cancels from the sum
        share = (profit + float(self.exact()[5]) * total) / len(b)
        own = b * quantity - c * quantity**2 / 2 - (price + float(self.exact()[5])) * quantity - h * total**2 / 2
        return {"quantity": quantity, "utilities": own + share}

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency` W / W*, `total` W, `harm` done to all, `revenue` of the tax."""
        h, tax = self.exact()[2].sum(), float(self.exact()[5])
        total, used = float(outcome.utilities.sum()), float(outcome.quantity.sum())
        best = float(self.plan().utilities.sum())
        return dict(efficiency=total / best, total=total, harm=float(h * used**2 / 2), revenue=tax * used)

    def gap(self, outcome: Outcome) -> float:
        """How far the announced price is from that of what is bought at it, as a share of the largest benefit."""
        b, _, _, k, m, tax = self.exact()
        return float(abs(k + m * outcome.quantity.sum() + tax - outcome.price) / np.abs(b).max())

    def gain(self, outcome: Outcome) -> float:
        """The most that one could gain by buying otherwise, the others' purchases standing; a share of the best b^2 / 2 c."""
        b, c, h, k, m, tax = self.exact()
        x, total = outcome.quantity, outcome.quantity.sum()
        others = total - x
        best = np.maximum(b - k - m * others - tax - h * others, 0) / (c + 2 * m + h)

        def own(q):
            return b * q - c * q**2 / 2 - (k + m * (others + q) + tax) * q - h * (others + q) ** 2 / 2

        return max(0.0, float((own(best) - own(x)).max() / (b**2 / (2 * c)).max()))

    def effect(self, outcome: Outcome) -> float:
        """The own share of all that is used, the largest of anyone's."""
        used = outcome.quantity.sum()
        return float(outcome.quantity.max() / used) if used > 0 else 0.0

    def scene(self, society: Society) -> Scene:
        """Who uses how much."""
        names = self.names or tuple(f"consumer {i + 1}" for i in range(self.benefit.size))
        return Scene("externality", (Bars(names, self.outcome(society).quantity, "quantity"),))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        return dict(
            signal="price", measure="efficiency (of the best welfare)", population=f"{self.benefit.size:,} consumers"
        )

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Externality":
        """The same valley with the consumers `keep` alone."""
        chosen = np.arange(self.benefit.size)[np.asarray(keep)]
        left = np.asarray(self.benefit)[chosen]
        if not (left > np.asarray(self.base)).any():
            raise Refused("nobody who values the first unit above its cost would be left: there is no market")
        names = None if self.names is None else tuple(self.names[i] for i in chosen)
        satiation, harm = (np.asarray(x)[chosen] for x in (self.satiation, self.harm))
        return Externality(left, satiation, harm, self.base, self.rise, self.tax, names)

    def replicate(self, copies: int) -> "Externality":
        """Each consumer `copies` times, with as many times the makers and the air: per head everything is as it was."""
        facts = [np.tile(np.asarray(x), copies) for x in (self.benefit, self.satiation, self.harm)]
        names = None if self.names is None else tuple(f"{n} {c + 1}" for c in range(copies) for n in self.names)
        return Externality(facts[0], facts[1], facts[2] / copies**2, self.base, self.rise / copies, self.tax, names)

    def shocked(self, key: Any, size: float) -> "Externality":
        """How much the first unit is worth above its cost multiplied by exp(size x normal), independently."""
        factor = jnp.exp(size * jax.random.normal(key, self.benefit.shape, self.benefit.dtype))
        return dataclasses.replace(self, benefit=self.base + (self.benefit - self.base) * factor)
