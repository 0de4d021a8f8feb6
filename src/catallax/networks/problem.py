"""A network's lessons as a problem: rows to learn from, rows held out, layers, and one kind of teaching that coordinates them.

    silence             hidden layers are told nothing: random features, and a last layer that learns
    signal              each layer hears what its kind of teaching tells it, in so many bits
    planner             backpropagation: one gradient through everything, told exactly. It is no optimum: losses of networks
                        have many rests, and a kind of teaching may end at one that serves rows held out better
    full information    none: layers have no ends of their own to pursue against each other

Headline: accuracy on the rows held out, after the last epoch (they choose nothing). A round is one batch. A school does not
come to rest: its unrest is the loss of the last batch, so that it is "unsettled" where rounds end it, which is no fault.
"""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.schooled import Schooled
from catallax.core.society import Society
from catallax.io.labelled import Table, scaled_table, table_of
from catallax.networks.chain import Chain
from catallax.networks.kinds import KINDS, Kind, kind_of, optimiser_of
from catallax.networks.layers import ACTIVATIONS, Dense
from catallax.networks.school import CHUNK, School, mean_mistakes
from catallax.networks.training import enrolled
from catallax.signals.teaching import Wire

MOST_WIDE = 100_000  # units of a layer
TILES = 25  # pictures of what first units look for


class Settings(NamedTuple):
    """How the network is made and taught; None: as suits the kind of teaching."""

    widths: tuple[int, ...]
    signal: str
    epochs: int
    batch: int
    bits: int | None
    activation: str | None
    optimiser: str | None
    rate: float | None
    seed: int


class Facts:
    """Rows and settings, and what has been found out about them once and for all."""

    def __init__(self, table: Table, settings: Settings):
        self.table, self.settings = table, settings
        self.found: dict[str, Any] = {}
        self.sought: dict[str, Lock] = defaultdict(Lock)

    def once(self, name: str, find: Callable[[], Any]) -> Any:
        """What `find` finds, looked for once."""
        with self.sought[name]:
            if name not in self.found:
                self.found[name] = find()
        return self.found[name]


