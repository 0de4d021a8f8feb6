"""`catallax fit` as a user types it: scores recomputed from its files, the model loaded again, faults in a sentence."""

import csv
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from catallax.cli import fitted, scored
from catallax.cli.app import app
from catallax.core.errors import BadInput
from catallax.ensembles.rules.density import Density
from catallax.io.frames import Frame, read_frame

TWO = ["--members", "bayes,logistic"]


def rows(count=60, seed=0):
    """Three classes that follow a number and a word; some cells are missing, and the targets of two rows."""
    random = np.random.default_rng(seed)
    x, town = random.normal(size=(count, 2)), random.choice(["Oslo", "Rome", "Lima"], count)
    score = x[:, 0] + (town == "Rome") + 0.5 * random.normal(size=count)
    y = np.digitize(score, [-0.3, 0.8])
    for k in range(count):
        target = "" if k in (3, 17) else ["low", "mid", "high"][y[k]]
        yield f"{x[k, 0]:.3f}", "" if k % 7 == 0 else f"{x[k, 1]:.3f}", "" if k % 11 == 0 else town[k], target


def write(path, lines, header="size,noise,town,y"):
    path.write_text(header + "\n" + "".join(",".join(map(str, line)) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("t") / "t.csv", rows())


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words], prog_name="catallax")


@pytest.fixture(scope="module")
def found(table, tmp_path_factory):
    """One fit with all that it writes: the folder, its object, what was said."""
    out = tmp_path_factory.mktemp("o") / "new" / "out"
    result = call(
        "fit", table, "--target", "y", *TWO, "--max-influence", 0.6, "--market", "isoelastic", "--out", out, "--json"
    )
    assert result.exit_code == 0, result.stderr
    return out, json.loads(result.stdout, parse_constant=pytest.fail), result.stderr


@pytest.fixture(scope="module")
def predicted(found):
    with open(found[0] / "predictions.csv") as file:
        return list(csv.DictReader(file))


def test_scores_follow_from_what_is_written(found, predicted):
    _, result, _ = found
    assert list(result)[:4] == ["schema", "command", "file", "versions"] and result["command"] == "fit"
    assert [row["row"] for row in predicted] == [str(k + 1) for k in range(60)]
    targets = [line[3] for line in rows()]
    assert [row["target"] for row in predicted] == targets and result["classes"] == ["high", "low", "mid"]
    known = [row for row in predicted if row["target"]]
    loss = [-np.log(float(row[f"probability:{row['target']}"])) for row in known]
    score = result["scores"]["market"]
    assert result["rows"] == len(known) == 58 and score["log_loss"] == pytest.approx(np.mean(loss))
    assert score["error_percent"] == pytest.approx(100 * np.mean([row["forecast"] != row["target"] for row in known]))
    for row in predicted:
        price = {name: float(row[f"probability:{name}"]) for name in result["classes"]}
        assert sum(price.values()) == pytest.approx(1) and row["forecast"] == max(price, key=price.get)


def test_everyone_is_in_the_table_and_the_headline(found):
    out, result, _ = found
    scores = result["scores"]
    assert list(scores)[:4] == ["market", "market without the cap", "soft vote", "stacking"]
    assert set(list(scores)[4:]) == {"bayes", "logistic"} == set(result["influence"])
    assert scores["stacking"]["above_market"] == pytest.approx(
        scores["stacking"]["log_loss"] - scores["market"]["log_loss"]
    )
    best = min(("bayes", "logistic"), key=lambda name: scores[name]["log_loss"])
    start = f"The market's out-of-fold log-loss is {scores['market']['log_loss']:.4f}, best member {best} "
    assert result["headline"].startswith(f"{start}{scores[best]['log_loss']:.4f}, soft vote ")
    first = min((best, "soft vote", "stacking"), key=lambda name: scores[name]["log_loss"])
    loses = scores[first]["log_loss"] < scores["market"]["log_loss"]
    assert ("the market is not the best" in result["headline"]) == loses
    shares = result["influence"]
    assert max(shares.values()) <= 0.6 + 1e-6 and sum(shares.values()) == pytest.approx(1)
    assert result["effective_members"] == pytest.approx(1 / sum(share**2 for share in shares.values()))
    cost = scores["market"]["log_loss"] - scores["market without the cap"]["log_loss"]
    assert result["cap_cost"] == pytest.approx(cost)
    with open(out / "members.csv") as file:
        for row in csv.DictReader(file):
            assert float(row["influence"]) == shares[row["member"]]
            assert float(row["log_loss"]) == scores[row["member"]]["log_loss"]


