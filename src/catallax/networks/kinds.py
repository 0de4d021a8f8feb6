"""The kinds of teaching by name: what is told in a sentence, how it is made, and what suits it on a small table.

    backpropagation          every layer hears the exact gradient at its output
    feedback-alignment       the same way back, through fixed random weights
    direct-feedback-alignment, random-targets, predict, similarity, predsim, deep-supervision, forward-forward,
    softhebb, predictive-coding, equilibrium-propagation, silence

Nothing of a kind is loaded before it is made. Optimisers are made once for each setting: networks that are taught alike
then share what is compiled for them.
"""

import difflib
import functools as ft
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import optax

from catallax.core.errors import BadInput
from catallax.signals.teaching import Teaching


class Kind(NamedTuple):
    """`sentence`: what a layer hears; `path`: module and class; `given`: arguments of the class; `activation` of hidden
    layers and the `optimiser` with its `rate`: what suits it on digits (of 1e-3, 3e-3 and for some 1e-2, by a part of the
    rows learnt from).
    """

    sentence: str
    path: str
    given: Mapping[str, Any] = MappingProxyType({})
    activation: str = "relu"
    optimiser: str = "adam"
    rate: float = 1e-3
    falls: float = 1.0  # each layer's rate is the one below's over this

    def make(self) -> Teaching:
        """The teaching, its module loaded now."""
        module, name = self.path.split(":")
        return getattr(import_module(f"catallax.networks.teaching.{module}"), name)(**self.given)

    def descent(self, layers: int, optimiser: str | None = None, rate: float | None = None) -> list:
        """An optimiser a layer; `rate`: of the first. Raises `BadInput` for a name or rate that is none."""
        first = self.rate if rate is None else rate
        return [optimiser_of(optimiser or self.optimiser, first / self.falls**number) for number in range(layers)]


KINDS: dict[str, Kind] = {
    "backpropagation": Kind(
        "the exact gradient at its output, sent back layer by layer", "backpropagation:Backpropagation"
    ),
    "feedback-alignment": Kind(
        "an error sent back layer by layer, through fixed random weights", "feedback_alignment:FeedbackAlignment",
        rate=3e-3,
    ),
    "direct-feedback-alignment": Kind(
        "the error at the output, by a fixed random matrix of its own", "direct_feedback_alignment:DirectFeedbackAlignment"
    ),
    "random-targets": Kind(
        "the label, by a fixed random matrix: a target drawn once for each class", "random_targets:RandomTargets", {},
        "tanh", rate=3e-3,
    ),
    "predict": Kind(
        "the label, which a head of its own is to forecast from its output", "local_losses:LocalLosses",
        {"objective": "predict"},
    ),
    "similarity": Kind(
        "the labels: rows of one class are to look alike in its output", "local_losses:LocalLosses",
        {"objective": "similarity"},
    ),
    "predsim": Kind(
        "the label, for a head of its own and for rows of one class to look alike", "local_losses:LocalLosses",
        {"objective": "predsim"}, rate=3e-3,
    ),
    "deep-supervision": Kind(
        "the exact gradient, to which heads at every layer add theirs (the control of local losses)",
        "deep_supervision:DeepSupervision",
    ),
    "forward-forward": Kind(
        "whether the label beside the input is the right one", "forward_forward:ForwardForward", rate=1e-2
    ),
    "softhebb": Kind(
        "nothing: its units compete for the input, and a readout hears the label", "softhebb:SoftHebb",
        {"temperature": 0.03, "gain": 20.0, "length": 2**0.5, "reads": "last"}, rate=3e-3,
    ),
    "predictive-coding": Kind(
        "the errors of its neighbours, until they have come to rest", "predictive_coding:PredictiveCoding", {}, "tanh"
    ),
    "equilibrium-propagation": Kind(
        "its neighbours' activity, at rest and once more with the output nudged towards the label",
        "equilibrium:EquilibriumPropagation", {}, "hard sigmoid", rate=1e-2, falls=10.0,
    ),
    "silence": Kind("nothing: only the last layer learns, from its own error", "silence:Silence"),
}  # fmt: skip


def kind_of(name: Any) -> Kind:
    """The kind of that name. Raises `BadInput` where there is none."""
    if name not in KINDS:
        near = difflib.get_close_matches(str(name), KINDS, n=2)
        hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(KINDS)}"
        raise BadInput(f"there is no teaching signal {name!r}: {hint}")
    return KINDS[name]


@ft.lru_cache(maxsize=64)
def optimiser_of(name: str, rate: Any) -> optax.GradientTransformation:
    """An optimiser by name; the same object for the same setting. Raises `BadInput` for a name or rate that is none."""
    made = {"adam": optax.adam, "sgd": optax.sgd, "momentum": ft.partial(optax.sgd, momentum=0.9)}
    if name not in made:
        raise BadInput(
            f"there is no optimiser {name!r} here: give one of {', '.join(made)}, or train a Chain with your own"
        )
    if not 0 < rate < float("inf"):
        raise BadInput(f"rate is {rate!r}: give a positive number")
    return made[name](rate)
