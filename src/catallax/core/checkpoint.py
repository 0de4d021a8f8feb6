"""Checkpoints: what a run needs to go on bit for bit, written atomically, refused where they do not fit.

A folder holds `state.npz` (the leaves that move, and a JSON header: the seed, the round, the settings, and a
fingerprint of the structure and the facts), `record/` (growing .npy files, unless the `Record` has a folder of
its own) and, where `annotate` was called, `about.json`. `state.npz` is written under another name, flushed to
disk and renamed, so that at any moment, `kill -9` included, there is a whole one; rows that it speaks of are
flushed before it. Its zip comment is the sha256 of all that precedes: what was cut or changed is not read on.
Nothing is pickled.
"""

import dataclasses
import io
import json
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.disk import make_folder, seal, sealed, whole
from catallax.core.errors import BadInput, Damaged, Refused
from catallax.core.fingerprint import fingerprint, host_split
from catallax.core.outcome import Outcome
from catallax.core.record import Record, Rows

FORMAT = "catallax checkpoint 1"
SECONDS = 5.0  # at least between two checkpoints
PAUSE = 9.0  # times what a checkpoint cost, at least: nine tenths of the time are the run's


class Checkpoint:
    """Writes checkpoints of one run into `folder`: before its first round, every few seconds, and at the end.

    `settings`: what `resume` needs besides the state. `saved`: the checkpoint that the run goes on from.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any], saved: "Saved | None" = None):
        self.folder, self.settings, self.saved = Path(folder), json.loads(to_json(settings)), saved
        self.mark, self.due = "", 0.0

    def begin(self, mark: str) -> None:
        """Makes the folder ready for the run with the fingerprint `mark`, or refuses it in a sentence."""
        self.mark = mark
        self.due = time.monotonic() + SECONDS if self.saved else 0.0
        make_folder(self.folder)
        path = self.folder / "state.npz"
        if self.saved is None and path.exists():
            check_free(self.folder, self.settings, mark)
            path.unlink()  # first: without it, what else is there belongs to nobody
        for stale in self.folder.glob("*.part"):  # of processes that were killed
            stale.unlink(missing_ok=True)

    def write(self, leaves: list, t: int, unrest: float, rows: Rows | None, force: bool, spent: float = 0.0) -> None:
        """The state after round `t` and `spent` seconds, if it is time to write it or `force`d.

        `leaves`: arrays, keys, numbers.
        """
        began = time.monotonic()
        if not force and began < self.due:
            return
        arrays = [stored(x) for x in leaves]
        count = None
        if rows is not None:
            rows.flush()
            count = rows.count
        types = [str(x.dtype) if raw(x) is not x else None for x in arrays]
        now = {"round": t, "unrest": float(unrest), "spent": spent, "rows": count, "fingerprint": self.mark}
        head = self.settings | now | {"format": FORMAT, "types": types, "made_with": maker()}
        with whole(self.folder / "state.npz") as file:
            named: dict[str, Any] = {f"leaf{i}": raw(x) for i, x in enumerate(arrays)}
            np.savez(file, header=np.frombuffer(to_json(head).encode(), np.uint8), **named)
            seal(file)
        cost = time.monotonic() - began
        self.due = began + cost + max(SECONDS, PAUSE * cost)

    def write_host(self, society, t: int, unrest: float, rows: Rows | None, force: bool, spent: float = 0.0) -> None:
        """The state of a host society: its arrays and numbers. Refused where anything else of it has changed."""
        if not force and time.monotonic() < self.due:
            return
        leaves, rest = host_split(society)
        if fingerprint(rest, self.mark.partition(" ")[2]) != self.mark:
            raise Refused(
                f"a round changes something of {type(society).__name__} besides arrays and numbers, which a checkpoint "
                "cannot hold: keep the state in arrays"
            )
        self.write(leaves, t, unrest, rows, force, spent)


class Saved(NamedTuple):
    """What a checkpoint holds."""

    head: dict[str, Any]
    leaves: list[np.ndarray]
    path: Path

    @property
    def round(self) -> int:
        return self.head["round"]

    @property
    def unrest(self) -> float:
        return self.head["unrest"]

    @property
    def spent(self) -> float:
        """Seconds that the run has taken, where they are limited; else 0."""
        return self.head.get("spent", 0.0)

    @property
    def rows(self) -> int | None:
        return self.head["rows"]

    @property
    def finished(self) -> bool:
        """Whether the run came to its end: all rounds, all seconds, rest, or a value that is no number."""
        bound, seconds = self.head["tolerance"], self.head.get("seconds")
        rest = bound is not None and self.unrest <= bound
        late = seconds is not None and self.spent >= seconds
        return rest or late or self.round >= self.head["rounds"] or math.isnan(self.unrest)

    def check(self, mark: str) -> None:
        """Damaged where the fingerprint is another."""
        if self.head["fingerprint"] != mark:
            raise Damaged(
                f"{self.path} is of another problem, or of the same with other facts: resume it with the problem it "
                "was made with"
            )

    def restore(self, mark: str, moving: list) -> list:
        """The moving leaves as they were, each where its like in `moving` lies."""
        self.check(mark)
        return [revive(x, like) for x, like in zip(self.leaves, moving, strict=True)]

    def restore_host(self, mark: str, society) -> Any:
        """A host society with its arrays and numbers as they were."""
        self.check(mark)
        fresh = iter(self.leaves)
        return jax.tree.map(lambda x: revive(next(fresh), x) if eqx.is_array_like(x) else x, society)


def load(folder: str | os.PathLike) -> Saved:
    """Read a checkpoint. Damaged where there is none, or it is cut, or not one of ours."""
    path = Path(folder) / "state.npz"
    if not path.is_file():
        raise Damaged(f"{folder} holds no checkpoint: there is no state.npz in it")
    data = path.read_bytes()
    if not sealed(data):
        raise Damaged(f"{path} is not a whole checkpoint: it was cut short or changed, or is a file of another kind")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        head = json.loads(file["header"].tobytes())
        if head["format"] != FORMAT:
            raise Damaged(
                f"{path} is of another version ({head['format']!r}, and this one reads {FORMAT!r}): resume it with the "
                "catallax that wrote it"
            )
        arrays = [file[f"leaf{i}"] for i in range(len(head["types"]))]
    leaves = [x if kind is None else x.view(np.dtype(kind)) for x, kind in zip(arrays, head["types"], strict=True)]
    return Saved(head, leaves, path)


def resume(
    problem,
    folder: str | os.PathLike,
    *,
    rounds: int | None = None,
    seconds: float | None = None,
    record: Record | None = None,
    look: Callable | None = None,
    devices: int | list | None = None,
) -> Outcome:
    """Goes on from a checkpoint, bit for bit, with the seed, channel and settings it was begun with.

    **Arguments:** `problem`: the problem or society that was run; `rounds`: where to stop (default: where the
    run was to stop); `seconds`: to stop after so many more (default: what is left of those that the run had);
    `record`: the same `Record` as before, if there was one; `look`: as in `run`; `devices`: as in `run` (default: as
    many as before; another number gives the same bits where the run has `blocks`).

    A run that had come to its end is returned as it ended. On other versions or another kind of machine the bits
    may differ: the outcome's `notes` then say so.

    **Raises** `Damaged` for a checkpoint that is missing, cut, foreign or of another problem, `BadInput` for a
    `record` or `rounds` that do not continue it; nothing on disk has changed then.
    """
    from catallax.core import run as runner
    from catallax.core.channel import Channel
    from catallax.core.problem import Problem
    from catallax.core.society import HostSociety

    runner.check_seconds(seconds)
    saved = load(folder)
    head = saved.head
    limit = head.get("seconds") if seconds is None else saved.spent + seconds
    society: Any = problem.society() if isinstance(problem, Problem) else problem
    stop = head["rounds"] if rounds is None else rounds
    check_continues(saved, stop, record)
    channel = Channel(**head["channel"])
    devices = head["devices"] if devices is None else devices
    setting, share = runner.make_setting(society, head["activation"], channel, head["blocks"], devices)
    settings = {key: head.get(key) for key in SETTINGS}
    settings |= {"rounds": stop, "seconds": limit, "devices": count_devices(devices)}
    saver = Checkpoint(folder, settings, saved)
    job = runner.Job(stop, head["seed"], head["tolerance"], record, look, saver, setting, share, channel, limit)
    driver = runner.drive_host if isinstance(society, HostSociety) else runner.drive
    outcome = runner.explained(problem, driver(society, job, saved))
    others = [f"{k} {v} instead of {maker()[k]}" for k, v in head["made_with"].items() if maker()[k] != v]
    note = f"it was begun with {', '.join(others)}: bits may differ from those of an uninterrupted run"
    return dataclasses.replace(outcome, notes=(*outcome.notes, note)) if others else outcome


SETTINGS = ("rounds", "seed", "seconds", "tolerance", "activation", "blocks", "devices", "channel", "record")


def run_settings(rounds, seed, seconds, tolerance, activation, blocks, devices, channel, record) -> dict[str, Any]:
    """The arguments of a run as a checkpoint keeps them."""
    wiring = {name: getattr(channel, name) for name in ("bits", "noise", "delay", "loss")}
    values = (rounds, seed, seconds, tolerance, activation, blocks, count_devices(devices), wiring, kept_of(record))
    return dict(zip(SETTINGS, values, strict=True))


def kept_of(record: Record | None) -> dict[str, Any] | None:
    """What two records must have in common for one to go on with the other."""
    return None if record is None else {"every": record.every, "names": record.names}


def count_devices(devices: Any) -> int | None:
    """How many devices were asked for."""
    return devices if devices is None or isinstance(devices, int) else len(devices)


def check_continues(saved: Saved, rounds: Any, record: Record | None) -> None:
    """BadInput where the arguments of `resume` do not go on with what was begun."""
    from catallax.core.run import check_count

    check_count("rounds", rounds)
    if rounds < saved.round:
        raise BadInput(f"rounds is {rounds} where {saved.path} has come to {saved.round}: give at least that")
    before = saved.head["record"]
    if before != kept_of(record):
        values = before and ", ".join(["unrest", *before["names"][2:]])
        what = f"with a Record of {values} every {before['every']} rounds" if before else "without a Record"
        raise BadInput(f"{saved.path} was made {what}: resume it in the same way")


def check_free(folder: Path, settings: dict, mark: str) -> None:
    """BadInput where a checkpoint would be lost that the run about to begin would not write again."""
    try:
        saved = load(folder)
    except Damaged as error:
        raise BadInput(f"{error}; to begin a run there, delete it or give another folder") from None
    same = saved.head["fingerprint"] == mark and all(saved.head.get(k) == v for k, v in settings.items())
    if not (same and saved.finished):
        raise BadInput(
            f"{folder} already holds a run at round {saved.round} of {saved.head['rounds']}: go on with it by resume, "
            "or give another folder"
        )


def annotate(folder: str | os.PathLike, about: dict[str, Any]) -> None:
    """Keeps a free dictionary of plain values beside a checkpoint, say what problem it is of. Written atomically.

    **Raises** `BadInput` where `about` is not JSON, or the folder holds a checkpoint that another one belongs to.
    """
    folder, path = Path(folder), Path(folder) / "about.json"
    try:
        text = json.dumps(about, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadInput(f"about cannot be written as JSON ({error}): give plain values") from None
    if (folder / "state.npz").exists() and path.exists() and read_about(path) != json.loads(text):
        raise BadInput(f"{folder} already holds a run of something else: give another folder")
    make_folder(folder)
    with whole(path) as file:
        file.write(text.encode())


def describe_run(folder: str | os.PathLike) -> dict[str, Any]:
    """What a checkpoint is of: its settings, and how far it is.

    `round`, `unrest`, `spent` (seconds, where they are limited), `finished`, and `about` as `annotate` left it (or {}).

    **Raises** `Damaged` as `resume` does.
    """
    saved = load(folder)
    path = saved.path.with_name("about.json")
    shown = {key: saved.head.get(key) for key in (*SETTINGS, "round", "unrest")}
    return shown | {
        "spent": saved.spent,
        "finished": saved.finished,
        "about": read_about(path) if path.exists() else {},
    }


def read_about(path: Path) -> Any:
    """The annotation in `path`. Damaged where it is none."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise Damaged(f"{path} cannot be read as JSON: it was changed since it was written") from None


