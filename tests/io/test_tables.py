"""Tables: every fault is one sentence with its place, and the quick and the careful path read the same."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io import memory, tables, writing
from catallax.io.tables import read_header, read_table
from catallax.io.writing import write_table

GOOD = "agent,x,y\nann,1,2\nbob,3,4.5\n"


@pytest.fixture
def file(tmp_path):
    """Write bytes or text to `t.csv` and return its path."""

    def written(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def sentence(path, **options) -> str:
    """The message of the fault in a file, after the checks that hold for every message."""
    with pytest.raises(BadInput) as caught:
        read_table(path, **{"text": ("agent",), "unique": ("agent",), **options})
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    assert len(message.replace(str(path), "")) < 220
    return message.replace(str(path), Path(path).name)


# --- what is read ---


def check_good(table):
    assert table.text == {"agent": ["ann", "bob"]}
    assert list(table.numbers) == ["x", "y"]
    np.testing.assert_array_equal(table.matrix(["y", "x"]), [[2, 1], [4.5, 3]])
    assert table.matrix(["x"]).dtype == np.float64
    np.testing.assert_array_equal(table.lines, [2, 3])


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.removesuffix("\n"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", " , "),
        GOOD + "\n\n\n",
        GOOD + ",,\n \n",
        GOOD.replace("ann", '"ann"').replace("3", '"3"'),
        b"\xef\xbb\xbf" + GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.replace("agent", '"agent"').encode(),
    ],
    ids=[
        "lf",
        "no-end",
        "crlf",
        "semicolon",
        "tab",
        "spaces",
        "blank-end",
        "separators-end",
        "quoted",
        "bom",
        "bom-quoted",
    ],
)
def test_dialects(file, content):
    path = file(content)
    check_good(read_table(path, text=["agent"], unique=["agent"]))
    assert read_header(path) == ("agent", "x", "y")


def test_the_separator_is_taken_from_the_header_alone(file):
    table = read_table(file('"a,gent";x\none, two;1\nthree;2\n'), text=["a,gent"])
    assert table.text["a,gent"] == ["one, two", "three"]


def test_lines_are_counted_across_cells_of_several_lines(file):
    path = file('agent,"x\ny"\n"ann\nlee",1\nbob,2\n')
    table = read_table(path, text=["agent"])
    assert table.text["agent"] == ["ann\nlee", "bob"] and list(table.numbers) == ["x\ny"]
    np.testing.assert_array_equal(table.lines, [3, 5])
    assert "line 6, column 'agent'" in sentence(file('agent,"x\ny"\n"ann\nlee",1\nbob,2\nbob,3\n'))


def test_a_table_without_text_and_one_without_numbers(file):
    np.testing.assert_array_equal(read_table(file("x,y\n1,2\n")).matrix(["x", "y"]), [[1, 2]])
    assert read_table(file("x,y\n1,2\n"), text=["x", "y"]).text == {"x": ["1"], "y": ["2"]}
    np.testing.assert_array_equal(read_table(file("x\n1\n2\n")).numbers["x"], [1, 2])


@pytest.mark.parametrize("cell", ["1e-320", "-0", "+1.25", "1E5", ".5", "5.", "0.1000000000000000055511151231257827"])
def test_numbers_are_read_as_python_reads_them_on_both_paths(file, cell):
    for content in (f"x,y\n1,{cell}\n", f'x,y\n"1",{cell}\n'):
        value = read_table(file(content)).numbers["y"][0]
        assert repr(float(value)) == repr(float(cell))


# --- faults ---


def test_faults_of_the_file_itself(file, tmp_path):
    assert sentence(tmp_path / "none.csv") == "none.csv does not exist; check the path"
    assert f"{tmp_path.name} is a folder, not a file" in sentence(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is not a regular file" in sentence(tmp_path / "pipe")
    assert "t.csv is empty" in sentence(file(""))
    assert "t.csv is empty" in sentence(file(b"\xef\xbb\xbf"))
    assert "t.csv, line 1 is blank" in sentence(file("\n\n"))
    for content in ("agent,x", "agent,x\n", "agent,x\n\n\n"):
        assert "t.csv has a header and no rows" in sentence(file(content))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(file):
    path = file(GOOD)
    path.chmod(0)
    assert "t.csv cannot be read (Permission denied)" in sentence(path)


def test_what_is_not_text(file):
    assert "t.csv is a spreadsheet or a zip archive" in sentence(file(b"PK\x03\x04rest"))
    assert "t.csv is a gzip archive" in sentence(file(b"\x1f\x8b\x08rest"))
    assert "t.csv is UTF-16 text" in sentence(file(GOOD.encode("utf-16")))
    assert "t.csv, line 1: byte 1 is NUL" in sentence(file(GOOD.encode("utf-16-le")))
    assert "t.csv, line 3: byte 19 is NUL" in sentence(file(GOOD.replace("ob,", "\0b,")))


def test_wrong_encoding_names_line_and_byte(file):
    content = GOOD.replace("bob", "zoë").encode("latin-1")
    assert content[20] == 0xEB
    assert "t.csv, line 3: byte 20 (0xeb) is not UTF-8; save" in sentence(file(content))
    assert "t.csv, line 1: byte 0 (0xe9)" in sentence(file(b"\xe9" + GOOD.encode()))
    assert "t.csv, line 4: byte 28 (0xe9)" in sentence(file(GOOD.encode() + b"\xe9,1,2"))


def test_faults_of_the_header(file):
    assert "t.csv, line 1: columns 2 and 4 are both named 'x'" in sentence(file("agent,x,y, x\na,1,2,3\n"))
    assert "t.csv, line 1: column 3 has no name" in sentence(file("agent,x,,y\na,1,2,3\n"))
    assert "t.csv, line 1: column 1 has no name" in sentence(file(",x\na,1\n"))
    assert read_header(file(",x\na,1\n"), corner="agent") == ("agent", "x")
    assert read_table(file(",x\na,1\n"), text=["agent"], corner="agent").text == {"agent": ["a"]}
    assert "t.csv, line 1: column 'agent' is missing" in sentence(file("name,x\na,1\n"))


@pytest.mark.parametrize(("row", "count"), [("cid,5", "2 cells"), ("cid,5,6,7", "4 cells"), ("cid", "1 cell")])
def test_ragged_rows(file, row, count):
    assert f"t.csv, line 4: the row has {count} and the header 3 columns" in sentence(file(f"{GOOD}{row}\n"))


def test_a_blank_line_between_rows(file):
    assert "t.csv, line 2 is blank, with rows after it" in sentence(file("agent,x,y\n\nann,1,2\n"))
    assert "t.csv, line 4 is blank, with rows after it" in sentence(file(GOOD + ",,\n\ncid,5,6\n"))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("many", "'many' is not a number"),
        ("1 2", "'1 2' is not a number"),
        ("0x10", "'0x10' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("٣", "'٣' is not a number"),
        ("NA", "'NA' is not a number"),
        ("=1/0", "'=1/0' is not a number"),
        ("w" * 500, "'" + "w" * 37 + "...' is not a number"),
        ("NaN", "'NaN' is not a finite number"),
        ("-inf", "'-inf' is not a finite number"),
        ("1e999", "'1e999' is not a finite number"),
        ("", "the cell is empty"),
        ("  ", "the cell is empty"),
    ],
)
def test_cells_that_are_no_numbers(file, cell, said):
    for quote in ("", '"'):
        message = sentence(file(f"{GOOD}cid,5,{quote}{cell}{quote}\n"))
        assert message.startswith(f"t.csv, line 4, column 'y': {said};")


def test_a_decimal_comma_is_recognised(file):
    message = sentence(file("agent;x\nann;1,5\n"))
    assert "t.csv, line 2, column 'x': '1,5' is not a number; write digits and a point" in message


def test_the_first_of_several_faults_is_named(file):
    assert "line 3, column 'x': 'p'" in sentence(file("agent,x,y\na,1,2\nb,p,q\nc,r\n"))


def test_faults_of_text_cells(file):
    assert "t.csv, line 4, column 'agent': the cell is empty" in sentence(file(GOOD + ",5,6\n"))
    message = sentence(file(GOOD + "cid,5,6\n ann ,7,8\n"))
    assert "t.csv, line 5, column 'agent': 'ann' already stands in line 2" in message


def test_broken_quotes(file):
    assert "t.csv, line 3: a quote is opened and never closed" in sentence(file(GOOD.replace("bob", '"bob')))
    long = GOOD + '"' + "cid,5,6\n" * 30_000  # longer than csv takes a cell to be
    assert "t.csv, line 4: a quote is opened and never closed" in sentence(file(long))
    assert "t.csv, line 3: a quoted cell goes on" in sentence(file(GOOD.replace("bob", '"bob" jr')))
    assert "t.csv, line 1: a carriage return stands inside" in sentence(file(GOOD.replace("\n", "\r")))


def test_a_line_too_long_to_be_one(file, monkeypatch):
    monkeypatch.setattr(tables, "LONGEST_LINE", 1000)
    assert "t.csv, line 1 has more than 1 kB" in sentence(file("x" * 5000))
    assert "t.csv, line 4 has more than 1 kB" in sentence(file(GOOD + "x" * 5000))


# --- memory ---


def test_what_would_not_fit_is_refused_before_the_rows_are_read(file, monkeypatch):
    path = file("agent,x,y\n" + "ann,1.5,2.5\n" * 1000)
    monkeypatch.setattr(tables, "_read_rows", lambda *_: pytest.fail("rows were read"))
    message = sentence(path, limit=50_000)
    assert re.search(r"t.csv would need 10\d kB of memory \(about 1,000 rows of 3 columns\)", message)
    assert "and 50 kB may be used; split" in message


def test_a_huge_file_is_judged_by_its_size(tmp_path):
    path = tmp_path / "t.csv"
    with open(path, "wb") as file:
        file.write(b"agent,x\n" + b"a,1\n" * (1 << 18))
        file.truncate(1 << 38)  # sparse: it takes no room
    assert "GB of memory" in sentence(path)


def test_memory_that_is_free_is_found():
    assert 1e6 < memory.free_memory() < 1e15


def test_the_estimate_bounds_what_is_used(file):
    """A table read within its estimate must not take more: numbers twice while joined, once afterwards."""
    n = 3000
    path = file("agent,x,y\n" + "".join(f"trader {k},{k}.5,{k}\n" for k in range(n)))
    with pytest.raises(BadInput) as caught:
        read_table(path, text=["agent"], limit=0)
    estimate = float(re.search(r"need ([\d.]+) kB", str(caught.value))[1]) * 1000
    table = read_table(path, text=["agent"])
    used = 2 * 8 * 2 * n + 8 * n + sum(map(sys.getsizeof, table.text["agent"])) + 8 * n
    assert 0.9 * used < estimate < 1.5 * used


# --- the two paths ---


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """20,000 rows of a name and 32 numbers: most of a few digits, one column of every size."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(20_000, 32)).round(3)
    numbers[:, 7] = random.normal(size=20_000) * 10.0 ** random.integers(-300, 300, 20_000)
    columns = {"agent": np.array([f"träder {k}" for k in range(20_000)])}
    columns |= {f"c{j}": numbers[:, j] for j in range(32)}
    path = tmp_path_factory.mktemp("wide") / "wide.csv"
    write_table(path, columns)
    return path, numbers


