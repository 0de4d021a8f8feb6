"""A GPU cluster shared by prices: jobs come and go, and at every step the market clears again.

A job runs at its own pace on each type of GPU, and may hold as many GPUs at once as it has workers. Equal shares give
everyone the same mix; but in Gavel's file one kind of job is twelve times as fast on a V100 as on a K80, another slower.
Prices let each take what it gains most from: the allocation of the most Nash welfare, with its certificate. Max-min
fairness (Gavel's default; a linear programme) raises the slowest job first; a second programme then raises the total.
Throughput is counted in average GPUs: 1 is what the job would do with one GPU that is every type in turn.

    python examples/cluster.py [throughputs.json] [cluster.png]

The file is in the format of Gavel's simulation_throughputs.json; without one, a small one is made. Arrivals, sizes and
durations follow Gavel's trace: D. Narayanan, K. Santhanam, F. Kazhamiaka, A. Phanishayee and M. Zaharia,
Heterogeneity-aware cluster scheduling policies for deep learning workloads, OSDI 2020. Shares are shares of time.
"""

import ast
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, sparse

from catallax.economy import allocate
from catallax.economy.allocate import room
from catallax.view import style
from catallax.view.plots import label_ends

GPUS = ("v100", "p100", "k80")
SUPPLY = np.array([36.0, 36, 36])  # Gavel's cluster
WORKERS, WORKERS_SHARE = (1, 2, 4, 8), (0.7, 0.1, 0.15, 0.05)  # of jobs, as on Microsoft's Philly cluster
HOURS = 0.5  # between two clearings
STEPS = 1_000  # with arrivals; then all who are there finish
ARRIVALS = 1.6  # a step, on average
COLOURS = {"prices": style.BLUE, "max-min": style.VERMILION, "equal shares": style.GREY}


# --- jobs ---


class Kinds(NamedTuple):
    """Kinds of jobs: `rates` [kinds, GPUs], steps a second of a job on `workers` [kinds] GPUs of one type."""

    names: tuple[str, ...]
    rates: np.ndarray
    workers: np.ndarray


class Jobs(NamedTuple):
    """Jobs in the order in which they come: `rates` [jobs, GPUs] steps a second for each GPU held, `cap` [jobs] GPUs at
    most, `come` [jobs] step, `work` [jobs] steps of training."""

    rates: np.ndarray
    cap: np.ndarray
    come: np.ndarray
    work: np.ndarray


def write_throughputs(path: str | Path, seed: int = 0, models: int = 6) -> Path:
    """A small file in Gavel's format: newer GPUs are faster, by how much depends on the model, and scaling is not perfect."""
    random = np.random.default_rng(seed)
    base = np.exp(random.normal(1.5, 1.0, models))
    table: dict[str, Any] = {}
    for gpu, least, most in zip(GPUS, (1.0, 0.5, 0.1), (1.0, 1.4, 0.7)):
        pace = base * random.uniform(least, most, models)
        names = [f"('Model {k} (batch size {16 << k % 4})', {size})" for size in WORKERS for k in range(models)]
        rates = (pace * np.array(WORKERS)[:, None] ** 0.85).ravel().tolist()
        table[gpu] = {name: {"null": rate} for name, rate in zip(names, rates)}
    path = Path(path)
    path.write_text(json.dumps(table, indent=1), encoding="utf-8")
    return path


def read_throughputs(path: str | Path) -> Kinds:
    """The kinds of jobs of a file in Gavel's format, alone on their GPUs; those that do not run on the first type are left out."""
    table = json.loads(Path(path).read_text(encoding="utf-8"))
    names = [name for name, run in table[GPUS[0]].items() if run["null"] > 0]
    rates = np.array([[table[gpu].get(name, {}).get("null", 0.0) for gpu in GPUS] for name in names])
    return Kinds(tuple(names), rates, np.array([ast.literal_eval(name)[1] for name in names]))


