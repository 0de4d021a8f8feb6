"""Sparse codes of image patches at equal certified gaps, against scikit-learn; a million of them; what they are good for.

    python -m benchmarks.sparse [--quick] [--json]

One thread. Times are processor time (the machine may be shared), medians of five; ours is compiled, or loaded, before. Both sides
are held to the same certificate, (P - D) / P of the worst sample, D at the best multiple of the residual (`networks.sparse.
certificate`), computed here for both. scikit-learn's `sparse_encode` has a fixed tolerance, so its coordinate descent is stopped
by the fewest sweeps that reach the gap, found beforehand: it is told what no user could know. Patches: 8 photographs (Kodak,
`../shared/data/patches`), mean removed, unit norm. The dictionary is scikit-learn's.
"""

from __future__ import annotations

import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, harness

PENALTIES = (0.1, 0.2)
SIZES = {8: 256, 16: 1024}  # side of a patch: atoms
GAP = 1e-3
TARGETS = {"cd": 2.0, "lars": 20.0, "sub": 4.0}  # times as quick: at the certified gap, and at equal suboptimality
SWEEPS = (3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 50, 60, 70, 80, 90, 100, 120, 150, 200, 300, 500, 1000)
MANY, QUICK = 1_000_000, 20_000


# --- patches ---


def images() -> np.ndarray:
    """The photographs, [8, 480, 480]. Raises `RuntimeError` where they are not at hand."""
    place = data.SHARED / "patches" / "kodak8_gray.npz"
    if not place.is_file():
        raise RuntimeError(f"this benchmark reads {place}, which is not there")
    held = np.load(place)
    return np.stack([held[name] for name in held.files if held[name].ndim == 2]).astype(np.float64)


def patches(photographs: np.ndarray, count: int, side: int, seed: int) -> np.ndarray:
    """Patches [count, side * side] without blank ones, mean removed, unit norm."""
    random, kept = np.random.default_rng(seed), np.zeros((0, side * side))
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (side, side), axis=(1, 2))
    while len(kept) < count:
        places = [random.integers(n, size=count) for n in windows.shape[:3]]
        rows = windows[tuple(places)].reshape(count, -1)
        rows = rows - rows.mean(1, keepdims=True)
        kept = np.vstack([kept, rows[rows.std(1) > 2]])  # grey levels of 256
    return kept[:count] / np.linalg.norm(kept[:count], axis=1, keepdims=True)


def dictionary(photographs: np.ndarray, side: int, atoms: int) -> np.ndarray:
    """scikit-learn's own, so that neither side codes over atoms that were made for it by the other."""
    table = their_learner(atoms, 4, 0).fit(patches(photographs, 8000, side, 1)).components_
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def their_learner(atoms: int, epochs: int, seed: int) -> Any:
    """scikit-learn's learner, by coordinate descent and without an early end."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    settings: dict[str, Any] = {"alpha": 0.1, "batch_size": 256, "fit_algorithm": "cd", "max_no_improvement": None}
    return MiniBatchDictionaryLearning(atoms, max_iter=epochs, random_state=seed, **settings)


# --- equal gaps ---


def clock(action: Callable[[], Any], repeats: int = harness.REPEATS) -> tuple[float, Any]:
    """Milliseconds of processor time, the median, and what came of it."""
    spent, found = [], None
    for _ in range(repeats):
        start = time.process_time()
        found = action()
        spent.append(time.process_time() - start)
    return 1e3 * statistics.median(spent), found


def judged(X: np.ndarray, codes: np.ndarray, table: np.ndarray, penalty: float) -> Any:
    """The certificate, by one formula for all."""
    from catallax.networks.sparse.atoms import Atoms
    from catallax.networks.sparse.certificate import bounds

    return bounds(X, np.asarray(codes), Atoms(table), penalty)


def theirs(
    X: np.ndarray, table: np.ndarray, penalty: float, algorithm: str = "lasso_cd", sweeps: int = 1000
) -> np.ndarray:
    """scikit-learn's codes."""
    from sklearn.decomposition import sparse_encode

    return sparse_encode(X, table, algorithm=algorithm, alpha=penalty, max_iter=sweeps)


