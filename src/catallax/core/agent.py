"""One unit of a decentralised system: its own state, and what it does with what it hears.

`respond` is written for *one* agent; the loop maps it over all of them. `view` is everything the agent can
learn of the others, so locality holds by type: there is no argument through which more could reach it.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np


class View(NamedTuple):
    """What a signal gives one agent: `public`, the same for everyone, and `local`, its own row (or None)."""

    public: Any
    local: Any = None


class Agent(eqx.Module):
    """One unit. It sees its own fields and the view that the signal gives it, and nothing else.

    In a society the fields are stacked along a leading axis "agents"; rank-0 fields are shared by all and
    stay as they are. A field that `respond` hands through untouched is a *fact*: it is neither carried nor
    counted as sent.
    """

    # An optional fused path: `tally(self, view, keys) -> (agents, summary)` on stacked agents, with
    # `view.local` stacked too, equal to `listen(vmap(respond))` and the same next agents within n eps.
    tally: ClassVar[Any] = None

    @abc.abstractmethod
    def respond(self, view: View, key) -> tuple["Agent", Any]:
        """The agent after this round, and its action.

        **Arguments:** `view`: see [`View`][]; `key`: random bits of (seed, round, own id) alone.
        """


class HostAgent(eqx.Module):
    """Units that live on the host (a numba kernel, fitted estimators, remote models): all answer at once.

    Fields are NumPy arrays or any Python objects.
    """

    # Optional: `influence(self) -> float[agents]`, each one's share of the signal (see `measures.influence`).
    influence: ClassVar[Any] = None

    @abc.abstractmethod
    def respond_all(self, view: View, key: np.ndarray) -> tuple["HostAgent", Any]:
        """The agents after this round and their stacked actions.

        `key`: uint32[2], a hash of (seed, round); `random.host_fold_in(key, ids)` gives each agent the words that
        the key of a compiled agent of that id holds.
        """
