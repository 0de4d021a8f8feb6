"""`train_together`: the door to training together, which is `catallax.run` on a `Together`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome, Status
from catallax.core.record import Record
from catallax.core.run import run
from catallax.merging.together.choices import PEER
from catallax.merging.together.messages import message_bits
from catallax.merging.together.problem import Together

ROWS = 50  # of a record, where nobody says how many


def train_together(
    model: Any,
    datasets: Any,
    *,
    channel: Channel | None = None,
    seed: int = 0,
    every: int | None = None,
    seconds: float | None = None,
    look: Callable | None = None,
    checkpoint: Any = None,
    **settings: Any,
) -> Outcome:
    """Trains one model on the rows of many, who tell one another what they have learnt and not what from.

        outcome = train_together(model, [(X1, y1), (X2, y2), ...], held=(X, y), method="diloco", rounds=30, local_steps=500)
        outcome.model, outcome.accuracy, outcome.bits, outcome.influence, outcome.record["accuracy"]

    **Arguments:** `model`, `datasets` and settings as in `Together`: `method`, `rounds`, `local_steps`, `batch`, `optimiser`,
    `rate`, `outer`, `participation`, `aggregate`, `byzantine`, `graph`, `weights`, `max_influence`, `loss`, `objectives`, ...

    - `channel`: `bits` of each number told, updates and model alike, with what is not told owed; `loss`: the chance that a member
      is cut off in a round; `noise` and `delay` act on the merged model (so there is none of either in gossip).
    - `seed`: of all that is drawn; `every`: rounds between two rows of the record (None: some fifty rows).
    - `seconds`, `look`, `checkpoint`: as in `catallax.run`; `resume` goes on from there bit for bit.

    **Returns** an `Outcome` with `model`, `score` (and by its name: `accuracy`, `r2`), `loss`, `disagreement`, `bits` (sent, up
    and down or between neighbours), `influence` and `shares` [members], `refused` (messages that held no numbers), and `record`:
    one row each `every` rounds of `loss`, the score, `disagreement`, `bits`. **Raises** `BadInput`; `Refused` for a channel that
    has no meaning.
    """
    problem = problem_of(model, datasets, channel, seed, settings)
    rounds = problem.patience
    stride = max(1, rounds // ROWS) if every is None else every
    record = Record(stride, **problem.watch())
    air = None if channel is None else Channel(noise=channel.noise, delay=channel.delay)
    outcome = run(problem, rounds, seed, seconds=seconds, record=record, channel=air, look=look, checkpoint=checkpoint)
    return explained(problem, outcome)


def problem_of(model: Any, datasets: Any, channel: Channel | None, seed: int, settings: dict[str, Any]) -> Together:
    """The problem, hearing through the channel."""
    if channel is not None:
        for name, value in (("bits", channel.bits), ("lost", channel.loss)):
            if value and name in settings:
                raise BadInput(f"{name} is given twice: by the channel, or by itself")
        settings = {**settings, **({"bits": channel.bits} if channel.bits else {})}
        settings = {**settings, **({"lost": channel.loss} if channel.loss else {})}
    problem = Together(model, datasets, seed=seed, **settings)
    if channel is not None and (channel.noise or channel.delay) and problem.facts.settings.method in PEER:
        raise Refused("neighbours hear one another alone: noise and delay act on what is public, and here nothing is")
    return problem


def explained(problem: Together, outcome: Outcome) -> Outcome:
    """The outcome with bits in its record, and sentences where messages were refused."""
    set_, table = problem.facts.settings, dict(outcome.record or {})
    width = 8 * np.dtype(problem.facts.table.start.dtype).itemsize
    if "messages" in table:
        sent = np.asarray(table.pop("messages"), np.int64).sum(1)
        table["bits"] = sent * message_bits(set_.form.sizes, set_.bits, width)
        table[problem.headline] = table.pop("score")
    notes = outcome.notes
    if outcome.values["refused"]:
        notes = (*notes, f"{outcome.values['refused']} messages held what is no number, and were refused")
    if outcome.status is Status.BROKEN:
        notes = (*notes, "all messages of the last round were refused: a smaller rate may help")
    return dataclasses.replace(outcome, record=table, notes=notes)
