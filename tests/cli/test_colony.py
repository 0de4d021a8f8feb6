"""`catallax run colony` as a user types it: JSON, files, Ctrl-C, bad input; and the other colonies by name."""

import csv
import json
import os
import signal
import subprocess
import time
from types import SimpleNamespace

import numpy as np
import pytest

from catallax.cli import results, tours
from catallax.cli.references import REFERENCES
from catallax.cli.systems import SYSTEMS
from catallax.colony.example import capitals
from catallax.io.tours import read_tour

FIELDS = {"length", "bound", "gap_to_bound", "tours", "rounds", "seconds", "status", "seed", "digest", "notes", "file"}
FILES = {"outcome.json", "record.csv", "scene.png", "length.png", "tour.tour", "tour.csv", "report.html", "answers"}
GRID = "name,x,y\n" + "".join(f"{x}{y},{x},{y}\n" for x in range(4) for y in range(4))  # shortest: 16
MATRIX = "from,A,B,C\nA,0,1,9\nB,9,0,1\nC,1,9,0\n"  # one way round 3, the other 27
TSPLIB = "NAME: five\nTYPE: TSP\nDIMENSION: 5\nEDGE_WEIGHT_TYPE: EUC_2D\nNODE_COORD_SECTION\n"
EARTH = 6371.0088


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.csv"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the one run of the capitals is kept that several tests look at."""
    return SimpleNamespace(told={}, out=tmp_path_factory.mktemp("europe") / "out")


@pytest.fixture
def europe(kept, told):
    kept.told = kept.told or told("run", "colony", "--rounds", 30, "--optimum", 20000, "--out", kept.out)
    return kept


def arc(a, b):
    """Kilometres between places in degrees, by the law of cosines."""
    (north, east), (up, right) = np.radians(a), np.radians(b)
    return EARTH * np.arccos(
        np.clip(np.sin(north) * np.sin(up) + np.cos(north) * np.cos(up) * np.cos(east - right), -1, 1)
    )


def test_what_a_run_says(europe):
    told = europe.told
    assert FIELDS | {"gap_to_optimum"} <= set(told)
    assert told["status"] == "done" and told["rounds"] == 30 and told["tours"] > 0 and told["file"] is None
    assert told["gap_to_bound"] == pytest.approx(told["length"] / told["bound"] - 1)
    assert told["gap_to_optimum"] == pytest.approx(told["length"] / 20000 - 1)
    assert told["bound"] <= told["length"] and 0 < told["seconds"] < 60


