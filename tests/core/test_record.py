"""What is recorded is what was, in memory and on disk, at any time, whatever its shape and type."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core import run as runner
from catallax.core.agent import Agent
from catallax.core.errors import BadInput, Damaged
from catallax.core.record import Record, Rows
from catallax.core.run import run
from catallax.core.signal import Signal
from catallax.core.society import HostSociety, Society


class Counter(Agent):
    """Adds its step every round."""

    total: Any
    step: Any

    def respond(self, view, key):
        return Counter(self.total + self.step, self.step), self.step


class Tick(Signal):
    """Counts rounds; its unrest halves each time."""

    rounds: Any
    rest: Any

    def public(self):
        return self.rounds

    def propagate(self, summary):
        return Tick(self.rounds + 1, self.rest / 2)

    def unrest(self, summary):
        return self.rest / 2


SOCIETY = Society(Counter(jnp.zeros(3), jnp.arange(3.0)), Tick(jnp.int32(0), jnp.float32(1)))
VALUES = {
    "rounds": lambda s: s.signal.rounds,
    "totals": lambda s: s.agents.total,
    "table": lambda s: jnp.outer(s.agents.total, s.agents.step),
    "even": lambda s: s.signal.rounds % 2 == 0,
    "small": lambda s: s.signal.rounds.astype(jnp.uint8),
    "rough": lambda s: (s.signal.rounds / 8).astype(jnp.bfloat16),
    "nothing": lambda s: s.agents.total[:0],
    "constant": lambda s: 1.5,
    "complex": lambda s: s.signal.rest * 1j,
}


def expected(rounds: np.ndarray) -> dict[str, np.ndarray]:
    totals = np.outer(rounds, np.arange(3)).astype(np.float32)
    half = np.float32(0.5) ** rounds
    return {
        "round": rounds.astype(np.int64),
        "unrest": np.where(rounds == 0, np.inf, half).astype(np.float64),
        "rounds": rounds.astype(np.int32),
        "totals": totals,
        "table": totals[:, :, None] * np.arange(3, dtype=np.float32),
        "even": rounds % 2 == 0,
        "small": rounds.astype(np.uint8),
        "rough": (rounds / 8).astype(np.float32),
        "nothing": np.zeros((len(rounds), 0), np.float32),
        "constant": np.full(len(rounds), 1.5, np.float32),
        "complex": (half * 1j).astype(np.complex64),
    }


def assert_rows(record: dict, rounds: np.ndarray) -> None:
    want = expected(rounds)
    assert list(record) == list(want)
    for name, rows in want.items():
        assert record[name].dtype == rows.dtype, name
        np.testing.assert_array_equal(record[name], rows, err_msg=name)


@pytest.mark.parametrize("on_disk", [False, True])
def test_every_third_round_and_before_the_first(on_disk, tmp_path):
    folder = tmp_path / "deep" / "rows" if on_disk else None
    record: Any = run(SOCIETY, 16, record=Record(every=3, folder=folder, **VALUES)).record
    assert_rows(record, np.arange(0, 17, 3))
    if folder is not None:
        assert sorted(os.listdir(folder)) == sorted(f"{name}.npy" for name in record)
        for name, rows in record.items():
            assert isinstance(rows, np.memmap)
            np.testing.assert_array_equal(np.load(folder / f"{name}.npy"), rows)


def test_more_rows_than_the_loop_holds(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "BUFFER", 8)
    names = {name: VALUES[name] for name in ("rounds", "totals")}
    for folder in (None, tmp_path):
        record = run(SOCIETY, 101, record=Record(folder=folder, **names)).record
        np.testing.assert_array_equal(record["rounds"], np.arange(102))
        np.testing.assert_array_equal(record["totals"], expected(np.arange(102))["totals"])


def test_the_loop_holds_no_more_than_its_bytes(monkeypatch):
    monkeypatch.setattr(runner, "BYTES", 100)
    take = runner.Take(1, (("table", VALUES["table"]),))
    assert {len(x) for x in take.buffer(SOCIETY, None).values()} == {2}  # 44 bytes a row
    assert len(runner.Take(1, (("wide", lambda s: jnp.zeros(1000)),)).buffer(SOCIETY, None)["wide"]) == 1


def test_rounds_before_the_first_recorded_one():
    record = run(SOCIETY, 4, record=Record(every=5)).record
    assert record.keys() == {"round", "unrest"}
    np.testing.assert_array_equal(record["round"], [0])


def test_rows_end_at_rest():
    outcome = run(SOCIETY, 100, tolerance=1 / 16, record=Record())
    assert outcome.rounds == 4
    np.testing.assert_array_equal(outcome.record["unrest"], [np.inf, 1 / 2, 1 / 4, 1 / 8, 1 / 16])


def test_scalars_make_a_table():
    """One row a round, columns of equal length and one axis: what a data frame is made of."""
    record = run(SOCIETY, 6, record=Record(every=2, rounds=VALUES["rounds"], even=VALUES["even"])).record
    assert isinstance(record, dict) and {rows.shape for rows in record.values()} == {(4,)}
    table = np.rec.fromarrays(list(record.values()), names=list(record))
    assert table[2].tolist() == (4, 1 / 16, 4, True)


def test_readable_at_any_time(tmp_path):
    """Each look reads all files as another process would: whole rows, never fewer than before."""
    seen = []

    def look(frame):
        rows = {p.stem: np.load(p, mmap_mode="r") for p in tmp_path.iterdir()}
        assert rows.keys() == {"round", "unrest", "totals"}
        length = len(rows["totals"])
        np.testing.assert_array_equal(rows["round"], np.arange(length))
        np.testing.assert_array_equal(rows["totals"], expected(np.arange(length))["totals"])
        seen.append(length)
        return len(seen) >= 5

    run(SOCIETY, 10**6, record=Record(folder=tmp_path, totals=VALUES["totals"]), look=look)
    assert seen == sorted(seen) and 1 < seen[0] < seen[-1]


def test_the_header_follows_the_rows(tmp_path, monkeypatch):
    """Cut between the two, a file holds what it held before."""
    rows = Rows(["round"], tmp_path)
    rows.append({"round": np.arange(5)})
    held = np.load(tmp_path / "round.npy", mmap_mode="r")
    written = []
    opened = open

    def watched(*arguments, **more):
        file = opened(*arguments, **more)
        write = file.write
        file.write = lambda data: (written.append(len(np.load(tmp_path / "round.npy"))), write(data), file.flush())
        return file

    monkeypatch.setattr("catallax.core.record.open", watched, raising=False)
    rows.append({"round": np.arange(5, 7)})
    assert written == [5, 5]  # before the rows, and between them and the header
    np.testing.assert_array_equal(np.load(tmp_path / "round.npy"), np.arange(7))
    np.testing.assert_array_equal(held, np.arange(5))


def test_another_run_replaces_its_own_files_alone(tmp_path):
    np.save(tmp_path / "mine.npy", np.arange(3))
    first = run(SOCIETY, 9, record=Record(folder=tmp_path, totals=VALUES["totals"])).record
    second: Any = run(SOCIETY, 4, record=Record(folder=tmp_path, totals=VALUES["totals"])).record
    assert len(second["totals"]) == 5 and len(first["totals"]) == 10  # what was mapped stays
    np.testing.assert_array_equal(first["round"], np.arange(10))
    assert set(second) == {"round", "unrest", "totals"} and np.load(tmp_path / "mine.npy").tolist() == [0, 1, 2]


def test_the_row_before_the_first_has_the_type_of_the_others():
    record = run(SOCIETY, 2, record=Record(double=lambda s: np.float64(2), whole=lambda s: 3)).record
    assert record["double"].dtype == np.float32 and record["whole"].dtype == np.int32  # as JAX has it


# --- host societies ---


class Growing(HostSociety):
    """Written in place; its values may change their shape or type."""

    def advance(self, start, stop, seed):
        self.agents[:] += stop - start
        return self, 0.25


def growing() -> Growing:
    return Growing(np.zeros(2), SOCIETY.signal)


def test_host_rows_are_copies():
    record = run(growing(), 3, record=Record(state=lambda s: s.agents)).record
    np.testing.assert_array_equal(record["state"], [[0, 0], [1, 1], [2, 2], [3, 3]])
    assert record["unrest"].tolist() == [np.inf, 0.25, 0.25, 0.25]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_value_keeps_its_shape_and_type(on_disk, tmp_path):
    folder = tmp_path if on_disk else None
    longer = Record(folder=folder, state=lambda s: np.zeros(2 + int(s.agents[0])))
    with pytest.raises(BadInput, match=r"Record\.state is float64\[3\] where its earlier rows are float64\[2\]"):
        run(growing(), 3, record=longer)
    other = Record(folder=folder, state=lambda s: 0.5 if s.agents[0] > 1 else 0)
    with pytest.raises(BadInput, match=r"float64\[\] where its earlier rows are int64\[\]"):
        run(growing(), 3, record=other)
    narrower = Record(folder=folder, state=lambda s: np.float32(0.5) if s.agents[0] > 1 else 0.25)
    assert run(growing(), 3, record=narrower).record["state"].dtype == np.float64  # nothing is lost


# --- refusals ---


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"every": 0}, "Record.every is 0: give a whole number of rounds, at least 1"),
        ({"every": -3}, "at least 1"),
        ({"every": True}, "Record.every is True"),
        ({"round": len}, "already keeps 'round': choose another name"),
        ({"unrest": len}, "already keeps 'unrest'"),
        ({"../up": len}, "cannot keep '../up': choose a name of letters"),
        ({"": len}, "cannot keep ''"),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(BadInput, match=match):
        Record(**arguments)


def test_bad_arguments_of_other_types():
    """In a process of its own, where types are not checked before the library sees them."""
    code = """
