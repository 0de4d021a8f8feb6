"""One network of experts under several routers: error, balance of loads, who does what, and seconds of each.

Every seed draws weights and the order of rows anew; the rows held out stay the same. All routers begin with the same weights at
the same seed, so that differences are paired. Seconds are of the processor, for all epochs and the tests after them, without
compiling. The mutual information of few rows is too high by about (classes - 1)(experts - 1) / 2 rows: compare it with lots.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from catallax.core.errors import BadInput
from catallax.core.outcome import Outcome, Status
from catallax.core.record import Record
from catallax.core.run import run
from catallax.experts.problem import Mixture

MEASURES = ("error", "loss", "max_violation", "load_entropy", "dead", "mutual_information", "seconds")


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one router came to: each of `MEASURES` by name, [seeds]; `price` and `share` [epochs, experts] and `counts`
    [classes, experts] of the first seed. `refused`: why it could not be measured (all is then empty).
    """

    router: str
    values: dict[str, Float[np.ndarray, " seeds"]]
    price: Any = None
    share: Any = None
    counts: Any = None
    refused: str = ""
    broken: int = 0  # seeds whose loss became no number


def compare(
    problem: Mixture,
    routers: Iterable[str],
    seeds: int = 3,
    seed: int = 0,
    look: Callable[[int, int, str], None] | None = None,
) -> Iterator[Measured]:
    """Each router in turn. What it cannot do is said in `refused`. Raises `KeyboardInterrupt` on Ctrl-C."""
    routers = list(routers)
    for number, router in enumerate(routers):
        tries = []
        try:
            for k in range(seeds):
                if look is not None:
                    look(number * seeds + k, len(routers) * seeds, router)
                tries.append(tried(problem.by(router, seed=seed + k)))
        except BadInput as reason:
            yield Measured(router, {}, refused=str(reason))
        else:
            yield gathered(router, tries)


def tried(problem: Mixture) -> tuple[dict[str, float], Outcome]:
    """Lessons from the first to the last: measures, and the run."""
    society = problem.society()
    society.ready()
    watched = problem.watch()
    record = Record(every=problem.steps, folder=None, price=watched["price"], share=watched["share"])
    began = time.process_time()
    outcome = run(society, problem.patience, problem.facts.settings.seed, record=record)
    seconds = time.process_time() - began
    if outcome.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    found = problem.welfare(problem.outcome(outcome.society))
    measured = dict(error=1 - found.pop("accuracy"), **found, seconds=seconds)
    if outcome.status is Status.BROKEN:
        measured |= dict.fromkeys(("error", "loss"), float("nan"))
    return measured, outcome


def gathered(router: str, tries: list[tuple[dict[str, float], Outcome]]) -> Measured:
    """The seeds of a router together."""
    values = {name: np.array([one[name] for one, _ in tries], float) for name in MEASURES}
    first = tries[0][1]
    table, broken = first.record or {}, sum(outcome.status is Status.BROKEN for _, outcome in tries)
    return Measured(router, values, table["price"], table["share"], first.society.counts, broken=broken)