def test_what_it_writes(europe):
    assert not FILES - {path.name for path in europe.out.iterdir()}
    assert not [path for path in europe.out.rglob("*") if "part" in path.name or "unfinished" in path.name]
    file = capitals()
    with open(europe.out / "tour.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    assert sorted(row["name"] for row in rows) == sorted(file.names)
    places = np.array([[float(row["lat"]), float(row["lon"])] for row in rows])
    way = sum(arc(a, b) for a, b in zip(places, np.roll(places, -1, axis=0), strict=True))
    assert way == pytest.approx(europe.told["length"], rel=1e-6)
    order = read_tour(europe.out / "tour.tour")  # numbers: San Marino has a space
    assert [file.names[city] for city in order] == [row["name"] for row in rows]
    assert "COMMENT : length" in (europe.out / "tour.tour").read_text()


def test_the_record_tells_seconds_and_the_report_shows_both_pictures(europe):
    with open(europe.out / "record.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["round", "unrest", "length", "seconds"] and len(rows) == 31
    seconds, length = ([float(row[name]) for row in rows] for name in ("seconds", "length"))
    assert seconds == sorted(seconds) and length == sorted(length, reverse=True)
    assert length[-1] == pytest.approx(europe.told["length"], rel=1e-6)
    page = (europe.out / "report.html").read_text()
    assert "over the seconds of search" in page and "over the pheromone" in page and "Reykjavik" in page
    assert "catallax run colony --seed 0 --rounds 30" in page and "--optimum 20000" in page


def test_the_same_seed_gives_the_same_tour(europe, told):
    again = told("run", "colony", "--rounds", 30)
    assert (again["digest"], again["length"]) == (europe.told["digest"], europe.told["length"])
    assert "gap_to_optimum" not in again


def test_a_file_of_places_a_matrix_and_a_tsplib_file(grid, told, tmp_path):
    result = told("run", "colony", grid, "--rounds", 10, "--out", tmp_path / "out")
    assert result["length"] == 16 and result["headline"].endswith("to rounding.")
    assert (tmp_path / "out" / "tour.csv").read_text().startswith("name,x,y\n00,0.0,0.0\n")
    names = [line.split(",")[0] for line in GRID.splitlines()[1:]]
    assert len(read_tour(tmp_path / "out" / "tour.tour", names)) == 16
    matrix = tmp_path / "matrix.csv"
    matrix.write_text(MATRIX)
    result = told("run", "colony", matrix, "--rounds", 3, "--out", tmp_path / "matrix")
    assert result["length"] == result["bound"] == 3 and "the shortest there is" in result["headline"]
    assert (tmp_path / "matrix" / "tour.csv").read_text() == "name\nA\nB\nC\n"
    tsp = tmp_path / "five.tsp"
    tsp.write_text(TSPLIB + "1 0 0\n2 0 3\n3 4 3\n4 4 0\n5 2 0\nEOF\n")
    assert told("run", "colony", tsp, "--rounds", 3)["length"] == 14


def test_seconds_that_are_over_are_an_ordinary_end(grid, told):
    result = told("run", "colony", grid, "--seconds", 0.2, "--bits", 3)
    assert result["status"] == "stopped" and 0.15 <= result["seconds"] < 2


def test_an_optimum_that_is_beaten_is_none(grid, told):
    short = told("run", "colony", grid, "--rounds", 3, "--optimum", 20)
    assert short["gap_to_optimum"] == pytest.approx(-0.2) and "which is therefore none" in short["notes"][0]
    below = told("run", "colony", grid, "--rounds", 3, "--optimum", 10)
    assert below["gap_to_optimum"] == pytest.approx(0.6) and "lies below a lower bound" in below["notes"][0]
    assert not told("run", "colony", grid, "--rounds", 3, "--optimum", 16)["notes"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "colony", "--optimum", 0], "--optimum is 0"),
        (["run", "colony", "--optimum", "nan"], "--optimum is nan"),
        (["run", "braess", "--optimum", 3], "braess is none"),
        (["run", "colony", "--seconds", 0], "seconds is 0"),
        (["run", "colony", "--leak", 0.5, "--rounds", 1], "ants"),
        (["run", "colony", "--noise", 0.1, "--rounds", 1], "trails"),
        (["run", "colony", "none.tsp"], "does not exist"),
        (["run", "bridge", "file.csv"], "reads no file"),
    ],
)
def test_options_that_mean_nothing_are_a_sentence(words, sentence, catallax):
    result = catallax(*words)
    assert result.exit_code == 2 and sentence in result.stderr and result.stderr.count("\n") == 1, result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("name,x,y\na,0,0\nb,1,1\n", "at least 3"),
        ("name,x,y\na,0,0\nb,1,nan\nc,2,2\n", "line 3"),
        ("name,lat,lon\na,95,0\nb,1,1\nc,2,2\n", "95 degrees"),
        ("from,A,B,C\nA,0,1,2\nB,1,0,-3\nC,2,3,0\n", "-3"),
        (TSPLIB + "1 0 0\n2 1 1\nEOF\n", "DIMENSION"),
        (TSPLIB.replace("EUC_2D", "XRAY1") + "1 0 0\n", "XRAY1"),
        ("TYPE: CVRP\nDIMENSION: 3\n", "CVRP"),
    ],
)
def test_bad_files_are_a_sentence_and_leave_no_folder(text, sentence, catallax, tmp_path):
    path = tmp_path / "cities.tsp"
    path.write_text(text)
    result = catallax("run", "colony", path, "--out", tmp_path / "out")
    assert result.exit_code == 2 and sentence in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_search_that_is_stopped_keeps_its_tour_and_one_that_is_killed_leaves_nothing(number, start, tmp_path):
    words = ["run", "colony", "--seconds", 120, "--checkpoint", tmp_path / "ck", "--json", "--out", tmp_path / "out"]
    process = start(*words, stdout=subprocess.PIPE)
    until = time.monotonic() + 100
    while not (tmp_path / "ck" / "state.npz").exists():
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.05)
    os.kill(process.pid, number)
    said, _ = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert not said and not (tmp_path / "out").exists()
        return
    assert process.returncode == 130
    told = json.loads(said)
    assert told["status"] == "interrupted" and told["length"] < 25_000 and told["seconds"] < 100
    assert not FILES - {path.name for path in (tmp_path / "out").iterdir()}
    assert json.loads((tmp_path / "out" / "outcome.json").read_text())["status"] == "interrupted"


