"""The runs of the character model: six trials an arm and corpus, then finals; each is kept, so that a study that was cut off
goes on.

Programs are compiled once an arm and width: settings are arguments, and both corpora have one shape. Order: by width, the
middle one first, where settings are chosen; then by arm.
"""

from __future__ import annotations

import functools
import math
import time
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness
from benchmarks.competition import evidence
from benchmarks.competition.corpus import CORPORA, SYMBOLS, Corpus, Rows, corpus, spaced
from benchmarks.competition.trials import kept

TUNING_SEED, MIDDLE = 100, 32
BETWEEN = math.sqrt(3)  # a further learning rate is so many times the best one, or its share
Found = dict[str, Any]
Cells = dict[tuple[str, int, str], list[Found]]  # (corpus, width, arm): a run a seed


class Study(NamedTuple):
    """How much is run; `widths` begin with the one at which settings are chosen."""

    arms: tuple[str, ...]
    corpora: tuple[str, ...] = tuple(CORPORA)
    widths: tuple[int, ...] = (MIDDLE, 16, 64)
    seeds: tuple[int, ...] = (10, 11, 12, 13, 14)
    steps: int = 1000
    rates: tuple[float, ...] = (0.006, 0.002, 0.018)
    validation: int = 16_384
    test: int = 32_768


class Setting(NamedTuple):
    """A learning rate and the value of the arm's own parameter."""

    rate: float
    value: float


class Trials(NamedTuple):
    """Settings in the order in which they were tried, and the validation loss of each."""

    settings: list[Setting]
    losses: list[float]

    @property
    def chosen(self) -> Setting:
        """The best; a loss that is not a number is the worst."""
        return self.settings[int(np.argmin(np.nan_to_num(self.losses, nan=math.inf)))]


@functools.lru_cache(2)
def texts(name: str) -> Corpus:
    """Read once."""
    return corpus(name)


@functools.lru_cache(2)
def program(arm: str, width: int, steps: int) -> Any:
    """An arm's learning, compiled for all corpora and settings."""
    from benchmarks.competition.model import learnt

    return learnt.lower(*arguments(arm, width, next(iter(CORPORA)), Setting(1e-3, 0.0), 0, steps)).compile()


def arguments(arm: str, width: int, name: str, setting: Setting, seed: int, steps: int) -> tuple[Any, ...]:
    """Of `model.learnt`."""
    import jax.numpy as jnp

    from benchmarks.competition.model import Model, keys_of

    first, batches = keys_of(seed)
    symbols = jnp.asarray(texts(name).train.symbols)
    return Model(arm, width, first), symbols, steps, jnp.asarray(setting.rate), jnp.asarray(setting.value), batches


def learn(arm: str, width: int, name: str, setting: Setting, seed: int, steps: int) -> tuple[Any, Any, Found]:
    """(model, prices, what was seen on the way: processor time, and MaxVio of batches in the second half)."""
    import jax

    ready, given = program(arm, width, steps), arguments(arm, width, name, setting, seed, steps)
    start = time.process_time()
    model, prices, losses, load = jax.block_until_ready(ready(*given))
    spent = time.process_time() - start
    load = np.asarray(load)[steps // 2 :]
    met = float((load.max(1) / np.maximum(load.mean(1), 1e-9) - 1).mean())
    return model, prices, {"CPU ms": 1e3 * spent / steps, "met": met, "learning": float(losses[-steps // 10 :].mean())}


def judged(model: Any, prices: Any, rows: Rows, mixed: bool) -> Found:
    """What a learnt model makes of rows that it has not seen."""
    import jax

    from benchmarks.competition.model import tested

    losses, sent = map(np.asarray, tested(model, prices, rows, jax.random.key(0)))
    found: Found = {"loss": float(losses.mean())}
    if mixed:
        found["by source"] = [float(losses[rows.source == s].mean()) for s in (0, 1)]
    if sent.any():
        found |= evidence.spread(sent.sum(0)) | {"unserved": float((sent.sum(1) == 0).mean())}
        found["I(last)"] = evidence.mutual_information(evidence.counted(sent, rows.context[:, -1], SYMBOLS))
        if mixed:
            found["I(source)"] = evidence.mutual_information(evidence.counted(sent, rows.source, 2))
    return found


def trial(study: Study, arm: str, name: str, setting: Setting) -> float:
    """Validation loss of a setting."""
    width, steps = study.widths[0], study.steps

    def find() -> Found:
        model, prices, seen = learn(arm, width, name, setting, TUNING_SEED, steps)
        rows = spaced(texts(name).validation, study.validation)
        return judged(model, prices, rows, mixed(name)) | seen

    given = (arm, width, name, setting, TUNING_SEED, steps, study.validation)
    return kept("characters-trial", given, find)["loss"]


def final(study: Study, arm: str, width: int, name: str, setting: Setting, seed: int) -> Found:
    """A run that is judged by the test set."""

    def find() -> Found:
        model, prices, seen = learn(arm, width, name, setting, seed, study.steps)
        return judged(model, prices, spaced(texts(name).test, study.test), mixed(name)) | seen

    return kept("characters-final", (arm, width, name, setting, seed, study.steps, study.test), find)


def mixed(name: str) -> bool:
    """Whether there are two sources to tell apart."""
    return len(set(CORPORA[name])) > 1


def tried(study: Study, arm: str, name: str) -> Trials:
    """Six trials an arm: rates at the first value; at the best, the other values, or rates beside it; a higher rate."""
    from benchmarks.competition.arms import ARMS

    first, *others = ARMS[arm].values
    settings = [Setting(rate, first) for rate in study.rates]
    losses = [trial(study, arm, name, one) for one in settings]
    best = Trials(settings, losses).chosen.rate
    further = [Setting(best, v) for v in others] or [Setting(r, first) for r in (best * BETWEEN, best / BETWEEN)]
    found = Trials(settings + further, losses + [trial(study, arm, name, one) for one in further])
    last = found.chosen._replace(
        rate=found.chosen.rate * BETWEEN
    )  # nobody is held back by the largest rate of the list
    return Trials([*found.settings, last], [*found.losses, trial(study, arm, name, last)])


def studied(study: Study) -> tuple[dict[tuple[str, str], Trials], Cells]:
    """All trials by (arm, corpus), and all finals by (corpus, width, arm)."""
    from benchmarks.competition.arms import ARMS

    trials: dict[tuple[str, str], Trials] = {}
    cells: Cells = {}
    for width in study.widths:
        for arm in study.arms:
            if ARMS[arm].diagnostic and width != study.widths[0]:
                continue
            for name in study.corpora:
                if (arm, name) not in trials:
                    trials[arm, name] = tried(study, arm, name)
                chosen = trials[arm, name].chosen
                runs = [final(study, arm, width, name, chosen, seed) for seed in study.seeds]
                cells[name, width, arm] = runs
            harness.say(f"  characters: width {width}, {arm}")
    return trials, cells
