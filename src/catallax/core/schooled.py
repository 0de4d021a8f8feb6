"""Problems of units that learn from labelled rows, epoch by epoch: a round is a batch of rows."""

import abc
from typing import Any

import equinox as eqx
import jax
import numpy as np

from catallax.core.errors import BadInput
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.run import run


class Schooled(Problem):
    """`facts`: a `table` of rows, and `settings`, a NamedTuple with `epochs`, `batch` and `seed` among them."""

    facts: eqx.AbstractVar[Any]

    @abc.abstractmethod
    def having(self, table: Any, settings: Any) -> Any:
        """The same with another table and other settings. Raises `BadInput` for settings that make no sense."""

    @property
    def steps(self) -> int:
        """Rounds of an epoch."""
        rows = len(self.facts.table.y)
        return max(1, rows // min(self.facts.settings.batch, rows))

    @property
    def patience(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The rounds of all epochs."""
        return self.facts.settings.epochs * self.steps

    def taught(self) -> Outcome:
        """All epochs, one after the other."""
        return run(self, self.patience, self.facts.settings.seed)

    def under(self, **changed: Any) -> Any:
        """The same rows under other settings, by their names."""
        settings = self.facts.settings
        unknown = [name for name in changed if name not in settings._fields]
        if unknown:
            raise BadInput(f"there is no setting {unknown[0]!r}: give one of {', '.join(settings._fields)}")
        return self.having(self.facts.table, settings._replace(**changed))

    def shocked(self, key: Any, size: float, what: str = "inputs") -> Any:
        """A share `size` of the inputs change places ("inputs"), or as many of the classes their names ("labels")."""
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
        return self.having(self.facts.table.disturbed(random, size, what), self.facts.settings)
