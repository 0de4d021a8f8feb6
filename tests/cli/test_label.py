"""`catallax label` as a user types it: a table, one object, files, codes, and nothing half-written."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from catallax.collective import CrowdLabels
from catallax.io.votes import read_votes

FIELDS = {"status", "rounds", "residual", "labels", "probability", "prior", "reliability", "information", "notes"}


def rows(tasks=40, workers=6, seed=0):
    """Votes of workers who are right four times in five, but for the last, who always says no."""
    random = np.random.default_rng(seed)
    truth = random.integers(2, size=tasks)
    right = random.random((tasks, workers)) < 0.8
    said = np.where(right, truth[:, None], 1 - truth[:, None])
    said[:, -1] = 0
    words = ["no", "yes"]
    votes = [(f"t{t:02}", f"w{w}", words[said[t, w]]) for t in range(tasks) for w in range(workers)]
    return votes, {f"t{t:02}": words[k] for t, k in enumerate(truth)}


@pytest.fixture
def votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("task,worker,label\n" + "".join(",".join(row) + "\n" for row in rows()[0]))
    return path


@pytest.fixture
def gold(tmp_path):
    def written(names=None, name="gold.csv"):
        path = tmp_path / name
        truth = rows()[1]
        path.write_text("task,label\n" + "".join(f"{t},{truth[t]}\n" for t in names or truth))
        return path

    return written


def test_one_object_agrees_with_the_library(told, votes):
    result = told("label", votes)
    assert list(result)[:4] == ["schema", "command", "file", "versions"]
    assert (result["schema"], result["command"], result["status"]) == ("catallax 1", "label", "settled")
    assert result.keys() >= FIELDS and result["residual"] < 1e-4
    there = CrowdLabels().fit(*zip(*rows()[0], strict=True))
    assert list(result["labels"].values()) == there.labels_.tolist()
    assert result["labels"].keys() == result["probability"].keys() == set(there.tasks_)
    np.testing.assert_allclose(list(result["probability"].values()), there.posterior_.max(axis=1))
    assert result["reliability"] == pytest.approx(dict(zip(there.workers_, there.reliability_, strict=True)))
    assert told("label", votes)["digest"] == result["digest"] and len(result["digest"]) == 16


def test_the_table_is_read(catallax, votes, gold):
    result = catallax("label", votes, "--check", gold())
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert re.match(
        r"40 tasks labelled from 240 votes of 6 workers \(dawid-skene\): \d+ less than 90% certain; settled after \d+ rounds, "
        r"residual \S+\.$",
        lines[0],
    )
    assert lines[1].split() == ["worker", "votes", "abstentions", "reliability", "information"]
    assert re.search(r"of 40 labels to check, \d+\.\d\d% are met; the majority meets \d+\.\d\d%", result.stdout)
    assert "\x1b" not in result.stdout


def test_gold_is_kept_and_proves_nothing(told, votes, gold):
    result = told("label", votes, "--gold", gold(["t00", "t01", "t07"]), "--check", gold(name="check.csv"))
    truth = rows()[1]
    for task in ("t00", "t01", "t07"):
        assert result["labels"][task] == truth[task] and result["probability"][task] == 1
    assert result["checked"] == 37 and "3 labels are known and were kept" in result["notes"]
    met = np.mean([result["labels"][t] == k for t, k in truth.items() if t not in ("t00", "t01", "t07")])
    assert result["accuracy"] == pytest.approx(met)


def test_out_holds_tables_object_and_report(catallax, votes, tmp_path):
    out = tmp_path / "new" / "out"
    result = catallax("label", votes, "--smoothing", 1, "--out", out, "--json")
    assert result.exit_code == 0, result.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"answers", "labels.csv", "workers.csv", "confusion.csv", "outcome.json", "report.html"}
    shown = json.loads(result.stdout)
    assert json.loads((out / "outcome.json").read_text()) == shown
    with open(out / "labels.csv") as file:
        labels = list(csv.DictReader(file))
    assert list(labels[0]) == ["task", "label", "probability", "votes", "majority", "probability:no", "probability:yes"]
    assert {row["task"]: row["label"] for row in labels} == shown["labels"]
    assert all(float(row["probability"]) == float(row[f"probability:{row['label']}"]) for row in labels)
    plain = CrowdLabels("majority").fit(*zip(*rows()[0], strict=True))
    assert [row["majority"] for row in labels] == plain.labels_.tolist() and {row["votes"] for row in labels} == {"6"}
    with open(out / "workers.csv") as file:
        assert {row["worker"]: float(row["reliability"]) for row in csv.DictReader(file)} == shown["reliability"]
    with open(out / "confusion.csv") as file:
        chances = {(r["worker"], r["truth"], r["vote"]): float(r["chance"]) for r in csv.DictReader(file)}
    assert len(chances) == 24 and chances["w5", "yes", "no"] > 0.8
    for worker in {key[0] for key in chances}:
        assert chances[worker, "yes", "yes"] + chances[worker, "yes", "no"] == pytest.approx(1)
    page = (out / "report.html").read_text()
    assert "Who can be trusted" in page and page.count("<svg") == 1
    assert f"catallax label {votes} --smoothing 1.0</code>" in page
    assert catallax("report", out).exit_code == 0


def test_numbers(told, catallax, tmp_path):
    path, out = tmp_path / "n.csv", tmp_path / "out"
    random = np.random.default_rng(0)
    truth = random.normal(50, 10, 30)
    text = [f"t{t:02},w{w},{truth[t] + w + random.normal() * (1 + w):.3f}\n" for t in range(30) for w in range(4)]
    path.write_text("task,worker,label\n" + "".join(text))
    check = tmp_path / "c.csv"
    check.write_text("task,truth\n" + "".join(f"t{t:02},{x}\n" for t, x in enumerate(truth)))
    result = told("label", path, "--method", "student-t", "--check", check, "--out", out)
    assert result["status"] == "settled" and result["error"] < 3 and "deviation" in result
    assert result["bias"]["w3"] > result["bias"]["w0"]
    with open(out / "labels.csv") as file:
        assert {row["task"]: float(row["label"]) for row in csv.DictReader(file)} == result["labels"]
    assert not (out / "confusion.csv").exists()
    assert "w3" in catallax("label", path, "--method", "gaussian").stdout


def test_abstentions_and_columns_that_are_not_read(told, tmp_path):
    path = tmp_path / "v.csv"
    extra = [("t99", "w0", "skip"), ("t00", "w9", "skip")]
    text = "task,worker,label,when\n" + "".join(",".join(row) + ",1\n" for row in [*rows()[0], *extra])
    path.write_text(text)
    result = told("label", path, "--abstain", "skip")
    assert result["tasks"] == 41 and set(result["labels"].values()) == {"yes", "no"}
    assert "columns that were not read: when" in result["notes"]


def test_unsettled_is_three(catallax, told, votes):
    result = catallax("label", votes, "--max-rounds", 2, "--tolerance", 1e-12)
    assert result.exit_code == 3 and "unsettled after 2 rounds" in result.stderr
    assert told("label", votes, "--max-rounds", 2, "--tolerance", 1e-12, code=3)["status"] == "unsettled"


def test_interrupted_keeps_what_is_done(catallax, votes, tmp_path, monkeypatch):
    from catallax.cli import session

    def press(self, done, of, words=""):
        raise KeyboardInterrupt

    monkeypatch.setattr(session.Progress, "look", press)
    result = catallax("label", votes, "--tolerance", 1e-12, "--out", tmp_path / "out")
    assert result.exit_code == 130 and "interrupted after 2 rounds" in result.stderr
    with open(tmp_path / "out" / "labels.csv") as file:
        assert len(list(csv.reader(file))) == 41


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--method", "magic"], "method is 'magic': give one of dawid-skene"),
        (["--smoothing", "0"], "smoothing is 0.0: give a positive number"),
        (["--gold", "no.csv"], "no.csv does not exist"),
        (["--method", "gaussian"], "labels, row 0: 'no' is no finite number"),
        (["--max-rounds", "0"], "Invalid value"),
    ],
)
def test_bad_options_are_two_and_leave_nothing(words, sentence, catallax, votes, tmp_path):
    result = catallax("label", votes, "--out", tmp_path / "out", *words)
    assert result.exit_code == 2 and re.search(f"{sentence}|{rows()[0][0][2]}", result.stderr)
    assert not (tmp_path / "out").exists()


def test_gold_of_an_unknown_task_or_label(catallax, votes, tmp_path):
    path = tmp_path / "gold.csv"
    for text, sentence in (
        ("task,label\nt00,maybe\n", "'maybe' is none of the classes"),
        ("task,label\nx,no\n", "nobody has"),
    ):
        path.write_text(text)
        result = catallax("label", votes, "--gold", path)
        assert result.exit_code == 2 and sentence in result.stderr


def test_a_task_named_as_a_tag_stays_text(catallax, tmp_path):
    path, out = tmp_path / "v.csv", tmp_path / "out"
    path.write_text("task,worker,label\n<script>,<b>,x\n<script>,a,y\nt,<b>,y\n")
    assert catallax("label", path, "--out", out).exit_code == 0
    assert "<script>" not in (out / "report.html").read_text() and "<b>" not in (out / "report.html").read_text()


def test_labelling_does_not_wait_for_jax(votes):
    code = f"import sys; from catallax.cli.app import app; app(['label', {str(votes)!r}], standalone_mode=False)"
    code += "; print('jax' in sys.modules, 'matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "False False", run.stderr


def test_ten_thousand_workers_are_not_all_shown(told, tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("task,worker,label\n" + "".join(f"{k % 50},w{k},{'ab'[k % 2]}\n" for k in range(300)))
    result = told("label", path)
    assert len(read_votes(path).workers) == 300 == len(result["reliability"])
    assert "the 20 of 300 workers with the most votes are shown" in result["notes"]
