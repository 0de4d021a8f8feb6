"""`catallax compare learners` as a user types it: the table, one object, files, and sentences for what cannot be."""

import csv
import json

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from catallax.cli.app import app
from catallax.ensembles.learners.chain import is_there

PLANNERS = {"least squares", "discriminant analysis", "support vectors", "logistic regression"}
CROWD = {"random forest", "boosting", "network", "market of models"}
NUMBERS = {
    "skill_left_random", "skill_left_influential", "skill_left_features", "half_gone_influential", "path",
    "hessian_change", "steps", "at_once", "linear_r2", "accuracy", "accuracy_se", "log_loss", "log_loss_se", "seconds",
}  # fmt: skip
QUICK = ("--folds", "2", "--seeds", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of two kinds of flower, some cells missing, and what the command makes of it: (folder, stdout)."""
    path = tmp_path_factory.mktemp("learners")
    random, lines = np.random.default_rng(0), ["petal,stem,colour,kind"]
    for row in range(40):
        petal, stem = random.normal(size=2) + (row % 2) * 2
        lines.append(
            f"{petal:.3f},{'' if row == 7 else round(stem, 3)},{('red', 'blue')[row % 3 == 0]},{'ab'[row % 2]}"
        )
    (path / "flowers.csv").write_text("\n".join(lines) + "\n")
    before = jax.config.jax_enable_x64
    words = ["compare", "learners", path / "flowers.csv", "--target", "kind", "--out", path / "out", "--json", *QUICK]
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="catallax")
    jax.config.update("jax_enable_x64", before)
    assert result.exit_code == 0, result.stderr
    return path, result.stdout


@pytest.fixture
def told_once(folder):
    return json.loads(folder[1], parse_constant=pytest.fail)


def test_one_object_holds_the_table(told_once):
    assert list(told_once)[:6] == ["schema", "command", "system", "file", "versions", "seed"]
    assert (told_once["command"], told_once["system"]) == ("compare", "learners")
    learners = told_once["learners"]
    assert set(learners) == PLANNERS | CROWD | ({"random field"} if is_there() else set())
    for name, row in learners.items():
        assert row.keys() >= NUMBERS, name
        for column in NUMBERS:
            assert (row[column] is None) == (column in row["words"]), (name, column)
    assert learners["least squares"]["hessian_change"] == 0
    assert learners["random forest"]["words"]["hessian_change"] == "no Hessian"
    assert learners["logistic regression"]["linear_r2"] == pytest.approx(1)
    assert {name for name, row in learners.items() if row["side"] == "crowd"} == CROWD
    facts = told_once["facts"]
    assert (facts["rows"], facts["features"], facts["classes"], facts["target"]) == (40, 3, ["a", "b"], "kind")
    assert len(told_once["digest"]) == 16


def test_the_headline_is_of_the_table(told_once):
    rows = told_once["learners"]
    most = max(rows, key=lambda name: rows[name]["skill_left_influential"])
    least_loss = min(rows, key=lambda name: rows[name]["log_loss"])
    assert f"{most} keeps most ({rows[most]['skill_left_influential']:.2f}" in told_once["headline"]
    assert f"least log-loss: {least_loss} (" in told_once["headline"]


def test_files(folder, told_once):
    out = folder[0] / "out"
    names = {"outcome.json", "report.html", "learners.csv", "lesions.csv", "lesions_planners.png", "lesions_crowds.png"}
    assert {path.name for path in out.iterdir()} >= names
    rows = {row["learner"]: row for row in csv.DictReader((out / "learners.csv").read_text().splitlines())}
    assert float(rows["boosting"]["log_loss"]) == told_once["learners"]["boosting"]["log_loss"]
    assert rows["random forest"]["path"] == "" and rows["random forest"]["path_word"] == "local"
    points = list(csv.DictReader((out / "lesions.csv").read_text().splitlines()))
    assert len(points) == len(rows) * 3 * 11
    first = [row for row in points if row["removed"] == "0.0"]
    assert all(float(row["skill"]) == pytest.approx(1) for row in first)
    page = (out / "report.html").read_text()
    assert "random forest" in page and "no Hessian" in page and "Planners: skill left" in page
    assert "catallax compare learners" in page and "--folds 2 --seeds 1" in page.replace("\n", " ")


def test_the_table_is_read(folder, catallax, monkeypatch):
    from catallax.ensembles.learners import lines, table

    monkeypatch.setattr(table, "default_learners", lambda chained: [lines.LeastSquares(), lines.Logistic()])
    result = catallax("compare", "learners", folder[0] / "flowers.csv", *QUICK)  # the last column is the target
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("When the most influential units go first")
    row = next(line for line in result.stdout.splitlines() if line.startswith("least squares"))
    assert "3 features" in row and "±" in row
    assert "\x1b" not in result.stdout


def test_without_a_file_there_are_wines_and_seeds_repeat(told, monkeypatch):
    from catallax.ensembles.learners import lines, table

    monkeypatch.setattr(table, "default_learners", lambda chained: [lines.LeastSquares()])
    first = told("compare", "learners", "--seed", "5", *QUICK)
    assert (first["facts"]["rows"], first["facts"]["features"], len(first["facts"]["classes"])) == (178, 13, 3)
    assert first["learners"]["least squares"]["accuracy"] > 0.9
    assert told("compare", "learners", "--seed", "5", *QUICK)["digest"] == first["digest"]
    assert told("compare", "learners", "--seed", "6", *QUICK)["digest"] != first["digest"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["learners", "FILE", "--target", "colou"], "no column 'colou'"),
        (["learners", "FILE", "--target", "petal"], "different numbers"),
        (["learners", "FILE", "--folds", "30"], "class 'a' is in 20 rows and there are 30 folds"),
        (["learners", "nothing.csv"], "nothing.csv does not exist"),
        (["learners", "--draws", "3"], "--draws"),
        (["learners", "--seed", str(2**40)], "too large for scikit-learn"),
        (["exchange", "--target", "kind"], "--target is of `catallax compare learners`"),
        (["exchange", "--folds", "3"], "--folds is of `catallax compare learners`"),
    ],
)
def test_what_cannot_be_is_one_sentence(folder, catallax, words, said):
    result = catallax("compare", *(folder[0] / "flowers.csv" if word == "FILE" else word for word in words))
    assert result.exit_code == 2
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert not result.stdout
