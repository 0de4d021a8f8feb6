"""`catallax forecast` as a user types it."""

import csv
import json

import pytest

from catallax.collective import Forecasts
from catallax.io import read_forecasts

ROWS = """question,user,time,probability,outcome,resolved
rain,ann,2024-03-01,0.7,1,2024-03-09
rain,bob,2024-03-02T10:30,0.55,1,2024-03-09
snow,ann,2024-03-14,0.1,,
snow,cat,2024-03-15,0.2,,
"""
NAMED = """question,user,time,option,probability,outcome,resolved
who,ann,1,x,0.2,0,9
who,ann,1,y,0.5,1,9
who,ann,1,z,0.3,0,9
when,ann,12,soon,0.4,,
when,ann,12,late,0.6,,
"""


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(ROWS)
    return path


def test_one_object_agrees_with_the_library(told, file):
    result = told("forecast", file)
    assert list(result)[:4] == ["schema", "command", "file", "versions"]
    market = Forecasts().fit(read_forecasts(file))
    assert result["prices"] == dict(zip(["rain", "snow"], market.predict(["rain", "snow"]).tolist(), strict=True))
    assert result["outcomes"] == {"rain": 1, "snow": None} and result["tolerance"] == market.tolerance_
    price = result["prices"]["rain"]
    assert result["facts"]["brier_market"] == pytest.approx((price - 1) ** 2)
    assert result["facts"]["brier_mean"] == pytest.approx(0.375**2)
    assert result["facts"]["brier_latest"] == pytest.approx(0.45**2)
    assert told("forecast", file)["digest"] == result["digest"]


def test_the_table_is_read(catallax, file):
    lines = catallax("forecast", file).stdout.splitlines()
    assert lines[0].startswith("2 questions, 4 forecasts, 3 people: Brier 0.") and "on 1 resolved" in lines[0]
    assert lines[1].split() == ["question", "forecasts", "price", "outcome"]
    assert lines[2].split()[0] == "snow"  # what is open comes first
    assert "so few that the scores say little" in lines[-1]


def test_options_have_a_favourite(told, tmp_path):
    path = tmp_path / "n.csv"
    path.write_text(NAMED)
    result = told("forecast", path, "--out", tmp_path / "out")
    assert set(result["prices"]["who"]) == {"x", "y", "z"} and sum(result["prices"]["who"].values()) == pytest.approx(1)
    assert result["outcomes"] == {"when": None, "who": "y"}
    rows = table(tmp_path / "out" / "prices.csv")
    assert [(r["question"], r["favourite"], r["outcome"]) for r in rows] == [("when", "late", ""), ("who", "y", "y")]
    assert result["facts"]["brier_latest"] == pytest.approx((0.2**2 + 0.5**2 + 0.3**2) / 2)


def test_files_are_written(told, file, tmp_path):
    out = tmp_path / "out"
    result = told("forecast", file, "--out", out)
    assert {p.name for p in out.iterdir()} == {
        "prices.csv", "history.csv", "people.csv", "forecast.png", "answers", "outcome.json", "report.html",
    }  # fmt: skip
    assert json.loads((out / "outcome.json").read_text())["digest"] == result["digest"]
    history = table(out / "history.csv")
    assert [r["user"] for r in history] == ["ann", "bob", "ann", "cat"]
    people = table(out / "people.csv")
    assert {r["user"]: float(r["tolerance"]) for r in people} == result["tolerance"]


@pytest.mark.parametrize("content", [ROWS.replace("0.55", "55"), ROWS.replace("0.55,1", "0.55,0"), "question\n"])
def test_faults_end_with_one_sentence(catallax, file, tmp_path, content):
    file.write_text(content)
    result = catallax("forecast", file, "--out", tmp_path / "out")
    assert result.exit_code == 2 and result.stdout == "" and len(result.stderr.splitlines()) == 1
    assert str(file) in result.stderr and not (tmp_path / "out").exists()