def test_files_and_report(found, table):
    out, result, said = found
    assert {path.name for path in out.iterdir()} == {
        "answers", "members.csv", "model.skops", "outcome.json", "predictions.csv", "report.html"
    }  # fmt: skip
    assert json.loads((out / "outcome.json").read_text()) == result and f"report: {out / 'report.html'}" in said
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 4 and "gains of betting against the market" in page
    again = f"catallax fit {table} --target y --members bayes,logistic --market isoelastic --max-influence 0.6</code>"
    assert again in page
    assert "2 rows without a target" in page
    assert call("report", out).exit_code == 0


def test_receipts_end_at_the_price_that_is_written(found, predicted):
    _, result, _ = found
    for row, receipt in zip(predicted, result["receipts"]):
        label, price = re.match(r"(\w+): \S+ -> (\S+) \(", receipt).groups()
        assert label == row["forecast"] and float(price) == pytest.approx(float(row[f"probability:{label}"]), abs=6e-4)
        assert f"; {row['target']} came: " in receipt


@pytest.mark.skipif(importlib.util.find_spec("skops") is None, reason="needs skops")
def test_the_model_loads_and_forecasts_the_same(found, predicted, table):
    import skops.io

    out, result, _ = found
    about = result["model"]
    assert about["file"] == "model.skops" and about["columns"] == ["size", "noise", "town"]
    assert all(name.startswith(("catallax.", "numpy.", "sklearn.")) for name in about["types"])
    model = skops.io.load(out / "model.skops", trusted=about["types"])
    X = read_frame(table).matrix(about["columns"])
    price = model.predict_proba(X)
    for row in (3, 17):  # without a target: forecast by the model itself
        written = [float(predicted[row][f"probability:{name}"]) for name in result["classes"]]
        np.testing.assert_array_equal(price[row], written)
    np.testing.assert_array_equal(model.classes_, result["classes"])
    X[0] = [np.nan, np.nan, "Atlantis"]
    assert np.isfinite(model.predict_proba(X[:1])).all()
    seen = np.mean(
        -np.log([price[k, result["classes"].index(r["target"])] for k, r in enumerate(predicted) if r["target"]])
    )
    assert seen != pytest.approx(
        result["scores"]["market"]["log_loss"], rel=1e-3
    )  # in sample, and not what is reported


def test_joblib_where_there_is_no_skops(table, tmp_path, monkeypatch):
    import joblib

    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    result = call(
        "fit", table, "--target", "y", "--members", "bayes", "--market", "em", "--folds", 2, "--out", tmp_path / "o"
    )
    assert result.exit_code == 0, result.stderr
    assert "run code when they are loaded" in result.stderr and not (tmp_path / "o" / "model.skops").exists()
    model = joblib.load(tmp_path / "o" / "model.joblib")
    assert model.predict_proba(read_frame(table).matrix(["size", "noise", "town"])).shape == (60, 3)


def test_the_table_is_read_and_a_seed_repeats(catallax, table):
    words = (
        "fit",
        table,
        "--target",
        "y",
        "--members",
        "neighbours,bayes",
        "--market",
        "em",
        "--folds",
        2,
        "--seed",
        3,
    )
    first = catallax(*words)
    assert first.exit_code == 0 and first.stdout == catallax(*words).stdout
    assert re.search(r"^market +0\.\d+ +– ", first.stdout, re.MULTILINE) and "influence: " in first.stdout


# --- numbers ---


