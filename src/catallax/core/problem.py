"""The facts, apart from the way they are settled.

One problem, four ways to coordinate it: silence, a signal, a planner, full information. The five questions ask
the same of all of them. A regime that a problem has not got raises a sentence that says why.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import equinox as eqx

from catallax.core.carry import carried
from catallax.core.errors import Refused
from catallax.core.outcome import Outcome
from catallax.core.scene import Scene
from catallax.core.society import HostSociety, Society


class Problem(eqx.Module):
    """The facts of a decentralised system."""

    headline: ClassVar[str] = "efficiency"  # the welfare entry that the questions plot
    tolerance: ClassVar[float] = 1e-6  # certificate at which the questions call it settled
    patience: ClassVar[int] = 5000  # rounds that the questions allow it to come to rest
    quantised: ClassVar[Any] = (
        None  # (bits) -> the same problem, its agents hearing what reaches each alone in so many bits
    )

    @abc.abstractmethod
    def society(self, leak: float = 0.0) -> Society:
        """Coordinated by a signal; `leak` in [0, 1] is the believed share of one's own effect on it."""

    @abc.abstractmethod
    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """What a society's state means: allocation, prices, tour, ... as the `values` of an Outcome.

        `heard`: what its agents read in place of `society.signal.public()`, where a channel came between.
        """

    @abc.abstractmethod
    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """Measures of a feasible outcome (what cannot be delivered is rationed first), `headline` among them."""

    def gap(self, outcome: Outcome) -> float:
        """The problem's own certificate of an outcome of `society(0)`, 0 where it is exact. Default 0."""
        return 0.0

    def silence(self) -> Outcome:
        """Nobody is told anything."""
        self._lacks("silence")

    def plan(self) -> Outcome:
        """The planner: all is known, one optimiser, with its certificate."""
        self._lacks("plan")

    def contest(self, leak: float = 1.0) -> Outcome:
        """Full information: each best-responds to the others (Nash); certificate: the largest gain left.

        At a `leak` below 1 everyone reckons with so much of the own effect only.
        """
        self._lacks("contest")

    def effect(self, outcome: Outcome) -> float:
        """The own effect of an agent on the signal, a share of it (1: a dictator)."""
        self._lacks("effect")

    def gain(self, outcome: Outcome) -> float:
        """The largest share that one agent could gain by acting otherwise, all others' actions standing."""
        self._lacks("gain")

    def carried(self, old: Society, keep: Any = None) -> Society:
        """This problem's society with what `old` has learnt, for lesions and shocks: old state, new facts.

        `keep`: which agents of `old` these are, as given to `restrict`; None: all of them. Default: what a round moves
        is carried. Raises `Refused` for host societies: a problem of one says itself what is state.
        """
        fresh = self.society()
        if isinstance(fresh, HostSociety):
            raise Refused(
                "a host society keeps facts and state on the host, where they cannot be told apart: "
                f"{type(self).__name__} would have to define carried() for its world to be changed"
            )
        return carried(fresh, old, keep)

    def watch(self) -> dict[str, Callable[[Any], Any]]:
        """Numbers of a society that tell how far it has come, by name, to be followed in place of its whole signal."""
        return {}

    def words(self) -> dict[str, str]:
        """How pictures call things: `signal` (what is told, one word), `measure` (the headline's full name), `population`."""
        return {}

    def conserved(self, society: Society) -> dict[str, Any]:
        """What stays so, to rounding, in every round."""
        return {}

    def restrict(self, keep) -> "Problem":
        """The problem of the agents `keep` (bool[agents] or indices) alone."""
        self._lacks("restrict")

    def replicate(self, copies: int) -> "Problem":
        """Each agent `copies` times."""
        self._lacks("replicate")

    def shocked(self, key, size: float) -> "Problem":
        """A nearby problem: its facts disturbed by `size` (a share)."""
        self._lacks("shocked")

    def scene(self, society: Society) -> Scene:
        """What there is to look at."""
        self._lacks("scene")

    def _lacks(self, what: str) -> NoReturn:
        raise Refused(f"{type(self).__name__} has no {what}: it does not define {what}()")
