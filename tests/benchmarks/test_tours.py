"""Tours are judged by code that shares nothing with the search, programs are read rightly, and misses are said."""

import ast
import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from benchmarks import data, harness, peers, tours, tours_instances, tours_runs, tours_start
from benchmarks.peers import programs
from benchmarks.tours_instances import Instance
from benchmarks.tours_runs import Found

PEERS = (tours_runs.SCIKIT_OPT, tours_runs.ACOPY, tours_runs.FAST_TSP, tours_runs.ELKAI, tours_runs.ORTOOLS)


# --- the judge ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PLANE", "EUC_2D", "ATT"])
@given(seed=st.integers(0, 2**31), cities=st.integers(3, 40))
def test_length_is_the_sum_of_rounded_distances(kind, seed, cities):
    random = np.random.default_rng(seed)
    places, order = random.integers(0, 1000, (cities, 2)).astype(float), random.permutation(cities)
    exact = cdist(places, places)
    rounded = {"PLANE": exact, "EUC_2D": np.round(exact), "ATT": np.ceil(exact / math.sqrt(10) - 1e-9)}[kind]
    instance = Instance("", kind, places, 1.0)
    expected = sum(rounded[order[k - 1], order[k]] for k in range(cities))
    assert tours_instances.length(instance, order) == pytest.approx(expected, rel=1e-12)
    if kind != "PLANE":
        assert np.array_equal(tours_instances.matrix(instance), rounded)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 4], [0, 1, 2, 3, 0]])
def test_what_is_no_tour_is_not_judged(order):
    instance = Instance("square", "PLANE", np.array([[0, 0], [0, 1], [1, 1], [1, 0.0]]), 4.0)
    assert tours_instances.gap(instance, np.array([3, 2, 1, 0])) == 0
    with pytest.raises(ValueError, match="square: that is no tour"):
        tours_instances.length(instance, np.array(order))


def test_files_are_read_as_they_were_written(tmp_path, monkeypatch):
    cities = tours_instances.uniform(30)
    monkeypatch.setattr(data, "path", lambda name: tours_instances.written(cities, tmp_path / name.replace("/", "-")))
    read = tours_instances.tsplib("berlin52")
    assert (read.name, read.kind, read.optimum) == ("berlin52", "EUC_2D", 7542)
    matched = cdist(read.places, cities.places) < 1e-3
    assert np.all(matched.sum(0) == 1) and np.all(matched.sum(1) == 1)  # all are there
    assert not np.array_equal(matched, np.eye(30))  # and not in the file's order


def test_every_optimum_has_an_origin():
    names = {origin.name for origin in data.ORIGINS}
    assert {f"tsplib/{name}.tsp" for name in tours_instances.OPTIMA} <= names
    wanted = {*tours.ALL, *tours.HARD, *tours.FOR_PEERS, *tours.FOR_LKH, *(budget[2] for budget in tours_start.BUDGETS)}
    assert wanted <= set(tours_instances.OPTIMA)


@pytest.mark.skipif(not (data.SHARED / "tsplib").is_dir(), reason="TSPLIB's files are not at hand")
@pytest.mark.parametrize("name", tours_instances.OPTIMA)
def test_instances_at_hand_are_those_of_the_list(name):
    instance = tours_instances.tsplib(name)
    digits = "".join(letter for letter in name if letter.isdigit())
    assert len(instance.places) == int(digits) and np.all(np.isfinite(instance.places))
    assert instance.kind == ("ATT" if name == "att532" else "EUC_2D")
    assert tours_instances.length(instance, np.arange(int(digits))) > 2 * instance.optimum


# --- our own runs ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few():
    """Nine cities and the length of the shortest tour through them, by trying all."""
    instance = tours_instances.uniform(9, seed=3)._replace(kind="EUC_2D")
    distance = tours_instances.matrix(instance)
    orders = np.array([(0, *rest) for rest in itertools.permutations(range(1, 9))])
    shortest = distance[orders, np.roll(orders, -1, axis=1)].sum(1).min()
    return instance._replace(optimum=float(shortest))


def test_search_ends_at_the_optimum_and_not_below(few):
    found = tours_runs.ours(few, seconds=20.0, seed=1)
    assert found.gap == 0
    assert 0 < found.setup <= found.reached <= found.seconds < 20