def arrivals(kinds: Kinds, seed: int, steps: int = STEPS, rate: float = ARRIVALS) -> Jobs:
    """A Poisson number of jobs a step; durations, were all run on the first type, 10^U(1.5, 3) minutes, a fifth 10^U(3, 4)."""
    random = np.random.default_rng(seed)
    come = np.repeat(np.arange(steps), random.poisson(rate, steps))
    sizes = random.choice(WORKERS, come.size, p=WORKERS_SHARE)
    kind = np.array([random.choice(np.flatnonzero(kinds.workers == size)) for size in sizes], int)
    long = random.random(come.size) < 0.2
    minutes = 10 ** np.where(long, random.uniform(3, 4, come.size), random.uniform(1.5, 3, come.size))
    work = 60 * minutes * kinds.rates[kind, 0]
    return Jobs(kinds.rates[kind] / sizes[:, None], sizes.astype(float), come, work)


# --- policies: who holds how many GPUs of each type, [jobs, GPUs] ---


class Prices:
    """The market, cleared again at every step from the prices that were. `cleared`: what each clearing came to."""

    def __init__(self, supply: np.ndarray = SUPPLY) -> None:
        self.supply, self.allocation, self.present = supply, None, np.array([], int)
        self.cleared: list[dict[str, Any]] = []
        self.rooms: set[int] = set()

    def __call__(self, present: np.ndarray, value: np.ndarray, cap: np.ndarray) -> np.ndarray:
        """Jobs `present` (numbers, ascending), their `value` [jobs, GPUs] for each GPU, and `cap`, GPUs at most."""
        new, gone = ~np.isin(present, self.present), self.present[~np.isin(self.present, present)]
        names, leave = [str(k) for k in present], [str(k) for k in gone]
        if self.allocation is None or new.all():
            found = allocate(value, supply=self.supply, cap=cap, names=names)
        else:
            # who stays keeps the order, and who comes is last: rows are those of `present`
            come = dict(valuations=value[new], cap=cap[new], names=[str(k) for k in present[new]])
            found = self.allocation.update(add=come if new.any() else None, remove=leave)
        seats = room(len(present))  # a market of another size is compiled first
        said = {field: getattr(found, field) for field in ("gap", "rounds", "seconds", "churn")}
        self.cleared.append(said | dict(settled=found.status == "settled", compiled=seats not in self.rooms))
        self.rooms.add(seats)
        self.allocation, self.present = found, present
        return found.allocation


class EqualShares:
    """Everyone the same number of GPUs of the same mix; what some may not hold is shared among the others, alike."""

    def __init__(self, supply: np.ndarray = SUPPLY) -> None:
        self.supply = supply

    def __call__(self, present: np.ndarray, value: np.ndarray, cap: np.ndarray) -> np.ndarray:
        """As `Prices`."""
        total, ascending = self.supply.sum(), np.sort(cap)
        needed = np.cumsum(ascending) - ascending + ascending * np.arange(cap.size, 0, -1)  # to fill so many
        full = int(np.searchsorted(needed, total))
        level = np.inf if full == cap.size else (total - ascending[:full].sum()) / (cap.size - full)
        return np.minimum(cap, level)[:, None] * self.supply / total


class MaxMin:
    """The largest least throughput, and (`second`) then the largest total that leaves nobody below it."""

    def __init__(self, supply: np.ndarray = SUPPLY, second: bool = True) -> None:
        self.supply, self.second = supply, second

    def __call__(self, present: np.ndarray, value: np.ndarray, cap: np.ndarray) -> np.ndarray:
        """As `Prices`. Variables: shares, job by job, and the least throughput."""
        n, m = value.shape
        row = np.repeat(np.arange(n), m)
        rates = sparse.csr_array((-value.ravel(), (row, np.arange(n * m))), (n, n * m))
        own, goods = sparse.kron(sparse.eye_array(n), np.ones(m)), sparse.kron(np.ones(n), sparse.eye_array(m))
        table, last = sparse.vstack([rates, own, goods]), np.repeat([1.0, 0.0], [n, n + m])[:, None]
        limits = np.concatenate([np.zeros(n), cap, self.supply])
        found = solved(np.repeat([0.0, -1.0], [n * m, 1]), sparse.hstack([table, sparse.csr_array(last)]), limits)
        if self.second:
            limits[:n] = -found[-1] * (1 - 1e-9)
            found = solved(-value.ravel(), table, limits)
        return np.maximum(found[: n * m], 0).reshape(n, m)


