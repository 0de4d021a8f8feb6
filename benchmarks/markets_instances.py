"""Instances of the market benchmarks, drawn from a seed: both sides of a comparison read the same arrays.

A market has n buyers (jobs) and m goods (resources): buyer i brings the budget B_i and gains v_ij from one
unit of good j, of which there are s_j. Every buyer values some good and every good is valued by some buyer.
Units are free: budgets in money, v_ij in utility per unit of good.

Families of valuations, one function each, by name in `FAMILIES`:

    uniform        U(0.001, 1)
    lognormal      exp N(0, 1)
    low rank       products of two U(0, 1) factors, of rank 8 (or the smaller side): tastes that resemble
    sparse         U(0.001, 1) on one pair in a hundred
    ties           integers 0 to 5: best buys are rarely unique
    buyer scales   uniform, each buyer's row times 10^U(-6, 6): a linear market's prices do not feel it
    good scales    uniform, each good's column times 10^U(-6, 6): prices spread over as many decades

Besides these: the instance of the resalloc notebook (`resalloc`) and a GPU cluster measured by Gavel
(`gavel`).
"""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIZES = ((2, 2), (10, 5), (100, 20), (500, 50), (2_000, 100), (2_000, 200), (10_000, 100))  # buyers, goods
LEAST = 1e-3  # of uniform valuations: a zero is the sparse family's matter
RANK, DENSITY, DECADES = 8, 0.01, 6.0
GAVEL = "economy/gavel_simulation_throughputs.json"  # under ../shared/data, or where the caller has it
GAVEL_WORKERS = ("k80", "p100", "v100")


@dataclasses.dataclass(frozen=True)
class Market:
    """`valuations` [n, m], `budgets` [n], `supply` [m]; `row_caps` [n] limit a buyer's units over all goods,
    `good_caps` [n, m] each share (None: no limit). `names` of the buyers, where they have any."""

    valuations: Array
    budgets: Array
    supply: Array
    row_caps: Array | None = None
    good_caps: Array | None = None
    names: tuple[str, ...] = ()

    def arrays(self) -> dict[str, Array]:
        """The arrays that there are, by name."""
        names = ("valuations", "budgets", "supply", "row_caps", "good_caps")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def save(self, path: Path | str) -> None:
        """Write the .npz file that the scripts in benchmarks/peers read."""
        np.savez(path, **self.arrays())  # pyright: ignore[reportArgumentType]


# --- families -----------------------------------------------------------------------------------------------