def least_sweeps(X: np.ndarray, table: np.ndarray, penalty: float, fine: Callable[[Any], bool]) -> int:
    """The fewest of `SWEEPS` of coordinate descent whose codes are `fine`."""
    for sweeps in SWEEPS:
        if fine(judged(X, theirs(X, table, penalty, sweeps=sweeps), table, penalty)):
            return sweeps
    return SWEEPS[-1]


def loosest(X: np.ndarray, coder: Callable[[float], Any], fine: Callable[[np.ndarray], bool]) -> float:
    """The loosest tolerance of ours whose codes are `fine`."""
    for tolerance in (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, GAP):
        if fine(coder(tolerance).transform(X)):
            return tolerance
    return GAP


def rows_of(X: np.ndarray, table: np.ndarray, penalty: float, repeats: int, lars: bool) -> list[dict[str, Any]]:
    """Each solver once, its time and how far it came; the first row is ours."""
    from catallax.networks.sparse.coder import SparseCoder

    best = judged(X, SparseCoder(table, penalty=penalty, tolerance=1e-12).transform(X), table, penalty).cost.sum()

    def near(codes: np.ndarray) -> bool:
        return judged(X, codes, table, penalty).cost.sum() <= best * (1 + GAP)

    def ours(method: str, tolerance: float = GAP) -> Any:
        return SparseCoder(table, penalty=penalty, method=method, tolerance=tolerance).fit(X)

    certified = least_sweeps(X, table, penalty, lambda found: found.gap.max() <= GAP)
    close = least_sweeps(X, table, penalty, lambda found: found.cost.sum() <= best * (1 + GAP))
    single = X.astype(np.float32)
    loose = loosest(X, lambda tolerance: ours("auto", tolerance), near)
    asked: dict[str, tuple[np.ndarray, Callable[[], Any], int]] = {
        "ours, auto": (X, lambda c=ours("auto"): c.transform(X), repeats),
        "ours, auto, float32": (single, lambda c=ours("auto"): c.transform(single), repeats),
        "ours, admm, float32": (single, lambda c=ours("admm"): c.transform(single), repeats),
        "ours, fista, float32": (single, lambda c=ours("fista"): c.transform(single), repeats),
        f"ours, auto at tolerance {loose:g}": (X, lambda c=ours("auto", loose): c.transform(X), repeats),
        "lasso_cd": (X, lambda: theirs(X, table, penalty), repeats),
        f"lasso_cd, {certified} sweeps (to the gap)": (X, lambda: theirs(X, table, penalty, sweeps=certified), repeats),
        f"lasso_cd, {close} sweeps (to suboptimality)": (X, lambda: theirs(X, table, penalty, sweeps=close), repeats),
    }
    if lars:
        asked["ours, lca, float32"] = (single, lambda c=ours("lca"): c.transform(single), 1)
        asked["lasso_lars"] = (X, lambda: theirs(X, table, penalty, "lasso_lars"), 1)
    rows = []
    for name, (given, action, times) in asked.items():
        harness.say(f"  {X.shape[1]} pixels, {len(table)} atoms, penalty {penalty}: {name}")
        spent, codes = clock(action, times)
        found = judged(given, codes, table, penalty)
        rows.append({"solver": name, "pixels": X.shape[1], "atoms": len(table), "penalty": penalty, "ms": spent})
        rows[-1] |= {"worst gap": found.gap.max(), "suboptimality": max(found.cost.sum() / best - 1, 0.0)}
        rows[-1] |= {"active": float((codes != 0).sum(1).mean())}
    for row in rows:
        row["auto is quicker by"] = row["ms"] / rows[0]["ms"]
    return rows


def speed_table(photographs: np.ndarray, quick: bool) -> harness.Table:
    """All solvers on all sizes, and whether the targets are met."""
    rows, notes = [], []
    for side, atoms in SIZES.items():
        if quick and side > 8:
            continue
        table = dictionary(photographs, side, atoms)
        X = patches(photographs, 100 if quick else 1000, side, 2)
        for penalty in PENALTIES:
            found = rows_of(X, table, penalty, harness.REPEATS, lars=side == 8)
            rows += found
            notes += targets(found, f"{side} x {side}, {atoms} atoms, penalty {penalty:g}")
    notes.append(
        "ms: processor time for all patches. lasso_lars and LCA: one run. Suboptimality: of the sum over patches."
    )
    return harness.Table("1,000 patches to a certified gap of 1e-3" if not quick else "100 patches", rows, notes)