def solved(cost: np.ndarray, table: Any, limits: np.ndarray) -> np.ndarray:
    """The x >= 0 of the least cost with table x <= limits, by HiGHS."""
    found = optimize.linprog(cost, A_ub=table, b_ub=limits, method="highs")
    if found.x is None:
        raise RuntimeError(f"the linear programme failed: {found.message}")
    return found.x


# --- the cluster ---


class Trace(NamedTuple):
    """What happened. By step: `running` jobs, `seconds` spent on sharing, `churn`, the share of GPUs that changed hands. By
    job: `hours` from coming to finishing. `steps`: until the last was done. `beside` [steps `looked` at, 4]: what policies
    make of the same jobs, by name ("own": the one that was followed): mean log, mean and least throughput; seconds."""

    running: np.ndarray
    seconds: np.ndarray
    churn: np.ndarray
    hours: np.ndarray
    steps: int
    looked: np.ndarray
    beside: dict[str, np.ndarray]


def simulate(
    jobs: Jobs, policy: Any, beside: dict[str, Any] | None = None, every: int = 10, supply: np.ndarray = SUPPLY
) -> Trace:
    """The cluster until the last job is done, shared by `policy` at every step; `beside`: policies that are only asked, at
    one step in `every`, what they would make of the same jobs."""
    average = jobs.rates @ supply / supply.sum()
    left, hours, held = jobs.work.copy(), np.full(jobs.work.size, np.nan), np.zeros(jobs.rates.shape)
    running, seconds, churn, looked, step = [], [], [], [], 0
    told: dict[str, list[Any]] = {name: [] for name in ("own", *(beside or ()))}
    while np.isnan(hours).any():
        here = np.flatnonzero(np.isnan(hours) & (jobs.come <= step))
        facts = here, jobs.rates[here] / average[here, None], jobs.cap[here]
        shares, spent = asked(policy, facts)
        if here.size and step % every == 0:
            looked.append(step)
            told["own"].append(judged(facts[1], shares, spent))
            for name, other in (beside or {}).items():
                told[name].append(judged(facts[1], *asked(other, facts)))
        before, held = held, np.zeros_like(held)
        held[here] = shares
        pace = 3600 * (jobs.rates[here] * shares).sum(1)  # steps an hour
        done = left[here] <= pace * HOURS
        hours[here[done]] = (step - jobs.come[here[done]]) * HOURS + left[here[done]] / pace[done]
        left[here] -= pace * HOURS
        running.append(here.size)
        seconds.append(spent)
        churn.append(np.abs(held - before).sum() / 2 / supply.sum())
        step += 1
    rows = {name: np.array(row) for name, row in told.items()}
    return Trace(np.array(running), np.array(seconds), np.array(churn), hours, step, np.array(looked), rows)