def same(one, other):
    assert one.text == other.text and list(one.numbers) == list(other.numbers)
    np.testing.assert_array_equal(one.lines, other.lines)
    for name, column in one.numbers.items():
        np.testing.assert_array_equal(column, other.numbers[name])


def test_the_quick_path_equals_the_careful_path(wide, monkeypatch):
    path, numbers = wide
    monkeypatch.setattr(tables, "BLOCK", 1 << 20)  # several blocks
    with monkeypatch.context() as patch:
        patch.setattr(tables, "careful", lambda *_: pytest.fail("a clean file took the careful path"))
        quick = read_table(path, text=["agent"], unique=["agent"])
    monkeypatch.setattr(tables, "_quick", lambda *_, **__: None)
    same(quick, read_table(path, text=["agent"], unique=["agent"]))
    np.testing.assert_array_equal(quick.matrix([f"c{j}" for j in range(32)]), numbers)
    assert quick.text["agent"][-1] == "träder 19999"


def test_a_quote_or_a_fault_far_down_hands_over_to_the_careful_path(monkeypatch, tmp_path):
    path, changed = tmp_path / "t.csv", tmp_path / "changed.csv"
    write_table(path, {"agent": [f"trader {k}" for k in range(3000)], "x": np.arange(3000) / 8})
    monkeypatch.setattr(tables, "BLOCK", 1 << 10)
    changed.write_text(path.read_text().replace("trader 2000,", '"trader 2000",'))
    same(read_table(path, text=["agent"]), read_table(changed, text=["agent"]))
    changed.write_text(path.read_text().replace("trader 2000,250", "trader 2000,lots"))
    assert "changed.csv, line 2002, column 'x': 'lots.0' is not a number" in sentence(changed)


