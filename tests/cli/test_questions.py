"""The questions as a user asks them: one object, the same digest, a table to read, codes, and Ctrl-C."""

import os
import re
import signal
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from catallax.cli import questions, session
from catallax.cli.questions import command_line, exit_code
from catallax.cli.systems import SYSTEMS
from catallax.economy import Exchange

REGIMES = {"silence", "signal", "planner", "full_information"}
FIELDS = {"status", "efficiency", "share_of_optimum", "gini", "rounds", "bits", "seconds"}


def test_compare_is_one_object(told, economy, tmp_path):
    first = told("compare", "exchange", economy, "--seed", 3)
    assert list(first)[:6] == ["schema", "command", "system", "file", "versions", "seed"]
    assert (first["schema"], first["command"], first["system"], first["seed"]) == (
        "catallax 1",
        "compare",
        "exchange",
        3,
    )
    assert first["file"] == str(economy)
    assert set(first["regimes"]) == REGIMES
    for regime in first["regimes"].values():
        assert regime.keys() >= FIELDS
    signal_, planner = first["regimes"]["signal"], first["regimes"]["planner"]
    assert signal_["status"] == planner["status"] == "settled"
    assert signal_["efficiency"] == pytest.approx(1, abs=1e-6)
    assert first["regimes"]["silence"]["efficiency"] < 0.95
    again = told("compare", "exchange", economy, "--seed", 3)
    assert again["digest"] == first["digest"] and len(first["digest"]) == 16


def test_digest_is_of_values_and_not_of_seconds():
    def answer(**changes):
        row = {"regime": "signal", "efficiency": 0.5, "seconds": 1.0, "digest": "abc"} | changes
        return SimpleNamespace(records=[row])

    same = questions.digest(answer())
    assert questions.digest(answer(seconds=2.0)) == same
    assert questions.digest(answer(efficiency=0.5 + 2**-53)) != same
    assert questions.digest(answer(digest="abd")) != same


def test_the_table_is_read_in_a_hundred_columns(catallax, economy):
    result = catallax("compare", "exchange", economy)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Told a price")
    assert max(map(len, lines[1:])) <= 100
    assert re.search(r"^full information +settled", result.stdout, re.MULTILINE)
    assert "digest" not in result.stdout and "certificate" not in result.stdout
    assert "\x1b" not in result.stdout


def test_what_cycles_is_said_and_is_three(catallax, scarf):
    result = catallax("compare", "exchange", scarf)
    assert result.exit_code == 3
    assert re.search(r"^signal +cycling", result.stdout, re.MULTILINE)
    assert re.search(r"^full information +refused", result.stdout, re.MULTILINE)
    assert "has a single owner" in result.stdout
    assert "did not come" in result.stdout or "coming back" in result.stdout.replace("\n", " ")


def test_what_is_ready_made_is_asked_by_name(told):
    dilemma = told("compare", "prisoners")
    assert dilemma["regimes"]["signal"]["status"] == "settled"
    assert dilemma["regimes"]["full_information"]["efficiency"] == 0
    assert dilemma["facts"]["price_of_anarchy"] == 3


def test_a_system_that_is_none_and_draws_of_a_file(catallax, economy):
    result = catallax("compare", "exchnge")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1 and "exchange" in result.stderr
    result = catallax("compare", "exchange", economy, "--draws", 3)
    assert result.exit_code == 2 and str(economy) in result.stderr


def row(regime, status):
    return {"regime": regime, "status": status}


@pytest.mark.parametrize(
    ("signal_", "planner", "full", "code"),
    [
        ("settled", "settled", "unsettled", 0),
        ("settled", "settled", "broken", 0),
        ("unsettled", "settled", "settled", 3),
        ("settled", "unsettled", "settled", 3),
        ("cycling", "refused", "refused", 3),
        ("broken", "settled", "settled", 1),
        ("refused", "refused", "settled", 1),
    ],
)
def test_compare_is_judged_by_signal_and_planner(signal_, planner, full, code):
    rows = [row("silence", "done"), row("signal", signal_), row("planner", planner), row("full_information", full)]
    assert exit_code(SimpleNamespace(question="compare", rows=rows, facts={})) == code
    assert exit_code(SimpleNamespace(question="compare", rows=rows, facts={"interrupted": True})) == 130


