"""`teaching` as a user types it: the table of signals, a run, its files and the questions; and sentences for what cannot be."""

import csv
import json

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from catallax.cli import teaching
from catallax.cli.app import app
from catallax.networks.comparison import Point

FEW = ("backpropagation", "predsim", "silence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two kinds of flower, a cell missing, as a table and as arrays; and what the comparison makes of them."""
    path = tmp_path_factory.mktemp("teaching")
    random, lines = np.random.default_rng(0), ["petal,stem,colour,kind"]
    rows = [(*(random.normal(size=2) + (row % 2) * 3), row % 2) for row in range(60)]
    for number, (petal, stem, kind) in enumerate(rows):
        lines.append(
            f"{petal:.3f},{'' if number == 7 else round(stem, 3)},{('red', 'blue')[number % 3 == 0]},{'ab'[kind]}"
        )
    (path / "flowers.csv").write_text("\n".join(lines) + "\n")
    np.savez(path / "flowers.npz", X=np.array([row[:2] for row in rows]), y=np.array([row[2] for row in rows]))
    before, points = jax.config.jax_enable_x64, teaching.points
    teaching.points = lambda: [Point(name) for name in FEW]
    try:
        words = ["compare", "teaching", path / "flowers.csv", "--seeds", "2", "--out", path / "out", "--json"]
        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="catallax")
    finally:
        teaching.points = points
        jax.config.update("jax_enable_x64", before)
    assert result.exit_code == 0, result.stderr
    return path, json.loads(result.stdout, parse_constant=pytest.fail)


def test_one_row_a_signal(folder):
    told = folder[1]
    assert list(told)[:6] == ["schema", "command", "system", "file", "versions", "seed"]
    assert (told["command"], told["system"]) == ("compare", "teaching")
    rows = {row["signal"]: row for row in told["rows"]}
    assert tuple(rows) == FEW
    for row in rows.values():
        assert {"error", "error_se", "bits_per_update", "seconds", "cosine"} <= row.keys()
        assert 0 <= row["error"] <= 1 and row["seconds"] > 0
    assert rows["backpropagation"]["cosine"] == pytest.approx(1, abs=1e-4)
    assert rows["silence"]["cosine"] is None
    assert [rows[name]["bits_per_update"] for name in FEW] == [(128 + 128 + 2) * 32, 3, 1]
    assert [rows[name]["waits"] for name in FEW] == [4, 4, 0]
    assert [rows[name]["locked"] for name in FEW] == [True, False, False]
    assert told["facts"]["layers"]["predsim"]["bits"] == [1, 1, 1]
    assert (told["facts"]["rows"], told["facts"]["held_out"], told["facts"]["seeds"]) == (48, 12, 2)
    assert len(told["digest"]) == 16


def test_the_headline_is_of_the_table(folder):
    told = folder[1]
    best = min(told["rows"], key=lambda row: row["error"])
    assert told["headline"].startswith(f"Least error: {best['signal']} {100 * best['error']:.1f}")


def test_files(folder):
    out = folder[0] / "out"
    assert {path.name for path in out.iterdir()} >= {"outcome.json", "report.html", "teaching.csv", "teaching.png"}
    rows = list(csv.DictReader((out / "teaching.csv").read_text().splitlines()))
    assert [row["signal"] for row in rows] == list(FEW)
    assert float(rows[1]["error"]) == folder[1]["rows"][1]["error"]
    page = (out / "report.html").read_text()
    assert "Loss of the rows learnt from" in page and "catallax compare teaching" in page