def targets(rows: list[dict[str, Any]], where: str) -> list[str]:
    """Sentences on what was asked for."""
    by = {row["solver"]: row["ms"] for row in rows}
    ours, loose = by["ours, auto"], next(by[name] for name in by if name.startswith("ours, auto at"))
    gap, close = (next(by[name] for name in by if name.endswith(end)) for end in ("(to the gap)", "(to suboptimality)"))
    said = [
        ("cd", "at the certified gap, lasso_cd", gap / ours),
        ("sub", "lasso_cd to suboptimality 1e-3", close / loose),
    ]
    if "lasso_lars" in by:
        said.append(("lars", "lasso_lars", by["lasso_lars"] / ours))
    return [
        f"{where}: {x:.1f} times as quick ({what}; target {TARGETS[key]:g}): {'' if x >= TARGETS[key] else 'NOT '}met."
        for key, what, x in said
    ]


# --- a million ---


def many_table(count: int) -> harness.Table:
    """Very many patches from a file, in a process of their own, whose memory is counted."""
    harness.say(f"  {count:,} patches")
    command = [sys.executable, "-m", "benchmarks.sparse", "apart", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=harness.HERE.parent, timeout=3600, check=False)
    try:
        row = json.loads(done.stdout)
    except json.JSONDecodeError:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return harness.Table("Very many patches", [], [f"No row: {why}."])
    notes = [
        "8 x 8, float32, read from a memory-mapped file (the pages that are read count as memory while they stay); 256 atoms, "
        "penalty 0.1; codes as CSR with a gap for each patch.",
        "Memory in work: the peak less what the process held before, less the file and the answer.",
    ]
    return harness.Table(f"{count:,} patches in bounded memory", [row], notes)


def apart(count: int) -> None:
    """What `many_table` asks of a process of its own; prints a row."""
    from benchmarks.tours_runs import peak
    from catallax.networks.sparse.coder import SparseCoder

    photographs = images()
    table = dictionary(photographs, 8, 256)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "patches.f32"
        with place.open("wb") as file:
            for k in range(0, count, 10_000):
                file.write(patches(photographs, min(10_000, count - k), 8, 100 + k).astype(np.float32).tobytes())
        X = np.memmap(place, np.float32, "r", shape=(count, 64))
        coder = SparseCoder(table, sparse_output=True).fit(X[:100])
        coder.code(X[:2000])
        before, start, clocked = peak(), time.perf_counter(), time.process_time()
        found = coder.code(X)
        seconds, processor, after = time.perf_counter() - start, time.process_time() - clocked, peak()
        answer = sum(part.nbytes for part in (found.codes.data, found.codes.indices, found.codes.indptr, *found[1:5]))
        row = {"patches": count, "s": seconds, "processor s": processor, "worst gap": float(found.gap.max())}
        row |= {"active": found.codes.nnz / count, "peak GiB": after, "before GiB": before}
        row |= {"file GiB": X.nbytes / 2**30, "answer GiB": answer / 2**30}
        row["in work GiB"] = after - before - row["file GiB"] - row["answer GiB"]
    print(json.dumps(row))


# --- dictionaries ---


def dictionary_table(photographs: np.ndarray, quick: bool) -> harness.Table:
    """Both learners on the same patches, as many passes; the cost of patches that neither has seen, by one coder."""
    from catallax.networks.sparse.coder import SparseCoder
    from catallax.networks.sparse.dictionary import DictionaryLearner

    X, fresh = patches(photographs, 2000 if quick else 20_000, 8, 3), patches(photographs, 2000, 8, 4)
    atoms, epochs, rows = 64 if quick else 256, 4, []
    for seed in range(1 if quick else 3):
        both = {
            "ours": DictionaryLearner(atoms, epochs=epochs, random_state=seed),
            "scikit-learn": their_learner(atoms, epochs, seed),
        }
        for name, learner in both.items():
            harness.say(f"  dictionary, seed {seed}: {name}")
            spent, _ = clock(lambda learner=learner: learner.fit(X), 1)
            table = learner.components_ / np.linalg.norm(learner.components_, axis=1, keepdims=True)
            found = SparseCoder(table).code(fresh)
            row = {
                "learner": name,
                "seed": seed,
                "processor s": spent / 1e3,
                "cost of a fresh patch": found.cost.mean(),
            }
            row |= {"oriented": oriented(table), "never used": int((found.codes == 0).all(0).sum())}
            rows.append(row | {"replaced": getattr(learner, "replaced_", None)})
    kinds = {"white noise": np.random.default_rng(0).normal(size=(1000, 64)), "patches themselves": X[:1000]}
    rows += [{"learner": name, "oriented": oriented(table)} for name, table in kinds.items()]
    notes = [
        f"{len(X):,} patches, {epochs} passes, {atoms} atoms, penalty 0.1.",
        "oriented: |sum P exp(2 i angle)| / sum P, P the power of an atom by spatial frequency: 0 for a blob, 1 for one wave.",
    ]
    return harness.Table("Learning a dictionary", rows, notes)


