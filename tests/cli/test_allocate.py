"""`catallax allocate` as a user types it: a table, one object, files, codes, and nothing half-written."""

import csv
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from catallax.cli.allocate import short
from catallax.core.outcome import Status
from catallax.economy import allocate

BIDS = "buyer,budget,cpu,memory,gpu\nann,10,3,0.5,1\nbob,5,1,2,0\ncat,2,0,0,0\n"
SUPPLY = "good,supply\ncpu,64\nmemory,256\ngpu,2\n"
FIELDS = {"gap", "worst_buyer", "clearing_error", "budget_error", "rounds", "seconds", "prices", "utilities", "notes"}


@pytest.fixture
def bids(tmp_path):
    path = tmp_path / "bids.csv"
    path.write_text(BIDS)
    return path


@pytest.fixture
def supply(tmp_path):
    path = tmp_path / "supply.csv"
    path.write_text(SUPPLY)
    return path


def stand_in(monkeypatch, status=Status.UNSETTLED, **changes):
    """An allocation that is known beforehand, and the arguments that it was asked with."""
    asked = {}

    def allocated(valuations, budgets, supply, utility, elasticity, tolerance, cap, limit, names, goods):
        asked.update(utility=utility, elasticity=elasticity, tolerance=tolerance, names=names, goods=goods)
        n, m = valuations.shape
        facts = dict(prices=np.full(m, 0.25), allocation=np.full((n, m), 1 / n), utilities=np.ones(n))
        facts |= dict(kept=np.zeros(n), gap=3e-3, worst_buyer=float("nan"), clearing_error=0.1, budget_error=0.0)
        facts |= dict(status=status, rounds=200, seconds=0.5, notes=("a sentence",))
        return SimpleNamespace(**facts | changes)

    monkeypatch.setattr("catallax.economy.allocate", allocated)
    return asked


def test_one_object_agrees_with_the_library(told, bids, supply):
    result = told("allocate", bids, "--supply", supply)
    assert list(result)[:4] == ["schema", "command", "file", "versions"]
    assert (result["schema"], result["command"], result["status"]) == ("catallax 1", "allocate", "settled")
    assert result.keys() >= FIELDS
    assert result["gap"] <= 1e-6 and result["clearing_error"] < 1e-3
    there = allocate([[3, 0.5, 1], [1, 2, 0], [0, 0, 0]], [10, 5, 2], [64, 256, 2])
    assert list(result["prices"]) == ["cpu", "memory", "gpu"]
    np.testing.assert_allclose(list(result["prices"].values()), there.prices, rtol=1e-6)
    assert result["utilities"]["cat"] == 0 and any("cat" in note for note in result["notes"])
    again = told("allocate", bids, "--supply", supply)
    assert again["digest"] == result["digest"] and len(again["digest"]) == 16


def test_the_table_is_read(catallax, bids, supply):
    result = catallax("allocate", bids, "--supply", supply)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert re.match(r"3 buyers share 3 goods: gap \S+, certified; worst-off buyer within \S+ of its best\.$", lines[0])
    assert lines[1].split() == ["good", "supply", "price", "sold"]
    assert re.match(r"memory +256 +0\.0233 ", lines[3])
    assert "\x1b" not in result.stdout and max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    "words",
    [["quasi-linear"], ["cobb-douglas"], ["leontief"], ["ces", "--elasticity", "0.5"]],
    ids=lambda words: words[0],
)
def test_every_utility_settles(words, told, bids):
    result = told("allocate", bids, "--utility", *words)
    assert result["status"] == "settled" and result["gap"] <= 1e-6
    kept = sum(result["kept"].values())
    assert (kept > 8) == (words[0] == "quasi-linear") == any("kept" in note for note in result["notes"])


