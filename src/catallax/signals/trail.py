"""Pheromone on the roads of a graph: marks are laid where an ant enters a road and where it leaves it, and evaporate.

Every road is two arcs, one each way (a and a ^ 1). The trail C_a is what lies at the beginning of arc a, i.e. on that road
where it leaves the place: S. Goss et al. 1989 keep one amount for each branch at each of two choice points, and let every
ant mark a branch when it chooses it and, a travel time later, when it comes out at the other end. In a round

    C_a <- (1 - evaporation) C_a + amount x (ants that entered a + ants that came out of a ^ 1)

What everyone can smell is `public` = k + C, k being the attraction of a road that nobody has marked. It lies open for all:
an ant that stands at a place bends to the ends that begin there, and `local` is its signpost. So bits a round are the
size of the trail, however many ants there are, plus signposts.

Through few bits a nose smells levels of k + C between k and 100 k, equal on a log scale (a road that smells a hundred
times as strong is chosen by all but one in ten thousand at the exponent 2: more makes no difference).

Unrest is the most by which a road's share of the smell at its place differs from what it was on average over the last
`horizon` rounds.

S. Goss, S. Aron, J. L. Deneubourg, J. M. Pasteels, Self-organized shortcuts in the Argentine ant, Naturwissenschaften 76, 1989.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from catallax.core.channel import Span
from catallax.core.signal import Signal

SATURATION = 100.0  # times k: the strongest smell that a nose told few bits can tell from stronger ones


class Signpost(NamedTuple):
    """What an ant finds where it arrives: `arcs` it may take (-1: none), the `places` they lead to, and in how many rounds."""

    arcs: Int[Array, "*ants degree"]
    places: Int[Array, "*ants degree"]
    steps: Int[Array, "*ants degree"]


class Marks(NamedTuple):
    """What one ant does in a round, in its colony: it comes in over one arc and goes on over another. Zeros are nothing."""

    colony: Int[Array, "*ants"]
    came: Int[Array, "*ants"]  # the arc whose beginning it marks as it arrives
    marks_came: Bool[Array, "*ants"]
    goes: Int[Array, "*ants"]
    marks_goes: Bool[Array, "*ants"]
    entered: Bool[Array, "*ants"]  # whether it went on at all


class Trail(Signal):
    """The trails of several colonies, each on a copy of the same graph.

    State: `laid` [colonies, arcs], `passed` [colonies, arcs]: how many ants have entered each arc so far (nobody smells it: for
    whoever looks on), `usual` [colonies, arcs]: shares of smell, averaged over the horizon. Facts: `attraction` k, `amount`
    of a mark, `evaporation` a round in [0, 1), `horizon` in rounds, `target`, the signposts [2 ways, places, degree] and
    `tails` [arcs], the place that each arc leaves.
    """

    merge: ClassVar = {"marks": "sum", "entered": "count"}

    laid: Float[Array, "colonies arcs"]
    passed: Int[Array, "colonies arcs"]
    usual: Float[Array, "colonies arcs"]
    attraction: Float[Array, ""]
    amount: Float[Array, ""]
    evaporation: Float[Array, ""]
    horizon: Float[Array, ""]
    target: Int[Array, ""]
    signposts: Signpost
    tails: Int[Array, " arcs"]

    @classmethod
    def bare(cls, colonies: int, choices: np.ndarray, heads: np.ndarray, steps: np.ndarray, **facts: Any) -> "Trail":
        """No marks yet. `choices` [2 ways, places, degree] arcs or -1; `heads`, `steps` [arcs]; `facts`: the other fields."""
        arcs = len(heads)
        tails = heads.reshape(-1, 2)[:, ::-1].reshape(-1)
        posts = Signpost(*(jnp.asarray(x, jnp.int32) for x in (choices, heads[choices], steps[choices])))
        dtype = facts["attraction"].dtype
        empty = jnp.zeros((colonies, arcs), dtype)
        return cls(empty, empty.astype(jnp.int32), empty, signposts=posts, tails=jnp.asarray(tails, jnp.int32), **facts)

    def public(self) -> Any:
        """How every road smells at its beginning, [colonies, arcs]."""
        return self.attraction + self.laid

    def local(self, agents: Any) -> Signpost:
        """The signpost at the place that each ant comes to next; at the food, that of the way home."""
        way = (agents.back | (agents.place == self.target)).astype(jnp.int32)
        return Signpost(*(table[way, agents.place] for table in self.signposts))

    def listen(self, actions: Marks) -> dict[str, Any]:
        """Marks laid and ants gone in, [colonies, arcs] each."""
        zeros = jnp.zeros_like(self.laid)
        marks = zeros.at[actions.colony, actions.came].add(actions.marks_came.astype(zeros.dtype))
        marks = marks.at[actions.colony, actions.goes].add(actions.marks_goes.astype(zeros.dtype))
        entered = jnp.zeros_like(self.passed).at[actions.colony, actions.goes].add(actions.entered.astype(jnp.int32))
        return dict(marks=marks, entered=entered)

    def after(self, marks: Any) -> Any:
        """What lies once a round's marks are laid."""
        return (1 - self.evaporation) * self.laid + self.amount * marks

    def shares(self, laid: Any) -> Any:
        """Each arc's share of the smell at the place that it leaves, [colonies, arcs]."""
        smell = self.attraction + laid
        places = self.signposts.arcs.shape[1]
        total = jnp.zeros((smell.shape[0], places), smell.dtype).at[:, self.tails].add(smell)
        return smell / total[:, self.tails]

    def propagate(self, summary: dict[str, Any]) -> "Trail":
        laid = self.after(summary["marks"])
        usual = self.usual + (self.shares(laid) - self.usual) / self.horizon
        return dataclasses.replace(self, laid=laid, passed=self.passed + summary["entered"], usual=usual)

    def unrest(self, summary: dict[str, Any]) -> Any:
        """The most by which any share of the smell differs from its average over the horizon."""
        return jnp.abs(self.shares(self.after(summary["marks"])) - self.usual).max()

    def span(self) -> Span:
        """From a road that nobody has marked to one that smells a hundred times as strong."""
        return Span(self.attraction * (1 - 1e-5), SATURATION * self.attraction, "log")
