"""TSPLIB: every format of a matrix against its definition, every fault one sentence with its place."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io import read_tsplib, sections, write_tsplib, writing
from catallax.io.tsplib import FORMATS

GOOD = """NAME : square
TYPE : TSP
COMMENT : four corners
DIMENSION : 4
EDGE_WEIGHT_TYPE : EUC_2D
NODE_COORD_SECTION
1 0 0
2 10 0.5
3 1.0e+01 10
4 0 -10
EOF
"""
CORNERS = [[0, 0], [10, 0.5], [10, 10], [0, -10]]


@pytest.fixture
def file(tmp_path):
    """Write bytes or text to `t.tsp` and return its path."""

    def written(content, name="t.tsp"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def sentence(path, read=read_tsplib) -> str:
    """The message of the fault in a file, after the checks that hold for every message."""
    with pytest.raises(BadInput) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and "; " in message
    assert len(message.replace(str(path), "")) < 260
    return message.replace(str(path), "t.tsp")


# --- what is read ---


def check_good(cities, name="square"):
    assert (cities.name.lower(), cities.kind, cities.comment.lower()) == (name, "EUC_2D", "four corners")
    assert cities.names == ("1", "2", "3", "4") and cities.matrix is None and cities.tied == () and cities.symmetric
    assert cities.places.dtype == np.float64
    np.testing.assert_array_equal(cities.places, CORNERS)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.removesuffix("EOF\n"),
        GOOD.removesuffix("\nEOF\n"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace(" : ", ":"),
        GOOD.replace(" : ", " "),
        GOOD.replace(" : ", "\t: \t"),
        GOOD.replace(" ", "\t").replace("four\tcorners", "four corners"),
        "\n" + GOOD.replace("\n", " \n\n"),
        GOOD.lower(),
        GOOD.replace("1 0 0", "   1   0.00   0"),
        GOOD + "and what comes after the end\n",
        GOOD.replace("SECTION", "SECTION :"),
        GOOD.replace("TSP", "TSP (M.~Hofmeister)"),
        GOOD.replace("TYPE : TSP\n", "", 1),
        GOOD.replace("NAME", "SOURCE : a\nsource: b\nNAME"),
        GOOD.replace("EOF", "DEMAND_SECTION\n1 0\nEOF"),
        "DIMENSION : 4\n" + GOOD.replace("DIMENSION : 4\n", ""),
        b"\xef\xbb\xbf" + GOOD.encode(),
    ],
)
def test_spellings(file, content):
    check_good(read_tsplib(file(content)))


def test_keywords_may_follow_the_section(file):
    moved = "EDGE_WEIGHT_TYPE : EUC_2D\n"
    check_good(read_tsplib(file(GOOD.replace(moved, "").replace("EOF", moved + "EOF"))))


def test_comments_add_up_in_whatever_encoding_and_a_name_may_be_missing(file):
    content = GOOD.replace("four corners", "Grötschel").replace("DIM", "COMMENT : EOF is near\nDIM")
    cities = read_tsplib(file(content.replace("NAME : square\n", "").encode("latin-1")))
    assert (cities.name, cities.comment) == ("t", "Grötschel\nEOF is near")


@pytest.mark.parametrize("kind", ["EUC_2D", "CEIL_2D", "GEO", "ATT", "MAN_2D", "MAX_2D"])
def test_kinds_of_places_are_kept_as_written(file, kind):
    cities = read_tsplib(file(GOOD.replace("EUC_2D", kind)))
    assert cities.kind == kind
    np.testing.assert_array_equal(cities.places, CORNERS)
    assert read_tsplib(file(GOOD.replace("EUC_2D", kind).replace(": TSP", ": ATSP"))).symmetric


def test_cities_keep_their_numbers_and_the_order_of_the_file(file):
    cities = read_tsplib(file(GOOD.replace("\n4 0", "\n0 0").replace("\n1 0", "\nabc 0")))
    assert cities.names == ("abc", "2", "3", "0")


def test_fixed_edges_are_pairs_of_positions(file):
    body = "FIXED_EDGES_SECTION\n7 2\n3 4\n-1\n"
    content = GOOD.replace("\n1 0", "\n7 0").replace("EOF", body + "EOF")
    assert read_tsplib(file(content)).tied == ((0, 1), (2, 3))
    assert read_tsplib(file(content.replace("-1\n", "-1\n-1\n"))).tied == ((0, 1), (2, 3))
    assert read_tsplib(file(content.replace("-1\n", ""))).tied == ((0, 1), (2, 3))


# --- matrices ---


def cells(form, n):
    """(row, column) in the order in which TSPLIB 95 says they stand."""
    if form == "FULL_MATRIX":
        return [(i, j) for i in range(n) for j in range(n)]
    least = 0 if "DIAG" in form else 1
    pairs = [(a, b) for a in range(n) for b in range(n)]  # line by line: row and column, or column and row
    by_row = [(a, b) if form.endswith("ROW") else (b, a) for a, b in pairs]
    return [(i, j) for i, j in by_row if (j - i if form.startswith("UPPER") else i - j) >= least]


def explicit(form, matrix, kind="TSP", width=7):
    """A file of that format; line ends fall anywhere."""
    words = [str(matrix[i][j]) for i, j in cells(form, len(matrix))]
    rows = "\n".join(" ".join(words[k : k + width]) for k in range(0, len(words), width))
    head = f"TYPE: {kind}\nDIMENSION: {len(matrix)}\nEDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: {form}"
    return f"{head}\nEDGE_WEIGHT_SECTION\n{rows}\n"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(FORMATS), n=st.integers(1, 6), seed=st.integers(0, 99), whole=st.booleans())
def test_a_matrix_is_the_same_in_every_format(file, form, n, seed, whole):
    random = np.random.default_rng(seed)
    half = random.integers(0, 1000, (n, n)) if whole else random.uniform(0, 1e3, (n, n))
    expected = np.triu(half, 1) + np.triu(half, 1).T
    written = expected + np.diag(random.integers(0, 9999, n))  # what stands on the diagonal is dropped
    cities = read_tsplib(file(explicit(form, written.tolist(), width=int(random.integers(1, 9)))))
    np.testing.assert_array_equal(cities.matrix, expected)
    assert cities.matrix.dtype == (np.int64 if whole or n == 1 else np.float64)
    assert cities.symmetric and cities.kind == "EXPLICIT" and cities.places is None and cities.display is None
    assert cities.names == tuple(str(k + 1) for k in range(n))


def test_the_triangles_spelled_out(file):
    """The same four cities, by hand."""
    matrix = [[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]]
    by_hand = {
        "UPPER_ROW": "1 2 3 4 5 6",
        "LOWER_ROW": "1 2 4 3 5 6",
        "UPPER_DIAG_ROW": "0 1 2 3 0 4 5 0 6 0",
        "LOWER_DIAG_ROW": "0 1 0 2 4 0 3 5 6 0",
        "UPPER_COL": "1 2 4 3 5 6",
        "LOWER_COL": "1 2 3 4 5 6",
        "UPPER_DIAG_COL": "0 1 0 2 4 0 3 5 6 0",
        "LOWER_DIAG_COL": "0 1 2 3 0 4 5 0 6 0",
    }
    for form, numbers in by_hand.items():
        head = explicit(form, matrix).split("SECTION\n")[0]
        np.testing.assert_array_equal(read_tsplib(file(f"{head}SECTION\n{numbers}\n")).matrix, matrix)


def test_an_asymmetric_matrix_reads_from_row_to_column(file):
    cities = read_tsplib(file(explicit("FULL_MATRIX", [[9999, 1, 2], [3, 9999, 4], [5, 6, 9999]], "ATSP")))
    np.testing.assert_array_equal(cities.matrix, [[0, 1, 2], [3, 0, 4], [5, 6, 0]])
    assert not cities.symmetric
    assert read_tsplib(file(explicit("FULL_MATRIX", [[0, 1], [1, 0]], "ATSP"))).symmetric


def test_large_whole_numbers_stay_exact_and_larger_ones_stay_float(file):
    exact = read_tsplib(file(explicit("UPPER_ROW", [[0, 2**53 - 1], [0, 0]]))).matrix
    assert exact.dtype == np.int64 and exact[0, 1] == 2**53 - 1
    assert read_tsplib(file(explicit("UPPER_ROW", [[0, 1e300], [0, 0]]))).matrix.dtype == np.float64


def test_a_matrix_may_say_where_to_draw_its_cities(file):
    content = explicit("UPPER_ROW", [[1] * 3] * 3)
    drawn = content.replace("EDGE_WEIGHT_SECTION", "DISPLAY_DATA_SECTION\n3 5 6\n1 1 2\n2 3 4\nEDGE_WEIGHT_SECTION")
    cities = read_tsplib(file(drawn))
    np.testing.assert_array_equal(cities.display, [[1, 2], [3, 4], [5, 6]])
    assert cities.names == ("1", "2", "3")
    named = read_tsplib(file(drawn.replace("\n3 5", "\nc 5")))
    assert named.names == ("c", "1", "2")
    np.testing.assert_array_equal(named.display, [[5, 6], [1, 2], [3, 4]])
    assert "DISPLAY_DATA_SECTION has 2 cities" in sentence(file(drawn.replace("1 1 2\n", "")))


def test_pieces_join_without_a_seam(file, monkeypatch):
    random = np.random.default_rng(0)
    places, matrix = random.normal(size=(60, 2)), random.integers(0, 99, (9, 9))
    monkeypatch.setattr(sections, "PIECE", 37)
    path = file("")
    write_tsplib(path, places)
    np.testing.assert_array_equal(read_tsplib(path).places, places)
    text = path.read_text()
    line = text.split("\n").index(next(row for row in text.split("\n") if row.startswith("40 "))) + 1
    assert f"line {line}: 'x' is not a number" in sentence(file(re.sub(r"\n40 \S+", "\n40 x", text)))
    in_one_line = explicit("FULL_MATRIX", matrix.tolist(), "ATSP", width=81)
    np.testing.assert_array_equal(read_tsplib(file(in_one_line)).matrix, matrix * (1 - np.eye(9, dtype=int)))


# --- faults ---


def test_faults_of_the_file_itself(file, tmp_path):
    assert sentence(tmp_path / "none.tsp") == "t.tsp does not exist; check the path"
    assert "is a folder, not a file" in sentence(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in sentence(tmp_path / "pipe")
    for content in ("", "\n \n\r\n", b"\xef\xbb\xbf"):
        assert "t.tsp is empty; begin with" in sentence(file(content))
    assert "t.tsp is a gzip archive, not a TSPLIB file; unpack" in sentence(file(b"\x1f\x8b\x08rest"))
    assert "t.tsp: byte 3 is NUL" in sentence(file(b"abc\0def"))
    assert "is not a TSPLIB file: line 1 is " in sentence(file(bytes(range(1, 256))))
    assert "is not a TSPLIB file: line 2 is 'name,x,y'" in sentence(file("\nname,x,y\na,1,2\n"))
    assert "is not a TSPLIB file: line 1 is '" + "w" * 37 + "...'" in sentence(file("w" * 5000))


def test_a_file_beyond_memory_is_refused_unread(tmp_path):
    path = tmp_path / "t.tsp"
    with open(path, "wb") as file:
        file.write(GOOD.encode())
        file.truncate(1 << 42)  # sparse: it takes no room
    assert "GB of memory" in sentence(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("TYPE : TSP", "TYPE : CVRP", "t.tsp, line 2: TYPE 'CVRP' is not read here"),
        ("TYPE : TSP", "TYPE : HCP", "t.tsp, line 2: TYPE 'HCP' is not read here"),
        ("TYPE : TSP", "TYPE : SOP", "t.tsp, line 2: TYPE 'SOP' is not read here"),
        ("TYPE : TSP", "TYPE : TOUR", "t.tsp, line 2: TYPE 'TOUR' is not read here; read_tour reads it"),
        ("EUC_2D", "EUC_3D", "t.tsp, line 5: EDGE_WEIGHT_TYPE 'EUC_3D' is not known"),
        ("EUC_2D", "", "t.tsp, line 5: EDGE_WEIGHT_TYPE '' is not known"),
        ("EDGE_WEIGHT_TYPE : EUC_2D\n", "", "t.tsp: EDGE_WEIGHT_TYPE is missing"),
        ("DIMENSION : 4\n", "", "t.tsp: DIMENSION is missing"),
        ("DIMENSION : 4", "DIMENSION : four", "t.tsp, line 4: DIMENSION is 'FOUR'"),
        ("DIMENSION : 4", "DIMENSION : -4", "t.tsp, line 4: DIMENSION is '-4'"),
        ("DIMENSION : 4", "DIMENSION : 4.0", "t.tsp, line 4: DIMENSION is '4.0'"),
        ("DIMENSION : 4", "DIMENSION : 0", "t.tsp, line 4: DIMENSION is '0'"),
        ("DIMENSION : 4", "DIMENSION : " + "9" * 6000, "t.tsp, line 4: DIMENSION is '999"),
        ("DIMENSION : 4", "DIMENSION : 5", "line 6: NODE_COORD_SECTION has 4 cities and DIMENSION, line 4, says 5"),
        ("DIMENSION : 4", "DIMENSION : 1000000000000", "has 4 cities and DIMENSION, line 4, says 1,000,000,000,000"),
        ("DIMENSION : 4", "DIMENSION : 4\nDIMENSION : 4", "t.tsp, line 5: DIMENSION already stands in line 4"),
        ("NODE_COORD_SECTION\n", "", "t.tsp, line 6: '1 0 0' is no keyword and stands in no section"),
        ("NODE_COORD_SECTION", "NODE_CORD_SECTION", "t.tsp, line 6: 'NODE_CORD_SECTION' is no section of TSPLIB"),
        ("NODE_COORD_SECTION", "TOUR_SECTION", "t.tsp: NODE_COORD_SECTION is missing, and EUC_2D needs coordinates"),
        ("EOF", "NODE_COORD_SECTION", "t.tsp, line 11: NODE_COORD_SECTION already stands in line 6"),
        ("3 1.0e+01 10\n", "", "line 6: NODE_COORD_SECTION has 3 cities and DIMENSION, line 4, says 4"),
        ("3 1.0e+01 10", "3 1.0e+01", "t.tsp, line 9: the line has 2 words"),
        ("3 1.0e+01 10", "3 10 10 10", "t.tsp, line 9: the line has 4 words"),
        ("3 1.0e+01 10\n4", "3 1.0e+01\n10 4", "t.tsp, line 9: the line has 2 words"),
        ("3 1.0e+01 10", "\n\n-1", "t.tsp, line 11: the line has 1 word"),
        ("3 1.0e+01 10", "3 NaN 10", "t.tsp, line 9: 'NaN' is not a finite number"),
        ("3 1.0e+01 10", "3 10 -inf", "t.tsp, line 9: '-inf' is not a finite number"),
        ("3 1.0e+01 10", "3 10 1e999", "t.tsp, line 9: '1e999' is not a finite number"),
        ("3 1.0e+01 10", "3 1_0 10", "t.tsp, line 9: '1_0' is not a number"),
        ("3 1.0e+01 10", "3 10 ٣", "t.tsp, line 9: '٣' is not a number"),
        ("3 1.0e+01 10", "3 10 1,5", "t.tsp, line 9: '1,5' is not a number; write digits and a point"),
        ("3 1.0e+01 10", "\n2 1 1", "t.tsp, line 10: city '2' already stands in line 8"),
        ("EOF", "FIXED_EDGES_SECTION\n1 2\n1 5\n-1", "t.tsp, line 13: '5' is none of the 4 cities"),
        ("EOF", "FIXED_EDGES_SECTION\n1 2\n3\n-1", "t.tsp, line 13: a fixed edge has one city alone"),
        ("EOF", "FIXED_EDGES_SECTION\n2 2\n-1", "t.tsp, line 12: a fixed edge joins city 2 to itself"),
        ("EOF", "FIXED_EDGES_SECTION\n1 2\n-1\n3 4", "t.tsp, line 14: '3' stands after the closing -1"),
    ],
)
def test_faults(file, old, new, said):
    assert old in GOOD
    assert said in sentence(file(GOOD.replace(old, new, 1)))


MATRIX = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]


@pytest.mark.parametrize(
    ("form", "old", "new", "said"),
    [
        ("FULL_MATRIX", "FULL_MATRIX", "FUNCTION", "t.tsp, line 4: EDGE_WEIGHT_FORMAT 'FUNCTION' is not read"),
        ("FULL_MATRIX", "EDGE_WEIGHT_FORMAT: FULL_MATRIX\n", "", "t.tsp: EDGE_WEIGHT_FORMAT is missing"),
        ("FULL_MATRIX", "EDGE_WEIGHT_SECTION\n", "", "t.tsp, line 5: '0 1 2' is no keyword"),
        ("FULL_MATRIX", "EDGE_WEIGHT_SECTION", "NODE_COORD_SECTION", "t.tsp: EDGE_WEIGHT_SECTION is missing"),
        ("FULL_MATRIX", "0 1 2\n", "0 1\n", "t.tsp, line 5: EDGE_WEIGHT_SECTION has 8 numbers and FULL_MATRIX of DIM"),
        ("FULL_MATRIX", "0 1 2\n", "0 1 2 2\n", "has 10 numbers and FULL_MATRIX of DIMENSION 3, line 2, needs 9"),
        ("UPPER_ROW", "1 2 3", "1 2", "has 2 numbers and UPPER_ROW of DIMENSION 3, line 2, needs 3"),
        ("UPPER_DIAG_ROW", "0 1 2\n", "0 1 2 2\n", "has 7 numbers and UPPER_DIAG_ROW of DIMENSION 3, line 2, needs 6"),
        ("FULL_MATRIX", "DIMENSION: 3", "DIMENSION: 1000000000000", "needs 1,000,000,000,000,000,000,000,000"),
        ("FULL_MATRIX", "1 0 3", "1 0 nan", "t.tsp, line 7: 'nan' is not a finite number"),
        ("FULL_MATRIX", "1 0 3", "1 zero 3", "t.tsp, line 7: 'zero' is not a number"),
        ("FULL_MATRIX", "1 0 3", "1 0 -3", "t.tsp, line 7: the distance from city 2 to city 3 is -3"),
        ("LOWER_DIAG_ROW", "3 0", "-3 0", "t.tsp, line 7: the distance from city 3 to city 2 is -3"),
        ("UPPER_COL", "1 2 3", "1 2\n-3.5", "t.tsp, line 7: the distance from city 2 to city 3 is -3.5"),
        ("FULL_MATRIX", "1 0 3", "1 0 4", "t.tsp, line 7: from city 2 to city 3 it is 4 and back 3, and TYPE TSP is"),
    ],
)
def test_faults_of_matrices(file, form, old, new, said):
    content = explicit(form, MATRIX, width=3)
    assert old in content
    assert said in sentence(file(content.replace(old, new, 1)))


KEYWORDS = ["NAME", "TYPE", "DIMENSION", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT", ":", "EOF"]
TITLES = ["EDGE_WEIGHT_SECTION", "NODE_COORD_SECTION", "FIXED_EDGES_SECTION"]
VALUES = ["TSP", "EUC_2D", "EXPLICIT", "UPPER_ROW", "1", "2", "3", "0.5", "-1", "nan", "x", "\n", "\r", "\t"]
WORDS = st.sampled_from(KEYWORDS + TITLES + VALUES + ["\n"] * 4)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.integers(0, 10), words=st.lists(WORDS, max_size=25))
def test_any_content_is_read_or_refused_in_a_sentence(file, head, words):
    path = file("\n".join(GOOD.split("\n")[:head]) + "\n" + " ".join(words))
    try:
        cities = read_tsplib(path)
    except BadInput as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert len(cities.names) == len(cities.places if cities.matrix is None else cities.matrix)


def test_a_fault_at_the_end_of_a_large_file_is_found_at_once(tmp_path):
    path, changed = tmp_path / "t.tsp", tmp_path / "changed.tsp"
    write_tsplib(path, np.zeros((50_000, 2)))
    begun = time.process_time()
    for new, said in (
        ("50000 0 x", "line 50005: 'x' is not a number"),
        ("49999 0 0", "line 50005: city '49999' already stands in line 50004"),
        ("50000 0", "line 50005: the line has 2 words"),
    ):
        changed.write_text(path.read_text().replace("\n50000 0 0", f"\n{new}"))
        assert said in sentence(changed)
    assert time.process_time() - begun < 10  # seconds of this processor: quadratic work would take minutes


# --- writing ---

COORDINATES = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=6),
    kind=st.sampled_from(["EUC_2D", "CEIL_2D", "GEO", "ATT", "MAN_2D", "MAX_2D"]),
    comment=st.text("ab:\n é", max_size=12),
)
def test_what_is_written_is_read_back(tmp_path, places, kind, comment):
    path = tmp_path / "t.tsp"
    write_tsplib(path, places, kind, name="a\nname", comment=comment)
    cities = read_tsplib(path)
    np.testing.assert_array_equal(cities.places, places)
    assert (cities.kind, cities.name) == (kind, "a name")
    assert cities.comment.split() == comment.split()


def test_how_cities_are_written(tmp_path):
    path = tmp_path / "corners.tsp"
    write_tsplib(path, CORNERS, comment="four corners")
    text = path.read_text()
    assert text.startswith("NAME : corners\nTYPE : TSP\nCOMMENT : four corners\nDIMENSION : 4\nEDGE_WEIGHT_TYPE : EUC")
    assert text.endswith("NODE_COORD_SECTION\n1 0 0\n2 10 0.5\n3 10 10\n4 0 -10\nEOF\n")
    check_good(read_tsplib(path), name="corners")


def test_faults_of_writing(tmp_path):
    path = tmp_path / "t.tsp"
    for places, kind, said in (
        (CORNERS, "PLANE", "kind 'PLANE' has no coordinates in TSPLIB"),
        ([1.0, 2.0], "EUC_2D", r"places has shape \(2,\)"),
        (np.zeros((0, 2)), "EUC_2D", r"places has shape \(0, 2\)"),
        ([[0, 0], [np.nan, 1]], "EUC_2D", r"places, row 1, is \[nan, 1.0\]"),
    ):
        with pytest.raises(BadInput, match=said):
            write_tsplib(path, places, kind)
    assert not os.listdir(tmp_path)
    with pytest.raises(BadInput, match=r"t.tsp cannot be written \(No such file or directory\)"):
        write_tsplib(tmp_path / "none" / "t.tsp", CORNERS)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "t.tsp"
    writing.write_whole(path, ["old\n"])

    def fail():
        yield "new\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writing.write_whole(path, fail())
    assert path.read_text() == "old\n" and os.listdir(tmp_path) == ["t.tsp"]


def test_reading_loads_numpy_alone():
    code = "import sys, catallax.io; print([m for m in ('jax', 'numba', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