def test_a_run_under_a_signal_and_its_network(folder, told, tmp_path):
    from catallax.networks.saved import load

    words = ("run", "teaching", folder[0] / "flowers.npz", "--signal", "predsim")
    run = told(*words, "--out", tmp_path / "out")
    assert (run["rounds"], run["status"], run["bits_per_update"]) == (20, "done", 3)
    assert run["accuracy"] > 0.8
    chain = load(tmp_path / "out" / "chain.safetensors")
    assert type(chain.teaching).__name__ == "LocalLosses" and chain.inputs == (2,)
    record = list(csv.DictReader((tmp_path / "out" / "record.csv").read_text().splitlines()))
    assert float(record[-1]["accuracy"]) == pytest.approx(run["accuracy"])
    again = told(*words)
    assert again["digest"] == run["digest"]
    narrow = told("run", "teaching", folder[0] / "flowers.npz", "--bits", "4")
    assert narrow["bits_per_update"] == (128 + 128 + 2) * 4 + 3 * 32


def test_a_run_goes_on_from_its_checkpoint(folder, told, tmp_path):
    words = ("run", "teaching", folder[0] / "flowers.npz", "--signal", "random-targets")
    whole = told(*words)
    told(*words, "--rounds", "7", "--checkpoint", tmp_path / "run")
    assert told("resume", tmp_path / "run", "--rounds", "20")["digest"] == whole["digest"]


def test_the_frontier_has_bits_and_signals(folder, told, monkeypatch):
    monkeypatch.setattr(teaching, "points_and_bits", lambda: [Point("backpropagation", 2), Point("backpropagation")])
    found = told("frontier", "teaching", folder[0] / "flowers.npz", "--seeds", "1")
    assert [(row["signal"], row["bits"]) for row in found["rows"]] == [
        ("backpropagation", 2),
        ("backpropagation", None),
    ]
    assert found["rows"][0]["bits_per_update"] == (128 + 128 + 2) * 2 + 3 * 32
    assert found["rows"][0]["error_se"] is None


def test_questions_of_parts_and_of_change(folder, told):
    file = folder[0] / "flowers.npz"
    shock = told("shock", "teaching", file, "--size", "1", "--rounds", "3", code=3)
    assert [row["round"] for row in shock["rows"]] == [0, 1, 2, 3]
    wide = told("replicate", "teaching", file, "--copies", "1", "--copies", "2")
    assert [row["agents"] for row in wide["rows"]] == [256, 512]


def test_the_table_is_read_and_cited(folder, catallax, monkeypatch):
    monkeypatch.setattr(teaching, "points", lambda: [Point("silence")])
    result = catallax("compare", "teaching", folder[0] / "flowers.csv", "--seeds", "1", "--target", "kind")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Least error: silence ")
    assert "teaching" in catallax("list").stdout
    assert "Nokland" in catallax("cite", "teaching").stdout.replace("N{\\o}kland", "Nokland")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "teaching", "nothing.csv"], "nothing.csv"),
        (["compare", "teaching", "--draws", "3"], "--draws"),
        (["compare", "teaching", "FILE.csv", "--target", "colou"], "no column 'colou'"),
        (["compare", "teaching", "FILE.npz", "--target", "kind"], "leave --target out"),
        (["run", "teaching", "--signal", "smoke"], "there is no teaching signal 'smoke'"),
        (["run", "exchange", "--signal", "predsim"], "--signal is of"),
        (["run", "teaching", "FILE.npz", "--delay", "2"], "bits alone"),
        (["run", "teaching", "FILE.npz", "--bits", "30"], "1 to 24 bits"),
        (["run", "teaching", "FILE.npz", "--leak", "0.5"], "no effect of its own"),
        (["run", "teaching", "FILE.csv.npz"], "FILE.csv.npz"),
    ],
)
def test_what_cannot_be(folder, catallax, words, said):
    words = [word.replace("FILE", str(folder[0] / "flowers")) for word in words]
    result = catallax(*words)
    assert result.exit_code == 2 and said.replace("FILE", "flowers") in result.stderr, result.stderr


def test_arrays_that_are_none(tmp_path, catallax):
    np.savez(tmp_path / "a.npz", X=np.eye(4))
    (tmp_path / "b.npz").write_text("hello")
    for name, said in (("a.npz", "has no array 'y'"), ("b.npz", "not an npz file")):
        result = catallax("run", "teaching", tmp_path / name)
        assert result.exit_code == 2 and said in result.stderr
