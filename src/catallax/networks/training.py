"""`train`: the one training loop, which is `catallax.run` on a `School`."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from catallax.core.errors import BadInput
from catallax.core.outcome import Outcome, Status
from catallax.core.record import Record
from catallax.core.rows import Rows
from catallax.core.run import run
from catallax.networks.chain import Chain
from catallax.networks.school import Learner, School

RATE = 1e-3


def train(
    chain: Chain,
    X: Any,
    y: Any,
    epochs: int = 10,
    *,
    batch: int = 128,
    optimiser: Any = None,
    validation: tuple[Any, Any] | None = None,
    patience: int | None = None,
    bits: int | None = None,
    distort: Callable | None = None,
    seed: int = 0,
    seconds: float | None = None,
    look: Callable | None = None,
    checkpoint: Any = None,
) -> Outcome:
    """Teaches a chain.

    **Arguments:**

    - `X`: inputs [rows, ...]; `y`: labels [rows] (cross-entropy) or numbers [rows] or [rows, outputs].
    - `epochs`, `batch`: how often each row is seen, and how many at once.
    - `optimiser`: an Optax optimiser for all layers, or a list of them, one a layer. Default Adam, 1e-3.
    - `validation`: rows to be put to the test on after each epoch; the chain returned is the best on them. `patience`:
      stop after so many epochs without a better one.
    - `bits`: tell each layer every number in so many bits (None: exactly), see `signals.teaching.Wire`.
    - `distort`: (inputs [batch, ...], key) -> inputs, traced: what is done to a batch before it is learnt from.
    - `seconds`, `look`, `checkpoint`: as in `run`.

    **Returns** an `Outcome` with `chain` (also where it was stopped or interrupted), `loss` (of the last epoch) and, in
    `record`, one row an epoch. **Raises** `BadInput`; NaN in the loss is a status (broken) and a note that names the layer.
    """
    check_counts(epochs, patience)
    school = enrolled(chain, X, y, batch, optimiser, validation, bits, distort)
    record = Record(school.steps, loss=lambda s: s.mean_loss, mistakes=lambda s: s.mistakes, since=lambda s: s.since)
    stop = stopping(look, patience, validation is not None)
    keep = {"seconds": seconds, "record": record, "look": stop, "checkpoint": checkpoint}
    outcome = run(school, int(epochs) * school.steps, seed, **keep)
    return explained(chain, outcome)


def enrolled(
    chain: Chain, X: Any, y: Any, batch: int, optimiser: Any, validation: Any, bits: int | None, distort: Any = None
) -> School:
    """The society of a chain's layers, with the rows they learn from, all checked."""
    rows = checked_rows(chain, X, y, "X")
    held = None if validation is None else checked_rows(chain, validation[0], validation[1], "validation")
    if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)) or batch < 1:
        raise BadInput(f"batch is {batch!r}: give a whole number of at least 1")
    optimisers = one_a_layer(optimiser, len(chain.layers))
    learners = tuple(Learner.new(part, own) for part, own in zip(chain.parts, optimisers, strict=True))
    return School(
        learners,
        chain.teaching,
        loss=chain.loss,
        rows=rows,
        held=held,
        batch=min(int(batch), rows.count),
        bits=bits,
        distort=distort,
        total=jnp.zeros((), rows.x.dtype),
        seen=jnp.zeros((), int),
        sick=jnp.zeros(len(learners), bool),
        mistakes=np.float64(np.inf),
        least=np.float64(np.inf),
        since=np.int64(0),
        best=None if held is None else chain.parts,
    )


def check_counts(epochs: Any, patience: Any) -> None:
    """Whole numbers of at least 1."""
    for name, value in (("epochs", epochs), ("patience", patience)):
        if name == "patience" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise BadInput(f"{name} is {value!r}: give a whole number of at least 1")


def checked_rows(chain: Chain, X: Any, y: Any, name: str) -> Rows:
    """Rows as the chain takes them. BadInput where a shape is another, or a value is no number."""
    x = np.asarray(X)
    if x.shape[1:] != chain.inputs:
        raise BadInput(f"rows of {name} have the shape {list(x.shape[1:])}: the network takes {list(chain.inputs)}")
    if not len(x):
        raise BadInput(f"{name} has no rows: give at least one")
    x = x.astype(jnp.zeros(()).dtype)
    wrong = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
    if wrong.size:
        raise BadInput(f"row {wrong[0]} of {name} holds NaN or an infinite number: leave it out or fill it in")
    return Rows.of(x, chain.loss.checked(y, len(x), chain.outputs))


def one_a_layer(optimiser: Any, count: int) -> list:
    """An optimiser for each layer."""
    if optimiser is None:
        optimiser = optax.adam(RATE)
    if isinstance(optimiser, optax.GradientTransformation):
        return [optimiser] * count
    if not isinstance(optimiser, Sequence) or len(optimiser) != count:
        raise BadInput(f"optimiser must be an Optax optimiser, or a list of {count} of them, one a layer")
    return list(optimiser)


def stopping(look: Callable | None, patience: int | None, tested: bool) -> Callable | None:
    """`look`, and a stop after so many epochs without a better network."""
    if patience is None:
        return look
    if not tested:
        raise BadInput("patience needs rows to be patient on: give validation=(X, y)")

    def stop(frame: Any) -> bool:
        asked = look is not None and look(frame)
        return bool(asked) or bool(frame.values.get("since", 0) >= patience)

    return stop


def explained(chain: Chain, outcome: Outcome) -> Outcome:
    """The outcome with the chain that has learnt; where the loss is no number, the layer it began in."""
    school = outcome.society
    parts = school.parts if school.best is None else school.best
    values = {"chain": chain.having_learnt(parts), "loss": float(school.mean_loss)}
    notes = outcome.notes
    if outcome.status is Status.BROKEN:
        notes = (*notes, diagnosis(school.sick))
    return dataclasses.replace(outcome, values=values, notes=notes)


def diagnosis(sick: Any) -> str:
    """A sentence: in which layer numbers ceased to be numbers."""
    where = [str(number) for number in np.flatnonzero(sick)]
    if not where:
        return (
            "the loss is no longer a number, though all layers hold numbers: outputs overflow; scale inputs or targets"
        )
    layers = f"layer {where[0]}" if len(where) == 1 else f"layers {', '.join(where)}"
    return f"the loss is no longer a number: {layers} held NaN first; lower the learning rate"