@pytest.fixture(scope="module")
def numeric(tmp_path_factory):
    random = np.random.default_rng(1)
    x = random.normal(size=(70, 2))
    y = 50 + 10 * x[:, 0] + 3 * random.normal(size=70)
    lines = ((f"{a:.4f}", f"{b:.4f}", "" if k == 5 else f"{t:.3f}") for k, ((a, b), t) in enumerate(zip(x, y)))
    return write(tmp_path_factory.mktemp("n") / "n.csv", lines, "a,b,price")


def test_numbers(numeric, tmp_path):
    out = tmp_path / "out"
    words = ["--members", "ridge,neighbours", "--market", "em", "--out", out, "--json"]
    result = call("fit", numeric, "--target", "price", *words)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["task"] == "numbers" and set(found["influence"]) == {"ridge", "neighbours"}
    with open(out / "predictions.csv") as file:
        lines = list(csv.DictReader(file))
    known = [line for line in lines if line["target"]]
    off = np.array([float(line["forecast"]) - float(line["target"]) for line in known])
    score = found["scores"]["market"]
    assert len(known) == 69 and score["rmse"] == pytest.approx(np.sqrt(np.mean(off**2))) and score["rmse"] < 5
    inside = [float(line["low"]) <= float(line["target"]) <= float(line["high"]) for line in known]
    assert score["within_90_percent"] == pytest.approx(100 * np.mean(inside))
    assert all(float(line["low"]) < float(line["forecast"]) < float(line["high"]) for line in lines)
    least = np.log(np.std(off) * np.sqrt(2 * np.pi * np.e))  # a Gaussian as wide as the errors
    assert score["log_loss"] == pytest.approx(least, abs=0.3)
    price = re.match(r"\S+ -> (\S+) \+- ", found["receipts"][0]).group(1)
    assert float(price) == pytest.approx(float(lines[0]["forecast"]), rel=1e-3)
    if found["model"]["file"].endswith(".skops"):
        import skops.io

        model = skops.io.load(out / "model.skops", trusted=found["model"]["types"])
        there = model.predict(read_frame(numeric).matrix(["a", "b"]))
        assert there[5] == pytest.approx(float(lines[5]["forecast"]), rel=1e-12)


def test_the_density_of_a_vote_is_that_of_its_errors():
    random = np.random.default_rng(2)
    held, y = np.zeros(4000), 2.0 * random.normal(size=4000)
    price = scored.with_spread(
        held, scored.Said(held[:, None], np.ones((4000, 1)), y, np.ones(4000)), np.array([1.0]), 1e-3
    )
    assert isinstance(price, Density) and price.mean()[0] == 1 and price.std()[0] == pytest.approx(2, rel=0.05)


# --- how everyone is scored ---


def test_combiners_are_scored_on_rows_that_they_have_not_learnt_from():
    """Members that know nothing, and so many that a combiner finds something in any rows: it must not look better than chance."""
    random = np.random.default_rng(0)
    belief = random.dirichlet([4.0, 4.0], size=(80, 30))
    outcome = random.integers(2, size=80)
    offers = scored.Offers(belief, outcome, np.ones(80))
    inside = scored.stacked(offers, belief)[np.arange(80), outcome]
    assert -np.log(inside).mean() < 0.68 < np.log(2)

    market = SimpleNamespace(
        named_estimators_={f"m{m}": None for m in range(30)},
        offers_=offers,
        max_influence=None,
        market="em",
        fraction=0.1,
    )
    found = scored.Classes(market, random.normal(size=(80, 1)), lambda done, of, words: None)
    assert found.forecasters["stacking"].loss.mean() > np.log(2)
    assert found.forecasters["m3"].loss == pytest.approx(-np.log(belief[np.arange(80), 3, outcome]))
    assert found.forecasters["soft vote"].loss == pytest.approx(-np.log(belief.mean(1)[np.arange(80), outcome]))