from catallax.core.record import Record
from catallax.core.errors import BadInput
for arguments in ({"every": 1.5}, {"every": "2"}, {"folder": 3}, {"price": 3.0}, {"price": "signal.price"}):
    try:
        Record(**arguments)
    except BadInput as error:
        print(error)
"""
    source = str(Path(runner.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "Record.every is 1.5: give a whole number of rounds, at least 1",
        "Record.every is '2': give a whole number of rounds, at least 1",
        "Record.folder is 3: give the path of a folder, or None to keep rows in memory",
        "Record.price is 3.0: give a function of the society",
        "Record.price is 'signal.price': give a function of the society",
    ]


@pytest.mark.parametrize(
    "value",
    [
        lambda s: (s.agents.total, 1),
        lambda s: s.signal,
        lambda s: {"a": 1},
        lambda s: None,
        lambda s: "text",
        lambda s: np.array(["text"]),
        lambda s: jax.random.key(0),
    ],
)
def test_values_that_are_none(value, tmp_path):
    with pytest.raises(BadInput, match=r"Record\.odd returns a \w+: return one array or number"):
        run(SOCIETY, 3, record=Record(folder=tmp_path / "new", odd=value))
    assert not (tmp_path / "new").exists()


def test_folders_and_axes_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="cannot be made a folder"):
        run(SOCIETY, 3, record=Record(folder=tmp_path / "file"))
    rows = Rows(["round", "deep"], tmp_path)
    rows.append({"round": np.zeros(1), "deep": np.zeros((1,) * 50)})
    assert rows.table()["deep"].ndim == 50
    with pytest.raises(BadInput, match="more axes than a file can say"):
        Rows(["round", "deep"], tmp_path).append({"round": np.zeros(1), "deep": np.zeros((1,) * 64)})


# --- going on ---


def test_rows_go_on_after_those_kept(tmp_path):
    names = ["round", "state"]
    Rows(names, tmp_path).append({"round": np.arange(5), "state": np.arange(10.0).reshape(5, 2)})
    rows = Rows(names, tmp_path, kept=3)
    rows.append({"round": np.array([7]), "state": np.array([[7.0, 8.0]])})
    table = rows.table()
    np.testing.assert_array_equal(table["round"], [0, 1, 2, 7])
    np.testing.assert_array_equal(table["state"][2:], [[4, 5], [7, 8]])
    with pytest.raises(BadInput, match="keeps its shape"):
        rows.append({"round": np.array([8]), "state": np.zeros((1, 3))})
    assert len(np.load(tmp_path / "round.npy")) == 4  # no column is longer for it
    with pytest.raises(Damaged, match=r"state\.npy holds 4 rows where the checkpoint says 9"):
        Rows(["state"], tmp_path, kept=9)


def test_rows_kept_are_all_where_nothing_follows(tmp_path):
    Rows(["round"], tmp_path).append({"round": np.arange(5)})
    table = Rows(["round"], tmp_path, kept=3).table()
    np.testing.assert_array_equal(table["round"], [0, 1, 2])
    np.testing.assert_array_equal(np.load(tmp_path / "round.npy"), [0, 1, 2])


def test_memory():
    rows = Rows(["round", "state"])
    assert rows.table() == {}
    state = np.zeros((1, 2))
    rows.append({"round": np.zeros(1), "state": state})
    state[:] = 1
    assert not rows.table()["state"].any()  # a copy


def test_frames_hold_the_last_row():
    frames = []
    record = Record(every=4, totals=VALUES["totals"])
    run(SOCIETY, 10, record=record, look=lambda frame: frames.append(frame))
    assert eqx.is_array(frames[-1].values["totals"]) and frames[-1].round == 10
    np.testing.assert_array_equal(frames[-1].values["totals"], [0, 8, 16])
