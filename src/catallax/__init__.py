"""catallax: how much should each part be told?

Many simple units, each with a state and an aim of its own, are coordinated only by a compressed signal. Two
nouns (`Agent`, `Signal`) and two verbs (`run`, `settle`) make a system of it; the five `questions` put it
through everything from silence to full information.

Public names are found when they are first asked for (PEP 562), so that `import catallax` costs nothing: it
loads neither JAX nor scikit-learn nor Matplotlib.
"""

from typing import TYPE_CHECKING, Any

from catallax.core.lazy import lazy

if TYPE_CHECKING:  # what type checkers and editors see: the tables below (tests/test_exports.py compares)
    from catallax import collective as collective
    from catallax import colony as colony
    from catallax import economy as economy
    from catallax import ensembles as ensembles
    from catallax import experts as experts
    from catallax import io as io
    from catallax import measures as measures
    from catallax import merging as merging
    from catallax import networks as networks
    from catallax import questions as questions
    from catallax import signals as signals
    from catallax import testing as testing
    from catallax import view as view
    from catallax.core import random as random
    from catallax.core.agent import Agent as Agent
    from catallax.core.agent import View as View
    from catallax.core.anderson import Anderson as Anderson
    from catallax.core.channel import Channel as Channel
    from catallax.core.checkpoint import resume as resume
    from catallax.core.errors import BadInput as BadInput
    from catallax.core.errors import CatallaxError as CatallaxError
    from catallax.core.errors import Damaged as Damaged
    from catallax.core.errors import Refused as Refused
    from catallax.core.methods import Newton as Newton
    from catallax.core.methods import Picard as Picard
    from catallax.core.outcome import Outcome as Outcome
    from catallax.core.problem import Problem as Problem
    from catallax.core.record import Record as Record
    from catallax.core.run import run as run
    from catallax.core.scene import Scene as Scene
    from catallax.core.settle import settle as settle
    from catallax.core.signal import Signal as Signal
    from catallax.core.society import Society as Society

    __version__: str

# name: the module that defines it
_NAMES = {
    "Agent": "catallax.core.agent",
    "View": "catallax.core.agent",
    "Signal": "catallax.core.signal",
    "Society": "catallax.core.society",
    "Problem": "catallax.core.problem",
    "run": "catallax.core.run",
    "settle": "catallax.core.settle",
    "resume": "catallax.core.checkpoint",
    "Outcome": "catallax.core.outcome",
    "Record": "catallax.core.record",
    "Channel": "catallax.core.channel",
    "Picard": "catallax.core.methods",
    "Newton": "catallax.core.methods",
    "Anderson": "catallax.core.anderson",
    "Scene": "catallax.core.scene",
    "CatallaxError": "catallax.core.errors",
    "BadInput": "catallax.core.errors",
    "Refused": "catallax.core.errors",
    "Damaged": "catallax.core.errors",
}

# name: the module that it is
_MODULES = {
    "random": "catallax.core.random",
    "signals": "catallax.signals",
    "measures": "catallax.measures",
    "questions": "catallax.questions",
    "collective": "catallax.collective",
    "colony": "catallax.colony",
    "economy": "catallax.economy",
    "ensembles": "catallax.ensembles",
    "experts": "catallax.experts",
    "io": "catallax.io",
    "merging": "catallax.merging",
    "networks": "catallax.networks",
    "view": "catallax.view",
    "testing": "catallax.testing",
}


_found, _known = lazy(__name__, _NAMES, _MODULES)


def __getattr__(name: str) -> Any:
    return _version() if name == "__version__" else _found(name)


def __dir__() -> list[str]:
    return sorted({*_known(), "__version__"})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("catallax")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+source"
