"""An ant on a graph: at a crossing it follows its nose, on a road it walks, and it marks both ends of the road.

Of the roads that lead on from a crossing, but for the one it came by, an ant takes road i with the chance

    P_i = (k + C_i)^n / sum_j (k + C_j)^n

(J. L. Deneubourg, S. Aron, S. Goss, J. M. Pasteels 1990: k about 20 and n about 2 for the Argentine ant). It turns at a dead
end, at the food and at the nest. It leaves the nest once every `period` rounds, or a round after it is back where that is later.

Where `turning` h is given, an ant turns back in the middle of a road with the chance 1 - (1 - h)^length, the likelier the longer
the road, comes to where it was, lays no second mark there, and takes another road if there is one. (R. Beckers et al. 1992 found
that U-turns decide for the shorter of two paths of *Lasius niger*, and that their share depends on the path's length and geometry
and on the trail's strength: so says the abstract. The form of the chance is ours, and trail strength is not in it.)

With a memory (no ant of those papers has one; ants of optimisers do) it knows by which road it first came to each place, and
walks home that way: first visits go back in time, so there are no loops in it.

J. L. Deneubourg et al., The self-organizing exploratory pattern of the Argentine ant, J. Insect Behavior 3, 1990.
R. Beckers, J. L. Deneubourg, S. Goss, Trails and U-turns in the selection of a path by the ant Lasius niger,
J. theor. Biol. 159, 1992.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from catallax.core.agent import Agent, View
from catallax.signals.trail import Marks

NONE = -1  # in place of an arc
FAINTEST = -80.0  # logarithm of the least attractiveness that float32 holds beside the largest


class Ant(Agent):
    """One ant.

    State: `arc` it walks (-1: in the nest), `place` that it comes to in `left` rounds, `behind` (the place it left), `length`
    of the arc, `back` (on the way home), `turned` (on this road), `walked` (rounds since it left the nest), `trips` there and
    back, and the `steps` of all these; `first` [places]: with a memory, the arc by which it first came to each (-1: not yet).

    Facts: `colony`; and for all alike `source`, `target`, `period`, `exponent` n, `turning`, `marks_out` (whether it lays marks
    before it has found food).
    """

    colony: Int[Array, "*ants"]
    arc: Int[Array, "*ants"]
    place: Int[Array, "*ants"]
    behind: Int[Array, "*ants"]
    left: Int[Array, "*ants"]
    length: Int[Array, "*ants"]
    back: Bool[Array, "*ants"]
    turned: Bool[Array, "*ants"]
    walked: Int[Array, "*ants"]
    trips: Int[Array, "*ants"]
    steps: Int[Array, "*ants"]
    first: Int[Array, "*ants places"] | None
    source: Int[Array, ""]
    target: Int[Array, ""]
    period: Int[Array, ""]
    exponent: Float[Array, ""]
    turning: Float[Array, ""] | None
    marks_out: bool = eqx.field(static=True)

    def respond(self, view: View, key: Any) -> tuple["Ant", Marks]:
        """One round: a step on the road, or the next road chosen; marks laid at both."""
        draws = jax.random.uniform(key, (1 if self.turning is None else 2,))
        ant = dataclasses.replace(self, left=self.left - 1, walked=self.walked + (self.arc != NONE))
        arrived = ant.left <= 0
        home = arrived & ant.back & (ant.place == ant.source)
        fed = arrived & ~ant.back & (ant.place == ant.target)
        goes, came = arrived & ~home & (view.local.arcs != NONE).any(), ant.arc ^ 1  # where all is closed, it waits
        back = ant.back | fed
        first = ant.remembered(arrived)
        column = ant.chosen(view, draws[0], first, back, fed)
        arc, place, steps = (x[column] for x in view.local)
        marks = self.marks((ant.left == 0) & (self.arc != NONE) & ~ant.turned, came, goes, arc, back)
        rest = jnp.maximum(ant.period - ant.walked, 1)
        moved = dataclasses.replace(
            ant,
            arc=jnp.where(home, NONE, jnp.where(goes, arc, ant.arc)),
            behind=jnp.where(goes, ant.place, ant.behind),
            place=jnp.where(goes, place, ant.place),
            left=jnp.where(home, rest, jnp.where(goes, steps, ant.left)),
            length=jnp.where(goes, steps, ant.length),
            back=back & ~home,
            turned=ant.turned & ~goes & ~home,
            trips=ant.trips + home,
            steps=ant.steps + jnp.where(home, ant.walked, 0),
            walked=jnp.where(home, 0, ant.walked),
            first=None if first is None else jnp.where(home, NONE, first),
        )
        return moved if self.turning is None else moved.turning_back(~arrived, draws[1]), marks

    def chosen(self, view: View, draw: Any, first: Any, back: Any, fed: Any) -> Any:
        """The column of the signpost that it takes, by Deneubourg's rule."""
        arcs = view.local.arcs
        allowed = arcs != NONE
        onward = allowed & ((arcs != self.arc ^ 1) | fed)
        allowed = jnp.where(onward.any(), onward, allowed)
        if first is not None:
            known = (arcs == first[self.place] ^ 1) & back
            allowed = jnp.where(known.any(), known, allowed)  # a road that was closed since is known no more
        # of the whole trail at once, being the same for all: a power for each road, not for each ant
        appeal = attractiveness(view.public, self.exponent)
        return roulette(appeal[self.colony, arcs] * allowed, draw)

    def remembered(self, arrived: Any) -> Any:
        """The memory with the place that it has just come to, if it is new to it on the way out."""
        if self.first is None:
            return None
        new = arrived & ~self.back & (self.first[self.place] == NONE) & (self.place != self.source)
        return self.first.at[self.place].set(jnp.where(new, self.arc, self.first[self.place]))

    def marks(self, arrived: Any, came: Any, goes: Any, arc: Any, back: Any) -> Marks:
        """Marks at the end of the road it comes out of and at the beginning of the one it takes."""
        lays = jnp.asarray(True) if self.marks_out else self.back
        laid_on = jnp.asarray(True) if self.marks_out else back
        none = jnp.zeros_like(came)
        return Marks(
            self.colony,
            jnp.where(arrived, came, none),
            arrived & lays,
            jnp.where(goes, arc, none),
            goes & laid_on,
            goes,
        )

    def turning_back(self, walking: Any, draw: Any) -> "Ant":
        """Turned back, if it is in the middle of a road and the draw says so."""
        goes_on = (1 - jnp.asarray(self.turning)) ** self.length
        middle = (self.arc != NONE) & (self.left == (self.length + 1) // 2) & (self.length > 1) & ~self.turned
        turns = walking & middle & (draw < 1 - goes_on)
        return dataclasses.replace(
            self,
            arc=jnp.where(turns, self.arc ^ 1, self.arc),
            place=jnp.where(turns, self.behind, self.place),
            behind=jnp.where(turns, self.place, self.behind),
            left=jnp.where(turns, self.length - self.left, self.left),
            turned=self.turned | turns,
        )


def attractiveness(smell: Any, exponent: Any) -> Any:
    """smell^exponent up to a factor that all have in common, never 0."""
    return jnp.exp(jnp.maximum(exponent * jnp.log(smell / smell.max()), FAINTEST))


def roulette(width: Any, draw: Any) -> Any:
    """The column in which `draw` in [0, 1) falls, for columns of `width` >= 0."""
    reach = jnp.cumsum(width, -1)
    return jnp.argmax(reach > draw[..., None] * reach[..., -1:] * (1 - 1e-6), -1)
