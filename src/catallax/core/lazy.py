"""Public names that are found when they are first asked for (PEP 562): importing a package loads nothing else.

    __getattr__, __dir__ = lazy(__name__, {"Tour": "catallax.colony.tour"})

Type checkers and editors read the same names from imports under `TYPE_CHECKING` above that line; tests compare the two.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(
    package: str, names: Mapping[str, str], modules: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package, and its `__all__`.

    `names`: by public name, the module that defines it; `modules`: by public name, the module that it is.
    """
    space, modules = vars(sys.modules[package]), modules or {}
    space["__all__"] = sorted({*names, *modules})

    def attribute(name: str) -> Any:
        if name in names:
            value = getattr(import_module(names[name]), name)
        elif name in modules:
            value = import_module(modules[name])
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        space[name] = value
        return value

    return attribute, lambda: sorted({*space, *names, *modules})