def uniform(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """Independent, U(0.001, 1)."""
    return random.uniform(LEAST, 1.0, (buyers, goods))


def lognormal(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """Independent, the log standard normal."""
    return random.lognormal(0.0, 1.0, (buyers, goods))


def low_rank(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """A few hidden qualities of goods, and how much each buyer cares for them."""
    rank = min(RANK, buyers, goods)
    return random.uniform(size=(buyers, rank)) @ random.uniform(size=(rank, goods))


def sparse(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """Most pairs are worth nothing; each row and each column has at least one that is."""
    kept = random.random((buyers, goods)) < DENSITY
    return _wanted(random, np.where(kept, uniform(random, buyers, goods), 0.0))


def ties(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """Whole numbers, zeros among them; each row and each column has at least one that is not."""
    return _wanted(random, random.integers(0, 6, (buyers, goods)).astype(float))


def buyer_scales(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """Each buyer's utility in a unit of its own."""
    return uniform(random, buyers, goods) * 10 ** random.uniform(-DECADES, DECADES, (buyers, 1))


def good_scales(random: np.random.Generator, buyers: int, goods: int) -> Array:
    """Each good in a unit of its own."""
    return uniform(random, buyers, goods) * 10 ** random.uniform(-DECADES, DECADES, goods)


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], Array]] = {
    "uniform": uniform,
    "lognormal": lognormal,
    "low rank": low_rank,
    "sparse": sparse,
    "ties": ties,
    "buyer scales": buyer_scales,
    "good scales": good_scales,
}


def _wanted(random: np.random.Generator, valuations: Array) -> Array:
    """The same, with one valuation of 1 in each row and each column that had none."""
    buyers, goods = valuations.shape
    for i in np.flatnonzero(~valuations.any(axis=1)):
        valuations[i, random.integers(goods)] = 1.0
    for j in np.flatnonzero(~valuations.any(axis=0)):
        valuations[random.integers(buyers), j] = 1.0
    return valuations


# --- markets ------------------------------------------------------------------------------------------------


def draw(family: str, buyers: int, goods: int, seed: int, budgets: str = "similar") -> Market:
    """A market of one family: one unit of each good, budgets that sum to 1.

    `budgets`: "equal", "similar" (U(0.5, 1.5)) or "decades" (10^U(-3, 3), six decades). Valuations depend on
    the seed and the sizes alone, not on the budgets. Raises `KeyError` for a name that is not there.
    """
    tastes, money = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    brought = {
        "equal": lambda: np.ones(buyers),
        "similar": lambda: money.uniform(0.5, 1.5, buyers),
        "decades": lambda: 10 ** money.uniform(-DECADES / 2, DECADES / 2, buyers),
    }[budgets]()
    return Market(FAMILIES[family](tastes, buyers, goods), brought / brought.sum(), np.ones(goods))


def resalloc(seed: int, jobs: int = 1_000_000, resources: int = 4) -> Market:
    """Jobs on resources as in resalloc's comparison with MOSEK (Agrawal, Boyd et al. 2021).

    Budgets and row caps are 1. v_ij ~ U(0.1, h_j), h from 0.3 to 1 in equal steps: later resources are
    faster. s_j ~ U(0.1, 1) jobs / 1.5^j: and scarcer. Values are rounded to float32, in which that solver
    works, so that all solve the same numbers; there a job's valuations differ from each other, and ties of
    the rounding are drawn again.
    """
    random = np.random.default_rng(seed)
    supply = random.uniform(0.1, 1.0, resources) * jobs / 1.5 ** np.arange(resources)
    highest = np.linspace(0.3, 1.0, resources)
    valuations = random.uniform(0.1, highest, (jobs, resources)).astype(np.float32)
    while (tied := (np.diff(np.sort(valuations, axis=1), axis=1) == 0).any(axis=1)).any():
        valuations[tied] = random.uniform(0.1, highest, (np.count_nonzero(tied), resources))
    ones = np.ones(jobs)
    return Market(valuations.astype(float), ones, supply.astype(np.float32).astype(float), row_caps=ones)


def gavel(path: Path | str, unconsolidated: bool = False) -> Market:
    """A GPU cluster: [job types, 3] valuations of the workers k80, p100 and v100, measured by Gavel.

    Narayanan et al., OSDI 2020. v_ij is the measured rate (steps/s) of the job type alone on that worker over
    its best rate, so that each row's largest is 1; 0 where it does not run. A job type is a model with a
    batch size and a number of workers; those that run nowhere are left out. Budgets are equal and sum to 1,
    there is one unit of each worker; `names` are the job types. `unconsolidated`: workers on several servers.
    """
    table = json.loads(Path(path).read_text(encoding="utf-8"))
    columns = [table[worker + ("_unconsolidated" if unconsolidated else "")] for worker in GAVEL_WORKERS]
    kinds = list(dict.fromkeys(kind for column in columns for kind in column))
    rates = np.array([[float(column.get(kind, {}).get("null", 0.0)) for column in columns] for kind in kinds])
    runs = rates.max(axis=1) > 0
    rates = rates[runs]
    names = tuple(_job_name(kind) for kind, keep in zip(kinds, runs, strict=True) if keep)
    equal = np.full(len(rates), 1 / len(rates))
    return Market(rates / rates.max(axis=1, keepdims=True), equal, np.ones(len(GAVEL_WORKERS)), names=names)


def _job_name(kind: str) -> str:
    """ "('A3C', 1)" becomes "A3C x 1"."""
    model, workers = ast.literal_eval(kind)
    return f"{model} x {workers}"
