"""`run` and `resume`: records, Ctrl-C, kill -9, and what a checkpoint refuses."""

import csv
import json
import os
import signal
import time

import pytest

from catallax.core import run as runner

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
