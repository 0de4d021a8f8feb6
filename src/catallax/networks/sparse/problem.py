"""Sparse coding as a decentralised system: neurons that compete for a sample through what is still unexplained of it.

    neuron i      hears the residual r, knows its own atom d_i, membrane u_i and penalty
                  u_i <- u_i + rate (d_i.r + a_i - u_i),   a_i = T(u_i)          (Rozell et al. 2008, Euler's rule)
    signal        r = x - sum_i a_i d_i  (`signals.inhibition`)

    silence           nobody hears of anybody: a_i = T(d_i.x), the threshold alone
    signal            the residual: at rest the LASSO point, with its duality gap as certificate
    planner           the LASSO, by an exact active set (`networks.sparse.active`)
    full information  each neuron in turn says what is best for the sum given all others: coordinate descent. It is a potential
                      game: nobody gains by deviating at the LASSO point alone

Welfare is the least cost over the cost, P* / P: 1 is optimal.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status, digest
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.society import Society
from catallax.networks.sparse import active
from catallax.networks.sparse.atoms import Atoms, shrink
from catallax.networks.sparse.batch import Aim
from catallax.networks.sparse.certificate import bounds, price
from catallax.networks.sparse.dictionary import tiles
from catallax.networks.sparse.lca import EDGE
from catallax.networks.sparse.measures import active_share, activity_shares, dead_units, winners_entropy
from catallax.signals.inhibition import Inhibition, Said

EXACT = 1e-12  # the gap that the planner stops at
KEPT = 16  # plans remembered
PLANS: dict[str, np.ndarray] = {}
SHOWN = 8  # samples in a picture, and neurons among its bars


class Neuron(Agent):
    """A neuron with an atom, for all samples at once. `membrane` moves; all else is a fact."""

    membrane: Float[Array, "*neurons samples"]
    atom: Float[Array, "*neurons pixels"]
    penalty: Float[Array, ""]
    rate: Float[Array, ""]
    positive: bool = eqx.field(static=True, default=False)

    def threshold(self, membrane):
        """What is said at this potential."""
        beyond = jnp.maximum(jnp.abs(membrane) - self.penalty, 0)
        return jnp.where(membrane > 0, beyond, 0) if self.positive else jnp.sign(membrane) * beyond

    def respond(self, view: View, key) -> tuple["Neuron", Said]:
        moved, match, before, after = self.step(view.public @ self.atom)
        return moved, Said(after[:, None] * self.atom, self.penalty * jnp.abs(before), self.loudness(match))

    def tally(self, view: View, keys) -> tuple["Neuron", Said]:
        """All neurons at once, by matrix products."""
        moved, match, before, after = self.step(self.atom @ view.public.T)
        cost = self.penalty * jnp.sum(jnp.abs(before), 0)
        return moved, Said(after.T @ self.atom, cost, jnp.max(self.loudness(match), 0))

    def step(self, match):
        """One step of Euler's rule at these matches with the residual: the neuron after it, and what it says before and after."""
        before = self.threshold(self.membrane)
        membrane = self.membrane + self.rate * (match + before - self.membrane)
        moved = eqx.tree_at(lambda n: n.membrane, self, membrane)
        return moved, match, before, self.threshold(membrane)

    def loudness(self, match):
        """How far the match goes, in penalties: above 1 it would pay to say more."""
        return (match if self.positive else jnp.abs(match)) / self.penalty


def floats(values: Any) -> Any:
    """An array of JAX's float type; a JAX array, or one of float32, keeps its own."""
    if isinstance(values, jax.Array):
        return values
    values = np.asarray(values)
    return jnp.asarray(values if values.dtype == np.float32 else values.astype(np.float64, copy=False))