def oriented(table: np.ndarray) -> float:
    """The mean of |sum P exp(2 i angle)| / sum P over atoms, P their power by spatial frequency: 0 for a blob, 1 for one wave."""
    side = round(table.shape[1] ** 0.5)
    padded = np.zeros((len(table), 32, 32))
    padded[:, :side, :side] = (table - table.mean(1, keepdims=True)).reshape(-1, side, side)
    power = np.abs(np.fft.fft2(padded)) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32), indexing="ij")
    turned = np.exp(2j * np.arctan2(fy, fx))
    return float((np.abs((power * turned).sum((1, 2))) / power.sum((1, 2))).mean())


# --- who coordinates ---


def regimes_table(photographs: np.ndarray, quick: bool) -> harness.Table:
    """The threshold alone, inhibition, exact LASSO, coordinate descent; inhibition through few bits; neurons removed."""
    import catallax as cx
    from catallax.core.channel import Channel
    from catallax.networks.sparse.problem import SparseCode

    table = dictionary(photographs, 8, 64 if quick else 256)
    problem = SparseCode(patches(photographs, 20 if quick else 100, 8, 5).astype(np.float32), table.astype(np.float32))
    rest = cx.settle(problem, 1e-3, max_rounds=20_000)
    ways = {"silence: threshold alone": problem.silence(), "inhibition": rest, "planner: exact LASSO": problem.plan()}
    ways["full information: coordinate descent"] = problem.contest(tolerance=1e-8)
    for bits in (1, 2, 3, 4, 6, 8):
        run = cx.run(problem, 2000, channel=Channel(bits=bits))
        ways[f"inhibition of {bits} bits a pixel"] = problem.outcome(run.society)
    rows = [{"regime": name, **problem.welfare(found), "rounds": found.rounds} for name, found in ways.items()]
    random = np.random.default_rng(0)
    for share in (0.1, 0.3, 0.5):
        keep = np.sort(random.permutation(len(table))[round(share * len(table)) :])
        left = problem.restrict(keep)
        at_once = left.outcome(left.carried(rest.society, keep))
        again = cx.settle(left, 1e-3, max_rounds=20_000)
        for when, found in (("at once", at_once), ("settled afresh", again)):
            rows.append(
                {"regime": f"{share:.0%} of neurons removed, {when}", **left.welfare(found), "rounds": found.rounds}
            )
    notes = [
        "efficiency: the least cost over the cost (after a lesion: of what the survivors can reach). active: share of neurons that "
        "speak for a patch. entropy of winners, 1: all are heard alike. dead: share never heard.",
        f"Inhibition settled at a gap of {rest.certificate:.1e}. Bits: where it is after 2,000 rounds.",
    ]
    return harness.Table("How much must neurons be told?", rows, notes)


# --- what features are good for ---


def digits(name: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    """MNIST images [most, 784] of unit norm, and labels."""
    with gzip.open(data.path(f"mnist/{name}-images-idx3-ubyte.gz")) as file:
        X = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[:most] / 255
    with gzip.open(data.path(f"mnist/{name}-labels-idx1-ubyte.gz")) as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)[:most]
    return X, y.astype(np.int64)


