"""Members in this process: scikit-learn estimators, Equinox modules, functions.

estimator       predict_proba and classes_, else predict
Equinox module  one input -> scores of the router's classes, in their order; chances are their softmax
function        inputs -> chances [rows, classes] of the router's classes, or answers [rows]
"""

import sys
from typing import Any

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.members.member import Gone, Member, Said, chances, within

Array = np.ndarray


def as_member(name: str, model: Any) -> Member:
    """A member from anything callable. Raises `BadInput` for what cannot be asked."""
    if isinstance(model, Member):
        return model
    if hasattr(model, "predict_proba") or hasattr(model, "predict"):
        return Estimator(model)
    equinox = sys.modules.get("equinox")
    if equinox is not None and isinstance(model, equinox.Module) and callable(model):
        return Network(model)
    if callable(model):
        return Function(model)
    raise BadInput(
        f"model {name!r} is a {type(model).__name__}: give a fitted estimator, an Equinox module, a function of inputs, "
        "a members.Process or a members.Endpoint"
    )


class Local(Member):
    """What works here. Its own `bid(X)`, where it has one, is asked; whatever it raises, it is gone."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def ask(self, X: Any, classes: Array) -> Said:
        """As `Member.ask`."""
        try:
            return self.say(X, classes)
        except Gone:
            raise
        except Exception as error:  # the model's own code: whatever it raises, the others go on
            raise Gone(f"it failed: {type(error).__name__}: {error}") from error

    def bid(self, X: Any) -> Array | None:
        """As `Member.bid`."""
        own = getattr(self.model, "bid", None)
        if own is None:
            return None
        try:
            given = own(X)
        except Exception as error:
            raise Gone(f"its bid failed: {type(error).__name__}: {error}") from error
        return within(given, len(X), "bids")

    def say(self, X: Any, classes: Array) -> Said:
        """Answers, or whatever the model raises."""
        raise NotImplementedError


class Estimator(Local):
    """A fitted scikit-learn estimator, or anything with its manners."""

    def say(self, X: Any, classes: Array) -> Said:
        """As `Local.say`."""
        if not hasattr(self.model, "predict_proba"):
            return answers(self.model.predict(X), len(X), classes)
        return Said(*chances(self.model.predict_proba(X), len(X), self.model.classes_, classes))


class Network(Local):
    """An Equinox module, vmapped and compiled once for every power of two of rows."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.forward: Any = None

    def say(self, X: Any, classes: Array) -> Said:
        """As `Local.say`."""
        import equinox as eqx
        import jax

        if self.forward is None:
            self.forward = eqx.filter_jit(lambda model, X: jax.nn.softmax(jax.vmap(model)(X), axis=-1))
        rows = len(X)
        padded = np.zeros((1 << max(rows - 1, 7).bit_length(), *np.shape(X)[1:]), np.float32)
        padded[:rows] = X
        return Said(*chances(np.asarray(self.forward(self.model, padded))[:rows], rows, classes, classes))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"forward": None}


class Function(Local):
    """A function of inputs."""

    def say(self, X: Any, classes: Array) -> Said:
        """As `Local.say`."""
        given = np.asarray(self.model(X))
        return answers(given, len(X), classes)


def answers(given: Any, rows: int, classes: Array) -> Said:
    """Answers [rows], or chances [rows, classes] of the router's classes, as they come. Raises `Gone`."""
    given = np.asarray(given)
    if given.ndim == 2:
        return Said(*chances(given, rows, classes, classes))
    if given.shape != (rows,):
        raise Gone(f"its answers have shape {list(given.shape)}: one for each of {rows} inputs was asked for")
    return Said(given)
