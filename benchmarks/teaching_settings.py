"""The kinds of teaching of `benchmarks.teaching`, and the settings that each may choose among."""

from __future__ import annotations

from typing import Any, NamedTuple

WIDE, FLAT = (784, 1024, 1024, 10), (784, 512, 10)


class Trial(NamedTuple):
    """One setting of a kind: `given` are arguments of the teaching; `rate`: one, or one a layer."""

    rate: Any
    activation: str = "relu"
    dropout: float = 0.0
    given: dict[str, Any] = {}  # noqa: RUF012
    optimiser: str = "adam"
    batch: int = 128
    loss: str = "cross-entropy"
    noise: float = 0.0  # the share of inputs that are dropped while learning
    shift: int = 0  # images are moved by up to so many pixels while learning, each way by lot
    hebbian_epochs: int | None = None  # hidden layers learn by plain steps, to nothing over so many epochs


class Method(NamedTuple):
    """A kind of teaching: its class, trials, epochs of the final runs, and the error that was to be reached (%)."""

    kind: str
    trials: tuple[Trial, ...]
    epochs: int
    target: float | None = None
    sizes: tuple[int, ...] = WIDE


def common(activation: str = "relu", **given: Any) -> tuple[Trial, ...]:
    """The same four settings for kinds that differ in what is told alone."""
    return (
        Trial(1e-3, activation, 0.3, given, noise=0.2),
        Trial(1e-3, activation, 0.1, given, noise=0.2),
        Trial(5e-4, activation, 0.1, given, noise=0.2),
        Trial(2e-3, activation, 0.3, given, noise=0.2),
    )


def direct() -> tuple[Trial, ...]:
    """Settings of direct feedback alignment: drives of a layer are brought to one size, so that errors told stay in range."""
    made = [(1e-3, 0.1), (2e-3, 0.1), (5e-4, 0.1), (1e-3, 0.2)]
    return tuple(Trial(rate, "layer norm, relu", share, noise=share) for rate, share in made)


def signs() -> tuple[Trial, ...]:
    """Settings of random targets: a signal that never dies away keeps units at their bounds, and rates may be high."""
    return tuple(Trial(rate, "tanh") for rate in (1e-2, 5e-3, 3e-3, 2e-2))


def relaxing() -> tuple[Trial, ...]:
    """Settings of predictive coding: what is dropped at random is one more error that must come to rest."""
    made = [(1e-3, 0.1), (2e-3, 0.1), (5e-4, 0.1), (1e-3, 0.2)]
    return tuple(Trial(rate, "layer norm, relu", 0.0, {"steps": 8}, noise=share) for rate, share in made)


def settling() -> tuple[Trial, ...]:
    """Settings of equilibrium propagation: a layer may not drop outputs."""
    few = {"steps": 10, "nudged": 6}
    made = [([1e-3, 1e-3], 0.2), ([1e-3, 1e-3], 0.1), ([1e-3, 2e-4], 0.2), ([2e-3, 1e-3], 0.2)]
    return tuple(Trial(rates, "hard sigmoid", 0.0, few, noise=noise) for rates, noise in made)


def own_losses() -> tuple[Trial, ...]:
    """Settings of predsim and its control."""
    return (
        Trial(1e-3, dropout=0.3, given={"features": 128}, noise=0.2),
        Trial(2e-3, dropout=0.3, given={"features": 128}, noise=0.2),
        Trial(2e-3, dropout=0.1, given={"features": 128}, noise=0.2),
        Trial(1e-3, dropout=0.1, given={"features": 128}, noise=0.2),
    )


def shifted(dropout: float = 0.1, **given: Any) -> tuple[Trial, ...]:
    """Settings with images that move, and drives of a layer brought to one size before the relu (the paper: batch norm)."""
    made = [(1e-3, 1), (5e-4, 1), (2e-3, 1), (1e-3, 2)]
    return tuple(Trial(rate, "layer norm, relu", dropout, given, shift=shift) for rate, shift in made)


def hebbian() -> tuple[Trial, ...]:
    """Settings of SoftHebb: hidden layers learn in the first epoch."""
    given = [
        {"temperature": t, "gain": g, "length": 15.0, "reads": "all"}
        for t, g in ((0.02, (100.0, 37.0)), (0.03, (110.0, 34.0)), (0.015, (100.0, 37.0)))
    ]
    return (
        *(Trial([0.1, 0.1, 5e-3], given=one, hebbian_epochs=1) for one in given),
        Trial([0.1, 0.1, 1e-2], given=given[0], hebbian_epochs=1),
    )


def untaught() -> tuple[Trial, ...]:
    """The same readout on hidden layers that stay as they were drawn."""
    given = {"length": 1.0, "power": 1.0, "gain": (39.0, 55.0), "reads": "all"}
    return (
        *(Trial([0.0, 0.0, rate], given=given, hebbian_epochs=1) for rate in (5e-3, 1e-2, 1e-3)),
        Trial([0.0, 0.0, 5e-3], given={**given, "power": 2.0, "gain": (156.0, 220.0)}, hebbian_epochs=1),
    )


def goodness() -> tuple[Trial, ...]:
    """Settings of forward-forward: hidden layers learn more quickly than the readout."""
    return (
        Trial([1e-2, 1e-2, 1e-3]),
        Trial([3e-3, 3e-3, 1e-3]),
        Trial([1e-2, 1e-2, 1e-3], noise=0.1),
        Trial([1e-2, 1e-2, 1e-3], dropout=0.1),
    )


METHODS: dict[str, Method] = {
    "silence": Method("silence", common(), 6),
    "backpropagation": Method("backpropagation", common(), 20, 1.3),
    "deep supervision": Method("deep-supervision", own_losses(), 10),
    "predsim": Method("predsim", own_losses(), 10),
    "backpropagation, images shifted": Method("backpropagation", shifted(), 15),
    "deep supervision, images shifted": Method("deep-supervision", shifted(features=128), 15),
    "predsim, images shifted": Method("predsim", shifted(features=128), 15, 1.2),
    "predict": Method("predict", common(), 6),
    "feedback alignment": Method("feedback-alignment", common(), 6),
    "direct feedback alignment": Method("direct-feedback-alignment", direct(), 15, 1.9),
    "random targets": Method("random-targets", signs(), 12, 5.0),
    "softhebb": Method("softhebb", hebbian(), 10, 3.5),
    "softhebb, hidden layers untaught": Method("softhebb", untaught(), 10),
    "forward-forward": Method("forward-forward", goodness(), 10, 2.5),
    "backpropagation, one hidden layer": Method("backpropagation", common(), 15, None, FLAT),
    "predictive coding": Method("predictive-coding", relaxing(), 20, 2.0, FLAT),
    "predictive coding, images shifted": Method("predictive-coding", shifted(0.0, steps=8), 20, 2.0, FLAT),
    "equilibrium propagation": Method("equilibrium-propagation", settling(), 12, 2.5, FLAT),
}