def is_key(x: Any) -> bool:
    """True for an array of typed PRNG keys."""
    return eqx.is_array(x) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def stored(leaf: Any) -> np.ndarray:
    """A leaf as a NumPy array. Refused for objects: they would need a pickle."""
    array = np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)
    if array.dtype.hasobject:
        raise Refused("an array of Python objects (or a whole number beyond 64 bits) cannot be held by a checkpoint")
    return array


def raw(array: np.ndarray) -> np.ndarray:
    """Types that .npy does not know (bfloat16 and narrower) as the whole numbers of their bits."""
    unknown = array.dtype.kind == "V" and not array.dtype.names
    return array.view(f"u{array.dtype.itemsize}") if unknown else array


def revive(saved: np.ndarray, like: Any) -> Any:
    """A saved leaf as what it was: a key, a JAX array where `like` lies, a NumPy array, a number."""
    if is_key(like):
        key = jax.random.wrap_key_data(jnp.asarray(saved), impl=jax.random.key_impl(like))
        return jax.device_put(key, like.sharding)
    if isinstance(like, jax.Array):
        return jax.device_put(saved, like.sharding) if like.committed else jnp.asarray(saved)
    if isinstance(like, np.ndarray):
        return saved.copy()
    return saved[()] if isinstance(like, np.generic) else saved.item()


def to_json(values: dict) -> str:
    """As JSON, NumPy and JAX numbers included."""
    return json.dumps(values, default=lambda x: x.item())


def maker() -> dict[str, str]:
    """What the bits of a trajectory may depend on besides the seed and the facts."""
    backend = f"{jax.default_backend()} on {platform.machine()}"
    return {"jax": jax.__version__, "numpy": np.__version__, "backend": backend}
