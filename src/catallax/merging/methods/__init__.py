"""Ways of merging, one file each, by name; a file is loaded when its method is first asked for."""

import dataclasses
from importlib import import_module
from typing import Any

from catallax.core.errors import BadInput
from catallax.merging.method import Method, Own

# name: the module here, and the class in it
METHODS = {
    "linear": ("linear", "Linear"),
    "slerp": ("slerp", "Slerp"),
    "task-arithmetic": ("task_arithmetic", "TaskArithmetic"),
    "ties": ("ties", "Ties"),
    "dare": ("dare", "Dare"),
    "breadcrumbs": ("breadcrumbs", "Breadcrumbs"),
    "model-stock": ("model_stock", "ModelStock"),
    "fisher": ("fisher", "Fisher"),
    "regmean": ("regmean", "RegMean"),
    "median": ("median", "Median"),
    "trimmed-mean": ("trimmed_mean", "TrimmedMean"),
    "geometric-median": ("geometric_median", "GeometricMedian"),
    "krum": ("krum", "Krum"),
}


def find(method: Any, **settings: Any) -> Method:
    """A method from its name and settings, from itself, or from a function of deltas and weights. Raises `BadInput`."""
    if isinstance(method, str):
        return made(known(method), method, settings)
    if settings:
        raise BadInput(f"the setting {next(iter(settings))} is for methods by name: set it where the method is made")
    if isinstance(method, Method):
        return method
    if callable(method):
        return Own(method)
    raise BadInput(f"method is {method!r}: give a name ({', '.join(METHODS)}), a Method, or a function of deltas")


def known(name: str) -> type[Method]:
    """The class of a name."""
    if name not in METHODS:
        raise BadInput(f"there is no way of merging called {name!r}: give one of {', '.join(METHODS)}")
    module, kind = METHODS[name]
    return getattr(import_module(f"catallax.merging.methods.{module}"), kind)


def made(kind: type[Method], name: str, settings: dict[str, Any]) -> Method:
    """The method with its settings, each of which is one of its fields."""
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    for given in settings:
        if given not in fields:
            raise BadInput(f"{name} has no setting {given!r}: it has {', '.join(fields) or 'none'}")
    try:
        return kind(**settings)
    except TypeError as error:
        raise BadInput(f"a setting of {name} is missing, or of a wrong kind ({error})") from None


__all__ = ["METHODS", "find"]