def test_the_long_form(told, tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("buyer,good,value\nann,cpu,1\nbob,memory,1\n")
    result = told("allocate", path)
    assert result["prices"] == pytest.approx({"cpu": 1, "memory": 1}, abs=1e-5)


def test_out_holds_tables_object_and_report(catallax, bids, supply, tmp_path):
    out = tmp_path / "new" / "out"
    result = catallax("allocate", bids, "--supply", supply, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"answers", "prices.csv", "allocation.csv", "prices.png", "outcome.json", "report.html"}
    shown = json.loads(result.stdout)
    assert json.loads((out / "outcome.json").read_text()) == shown
    with open(out / "prices.csv") as file:
        assert {row["good"]: float(row["price"]) for row in csv.DictReader(file)} == shown["prices"]
    with open(out / "allocation.csv") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["buyer", "cpu", "memory", "gpu"] and [row[0] for row in rows[1:]] == ["ann", "bob", "cat"]
    sold = np.array([row[1:] for row in rows[1:]], float).sum(axis=0)
    np.testing.assert_allclose(sold, [64, 256, 2], rtol=1e-4)
    page = (out / "report.html").read_text()
    assert "Who gets what, at which prices?" in page and "What a unit costs" in page and page.count("<svg") == 1
    assert f"catallax allocate {bids} --supply {supply}</code>" in page
    assert catallax("report", out).exit_code == 0


def test_a_good_named_as_a_formula_or_a_tag_stays_text(catallax, tmp_path):
    path, out = tmp_path / "bids.csv", tmp_path / "out"
    path.write_text('buyer,"<script>","a,b$x$"\nann,1,2\n<b>,2,1\n')
    assert catallax("allocate", path, "--out", out).exit_code == 0
    assert "<script>" not in (out / "report.html").read_text()
    assert (out / "allocation.csv").read_text().splitlines()[0] == 'buyer,<script>,"a,b$x$"'


def test_what_is_not_settled_is_three_and_said(catallax, told, bids, tmp_path, monkeypatch):
    asked = stand_in(monkeypatch)
    result = catallax(
        "allocate", bids, "--utility", "ces", "--elasticity", 2, "--tolerance", 1e-9, "--out", tmp_path / "out"
    )
    assert result.exit_code == 3
    assert asked["names"] == ("ann", "bob", "cat") and asked["goods"] == ("cpu", "memory", "gpu")
    assert (asked["utility"], asked["elasticity"], asked["tolerance"]) == ("ces", 2, 1e-9)
    assert "gap 0.003, unsettled after 200 rounds; worst-off buyer within unknown" in result.stdout
    assert "certified" not in result.stdout and "a sentence" in result.stdout
    assert "did not come to rest" in result.stderr
    assert "--utility ces --elasticity 2.0 --tolerance 1e-09" in (tmp_path / "out" / "report.html").read_text()
    assert told("allocate", bids, code=3)["worst_buyer"] is None


@pytest.mark.parametrize(("status", "code"), [("settled", 0), ("interrupted", 130), ("broken", 1)])
def test_codes(status, code, catallax, bids, monkeypatch):
    stand_in(monkeypatch, Status(status))
    assert catallax("allocate", bids).exit_code == code


def test_ctrl_c_leaves_nothing(catallax, bids, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("catallax.economy.allocate", stopped)
    result = catallax("allocate", bids, "--out", tmp_path / "new" / "out")
    assert result.exit_code == 130 and not result.stdout and "interrupted" in result.stderr
    assert sorted(tmp_path.iterdir()) == [bids]


def test_a_failure_while_writing_leaves_nothing(catallax, bids, tmp_path, monkeypatch):
    stand_in(monkeypatch, Status.SETTLED)

    def full(*_, **__):
        raise OSError(28, "No space left on device", "prices.png")

    monkeypatch.setattr("catallax.view.style.save", full)
    result = catallax("allocate", bids, "--out", tmp_path / "new" / "out")
    assert result.exit_code == 1 and not result.stdout and "No space left" in result.stderr
    assert sorted(tmp_path.iterdir()) == [bids]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--utility", "cubic"], "--utility is 'cubic': give one of linear, quasi-linear, ces"),
        (["--utility", "ces"], "needs an elasticity"),
        (["--elasticity", "2"], "--elasticity is only for ces"),
        (["--utility", "ces", "--elasticity", "nan"], "--elasticity is nan"),
        (["--tolerance", "0"], "--tolerance is 0: give a positive number"),
        (["--tolerance", "nan"], "--tolerance is nan"),
        (["--budgets", "wealth"], "column 'wealth' is missing"),
        (["--supply", "nowhere.csv"], "nowhere.csv does not exist"),
    ],
)
def test_bad_options_are_one_sentence(words, said, catallax, bids, tmp_path):
    refused(catallax("allocate", bids, *words, "--out", tmp_path / "new" / "out"), said)
    assert sorted(tmp_path.iterdir()) == [bids]


def test_a_bad_file_is_one_sentence(catallax, bids, tmp_path):
    bids.write_text(BIDS.replace("bob,5", "bob,0"))
    refused(catallax("allocate", bids, "--out", tmp_path / "out"), f"{re.escape(str(bids))}, line 3, column 'budget'")
    refused(catallax("allocate", tmp_path / "none.csv"), "does not exist")
    assert sorted(tmp_path.iterdir()) == [bids]


def refused(result, pattern):
    """Exit code 2, nothing on stdout, one line on stderr that fits."""
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("catallax: ") and result.stderr.count("\n") == 1
    assert re.search(pattern, result.stderr), result.stderr


@pytest.mark.parametrize(
    ("value", "said"),
    [(3.41e-7, "3.5e-7"), (3e-7, "3.0e-7"), (9.96e-7, "1.0e-6"), (0.0, "0"), (-1e-9, "0"), (0.003, "0.003")],
)
def test_a_bound_is_rounded_up(value, said):
    assert short(value) == said


def test_a_bound_that_is_not_known():
    assert short(float("nan")) == short(float("inf")) == "unknown"


def test_caps_are_kept(told, tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("buyer,budget,gpus,fast,slow\nann,3,0.5,5,1\nbob,1,2,4,1\n")
    result = told("allocate", path, "--caps", "gpus", "--limit", "0.8")
    assert result["status"] == "settled"
    there = allocate([[5, 1], [4, 1]], [3, 1], cap=[0.5, 2], limit=0.8)
    np.testing.assert_allclose(list(result["utilities"].values()), there.utilities, rtol=1e-6)
    assert list(result["prices"]) == ["fast", "slow"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--caps", "gpus"], "column 'gpus' is missing"),
        (["--caps", "budget"], "column 'budget' holds the budgets"),
        (["--limit", "0"], "--limit is 0"),
        (["--limit", "1", "--utility", "leontief"], "go with linear and quasi-linear"),
    ],
)
def test_caps_that_make_no_sense_are_refused_in_a_sentence(catallax, bids, options, said):
    result = catallax("allocate", bids, *options)
    assert result.exit_code == 2 and said in result.stderr and len(result.stderr.strip().splitlines()) == 1