@pytest.mark.long
def test_search_without_a_goal_uses_its_seconds(few):
    tours_runs.warmed()
    found = tours_runs.ours(few, seconds=0.3, goal=0.0)
    assert math.isnan(found.reached) and found.tours > 0
    assert found.gap >= 0 and found.seconds >= 0.25


@pytest.mark.long
def test_ants_that_build_are_timed(few):
    timing = tours_runs.construction(few, ants=50)
    assert len(timing.seconds) == harness.REPEATS and 0 < timing.low <= timing.median


def test_bound_is_below_the_shortest(few):
    below, seconds = tours_runs.certificate(few)
    assert 0 <= below < 100 and seconds > 0


def test_memory_is_counted_from_the_process_alone(monkeypatch, capsys):
    monkeypatch.setattr(tours_runs, "warmed", lambda **settings: None)
    tours_runs.main({"cities": 12, "seconds": 0.05})
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["before"] <= found["peak"] < 64
    assert found["setup"] < found["seconds"]


# --- programs and peers ---------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program in the place of one that is built."""

    def put(name, script):
        file = tmp_path / name / name
        file.parent.mkdir()
        file.write_text(f"#!{sys.executable} -u\n{script}")
        file.chmod(0o755)

    monkeypatch.setattr(programs, "SOURCE", tmp_path)
    return put


def test_acotsp_is_read(program, tmp_path):
    lines = "best 900, iteration: 1, time 0.02\nbest 850, iteration: 7, time 1.50\n\nbest so far 850, iteration: 100, time 2"
    program("acotsp", f"import sys\nassert sys.argv[sys.argv.index('--seed') + 1] == '4'\nprint({lines!r})")
    assert programs.acotsp(tmp_path / "x.tsp", 3.0, seed=3, optimum=800.0) == (850.0, 1.5)


def test_faco_is_stopped_and_read_up_to_then(program, tmp_path):
    lines = [
        "initial sol cost: 1.25e+03",
        "best sol cost: [64, 0.1s] 900 (3.0%)",
        "best sol cost: [99, 77.0s] 700 (0.0%)",
    ]
    program("faco", "import time\n" + "\n".join(f"print({line!r})" for line in lines) + "\ntime.sleep(60)")
    assert programs.faco(tmp_path / "x.tsp", 1.5, seed=0, optimum=1.0) == (900.0, 0.1)


def test_faco_without_a_report_has_its_first_tour(program, tmp_path):
    program("faco", "print('initial sol cost: 1.63465e+06')")
    assert programs.faco(tmp_path / "x.tsp", 5.0, seed=0, optimum=1.0) == (1634650.0, 0.0)


@pytest.mark.parametrize("search", [programs.acotsp, programs.faco])
def test_programs_that_are_not_built_or_fail_are_missing(search, program, tmp_path):
    with pytest.raises(peers.Missing, match="is not built"):
        search(tmp_path / "x.tsp", 1.0, 0, 1.0)
    program(search.__name__, "raise SystemExit(3)")
    with pytest.raises(peers.Missing, match="failed"):
        search(tmp_path / "x.tsp", 1.0, 0, 1.0)


