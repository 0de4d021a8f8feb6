"""Tables of mixed columns: kinds of columns, missing cells, compressed files, the quick way and the careful one alike."""

import csv
import gzip
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io import frames
from catallax.io.frames import MISSING, read_frame

TEXT = "age,town,y\n31,Oslo,yes\n,Rome,no\n47.5,NA,?\n"


@pytest.fixture
def file(tmp_path):
    def written(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def plain(frame):
    """Columns as lists, None where a cell is missing."""
    return {name: [None if cell != cell else cell for cell in column] for name, column in frame.columns.items()}


def sentence(path) -> str:
    with pytest.raises(BadInput) as caught:
        read_frame(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message.replace(str(path), "t.csv")


def test_numbers_words_and_missing_cells(file):
    frame = read_frame(file(TEXT))
    assert plain(frame) == {"age": [31, None, 47.5], "town": ["Oslo", "Rome", None], "y": ["yes", "no", None]}
    assert frame.names == ("age", "town", "y") and frame.places.tolist() == [2, 3, 4] and frame.unit == "line"
    assert [frame.is_numeric(name) for name in frame.names] == [True, False, False]
    assert frame.missing("age").tolist() == [False, True, False] and frame.missing("y").tolist() == [False, False, True]
    assert frame.place(1).endswith("t.csv, line 3") and frame.doubts == ()


def test_a_matrix_is_of_numbers_where_all_are(file):
    frame = read_frame(file("a,b,c\n1,2,x\n3,,y\n"))
    np.testing.assert_array_equal(frame.matrix(["b", "a"]), [[2, 1], [np.nan, 3]])
    assert frame.matrix(["a", "b"]).dtype == np.float64 and frame.matrix(["a", "c"]).tolist() == [[1, "x"], [3, "y"]]
    with pytest.raises(BadInput, match="column 'd' is missing"):
        frame.matrix(["a", "d"])


@pytest.mark.parametrize(
    "text",
    [
        "age;town;y\r\n31;Oslo;yes\r\n;Rome;no\r\n47.5;NA;?\r\n",
        '\ufeffage,town,y\n 31 , Oslo,"yes"\n,Rome,no\n4.75e1,n/a,\n\n',
        "age\ttown\ty\n31\tOslo\tyes\nNaN\tRome\tno\n47.5\t\tnull\n\n\n",
    ],
)
def test_dialects(file, text):
    assert plain(read_frame(file(text))) == plain(read_frame(file(TEXT)))


def test_compressed(file):
    frame = read_frame(file(gzip.compress(TEXT.encode()), "t.csv.gz"))
    assert plain(frame) == plain(read_frame(file(TEXT)))
    for content in (gzip.compress(TEXT.encode() * 50)[:-20], b"age\n1\n"):
        with pytest.raises(BadInput, match="no whole gzip archive"):
            read_frame(file(content, "bad.csv.gz"))


def test_a_column_that_holds_words_later_on_is_words_from_the_start(file, monkeypatch):
    text = "a,b\n" + "".join(f"{k},1.50\n" for k in range(50)) + "x,2\n"
    whole = read_frame(file(text))
    monkeypatch.setattr(frames, "BLOCK", 64)
    cut = read_frame(file(text))
    assert plain(cut) == plain(whole) and cut.places.tolist() == whole.places.tolist() == list(range(2, 53))
    assert cut.columns["a"][0] == "0" and cut.columns["b"].tolist() == [1.5] * 50 + [2]


def test_words_that_were_meant_as_numbers_are_said(file):
    (doubt,) = read_frame(file("a;b\n1;x\n2;y\n3;z\ntwelve;1\n")).doubts
    assert doubt == "column 'a' is read as words, since 'twelve' in line 5 is no number"
    (doubt,) = read_frame(file("a;b\n1,5;x\n2,5;y\n")).doubts
    assert (
        doubt.startswith("column 'a' is read as words, since '1,5' in line 2") and "a point for the decimals" in doubt
    )


def test_digits_of_other_scripts_and_underscores_are_words(file):
    frame = read_frame(file("a,b\n1_000,٣\n2,4\n"))
    assert not frame.is_numeric("a") and not frame.is_numeric("b")


CELL = st.one_of(
    st.sampled_from(sorted(MISSING)),
    st.text(st.characters(categories=["L", "N", "P", "S"], include_characters=" "), max_size=6).map(str.strip),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


@given(st.lists(st.tuples(CELL, CELL, st.sampled_from(["a", "b"])), min_size=1, max_size=30), st.integers(1, 200))
def test_quick_and_careful_agree(tmp_path_factory, rows, block):
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow("xyz")
    writer.writerows(rows)
    folder = tmp_path_factory.mktemp("f")
    (folder / "plain.csv").write_text(out.getvalue())
    quoted = '"x",y,z\n' + "".join(",".join('"' + c.replace('"', '""') + '"' for c in row) + "\n" for row in rows)
    (folder / "quoted.csv").write_text(quoted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "BLOCK", block)
        try:
            first = read_frame(folder / "plain.csv")
        except BadInput as error:
            assert "is not a finite number" in str(error)
            return
        second = read_frame(folder / "quoted.csv")
    assert plain(first) == plain(second) and first.doubts == second.doubts
    for j, name in enumerate("xyz"):
        cells = [row[j] for row in rows]
        there = [cell for cell in cells if cell not in MISSING]
        if first.is_numeric(name):
            assert plain(first)[name] == [None if cell in MISSING else float(cell) for cell in cells]
        else:
            assert plain(first)[name] == [None if cell in MISSING else cell for cell in cells] and there


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3,4,5\n", "t.csv, line 3: the row has 3 cells and the header 2 columns"),
        ("a,b\n1,2\n3\n", "t.csv, line 3: the row has 1 cell and the header 2 columns"),
        ("a,b\n1,2\n,\n3,4\n", "t.csv, line 3 is blank, with rows after it"),
        ("a,b\n1,2\n\n3,4\n", "t.csv, line 3 is blank, with rows after it"),
        ("a,b\n1,inf\n", "t.csv, line 2, column 'b': inf is not a finite number"),
        ("a,b\n1,2\n-1e999,2\n", "t.csv, line 3, column 'a': -inf is not a finite number"),
        ("a,a\n1,2\n", "columns 1 and 2 are both named 'a'"),
        ("a,b\n", "t.csv has a header and no rows"),
        ("", "t.csv is empty"),
        (b"a,b\n1,\xff\n", "is not UTF-8"),
        (b"PK\x03\x04rest", "a spreadsheet or a zip archive"),
        ('a,b\n1,"2\n', "a quote is opened and never closed"),
    ],
)
def test_faults(file, text, words):
    assert words in sentence(file(text))


def test_no_file(tmp_path):
    assert "does not exist" in sentence(tmp_path / "no.csv") and "is a folder" in sentence(tmp_path)
    assert "does not exist" in sentence(tmp_path / "no.parquet")


def test_parquet(file, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "age": [31, None, 47],
        "share": [0.5, math.nan, 2.0],
        "town": pyarrow.array(["Oslo", None, "NA"]).dictionary_encode(),
        "known": [True, False, None],
    }
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    frame = read_frame(path)
    assert plain(frame) == {
        "age": [31, None, 47],
        "share": [0.5, None, 2],
        "town": ["Oslo", None, None],
        "known": ["True", "False", None],
    }
    assert frame.place(2).endswith("t.parquet, row 3")
    for bad, words in (
        ({"a": [[1], [2]]}, "neither numbers nor words"),
        ({"a": [1.0, math.inf]}, "row 2, column 'a': inf is not a finite number"),
        ({"a": pyarrow.array([], pyarrow.int64())}, "has no rows"),
    ):
        parquet.write_table(pyarrow.table(bad), path)
        assert words in sentence(path)
    assert "is not a Parquet file" in sentence(file("a,b\n1,2\n", "t.parquet"))
    assert "is empty" in sentence(file("", "t.parquet"))