class Lessons(Schooled):
    """Rows, layers of units, and the kind of teaching that coordinates the layers.

    **Arguments:** `X` [rows, features] numbers; `y` [rows] labels (whole numbers or words); `held`: rows (X, y) to be judged
    on (None: a `share` of each class, drawn by `seed`); `scaled`: inputs in standard deviations of the rows learnt from;
    `widths` of the hidden layers; `signal`: a name of `networks.kinds`;
    `epochs`, `batch`; `bits` of each number that a layer is told (None: exactly); `activation` of hidden layers,
    `optimiser` ("adam", "sgd", "momentum") and `rate`: None as suits the kind; `seed`: draws weights and the rows held out.

    **Raises** `BadInput`, one sentence that names the row or the setting.
    """

    facts: Facts = eqx.field(static=True)

    headline: ClassVar[str] = "accuracy"

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        held: tuple[Any, Any] | None = None,
        share: float = 0.2,
        scaled: bool = False,
        widths: Sequence[int] = (128, 128),
        signal: str = "backpropagation",
        epochs: int = 20,
        batch: int = 32,
        bits: int | None = None,
        activation: str | None = None,
        optimiser: str | None = None,
        rate: float | None = None,
        seed: int = 0,
    ):
        if isinstance(X, Facts):
            self.facts = X
            return
        named = Settings(tuple(widths), signal, epochs, batch, bits, activation, optimiser, rate, seed)
        check_settings(named)
        table = table_of(X, y, held, share, seed)
        self.facts = Facts(scaled_table(table) if scaled else table, named)

    @property
    def kind(self) -> Kind:
        """The kind of teaching."""
        return kind_of(self.facts.settings.signal)

    def by(self, signal: str | None = None, **changed: Any) -> "Lessons":
        """The same rows under other settings: another kind of teaching, `bits`, `seed`, `widths`, ..."""
        return self.under(**changed, **({} if signal is None else dict(signal=signal)))

    def having(self, table: Any, settings: Any) -> "Lessons":
        check_settings(settings)
        return Lessons(Facts(table, settings))

    # --- the network ---

    def chain(self, society: Any = None) -> Chain:
        """The network as drawn, or as a school's layers have come to be."""
        fresh = self.facts.once("chain", self.drawn)
        return fresh if society is None else fresh.having_learnt(school_of(society).parts)

    def drawn(self) -> Chain:
        """The network before its first lesson."""
        table, set_, kind = self.facts.table, self.facts.settings, self.kind
        sizes = (table.x.shape[1], *set_.widths, len(table.classes))
        hidden = set_.activation or kind.activation
        dense = [Dense(a, b, hidden) for a, b in itertools.pairwise(sizes[:-1])]
        return Chain([*dense, Dense(*sizes[-2:])], kind.make(), seed=set_.seed)

    def society(self, leak: float = 0.0) -> Any:
        """A school that has had no lesson. Raises `Refused` with a leak."""
        if leak != 0:
            raise Refused("a layer learns from what it is told and reckons with no effect of its own on it")
        table, set_, kind = self.facts.table, self.facts.settings, self.kind
        descent = kind.descent(len(set_.widths) + 1, set_.optimiser, set_.rate)
        return enrolled(self.chain(), table.x, table.y, set_.batch, descent, (table.held_x, table.held_y), set_.bits)

    # --- the regimes ---

    def silence(self) -> Outcome:
        """Hidden layers are told nothing; the last one learns from what they happen to make of the input."""
        return self.by("silence", bits=None, activation=self.facts.settings.activation or self.kind.activation).taught()

    def plan(self) -> Outcome:
        """Backpropagation, told exactly. No optimum, and it has no certificate."""
        outcome = self.by("backpropagation", bits=None).taught()
        note = "one gradient through all layers, in full: the best that is known to coordinate them, and no optimum"
        return dataclasses.replace(outcome, notes=(*outcome.notes, note))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Refused: layers have no ends of their own."""
        raise Refused(
            "layers have no ends of their own to pursue against each other: full information is the planner's"
        )

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`accuracy` and `loss` on the rows held out, `bits` [layers] that reach each layer, a row and update."""
        school = school_of(society)
        bits = self.facts.once(f"bits {school.bits}", lambda: self.told(school))
        return Outcome(society, values=judged(school) | dict(bits=bits))

    def told(self, school: School) -> np.ndarray:
        """Bits that reach each layer, a row and update."""
        from catallax.networks.measures import told

        return told(school.signal, school.parts, school.loss, school.rows, school.bits)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`accuracy`, `loss`, and `bits_per_update`: what reaches all layers together, a row and update."""
        return dict(
            accuracy=float(outcome.accuracy), loss=float(outcome.loss), bits_per_update=float(np.sum(outcome.bits))
        )

    def effect(self, outcome: Outcome) -> float:
        """The most influential hidden unit's share of what its layer says to the next."""
        from catallax.networks.units import influences

        return float(influences(school_of(outcome.society)).max())

    def gain(self, outcome: Outcome) -> float:
        """Refused: neither layers nor units have ends of their own."""
        raise Refused("neither layers nor units have ends of their own: none gains by acting otherwise")

    # --- other problems made of this one ---

    def quantised(self, bits: int) -> "Lessons":  # pyright: ignore[reportIncompatibleVariableOverride]
        """The same, each number told to a layer in so many bits."""
        return self.by(bits=narrow(bits))

    def units(self) -> Any:
        """The same network, seen as its hidden units: what a lesion takes away, and what there are more of."""
        from catallax.networks.units import Units

        return Units(self)

    def restrict(self, keep: Any) -> "Lessons":
        """Refused: see `units`."""
        raise Refused("the next layer lives on what a layer gives it: take away hidden units, by Lessons.units()")

    def replicate(self, copies: int) -> "Lessons":
        """Refused: see `units`."""
        raise Refused(
            "layers are not alike, so there are none to have more of: have more hidden units, by Lessons.units()"
        )

    def carried(self, old: Society, keep: Any = None) -> Any:
        """A school on these rows whose layers are those of `old`, and are taught by its matrices."""
        if keep is not None:
            self.restrict(keep)
        school = school_of(old)
        return dataclasses.replace(self.society(), agents=school.agents, signal=school.signal)

    # --- what there is to look at ---

    def watch(self) -> dict[str, Any]:
        """The mean loss of the epoch so far, and accuracy on the rows held out at the end of the last one."""
        return dict(loss=lambda s: loss_so_far(school_of(s)), accuracy=lambda s: accuracy_so_far(school_of(s)))

    def words(self) -> dict[str, str]:
        table, set_ = self.facts.table, self.facts.settings
        sizes = "-".join(map(str, (table.x.shape[1], *set_.widths, len(table.classes))))
        return dict(signal="number", measure="accuracy on rows held out", population=f"a network of {sizes}")

    def scene(self, society: Society) -> Scene:
        """What reaches each layer in bits, and (inputs that are square) what the first units look for."""
        bits = self.outcome(society).bits
        items: list[Any] = [Bars([f"layer {k}" for k in range(len(bits))], bits, "bits told, a row and update")]
        tiles = looked_for(school_of(society))
        return Scene(f"A network taught by {self.facts.settings.signal}", [*tiles, *items])