def features_of(X: np.ndarray, count: int, seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Maps to `count` features, each learnt from X without labels. The same atoms without competition are the control."""
    from sklearn.decomposition import PCA

    from catallax.networks.sparse.dictionary import DictionaryLearner

    learner = DictionaryLearner(count, epochs=2, penalty=0.1, tolerance=1e-2, random_state=seed).fit(X)
    random = np.random.default_rng(seed)
    directions = random.normal(size=(count, X.shape[1])) / X.shape[1] ** 0.5
    match = learner.components_
    return {
        "sparse code": learner.transform,
        "the same atoms, threshold alone": lambda x: np.sign(x @ match.T) * np.maximum(np.abs(x @ match.T) - 0.1, 0),
        "the same atoms, linear": lambda x: x @ match.T,
        "PCA": PCA(count, random_state=seed).fit(X).transform,
        "random ReLU": lambda x: np.maximum(x @ directions.T, 0),
        "pixels (784)": lambda x: x,
    }


def accuracy(
    train: np.ndarray, labels: np.ndarray, tests: dict[str, np.ndarray], truth: np.ndarray
) -> dict[str, float]:
    """A linear classifier, its strength by cross-validation, on each of `tests`; all features scaled alike."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    scale = train.std() or 1.0
    search = GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.01, 0.1, 1.0, 10.0]}, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(train / scale, labels)
    return {name: 100 * float((search.predict(rows / scale) == truth).mean()) for name, rows in tests.items()}


def digits_table(quick: bool) -> harness.Table:
    """Test accuracy in %, mean and standard deviation over seeds; noise is added to test images alone."""
    count, seeds = (64, 1) if quick else (256, 5)
    X, y = digits("train", 2000 if quick else 10_000)
    fresh, truth = digits("t10k", 500 if quick else 2000)
    noisy = np.random.default_rng(0).normal(size=fresh.shape)
    seen = {"clean": unit(fresh)} | {f"noise {s:g}": unit(fresh + s * noisy) for s in (0.25, 0.5)}
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for seed in range(seeds):
        maps = features_of(unit(X), count, seed)
        for name, features in maps.items():
            harness.say(f"  digits, seed {seed}: {name}")
            whole, tests = features(unit(X)), {k: features(rows) for k, rows in seen.items()}
            for labels in (10, 100) if quick else (10, 100, 500):
                chosen = few(y, labels, seed)
                found.setdefault((name, labels), []).append(accuracy(whole[chosen], y[chosen], tests, truth))
    rows = []
    for (name, labels), scores in sorted(found.items(), key=lambda item: item[0][1]):
        row: dict[str, Any] = {"labels a class": labels, "features": name}
        for test in scores[0]:
            values = [score[test] for score in scores]
            row |= {test: statistics.fmean(values), f"{test}, sd": statistics.stdev(values) if seeds > 1 else None}
        rows.append(row)
    notes = [
        f"{count} features (pixels: 784) learnt from {len(X):,} unlabelled images; {len(fresh):,} test images; {seeds} seeds draw "
        "labels, atoms and directions. Logistic regression, C by 3-fold cross-validation. Images of unit norm (after the noise).",
        "Noise: Gaussian, its standard deviation in units of full white; features and classifier have seen none.",
    ]
    return harness.Table("Features for digits: accuracy in %", rows, notes)


def unit(X: np.ndarray) -> np.ndarray:
    """Rows of unit norm."""
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def few(y: np.ndarray, each: int, seed: int) -> np.ndarray:
    """Rows: `each` of every class."""
    random = np.random.default_rng([seed, each])
    return np.concatenate([random.permutation(np.flatnonzero(y == label))[:each] for label in np.unique(y)])


def benchmark(options: harness.Options) -> harness.Report:
    """All tables."""
    from threadpoolctl import threadpool_limits

    harness.choose_device(options.device)
    warnings.simplefilter("ignore")  # scikit-learn's, where its descent is stopped early
    photographs = images()
    with threadpool_limits(1):
        tables = [
            speed_table(photographs, options.quick),
            many_table(QUICK if options.quick else MANY),
            dictionary_table(photographs, options.quick),
            regimes_table(photographs, options.quick),
            digits_table(options.quick),
        ]
    return harness.Report(
        name="sparse",
        question="Sparse codes: how fast to a certified gap, how many, and what does competition do for the features?",
        tables=tables,
        versions=harness.versions("catallax", "numpy", "numba", "scikit-learn", "jax"),
        options=options,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["apart"]:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            apart(int(sys.argv[2]))
    else:
        sys.exit(harness.main(benchmark))
