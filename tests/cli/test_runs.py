"""`run` and `resume`: records, Ctrl-C, kill -9, and what a checkpoint refuses."""

import csv
import json
import os
import signal
import time

import pytest

from catallax.cli import runs, session
from catallax.cli.systems import SYSTEMS, System
from catallax.core import progress
from catallax.core import run as runner
from tests.core.gathering import meeting

ROUNDS = 60_000
LONG = ["--rounds", ROUNDS, "--tolerance", 0, "--bits", 4, "--noise", 0.1, "--every", 1000]


def test_run_prints_and_writes(catallax, economy, tmp_path):
    out = tmp_path / "out"
    result = catallax("run", "exchange", economy, "--out", out)
    assert result.exit_code == 0
    assert "at rest" in result.stdout and "price: grain" in result.stdout
    outcome = json.loads((out / "outcome.json").read_text())
    assert outcome["command"] == "run" and outcome["status"] == "settled" and len(outcome["digest"]) == 16
    assert set(outcome["price"]) == {"grain", "fish"}
    with open(out / "record.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["round", "unrest", "price.grain", "price.fish"]
    assert len(rows) == outcome["rounds"] + 1 and rows[0]["unrest"] == ""
    assert float(rows[-1]["price.grain"]) == pytest.approx(outcome["price"]["grain"], rel=1e-12)
    assert (out / "scene.png").exists()
    page = (out / "report.html").read_text()
    assert "The signal, round by round" in page and "grain" in page


@pytest.mark.parametrize(("system", "column"), [("braess", "travel_time"), ("prisoners", None)])
def test_a_system_that_tells_two_words_or_nothing_public(system, column, told, tmp_path):
    result = told("run", system, "--rounds", 5, "--tolerance", 0, "--out", tmp_path / "out")
    assert (result["status"], result["rounds"]) == ("done", 5)
    header = (tmp_path / "out" / "record.csv").read_text().splitlines()[0].split(",")
    assert header[:2] == ["round", "unrest"]
    assert {name.partition(".")[0] for name in header[2:]} == ({column} if column else set())


def test_rounds_that_run_out_are_done_and_records_are_spaced(told, catallax, economy, tmp_path):
    result = told("run", "exchange", economy, "--rounds", 10, "--tolerance", 0, "--every", 5, "--out", tmp_path / "out")
    assert (result["status"], result["rounds"]) == ("done", 10)
    assert len((tmp_path / "out" / "record.csv").read_text().splitlines()) == 1 + 3
    assert told("run", "exchange", economy, "--rounds", 10, "--tolerance", 0)["digest"] == result["digest"]


def test_switches_that_mean_nothing_are_refused(catallax, economy, tmp_path):
    for words in (
        ["--activation", "banana"],
        ["--activation", "1.5"],
        ["--noise", "inf"],
        ["--delay", "2", "--activation", "random order", "--checkpoint", tmp_path / "new" / "ck"],
    ):
        result = catallax("run", "exchange", economy, *words)
        assert result.exit_code == 2 and result.stderr.count("\n") == 1, result.stderr
    assert sorted(tmp_path.iterdir()) == [economy]


def interrupt_at(monkeypatch, chunk):
    """Ctrl-C in the middle of a chunk of rounds."""
    advance, count = runner.advance, 0

    def advanced(*arguments):
        nonlocal count
        count += 1
        if count == chunk:
            os.kill(os.getpid(), signal.SIGINT)
        return advance(*arguments)

    monkeypatch.setattr(runner, "advance", advanced)


def test_ctrl_c_and_resume_come_to_the_same_digest(catallax, told, economy, tmp_path, monkeypatch):
    whole = told("run", "exchange", economy, *LONG)
    folder, out = tmp_path / "ck", tmp_path / "out"
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        result = catallax("run", "exchange", economy, *LONG, "--checkpoint", folder, "--out", out, "--json")
    assert result.exit_code == 130
    part = json.loads(result.stdout)
    assert part["status"] == "interrupted" and 0 < part["rounds"] < ROUNDS
    assert json.loads((out / "outcome.json").read_text())["status"] == "interrupted"
    assert f"catallax resume {folder}" in result.stderr
    rest = told("resume", folder, "--out", out)
    assert (rest["command"], rest["status"], rest["rounds"]) == ("resume", "done", ROUNDS)
    assert rest["digest"] == whole["digest"] != part["digest"]
    assert len((out / "record.csv").read_text().splitlines()) == 1 + ROUNDS // 1000 + 1


def test_what_a_checkpoint_refuses(catallax, economy, tmp_path):
    folder = tmp_path / "ck"
    words = ["run", "exchange", economy, "--rounds", 5, "--tolerance", 0, "--checkpoint", folder]
    assert catallax(*words).exit_code == 0
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    economy.write_text(economy.read_text().replace("farmer,4,", "farmer,5,"))
    changed = catallax("resume", folder)
    assert changed.exit_code == 2 and "other facts" in changed.stderr
    other = catallax(*words)
    assert other.exit_code == 2 and "already holds a run" in other.stderr
    economy.unlink()
    assert "does not exist" in catallax("resume", folder).stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept
    (folder / "about.json").write_text("{}")
    assert "catallax.resume in Python" in catallax("resume", folder).stderr
    (folder / "about.json").unlink()
    result = catallax("run", "exchange", "--checkpoint", folder)
    assert result.exit_code == 2 and "not begun by" in result.stderr and not (folder / "about.json").exists()
    assert catallax("resume", tmp_path / "none").exit_code == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_can_be_gone_on_with(number, start, told, economy, tmp_path):
    """A real process: what Ctrl-C and kill -9 leave is resumed to the end of an uninterrupted run."""
    folder = tmp_path / "ck"
    process = start("run", "exchange", economy, *LONG, "--checkpoint", folder, "--json")
    deadline = time.monotonic() + 60
    while not (folder / "state.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130, error
        assert json.loads(out)["status"] == "interrupted"
    else:
        assert process.returncode == -signal.SIGKILL and out == ""
    assert json.loads((folder / "about.json").read_text())["system"] == "exchange"
    rest = told("resume", folder)
    assert rest["status"] == "done" and rest["rounds"] == ROUNDS
    assert rest["digest"] == told("run", "exchange", economy, *LONG)["digest"]


# --- a search: seconds, what is watched, files of its own ---


@pytest.fixture
def search(monkeypatch):
    """A system on the host that anneals, by name."""

    def write(problem, outcome, name, out):
        (out / "places.txt").write_text(" ".join(f"{x:.3f}" for x in outcome.place))

    monkeypatch.setitem(SYSTEMS, "meeting", System("a crowd meets", meeting, (), write=write))
    return "meeting"


def test_seconds_end_a_run(told, search, tmp_path):
    out = tmp_path / "out"
    result = told("run", search, "--seconds", 0.5, "--tolerance", 0, "--every", 5, "--out", out)
    assert result["status"] == "stopped" and result["rounds"] > 5
    assert result["efficiency"] > 0.99  # it was told of the seconds, and is cold in time
    assert len((out / "places.txt").read_text().split()) == 12
    page = (out / "report.html").read_text()
    assert "--seconds 0.5" in page and "--rounds" not in page and "Mean cost, round by round" in page
    head, *rows = (out / "record.csv").read_text().splitlines()
    assert head == "round,unrest,mean_cost" and len(rows) == 1 + result["rounds"] // 5


def test_rounds_and_seconds_together(told, economy, search):
    both = told("run", "exchange", economy, "--rounds", 5, "--seconds", 600, "--tolerance", 0)
    assert (both["status"], both["rounds"]) == ("done", 5)
    assert told("run", search, "--tolerance", 0)["rounds"] == 1000


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_seconds_that_are_none(catallax, economy, seconds, tmp_path):
    result = catallax("run", "exchange", economy, "--seconds", seconds, "--checkpoint", tmp_path / "ck")
    assert result.exit_code == 2 and "give a positive number of seconds" in result.stderr
    assert not (tmp_path / "ck").exists()


def test_what_is_watched_is_shown(monkeypatch, capsys, told, search):
    monkeypatch.setattr(session, "PATIENCE", -1.0)
    monkeypatch.setattr(progress, "LOOKS", 10**6)
    told("run", search, "--rounds", 3, "--tolerance", 0)
    problem = meeting()
    with session.Progress("seconds") as bar:
        look = runs.shown(bar, problem, 2.5)
        look(progress.Frame(7, 100, 0.0, {"mean_cost": 0.25}, 1.9))
        look(progress.Frame(8, 100, 0.0, {}, 2.6))  # a resumed run's first
    assert capsys.readouterr().err.splitlines() == ["seconds: 1 of 3, mean cost 0.2500", "seconds: 2 of 3"]


def test_a_search_is_resumed_for_more_seconds(told, search, tmp_path):
    folder = tmp_path / "ck"
    first = told("run", search, "--seconds", 0.1, "--tolerance", 0, "--every", 5, "--checkpoint", folder)
    assert told("resume", folder)["rounds"] == first["rounds"]  # its time was up
    more = told("resume", folder, "--seconds", 0.1)
    assert more["status"] == "stopped" and more["rounds"] > first["rounds"]


def test_a_paced_search_that_was_cut_comes_to_the_same(told, catallax, search, tmp_path, monkeypatch):
    words = ["run", search, "--rounds", 400, "--tolerance", 0, "--bits", 5]
    whole = told(*words)
    original, count = runner.drive_host, 0

    def interrupted(society, job, resumed=None):
        nonlocal count
        count += 1
        return original(society, job._replace(look=lambda frame: True) if count == 1 else job, resumed)

    monkeypatch.setattr(runner, "drive_host", interrupted)
    cut = told(*words, "--checkpoint", tmp_path / "ck")
    assert cut["status"] == "stopped" and cut["rounds"] < 400
    rest = told("resume", tmp_path / "ck")
    assert (rest["status"], rest["digest"]) == ("done", whole["digest"])