# --- checks ---


def check_settings(given: Settings) -> None:
    """Names and whole numbers that make sense."""
    kind_of(given.signal)
    if not given.widths:
        raise BadInput("widths is empty: give the width of at least one hidden layer")
    for name, values, most in (
        ("widths", given.widths, MOST_WIDE),
        ("epochs", [given.epochs], 2**31),
        ("batch", [given.batch], 2**31),
    ):
        for value in values:
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value < most:
                raise BadInput(f"{name} holds {value!r}: give whole numbers of at least 1 and below {most:,}")
    Wire(given.bits)
    if given.activation is not None and given.activation not in ACTIVATIONS:
        raise BadInput(f"activation is {given.activation!r}: give one of {', '.join(ACTIVATIONS)}")
    if given.optimiser is not None or given.rate is not None:
        optimiser_of(given.optimiser or "adam", 1e-3 if given.rate is None else given.rate)


def narrow(bits: int) -> int:
    """Bits that a number of 32 can be cut to. Raises `Refused` for more than its fraction has."""
    if bits > 24:
        raise Refused("a number of 32 bits has a fraction of 24: it is told in 1 to 24 bits, or exactly")
    return int(bits)


# --- a school's state ---


def school_of(society: Any) -> School:
    """The school, whether it is seen as layers or as units."""
    return society if isinstance(society, School) else society.school


def judged(school: School) -> dict[str, float]:
    """Accuracy and mean loss on the rows held out."""
    assert school.held is not None
    given = (school.signal, school.parts, school.loss)
    return dict(accuracy=1 - mean_mistakes(*given, school.held), loss=mean_loss(*given, school.held))


@eqx.filter_jit
def loss_of(teaching, parts, loss, x, target):
    """The mean loss on some rows."""
    return loss.value(teaching.predict(parts, x), target)


def mean_loss(teaching: Any, parts: tuple, loss: Any, rows: Any) -> float:
    """The mean loss of all rows."""
    total = 0.0
    for start in range(0, rows.count, CHUNK):
        x, target = rows.x[start : start + CHUNK], rows.target[start : start + CHUNK]
        total += float(loss_of(teaching, parts, loss, x, target)) * len(x)
    return total / rows.count


def loss_so_far(school: School) -> np.float64:
    """Of this epoch; NaN before the first batch."""
    return np.float64(school.mean_loss) if int(school.seen) else np.float64(np.nan)


def accuracy_so_far(school: School) -> np.float64:
    """At the end of the last epoch; NaN before it."""
    return np.float64(1 - school.mistakes if np.isfinite(school.mistakes) else np.nan)


def looked_for(school: School) -> list[Grid]:
    """Weights of the first units as pictures side by side, each scaled to [-1, 1], where the inputs make a square."""
    weight = np.asarray(school.parts[0].layer.weight, float)
    side = round(weight.shape[1] ** 0.5)
    if side * side != weight.shape[1] or side < 4:
        return []
    across = int(min(len(weight), TILES) ** 0.5)
    tiles = weight[: across * across].reshape(-1, side, side)
    tiles = tiles / np.maximum(np.abs(tiles).max(axis=(1, 2), keepdims=True), 1e-30)
    framed = np.pad(tiles, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    rows = framed.reshape(across, across, side + 1, side + 1).transpose(0, 2, 1, 3)
    picture = rows.reshape(across * (side + 1), across * (side + 1))[::-1]
    return [Grid(picture[1:, :-1] if across else picture, "weights of the first units")]


__all__ = ["KINDS", "Lessons"]