def test_a_search_goes_on_from_its_checkpoint(told, tmp_path, monkeypatch):
    whole = told("run", "colony", "--rounds", 40)
    words = ["run", "colony", "--rounds", 40, "--checkpoint", tmp_path / "ck", "--optimum", 20000]
    with monkeypatch.context() as patch:
        from catallax.colony.ants import Colony

        advance = Colony.advance

        def interrupted(self, first, *rest):
            if first == 20:
                os.kill(os.getpid(), signal.SIGINT)
            return advance(self, first, *rest)

        patch.setattr(Colony, "advance", interrupted)
        part = told(*words, code=130)
    assert part["rounds"] < 40
    rest = told("resume", tmp_path / "ck")
    assert (rest["digest"], rest["length"]) == (whole["digest"], whole["length"])
    assert rest["gap_to_optimum"] == pytest.approx(rest["length"] / 20000 - 1)


def test_progress_says_length_and_gap():
    found = {}
    facts = SimpleNamespace(found=found)
    tour = SimpleNamespace(bound=lambda: found.update(bound=100.0), facts=facts, ground=SimpleNamespace(cities=4))
    said = tours.words(tour)
    while not found:  # sought in a thread of its own
        time.sleep(0.001)
    assert said(dict(length=np.float64(101.231))) == "length 101.2310, at most 1.24 % above the shortest"
    assert said(dict(length=np.float64(100))) == "length 100, the shortest there is"
    many = SimpleNamespace(
        bound=lambda: 1 / 0, facts=SimpleNamespace(found={}), ground=SimpleNamespace(cities=tours.MANY + 1)
    )
    assert tours.words(many)(dict(length=7.0)) == "length 7"


def test_no_certificate_is_said():
    outcome = SimpleNamespace(length=7.0, bound=float("nan"), gap=float("nan"), order=np.arange(3), changes=1)
    headline, entries, notes = tours.judged(outcome, 7.0)
    assert headline == "A tour of length 7 through 3 cities: no certificate." and not notes
    assert entries["gap_to_optimum"] == 0 and np.isnan(entries["gap_to_bound"])


def test_long_records_are_thinned_to_both_ends():
    assert results.spread(3, 10) == [0, 1, 2]
    kept = results.spread(100_000, 600)
    assert (len(kept), kept[0], kept[-1]) == (600, 0, 99_999) and len(set(kept)) == 600
    columns = results.thinned({"round": list(range(30_000)), "length": [1.0] * 30_000})
    assert [len(values) for values in columns.values()] == [results.ROWS] * 2


def test_degrees_and_minutes_are_degrees():
    assert tours.in_degrees(np.array([38.24, -3.30])) == pytest.approx([38.4, -3.5])


@pytest.mark.parametrize("system", ["bridge", "foraging", "slime"])
def test_the_other_colonies_run(system, told):
    result = told("run", system, "--rounds", 5, "--tolerance", 0)
    assert result["status"] == "done" and result["rounds"] == 5


def test_every_source_is_known():
    assert {key for system in SYSTEMS.values() for key in system.sources} <= set(REFERENCES)