def test_what_a_program_says_becomes_a_gap(few):
    search = tours_runs.told(lambda file, seconds, seed, optimum: (1.25 * optimum, float(file.is_file())))
    found = search(few, 1.0, 0)
    assert found.gap == pytest.approx(25) and found.seconds == 1.0 and math.isnan(found.reached)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_are_pinned_and_their_scripts_import_no_one_else(peer):
    assert all("==" in package for package in peer.packages)
    tree = ast.parse((peers.HERE / peer.script).read_text())
    names = {a.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {str(n.module).split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    own = {package.partition("==")[0].replace("-", "_") for package in peer.packages} | {"sko"}
    assert names - set(sys.stdlib_module_names) <= own | {"cities"}


def test_peers_are_judged_by_their_tours(few, monkeypatch):
    seen = {}

    def ask(peer, request, timeout):
        seen.update(request, whole=np.load(request["matrix"]))
        return {"order": list(range(9)), "seconds": 0.5, "tours": 7}

    monkeypatch.setattr(peers, "ask", ask)
    found = tours_runs.asked(tours_runs.ACOPY, few, ants=1)
    assert found.gap == tours_instances.gap(few, np.arange(9)) and (found.seconds, found.tours) == (0.5, 7)
    assert np.array_equal(seen["whole"], tours_instances.matrix(few)) and seen["ants"] == 1


# --- what is said ---------------------------------------------------------------------------------------------


def test_programs_that_are_missing_are_quoted_and_said_to_be(monkeypatch):
    def missing(*request, **more):
        raise peers.Missing("not here")

    monkeypatch.setattr(tours_runs, "SEARCHES", dict.fromkeys(tours_runs.SEARCHES, missing))
    monkeypatch.setattr(tours_runs, "asked", missing)
    monkeypatch.setattr(tours_instances, "tsplib", lambda name: None)
    rows, notes = tours.peer_rows(("pr1002",), 1.0)
    assert [row["solver"] for row in rows] == [f"{title}, quoted" for title in tours.QUOTED]
    assert len(notes) == len(tours_runs.SEARCHES) + 1 and all("not here" in note for note in notes)


def test_a_peer_that_fails_on_one_instance_keeps_its_row(monkeypatch):
    def sometimes(instance, seconds, seed):
        if instance == "pr2392":
            raise peers.Missing("too large")
        return Found(0.5, seconds)

    monkeypatch.setattr(tours_runs, "SEARCHES", {"peer": sometimes})
    monkeypatch.setattr(tours_runs, "asked", lambda peer, instance: Found(0.0, 2.0))
    monkeypatch.setattr(tours_instances, "tsplib", lambda name: name)
    rows, notes = tours.peer_rows(("pr1002", "pr2392"), 1.0)
    assert rows[0] == {"solver": "peer", "seeds": 1, "pr1002": "0.500"} and notes == ["peer: too large."]
    assert rows[1]["pr1002"] == "0.000 in 2 s"


def test_median_and_range():
    assert tours.spread([0.25]) == "0.250"
    assert tours.spread([0.5, 0.1, 0.2]) == "0.200 (0.100 to 0.500)"


def test_what_trails_add_is_a_difference_of_the_same_seeds():
    found = {
        "catallax": {"pr1002": [Found(0.1, 1), Found(0.3, 1), Found(9.0, 1)]},
        "control: trails off": {"pr1002": [Found(0.2, 1), Found(0.2, 1)]},
        "catallax, max-min ants": {"pr1002": [Found(5.0, 1)]},
    }
    assert tours.worth(found, ["pr1002", "pr2392"]) == [
        "With trails off the gap is greater by (points of %, mean over seeds): pr1002 +0.000."
    ]


@pytest.mark.parametrize(("gap", "said"), [(0.05, "all reached"), (0.0501, "NOT reached on pr1002")])
def test_targets_are_of_the_median(gap, said, monkeypatch):
    monkeypatch.setattr(tours_instances, "tsplib", lambda name: None)
    monkeypatch.setattr(tours_runs, "certificate", lambda instance: (1.0, 0.5))
    ones = [Found(x, 10.0, 0.5, math.nan, 950) for x in (0.0, gap, 7.0)]
    table = tours.close_table({"pr1002": ones}, 10.0)
    (row,) = table.rows
    assert row["changes a s"] == 100 and row["above bound %"] == pytest.approx(100 * ((1 + gap / 100) / 0.99 - 1))
    assert said in table.notes[0] and (row["reached"] == "NO") == ("NOT" in said)


def test_ratio_is_theirs_over_ours(few, monkeypatch):
    monkeypatch.setattr(tours_instances, "tsplib", lambda name: few)
    monkeypatch.setattr(tours_runs, "asked", lambda *peer, **request: Found(10.0, 8.0, tours=40))
    monkeypatch.setattr(tours_runs, "warmed", lambda: None)
    goals = []
    monkeypatch.setattr(
        tours_runs, "ours", lambda c, s, seed, goal: goals.append(goal) or Found(9.0, 0.004 * (seed + 1))
    )
    row = tours_start.beside("peer", tours_runs.ACOPY, "few", None, 5)
    assert set(goals) == {few.optimum * 1.1} and row["ants x rounds"] == "9 x 5"
    assert row["ours faster by"] == pytest.approx(8 / 0.012) and row["tours a s"] == 5
    assert "reached, 667" in tours_start.python_table([row], []).notes[0]
    assert "NOT reached" in tours_start.python_table([row, row | {"ours faster by": 499.0}], []).notes[0]


def test_a_command_that_fails_is_a_note(monkeypatch):
    def fail(file, **environment):
        raise subprocess.CalledProcessError(1, "catallax")

    monkeypatch.setattr(tours_start, "answered", fail)
    table = tours_start.cold_table(harness.Options(quick=True))
    assert "No row" in table.notes[0] and "not measured" in table.markdown()