class SparseCode(Problem):
    """Samples to be explained by few of many neurons.

    **Fields:** `patches` [samples, pixels]; `dictionary` [neurons, pixels], rows of unit norm; `penalty`: what a unit of activity
    costs; `positive`: whether neurons say nothing below 0; `rate`: Euler's step dt / tau, None: close to the largest stable one.

    In float32 gaps come down to a few 1e-6: settle to `tolerance=1e-4`, or use float64 (`jax_enable_x64`).

    **Raises** `BadInput` for samples that hold NaN, atoms that are zero, not of unit norm or of another width, a penalty <= 0.
    """

    patches: Float[Array, "samples pixels"] = eqx.field(converter=floats)
    dictionary: Float[Array, "neurons pixels"] = eqx.field(converter=floats)
    penalty: float = eqx.field(static=True, default=0.1)
    positive: bool = eqx.field(static=True, default=False)
    rate: float | None = eqx.field(static=True, default=None)

    tolerance: ClassVar[float] = 1e-4

    def __check_init__(self) -> None:
        if not 0 < self.penalty < np.inf:
            raise BadInput(f"SparseCode.penalty is {self.penalty!r}: give a number above 0")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise BadInput(f"SparseCode.rate is {self.rate!r}: give a step above 0 and at most 1, or None")
        patches, width = np.asarray(self.patches), Atoms(self.dictionary).table.shape[1]
        fine = np.isfinite(patches).all(axis=1)
        if not fine.all():
            raise BadInput(
                f"SparseCode.patches row {int(np.argmin(fine))} holds NaN or infinity: leave that sample out"
            )
        if patches.shape[1] != width:
            raise BadInput(
                f"SparseCode.patches have {patches.shape[1]} pixels and the atoms {width}: they must be the same"
            )

    @property
    def atoms(self) -> Atoms:
        """The dictionary in float64."""
        return Atoms(self.dictionary)

    @property
    def aim(self) -> Aim:
        """What the planner is asked for."""
        return Aim(self.penalty, self.positive, tolerance=EXACT, max_rounds=2000)

    def society(self, leak: float = 0.0) -> Society:
        """Neurons at rest potential, hearing the samples as they are."""
        if leak:
            raise Refused(
                "a neuron of LCA always reckons with the whole of what it explains itself (G - I: it does not inhibit itself), "
                "so there is no other belief about the own effect to have"
            )
        dtype = self.patches.dtype
        rate = min(1.0, EDGE / self.atoms.strength) if self.rate is None else self.rate
        still = jnp.zeros((len(self.dictionary), len(self.patches)), dtype)
        neurons = Neuron(
            still,
            self.dictionary.astype(dtype),
            jnp.asarray(self.penalty, dtype),
            jnp.asarray(rate, dtype),
            self.positive,
        )
        return Society(neurons, Inhibition(self.patches, self.patches))

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`codes` [samples, neurons], `cost` and `gap` [samples], `price` [samples, pixels], all in float64."""
        membrane = np.asarray(society.agents.membrane, np.float64).T
        return Outcome(society, values=self.valued(shrink(membrane, self.penalty, self.positive)))

    def valued(self, codes: np.ndarray) -> dict[str, Any]:
        """What codes come to."""
        given, atoms = np.asarray(self.patches, np.float64), self.atoms
        found = bounds(given, codes, atoms, self.penalty, self.positive)
        shadow = price(given, codes, atoms, self.penalty, self.positive)
        return dict(codes=codes, cost=found.cost, gap_of_sample=found.gap, price=shadow)

    def gap(self, outcome: Outcome) -> float:
        """The duality gap of the worst sample, (P - D) / P."""
        return float(np.max(outcome.values["gap_of_sample"]))

    def silence(self) -> Outcome:
        """Nobody hears of the others: each says what its own match with the sample makes of it."""
        match = np.asarray(self.patches, np.float64) @ self.atoms.table.T
        return Outcome(values=self.valued(shrink(match, self.penalty, self.positive)), certificate=0.0)

    def plan(self) -> Outcome:
        """The LASSO, exactly."""
        found = self.valued(self.planned())
        gap = float(found["gap_of_sample"].max())
        status = Status.SETTLED if gap <= 1e-9 else Status.UNSETTLED
        return Outcome(code=CODES.index(status), values=found, certificate=gap, unrest=gap)

    def planned(self) -> np.ndarray:
        """The planner's codes, kept for the last few problems."""
        name = digest((self.patches, self.dictionary)) + f" {self.penalty!r} {self.positive}"
        if name not in PLANS:
            while len(PLANS) >= KEPT:
                PLANS.pop(next(iter(PLANS)))
            PLANS[name] = active.encode(np.asarray(self.patches), None, self.atoms, self.aim).codes
        return PLANS[name]

    def contest(self, leak: float = 1.0, rounds: int = 2000, tolerance: float = 1e-9) -> Outcome:
        """Neurons answer in turn, each best for the sum given what all others say: coordinate descent.

        Certificate: the largest share of all cost that one neuron could still save.
        """
        if leak != 1:
            raise Refused(
                "a neuron that reckons with a part of its own effect overshoots by as much: best answers exist at leak 1 alone"
            )
        table, given = self.atoms.table, np.asarray(self.patches, np.float64)
        codes, residual, done, left = np.zeros((len(given), len(table))), given.copy(), 0, np.inf
        while left > tolerance and done < rounds:
            for j, atom in enumerate(table):
                best = shrink(residual @ atom + codes[:, j], self.penalty, self.positive)
                residual += np.outer(codes[:, j] - best, atom)
                codes[:, j] = best
            done, left = done + 1, self.left(codes)
        status = Status.SETTLED if left <= tolerance else Status.UNSETTLED
        return Outcome(code=CODES.index(status), rounds=done, values=self.valued(codes), certificate=left, unrest=left)

    def left(self, codes: np.ndarray) -> float:
        """The largest share of all cost that one neuron could save by itself."""
        table, given = self.atoms.table, np.asarray(self.patches, np.float64)
        residual = given - codes @ table
        match = residual @ table.T
        better = shrink(match + codes, self.penalty, self.positive)
        moved = better - codes
        saved = (match - moved / 2) * moved - self.penalty * (np.abs(better) - np.abs(codes))
        total = (residual**2).sum() / 2 + self.penalty * np.abs(codes).sum()
        return float(saved.sum(0).max() / total) if total > 0 else 0.0

    def effect(self, outcome: Outcome) -> float:
        """The share that the loudest neuron has in what is said of a sample, on average."""
        loud = np.abs(outcome.codes)
        total = loud.sum(1)
        return float((loud.max(1)[total > 0] / total[total > 0]).mean()) if total.any() else 0.0

    def gain(self, outcome: Outcome) -> float:
        """The largest share of all cost that one neuron could save by saying something else."""
        return self.left(outcome.codes)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: the planner's cost over this one. `explained`: the share of all squares. `active`: share of neurons
        that speak for a sample. `entropy` of winners, 0 to 1. `dead`: share of neurons never heard."""
        codes, given = outcome.codes, np.asarray(self.patches, np.float64)
        cost, total = outcome.cost.sum(), (given**2).sum()
        if not np.isfinite(cost):
            return dict.fromkeys(("efficiency", "explained", "active", "entropy", "dead"), float("nan"))
        best = bounds(given, self.planned(), self.atoms, self.penalty, self.positive).cost.sum()
        return dict(
            efficiency=float(best / cost) if cost > 0 else 1.0,
            explained=float(1 - ((given - codes @ self.atoms.table) ** 2).sum() / total) if total > 0 else 1.0,
            active=active_share(codes),
            entropy=winners_entropy(codes),
            dead=float(dead_units(codes).mean()),
        )

    def restrict(self, keep: Any) -> "SparseCode":
        """The problem of the neurons `keep` alone."""
        kept = np.asarray(self.dictionary)[np.asarray(keep)]
        if not len(kept):
            raise Refused("no neurons would be left: nothing can be explained")
        return dataclasses.replace(self, dictionary=kept)

    def replicate(self, copies: int) -> "SparseCode":
        """Each neuron `copies` times: twins share what one says."""
        return dataclasses.replace(self, dictionary=np.concatenate([np.asarray(self.dictionary)] * copies))

    def shocked(self, key: Any, size: float) -> "SparseCode":
        """Noise on every pixel: `size` of the root mean square of its sample, Gaussian."""
        spread = jnp.sqrt(jnp.mean(self.patches**2, 1, keepdims=True))
        noise = jax.random.normal(key, self.patches.shape, self.patches.dtype)
        return dataclasses.replace(self, patches=self.patches + size * spread * noise)

    def watch(self) -> dict[str, Callable[[Any], Any]]:
        """What is left unexplained, as a share of all squares."""
        return {"unexplained": lambda s: jnp.sum(s.signal.residual**2) / jnp.sum(s.signal.given**2)}

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        return dict(
            signal="residual",
            measure="least cost, share of the cost",
            population=f"{len(self.dictionary):,} neurons, {len(self.patches):,} samples",
        )

    def scene(self, society: Society) -> Scene:
        """Some samples, what is explained of each, and its price, from top to bottom; who is heard most."""
        values = self.outcome(society).values
        given = np.asarray(self.patches, np.float64)[:SHOWN]
        said = values["codes"][:SHOWN] @ self.atoms.table
        side = round(given.shape[1] ** 0.5)
        shape = (side, side) if side**2 == given.shape[1] else (1, given.shape[1])
        rows = [tiles(part, shape, across=len(given)) for part in (values["price"][:SHOWN], said, given)]
        gap = np.full((1, rows[0].shape[1]), np.nan)
        picture = np.concatenate([rows[0], gap, rows[1], gap, rows[2]])
        shares = activity_shares(values["codes"])
        loudest = np.argsort(-shares, kind="stable")[:SHOWN]
        bars = Bars([f"neuron {i}" for i in loudest], shares[loudest], "share of all activity")
        return Scene("Sparse code", (Grid(picture, "sample, explained, price: of the largest entry of each"), bars))


# --- an example ---


def gabors(count: int, side: int = 8, seed: int = 0) -> np.ndarray:
    """Unit atoms [count, side * side]: plane waves under Gaussian windows, what simple cells of V1 respond to."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle, phase, wave = (random.uniform(0, top, (count, 1, 1)) for top in (np.pi, 2 * np.pi, 1.0))
    wave = side * (0.25 + 0.35 * wave)
    centre = random.uniform(-0.45 * side, 0.45 * side, (2, count, 1, 1))
    along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    across = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
    table = np.cos(2 * np.pi * along / wave + phase) * np.exp(-2 * (along**2 + across**2 / 2) / wave**2)
    table = table.reshape(count, -1)
    table -= table.mean(1, keepdims=True)
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def example(neurons: int = 96, samples: int = 24, side: int = 8, penalty: float = 0.1, seed: int = 0) -> SparseCode:
    """Patches of unit norm, each a mixture of three of the neurons' Gabor atoms and a little noise."""
    random, table = np.random.default_rng([seed, 1]), gabors(neurons, side, seed)
    chosen = np.argsort(random.random((samples, neurons)), axis=1)[:, :3]
    patches = np.einsum("sk,skp->sp", random.normal(size=(samples, 3)), table[chosen])
    patches += 0.05 * random.normal(size=patches.shape)
    return SparseCode(patches / np.linalg.norm(patches, axis=1, keepdims=True), table, penalty)
