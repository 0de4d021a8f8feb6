"""What --out leaves: all of it, or nothing."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from catallax.cli import folders
from catallax.core.answer import Answer
from catallax.core.errors import BadInput
from catallax.core.scene import Bars, Edges, Grid, Points, Scene, Series

HEAD = "agent,endowment:a,endowment:b,taste:a,taste:b,elasticity"
ROWS = ["x,1,0.5,1,1,1", "y,0.5,1,1,1,1", "z,1,1,1,2,1"]


def table(**changes) -> bytes:
    lines = {"head": HEAD, "x": ROWS[0], "y": ROWS[1], "z": ROWS[2]} | changes
    return "\n".join([*lines.values(), ""]).encode()


BAD = {
    "missing column": (table(head=HEAD.replace(",taste:b", "")), "line 1.*endowment:b"),
    "extra column": (table(head=HEAD.replace("elasticity", "colour")), "line 1.*colour"),
    "negative": (table(y="y,-0.5,1,1,1,1"), "line 3, column 'endowment:a'.*-0.5"),
    "a good nobody owns": (table(x="x,1,0,1,1,1", y="y,1,0,1,1,1", z="z,1,0,1,1,1"), "endowment:b.*nobody owns"),
    "tastes all zero": (table(z="z,1,1,0,0,1"), "line 4.*taste.*wants nothing"),
    "nan": (table(z="z,1,1,nan,2,1"), "line 4, column 'taste:a'.*nan"),
    "text": (table(x="x,one,1,1,2,1"), "line 2, column 'endowment:a'.*one"),
    "duplicate names": (table(z="x,1,1,1,2,1"), "line 4, column 'agent'.*'x'"),
    "empty": (b"", "is empty"),
    "encoding": (table(x="\xe9,1,1,1,1,1").decode().encode("latin-1"), "line 2.*UTF-8"),
    "UTF-16": (table().decode().encode("utf-16"), "UTF-16"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_one_sentence_and_leaves_nothing(fault, catallax, tmp_path):
    data, pattern = BAD[fault]
    path, out = tmp_path / "bad.csv", tmp_path / "new" / "out"
    path.write_bytes(data)
    refused(catallax("compare", "exchange", path, "--out", out), f"{re.escape(str(path))}.*{pattern}")
    assert sorted(tmp_path.iterdir()) == [path]


def refused(result, pattern):
    """Exit code 2, nothing on stdout, one line on stderr that fits."""
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("catallax: ") and result.stderr.count("\n") == 1
    assert re.search(pattern, result.stderr), result.stderr


def test_a_file_that_would_not_fit_is_refused_before_it_is_read(catallax, tmp_path):
    path = tmp_path / "big.csv"
    path.write_bytes(table())
    with open(path, "r+b") as file:
        file.truncate(4 * 10**12)  # sparse: it takes no room on disk
    refused(catallax("compare", "exchange", path, "--out", tmp_path / "out"), "memory")
    assert not (tmp_path / "out").exists()


def test_what_is_no_file_is_refused(catallax, tmp_path):
    refused(catallax("run", "exchange", tmp_path / "none.csv"), "none.csv does not exist")
    refused(catallax("run", "exchange", tmp_path), "is a folder")


def test_out_must_be_a_folder_that_can_be_written(catallax, economy, tmp_path):
    refused(catallax("compare", "exchange", economy, "--out", economy), "is a file")
    refused(catallax("compare", "exchange", economy, "--out", economy / "deep"), "is a file")
    refused(catallax("compare", "exchange", economy, "--out", "/proc/none"), "cannot be written")
    assert sorted(tmp_path.iterdir()) == [economy]


def test_two_questions_into_one_folder_are_one_report(catallax, economy, tmp_path):
    out = tmp_path / "new" / "out"
    assert catallax("compare", "exchange", economy, "--out", out, "--seed", 1).exit_code == 0
    result = catallax("shock", "exchange", economy, "--out", out, "--rounds", 5)
    assert result.exit_code == 0 and f"report: {out}/report.html" in result.stderr
    page = (out / "report.html").read_text()
    assert "Who coordinates?" in page and "Does it reorganise" in page
    assert "catallax compare exchange" in page and "catallax shock exchange" in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page) and "<script" not in page
    outcome = json.loads((out / "outcome.json").read_text())
    assert outcome["command"] == "shock" and outcome["digest"] in page
    assert {p.name for p in (out / "answers").iterdir()} == {"compare.json", "shock.json"}
    for name in ("compare", "shock"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        with open(out / f"{name}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == {"compare": 4, "shock": 6}[name]
    assert not list(out.rglob("*.part"))
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(out / "compare.parquet")["regime"].to_pylist()[1] == "signal"


def test_report_is_made_again_and_refuses_what_is_no_answer(catallax, tmp_path):
    answer = Answer(
        "shock",
        "exchange",
        [{"round": k, "unrest": 0.1, "efficiency": 0.9, "distance": 0.1} for k in range(3)],
        "It does.",
    )
    folders.save(answer, {"seed": 0, "digest": "ab"}, tmp_path / "out", "catallax shock exchange")
    page = tmp_path / "out" / "report.html"
    page.unlink()
    assert catallax("report", tmp_path / "out").stdout == f"{page}\n"
    assert "It does." in page.read_text()
    for text in ("", "[]", "{}", '{"answer": {}, "scenes": [], "result": {}, "reproduce": ""}'):
        (tmp_path / "out" / "answers" / "compare.json").write_text(text)
        refused(catallax("report", tmp_path / "out"), "compare.json")
    refused(catallax("report", tmp_path), "holds no answers")
    refused(catallax("report", tmp_path / "none"), "is not a folder")


def test_a_folder_that_cannot_be_filled_is_taken_away(tmp_path):
    with pytest.raises(ZeroDivisionError), folders.made(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "half").write_text("")
        _ = 1 / 0
    assert not (tmp_path / "a").exists()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mine").write_text("")
    with pytest.raises(ZeroDivisionError), folders.made(tmp_path / "old"):
        _ = 1 / 0
    assert (tmp_path / "old" / "mine").exists()


def test_check_leaves_nothing(tmp_path):
    folders.check(None)
    folders.check(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        folders.check(tmp_path / "file" / "b")


def test_tables_keep_every_digit_and_leave_gaps(tmp_path: Path):
    folders.write_table({"x": [0.1 + 0.2, None, 1], "name": ["a,b", None, "c"]}, tmp_path / "t")
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["x", "name"], [repr(0.1 + 0.2), "a,b"], ["", ""], ["1", "c"]]


def test_scenes_survive_their_file():
    scene = Scene(
        "all",
        (
            Points([0, 1], [0, float("nan")], label=["a", "b"]),
            Edges([0], [1]),
            Grid([[1.0, 2.0]], "field"),
            Bars(["x"], [1.5], "bars"),
            Series([0, 1], [2, 3], "curve"),
        ),
    )
    again = folders.from_plain(json.loads(json.dumps(folders.to_plain(scene))))
    assert again.title == scene.title
    for one, other in zip(scene.items, again.items, strict=True):
        assert type(one) is type(other)
        for name, value in vars(one).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, getattr(other, name))
            else:
                assert value == getattr(other, name)