def test_other_questions_are_judged_by_what_must_rest():
    assert exit_code(SimpleNamespace(question="frontier", rows=[], facts={})) == 0
    assert exit_code(SimpleNamespace(question="shock", rows=[], facts={"settled": False})) == 3
    sizes = [{"copies": 1, "status": "settled"}, {"copies": 2, "status": "unsettled"}]
    assert exit_code(SimpleNamespace(question="replicate", rows=sizes, facts={})) == 3
    refused = [{"copies": 1, "status": "refused"}]  # the own effect is followed all the same
    assert exit_code(SimpleNamespace(question="replicate", rows=refused, facts={})) == 0


def test_command_line_is_what_was_typed():
    line = command_line("replicate", "exchange", None, 2, {"copies": (1, 2), "size": None})
    assert line == "catallax replicate exchange --seed 2 --copies 1 --copies 2"
    assert (
        command_line("compare", "exchange", Path("my file.csv"), 0, {})
        == "catallax compare exchange 'my file.csv' --seed 0"
    )


def interrupt_at(monkeypatch, look):
    """Ctrl-C when so many have been looked at."""
    count = 0

    def looked(self, done, of):
        nonlocal count
        count += 1
        if count == look:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(session.Progress, "look", looked)


@pytest.mark.parametrize(
    ("words", "said", "rows"),
    [
        (["frontier", "--seeds", "3"], "interrupted after 1 of 3 seeds", 18),
        (["lesion", "--seeds", "3"], "interrupted after 1 of 3 seeds", 10),  # a tenth of three is nobody
        (["replicate", "--copies", "1", "--copies", "2"], "interrupted after 1 of 2 sizes", 1),
    ],
)
def test_ctrl_c_gives_what_is_done(words, said, rows, told, economy, monkeypatch):
    interrupt_at(monkeypatch, 1)
    result = told(words[0], "exchange", economy, *words[1:], code=130)
    assert said in result["notes"]
    assert result["facts"]["interrupted"] is True
    assert len(result["rows"]) == rows


def test_ctrl_c_among_draws_gives_the_draws_done(told, economy, monkeypatch):
    small = SYSTEMS["exchange"]._replace(drawn=lambda seed: Exchange.read(economy))
    monkeypatch.setitem(SYSTEMS, "exchange", small)
    interrupt_at(monkeypatch, 1)
    result = told("compare", "exchange", "--draws", 2, code=130)
    assert result["facts"]["draws"] == 1
    assert {r["draw"] for r in result["rows"]} == {"draw 0"}


def test_ctrl_c_inside_a_run_ends_the_question(told, economy, monkeypatch):
    from catallax.core import run as runner

    advance, count = runner.advance, 0

    def advanced(*arguments):
        nonlocal count
        count += 1
        if count == 1:
            os.kill(os.getpid(), signal.SIGINT)  # noted by the run, which returns what it has done
        return advance(*arguments)

    monkeypatch.setattr(runner, "advance", advanced)
    result = told("compare", "exchange", economy, code=130)
    assert result["regimes"]["full_information"]["status"] == "interrupted"
    assert result["regimes"]["planner"]["status"] == "settled"
    assert "interrupted after 3 of 4 regimes" in result["notes"]


def test_ctrl_c_before_anything_is_complete(catallax, economy, monkeypatch, tmp_path):
    module = import_module("catallax.questions.frontier")  # the name in its package is the function
    monkeypatch.setattr(module, "reached", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    out = tmp_path / "out"
    result = catallax("frontier", "exchange", economy, "--out", out)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr and not result.stdout
    assert not out.exists()


def test_a_market_is_told_in_few_bits_by_the_law_that_can(told, tmp_path):
    path = tmp_path / "bids.csv"
    path.write_text("buyer,a,b\nann,2,1\nbob,1,3\ncat,1,1\n")
    rows = told("frontier", "fisher", path, "--seeds", "1")["rows"]
    few = [row for row in rows if "bit" in str(row["point"])]
    assert few and all(row["efficiency"] is not None and row["efficiency"] > 0.5 for row in few)