def asked(policy: Any, facts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[np.ndarray, float]:
    """A policy's shares, and the seconds that it took; nobody asks where nobody is."""
    if not facts[0].size:
        return np.zeros_like(facts[1]), 0.0
    began = time.perf_counter()
    shares = policy(*facts)
    return shares, time.perf_counter() - began


def judged(value: np.ndarray, shares: np.ndarray, seconds: float) -> tuple[float, float, float, float]:
    """Mean log, mean and least throughput (in average GPUs), and the seconds."""
    got = (value * shares).sum(1)
    with np.errstate(divide="ignore"):
        return float(np.log(got).mean()), float(got.mean()), float(got.min()), seconds


# --- what is shown ---


def smooth(values: np.ndarray, width: int = 48) -> np.ndarray:
    """The mean of so many steps up to each (of a day)."""
    total, last = np.concatenate([[0], np.cumsum(values)]), np.arange(values.size) + 1
    first = np.maximum(last - width, 0)
    return (total[last] - total[first]) / (last - first)


def draw(traces: dict[str, Trace], certified: float, steps: int = STEPS) -> Any:
    """Running jobs; Nash welfare on the same jobs; churn: over the days in which jobs come."""
    title = "A job takes {:.1f} hours where GPUs have prices, {:.1f} under max-min fairness, {:.1f} with equal shares."
    caption = (
        f"{traces['prices'].hours.size:,} jobs on {SUPPLY.sum():.0f} GPUs of three types. Nash welfare: geometric mean of "
        "throughput, in GPUs that are every type in turn; all three policies on the jobs that run at prices. Churn: mean "
        f"of the last day. {style.percent(certified)} of the clearings are certified."
    )
    sheet = style.sheet(5.75, title.format(*(traces[name].hours.mean() for name in COLOURS)), caption)
    own, width = traces["prices"], style.WIDTH - style.LEFT - 1.25
    shown, days = own.looked < steps, HOURS / 24
    words = "jobs that run", "Nash welfare on the same jobs", "GPUs that change hands at a step, %"
    for k, (up, high) in enumerate(((3.95, 1.5), (2.25, 1.25), (0.55, 1.25))):
        axes, ends = sheet.axes(style.LEFT, up, width, high), []
        for name, colour in reversed(COLOURS.items()):
            welfare = np.exp(own.beside["own" if name == "prices" else name][shown, 0])
            y = (traces[name].running[:steps], welfare, 100 * smooth(traces[name].churn[:steps]))[k]
            x = days * (own.looked[shown] if k == 1 else np.arange(y.size))
            axes.plot(x, y, color=colour, linewidth=1.8)
            ends.append((days * steps, float(y[-1]), name, colour))
        axes.set_xlim(0, days * steps)
        axes.set_ylim(0)
        axes.tick_params(labelbottom=k == 2)
        axes.locator_params(axis="y", nbins=4)
        style.ticks(axes.xaxis, range(0, int(days * steps) + 1, 5), map(str, range(0, int(days * steps) + 1, 5)))
        label_ends(axes, ends, 13.0)
        style.name_axes(axes, "days" if k == 2 else "", words[k], -0.45)
    return sheet.figure


def main() -> None:
    """Run the three policies on the same jobs, print what they came to, and save the picture."""
    files = [word for word in sys.argv[1:] if word.endswith(".json")]
    picture = next((word for word in sys.argv[1:] if not word.endswith(".json")), "cluster.png")
    with tempfile.TemporaryDirectory() as folder:
        kinds = read_throughputs(files[0] if files else write_throughputs(Path(folder, "throughputs.json")))
    jobs, prices = arrivals(kinds, seed=0), Prices()
    others = {"max-min": MaxMin(), "equal shares": EqualShares()}
    traces = {"prices": simulate(jobs, prices, others)}
    traces |= {name: simulate(jobs, policy) for name, policy in others.items()}
    print("policy         hours, mean and 95 %   jobs running   churn   ms a step")
    for name, trace in traces.items():
        mean, late, run = trace.hours.mean(), np.percentile(trace.hours, 95), trace.running[:STEPS].mean()
        churn, spent = trace.churn[:STEPS].mean(), 1e3 * np.median(trace.seconds)
        print(f"{name:14s} {mean:10.1f} {late:11.0f} {run:14.1f} {churn:7.1%} {spent:11.2f}")
    gaps = np.array([cleared["gap"] for cleared in prices.cleared])
    certified = float(np.mean(gaps <= 1e-6))
    print(
        f"{certified:.1%} of {gaps.size:,} clearings are certified to 1e-6 of the most Nash welfare, the worst to {gaps.max():.1e}"
    )
    print(style.save(draw(traces, certified), picture))


if __name__ == "__main__":
    main()
