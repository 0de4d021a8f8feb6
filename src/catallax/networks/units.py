"""A network seen as its hidden units: what a lesion takes away, and what there can be more of.

    influence_j = mean_b |y_bj| |W_{l+1}[:, j]| / sum over the units k of the layer        unit j of hidden layer l

its share of what its layer says to the next one, on rows held out. A unit that is gone is silent: what comes in and what goes
out is 0. A network that settles afresh is one of fewer units, drawn and taught from the beginning.
"""

import dataclasses
import itertools
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from catallax.core.agent import HostAgent
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.scene import Scene
from catallax.core.society import HostSociety, Society
from catallax.networks.layers import Dense, with_fields
from catallax.networks.problem import Lessons
from catallax.networks.school import School

ROWS = 256  # that influence is taken on


class Neurons(HostAgent):
    """Hidden units: the `layer` of each, and its `share` of what that layer says to the next."""

    layer: Int[np.ndarray, " units"]
    share: Float[np.ndarray, " units"]

    def influence(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Each one's share."""
        return self.share

    def respond_all(self, view: Any, key: Any) -> tuple["Neurons", None]:
        """Units answer within their layers' lessons."""
        return self, None


class Staff(HostSociety):
    """The units of a school's hidden layers; its rounds are the school's."""

    school: School = None  # type: ignore[assignment]

    @classmethod
    def of(cls, school: School) -> "Staff":
        """All hidden units of a school."""
        counts = [part.layer.outputs for part in school.parts[:-1]]
        layer = np.repeat(np.arange(len(counts)), counts)
        return cls(Neurons(layer, influences(school)), school.signal, school=school)

    def advance(self, start: int, stop: int, seed: int) -> tuple["Staff", float]:
        """The school's lessons; then what each unit has come to say."""
        school, unrest = self.school.advance(start, stop, seed)
        return Staff.of(school), unrest

    def through(self, channel: Channel) -> "Staff":
        """As the school's."""
        return dataclasses.replace(self, school=self.school.through(channel))

    def summary_like(self) -> Any:
        """As the school's."""
        return self.school.summary_like()


class Units(Problem):
    """The hidden units of a network that has lessons."""

    lessons: Lessons

    headline: ClassVar[str] = "accuracy"

    @property
    def patience(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The rounds of all epochs."""
        return self.lessons.patience

    def society(self, leak: float = 0.0) -> Any:
        """Units of a school that has had no lesson."""
        return Staff.of(self.lessons.society(leak))

    def silence(self) -> Outcome:
        return self.lessons.silence()

    def plan(self) -> Outcome:
        return self.lessons.plan()

    def contest(self, leak: float = 1.0) -> Outcome:
        return self.lessons.contest(leak)

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        return self.lessons.outcome(society, heard)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        return self.lessons.welfare(outcome)

    def effect(self, outcome: Outcome) -> float:
        return self.lessons.effect(outcome)

    def gain(self, outcome: Outcome) -> float:
        return self.lessons.gain(outcome)

    def restrict(self, keep: Any) -> "Units":
        """The network of these units alone. Raises `Refused` where a hidden layer would be empty."""
        widths = self.lessons.facts.settings.widths
        kept = np.arange(sum(widths))[np.asarray(keep)]
        left = np.bincount(np.repeat(np.arange(len(widths)), widths)[kept], minlength=len(widths))
        if not left.all():
            raise Refused(
                f"hidden layer {int(left.argmin())} would have no unit left: nothing would reach the next one"
            )
        return Units(self.lessons.by(widths=tuple(left.tolist())))

    def replicate(self, copies: int) -> "Units":
        """Hidden layers so many times as wide."""
        return Units(self.lessons.by(widths=tuple(copies * width for width in self.lessons.facts.settings.widths)))

    def shocked(self, key: Any, size: float) -> "Units":
        return Units(self.lessons.shocked(key, size))

    def carried(self, old: Society, keep: Any = None) -> Any:
        """The network that has learnt, in which units that are not kept are silent."""
        staff: Any = old
        if keep is None:
            return Staff.of(self.lessons.carried(staff.school))
        gone = np.ones(len(staff.agents.layer), bool)
        gone[np.asarray(keep)] = False
        school = silenced(staff.school, gone)
        agents = Neurons(staff.agents.layer[~gone], staff.agents.share[~gone])
        return dataclasses.replace(staff, agents=agents, school=school)

    def watch(self) -> dict[str, Any]:
        return self.lessons.watch()

    def words(self) -> dict[str, str]:
        return self.lessons.words()

    def scene(self, society: Society) -> Scene:
        return self.lessons.scene(society)


def influences(school: School) -> Float[np.ndarray, " units"]:
    """The share of each hidden unit in what its layer says to the next, layer by layer."""
    assert school.held is not None
    found = said(school.parts, school.held.x[:ROWS])
    return np.concatenate([np.asarray(x, float) / max(float(x.sum()), 1e-300) for x in found])


@eqx.filter_jit
def said(parts: tuple, x: Any) -> list:
    """mean_b |y_bj| |W_{l+1}[:, j]| of each hidden layer, [units] each."""
    found = []
    for part, after in itertools.pairwise(parts):
        x = part.layer(x)
        found.append(jnp.mean(jnp.abs(x), axis=0) * jnp.linalg.norm(after.layer.weight, axis=0))
    return found


def silenced(school: School, gone: np.ndarray) -> School:
    """The school in which these hidden units hear and say nothing."""
    learners, start = list(school.agents), 0
    for number in range(len(learners) - 1):
        here, after = learners[number].part.layer, learners[number + 1].part.layer
        mask = jnp.asarray(~gone[start : start + here.outputs], here.weight.dtype)
        start += here.outputs
        bias = None if here.bias is None else here.bias * mask
        learners[number] = with_layer(
            learners[number], with_fields(here, weight=here.weight * mask[:, None], bias=bias)
        )
        learners[number + 1] = with_layer(learners[number + 1], with_fields(after, weight=after.weight * mask))
    return dataclasses.replace(school, agents=tuple(learners))


def with_layer(learner: Any, layer: Dense) -> Any:
    """The same learner with another layer."""
    return dataclasses.replace(learner, part=learner.part._replace(layer=layer))