def test_calibration_of_forecasts_that_are_right_and_that_boast():
    random = np.random.default_rng(0)
    sure = random.uniform(0, 1, 40_000)
    outcome = (random.uniform(size=40_000) < sure).astype(int)
    honest = scored.of_classes("honest", np.stack([1 - sure, sure], 1), outcome)
    assert honest.row["ece_percent"] < 1.5
    np.testing.assert_allclose(honest.curve.x, honest.curve.y, atol=0.03)
    assert len(honest.curve.x) == 10
    boast = scored.of_classes("boast", np.tile([0.1, 0.9], (40_000, 1)), outcome)
    assert boast.row["ece_percent"] == pytest.approx(100 * abs(outcome.mean() - 0.9))
    few = scored.curve(np.array([0.1, 0.9, 0.5]), np.array([0.0, 1.0, 1.0]), "few")
    assert few.x.tolist() == [0.5] and few.y[0] == pytest.approx(2 / 3)


# --- columns ---


def frame_of(**columns):
    made = {
        name: np.array(column, float if all(isinstance(c, float) for c in column) else object)
        for name, column in columns.items()
    }
    count = len(next(iter(made.values())))
    return Frame("t.csv", made, np.arange(2, 2 + count))


def test_kinds_of_targets():
    x = [1.0, 2.0, 3.0, 4.0]
    assert fitted.split(frame_of(x=x, y=[1.0, 0.0, 1.0, 0.0]), "y").y.tolist() == [1, 0, 1, 0]
    assert fitted.split(frame_of(x=x, y=["b", "a", "b", "a"]), "y").task == "classes"
    assert fitted.split(frame_of(x=x, y=[1.5, 2.0, 1.0, 2.0]), "y").task == "numbers"
    assert fitted.split(frame_of(x=x, y=[1.0, 0.0, 1.0, 0.0]), "y", "numbers").task == "numbers"
    halves = fitted.split(frame_of(x=x, y=[1234567.5, 2.0, 1234567.5, 2.0]), "y", "classes")
    assert halves.y.tolist() == ["1234567.5", "2", "1234567.5", "2"]


def test_columns_become_numbers_and_what_says_nothing_is_left_out():
    nan = float("nan")
    frame = frame_of(
        x=[1.0, nan, 3.0, 8.0], empty=[nan] * 4, town=["a", "b", nan, "a"], name=list("pqrs"), y=list("nmnm")
    )
    data = fitted.split(frame, "y")
    columns, notes = fitted.numbered(data, frame)
    X = columns.fit_transform(data.X)
    np.testing.assert_array_equal(X[:, :2], [[1, 0], [3, 1], [3, 0], [8, 0]])  # the median, and where it was filled
    np.testing.assert_array_equal(X[:, 2:], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert notes == [
        "left out, since no cell is filled: empty",
        "left out, since every row has words of its own: name",
    ]


# --- faults ---


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--target", "Y"], "has no column 'Y': did you mean y?"),
        (["--target", "price"], "has no column 'price': there are size, noise, town, y"),
        ([], "--target is missing: name the column to forecast, one of size, noise, town, y"),
        (["--target", "y", "--members", "forrest,bayes"], "--members: there is no 'forrest': did you mean forest?"),
        (["--target", "y", "--members", "bayes,bayes"], "names 'bayes' twice"),
        (["--target", "y", "--members", "ridge"], "there is no 'ridge'"),
        (["--target", "y", "--folds", "1"], "--folds is 1: give 2 or more"),
        (["--target", "y", "--market", "bazaar"], "market must be one of auto, cara"),
        (["--target", "y", "--max-influence", ".1", *TWO], r"max_influence must lie in \[1/2, 1\]"),
        (["--target", "y", "--task", "numbers"], "line 2, column 'y': '(low|mid|high)' is no number"),
        (["--target", "y", "--task", "words"], "--task is 'words': give one of auto, classes, numbers"),
    ],
)
def test_bad_options_are_two_and_leave_nothing(words, sentence, table, tmp_path):
    result = call("fit", table, "--out", tmp_path / "out", *words)
    assert result.exit_code == 2 and re.search(sentence, result.stderr), result.stderr
    assert result.stdout == "" and result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["1,a", "2,a", "3,a"], "column 'y' holds one class only, 'a'"),
        (["1,a", "2,a", "3,b", "4,b", "5,c"], "t.csv, line 6: 'c' stands once in column 'y'"),
        (
            ["1,1", "2,1", "3,2", "4,2", "5,7"],
            "line 6: 7 stands once in column 'y'.* or forecast numbers with --task numbers",
        ),
        (["1,a", "2,a", "3,b", "3,b"], "line 4: all 2 rows of 'b' in column 'y' are alike"),
        (["1,a", "2,b", "3,a,x", "4,b"], "t.csv, line 4: the row has 3 cells and the header 2 columns"),
        (["1,a", "2,b", "inf,a", "4,b"], "t.csv, line 4, column 'x': inf is not a finite number"),
        (["1,2.5", "2,inf"], "t.csv, line 3, column 'y': inf is not a finite number"),
        (["1,2.5", "2,2.5"], "column 'y' is 2.5 in every row"),
        (["1,", "2,"], "column 'y' of .*t.csv is empty"),
        (["a,p", "b,p", "c,q", "d,q"], "t.csv has no column to forecast 'y' from"),
    ],
)
def test_bad_tables_are_two(lines, sentence, tmp_path):
    path = write(tmp_path / "t.csv", [[line] for line in lines], "x,y")
    result = call("fit", path, "--target", "y", *(TWO if "2.5" not in lines[0] else []))
    assert result.exit_code == 2 and re.search(sentence, result.stderr), result.stderr
    assert result.stderr.count("\n") == 1