CELLS = st.sampled_from(["1", "-2.5", " 3 ", "", "x", "nan", "1_0", "\xa04", "٣", '"5"', '"', "6,7", "\r", "#", "a\tb"])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=4),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_paths_agree_on_any_content(file, rows, end):
    """Whether a file is read or refused, and with what result, does not depend on the quick path."""
    path = file(end.join(["t,x", *map(",".join, rows)]) + end)
    results = []
    for quick in (tables._quick, lambda *_, **__: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "_quick", quick)
            try:
                table = read_table(path, text=["t"])
                results.append((table.text["t"], table.numbers["x"].tolist(), table.lines.tolist()))
            except BadInput as error:
                results.append(str(error))
    assert results[0] == results[1]


# --- writing ---

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
WORDS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda word: word == word.strip())
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.lists(WORDS, min_size=2, max_size=3, unique=True),
    rows=st.lists(st.tuples(WORDS, NUMBERS), min_size=1, max_size=6),
)
def test_what_is_written_is_read_back(tmp_path, header, rows):
    path = tmp_path / "t.csv"
    words, numbers = (list(column) for column in zip(*rows, strict=True))
    write_table(path, dict(zip(header, (words, numbers, numbers[::-1]), strict=False)))
    table = read_table(path, text=header[:1])
    assert table.text[header[0]] == words
    assert table.numbers[header[1]].tolist() == numbers
    with open(path, encoding="utf-8", newline="") as file:  # and any other reader sees the same
        assert [row[0] for row in csv.reader(file)] == [header[0], *words]


