"""`experts` as a user types it: the table of routers, a run and its pictures, the questions; and sentences for what cannot be."""

import csv
import json
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from catallax.cli import experts
from catallax.cli.app import app
from catallax.experts.comparison import MEASURES, Measured
from catallax.view.plots import figure


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two kinds of flower, as a table and as arrays; and what the comparison makes of them under prices alone."""
    path = tmp_path_factory.mktemp("experts")
    random, lines = np.random.default_rng(0), ["petal,stem,colour,kind"]
    rows = [(*(random.normal(size=2) + (row % 2) * 3), row % 2) for row in range(60)]
    for number, (petal, stem, kind) in enumerate(rows):
        lines.append(f"{petal:.3f},{stem:.3f},{('red', 'blue')[number % 3 == 0]},{'ab'[kind]}")
    (path / "flowers.csv").write_text("\n".join(lines) + "\n")
    (path / "nan.csv").write_text("\n".join([*lines[:4], "nan,1,red,a", *lines[4:]]) + "\n")
    np.savez(path / "nan.npz", X=np.full((9, 2), np.nan), y=np.arange(9) % 2)
    before, routers = jax.config.jax_enable_x64, experts.routers
    experts.routers = lambda: ["dual"]
    try:
        words = ["compare", "experts", path / "flowers.csv", "--seeds", "2", "--out", path / "out", "--json"]
        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="catallax")
    finally:
        experts.routers = routers
        jax.config.update("jax_enable_x64", before)
    assert result.exit_code == 0, result.stderr
    return path, json.loads(result.stdout, parse_constant=pytest.fail)


def test_a_row_of_a_router(folder):
    told = folder[1]
    assert (told["command"], told["system"]) == ("compare", "experts")
    (row,) = told["rows"]
    assert (row["router"], row["seeds"], row["over_lots"]) == ("dual", 2, None)
    assert 0 <= row["error"] <= 0.3 and row["seconds"] > 0 and row["max_violation"] >= 0
    assert 0 <= row["load_entropy"] <= 1 and 0 <= row["mutual_information"] <= np.log(2) + 1e-9
    assert told["headline"].startswith(f"Least error: dual {100 * row['error']:.1f}")
    facts = told["facts"]
    assert (facts["rows"], facts["held_out"], facts["experts"], facts["k"]) == (48, 12, 8, 1)
    assert np.sum(facts["counts"]["dual"]) == 12


def test_files_and_pictures(folder):
    out = folder[0] / "out"
    assert {path.name for path in out.iterdir()} >= {"outcome.json", "report.html", "experts.csv", "experts.png"}
    (row,) = csv.DictReader((out / "experts.csv").read_text().splitlines())
    assert float(row["error"]) == folder[1]["rows"][0]["error"]
    page = (out / "report.html").read_text()
    for words in ("Prices, epoch by epoch, under dual", "Share of the work", "Who does what under dual", "expert 7"):
        assert words in page
    assert "catallax compare experts" in page


def test_a_run_records_prices_and_loads(folder, told, tmp_path):
    run = told("run", "experts", folder[0] / "flowers.csv", "--signal", "dual", "--out", tmp_path / "out")
    assert (run["rounds"], run["status"]) == (30, "done") and len(run["price"]) == 8
    record = list(csv.DictReader((tmp_path / "out" / "record.csv").read_text().splitlines()))
    last = record[-1]
    assert sum(float(last[f"share.expert {j}"]) for j in range(8)) == pytest.approx(1)
    assert [float(last[f"price.expert {j}"]) for j in range(8)] == pytest.approx(list(run["price"].values()))
    assert float(last["accuracy"]) == pytest.approx(run["accuracy"])
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made >= {"price.png", "share.png", "loss.png", "accuracy.png", "scene.png", "report.html"}


def test_more_experts_have_less_influence_each(folder, told):
    wide = told("replicate", "experts", folder[0] / "flowers.csv", "--copies", "1")
    (row,) = wide["rows"]
    assert row["agents"] == 8 and 1 / 8 <= row["effect"] < 1 and row["gain"] is None
    assert any("trade_inputs" in note for note in wide["notes"])


def measured(router, error):
    """Two seeds of a router that were not run."""
    values = {name: np.array([0.25, 0.75]) for name in MEASURES} | {"error": np.array(error)}
    return Measured(router, values, np.zeros((2, 2)), np.full((2, 2), 0.5), np.eye(3, 2))


def test_what_is_said_of_routers():
    set_ = SimpleNamespace(experts=2, k=1, width=4, hidden=3, epochs=1, batch=8)
    table = SimpleNamespace(y=[0] * 9, held_y=[0] * 3, classes=("a", "b", "c"))
    problem = SimpleNamespace(facts=SimpleNamespace(table=table, settings=set_), words=dict)
    found = [
        measured("dense", [0.5, 0.7]), measured("random", [0.4, 0.6]), measured("dual", [0.1, 0.4]),
        Measured("sign", {}, refused="no room"),
    ]  # fmt: skip
    answer = experts.answer_of(found, problem, "experts", 2)
    rows = {row["router"]: row for row in answer.rows}
    assert rows["dual"]["error"] == pytest.approx(0.25) and rows["dual"]["error_se"] == pytest.approx(0.15)
    assert rows["dual"]["over_lots"] == pytest.approx(-0.25) and rows["dual"]["over_lots_se"] == pytest.approx(0.05)
    assert rows["random"]["over_lots"] is None and rows["dense"]["max_violation"] is None
    assert rows["sign"]["error"] is None and "sign is left out: no room" in answer.notes[0]
    assert answer.headline == (
        "Least error: dual 25.0 ± 15.0 % (-25.0 ± 5.0 points over lots, max violation 0.50); random 50.0 ± 10.0 %; "
        "dense 60.0 ± 10.0 %."
    )
    assert [scene.items[0].columns for scene in answer.scenes[2:]] == [("a", "b", "c")] * 2
    assert len(figure(answer).axes) == 3


def test_it_is_listed_and_cited(catallax):
    assert "experts" in catallax("list").stdout
    assert "Switch Transformers" in catallax("cite", "experts").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "experts", "FILE/nothing.csv"], "nothing.csv"),
        (["compare", "experts", "FILE/nan.csv"], "line 5, column 'petal': the cell is empty or no number"),
        (["compare", "experts", "FILE/nan.npz"], "row 0 of X holds NaN"),
        (["compare", "experts", "--k", "9"], "k is 9 and there are 8 experts"),
        (["compare", "experts", "--experts", "0"], "experts is 0"),
        (["compare", "experts", "--capacity", "0.5"], "experts can serve 4 fair loads in all, and tokens are 8"),
        (["compare", "experts", "--draws", "3"], "--draws"),
        (["compare", "exchange", "--k", "2"], "--k is of `catallax compare experts`"),
        (["run", "experts", "--signal", "smoke"], "there is no router 'smoke'"),
        (["run", "experts", "FILE/flowers.csv", "--delay", "2"], "bits alone"),
        (["run", "experts", "FILE/flowers.csv", "--leak", "0.5"], "no effect of its own"),
    ],
)
def test_what_cannot_be(folder, catallax, words, said):
    result = catallax(*(word.replace("FILE", str(folder[0])) for word in words))
    assert result.exit_code == 2 and said in result.stderr, result.stderr