def test_too_few_rows_for_a_member(tmp_path):
    path = write(tmp_path / "t.csv", [(k, "ab"[k % 2]) for k in range(10)], "x,y")
    result = call("fit", path, "--target", "y", "--members", "neighbours")
    assert result.exit_code == 2 and "a member cannot learn from these 10 rows (Expected n_neighbors" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_target_alone_cannot_be_forecast(tmp_path):
    result = call("fit", write(tmp_path / "t.csv", ["a", "b"], "y"), "--target", "y")
    assert result.exit_code == 2 and "no column but the target" in result.stderr


def test_interrupted_leaves_nothing(table, tmp_path, monkeypatch):
    from catallax.cli import session

    def press(self, done, of, words=""):
        assert (done, of) == (1, 4)
        raise KeyboardInterrupt

    monkeypatch.setattr(session.Progress, "look", press)
    result = call("fit", table, "--target", "y", *TWO, "--folds", 2, "--out", tmp_path / "out")
    assert result.exit_code == 130 and "interrupted" in result.stderr and not (tmp_path / "out").exists()


def test_words_as_tags_stay_text(tmp_path):
    lines = [(k % 5, f"<b>{k % 2}", "<script>" if k % 2 else "<i>") for k in range(20)]
    path = write(tmp_path / "t.csv", lines, "x,<u>,y")
    assert call("fit", path, "--target", "y", *TWO, "--market", "em", "--out", tmp_path / "o").exit_code == 0
    page = (tmp_path / "o" / "report.html").read_text()
    assert not any(tag in page for tag in ("<script>", "<i>", "<u>", "<b>"))


def test_the_example_is_there_and_neither_help_nor_a_fit_waits_for_jax():
    with pytest.raises(BadInput):
        fitted.split(fitted.example(), "vintage")
    code = (
        "import sys; from catallax.cli.app import app; app(['--help'], standalone_mode=False); "
        "print('sklearn' in sys.modules, 'jax' in sys.modules); "
        "app(['fit', '--members', 'bayes', '--market', 'em', '--folds', '2'], standalone_mode=False); "
        "print('jax' in sys.modules, 'matplotlib' in sys.modules, 'skops' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    lines = run.stdout.splitlines()
    assert "False False" in lines and lines[-1] == "False False False", run.stderr
    assert any(line.startswith("The market's out-of-fold log-loss is") for line in lines)