def test_how_numbers_are_written(tmp_path):
    path = tmp_path / "t.csv"
    write_table(
        path,
        {
            "f": [0.1, 1e300],
            "g": np.array([0.1, 3], np.float32),
            "i": [1, -2],
            "b": [True, False],
            "n": [np.nan, 1],
            "t": ["a b", 'c"'],
        },
    )
    assert path.read_text() == 'f,g,i,b,n,t\n0.1,0.1,1,1,nan,a b\n1e+300,3.0,-2,0,1.0,"c"""\n'


def test_a_table_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table(path, {"x": [1, 2]})

    def fail(arrays):
        yield "x\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_written", fail)
    with pytest.raises(KeyboardInterrupt):
        write_table(path, {"x": [3, 4]})
    assert path.read_text() == "x\n1\n2\n" and os.listdir(tmp_path) == ["t.csv"]


def test_faults_of_writing(tmp_path):
    path = tmp_path / "t.csv"
    with pytest.raises(BadInput, match=r"t.csv: column 'y' has shape \(3,\) and column 'x' \(2,\)"):
        write_table(path, {"x": [1, 2], "y": [1, 2, 3]})
    with pytest.raises(BadInput, match=r"column 'x' has shape \(1, 2\)"):
        write_table(path, {"x": [[1, 2]]})
    with pytest.raises(BadInput, match="no columns to write"):
        write_table(path, {})
    assert not path.exists()
    with pytest.raises(BadInput, match=r"t.csv cannot be written \(No such file or directory\); check the folder"):
        write_table(tmp_path / "none" / "t.csv", {"x": [1]})
    write_table(path, {"x": [1]})
    with pytest.raises(BadInput, match=r"cannot be written \(Not a directory\)"):
        write_table(path / "t.csv", {"x": [1]})


def test_reading_tables_loads_neither_jax_nor_pandas():
    code = "import sys, catallax.io.tables; print([m for m in ('jax', 'pandas', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
