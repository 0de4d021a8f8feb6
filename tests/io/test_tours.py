"""Tours: what is written reads back; what is no tour is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io import read_tour, write_tour

GOOD = "NAME : t\nTYPE : TOUR\nDIMENSION : 4\nTOUR_SECTION\n1\n3\n2\n4\n-1\nEOF\n"


@pytest.fixture
def file(tmp_path):
    """Write text to `t.tour` and return its path."""

    def written(content):
        path = tmp_path / "t.tour"
        path.write_text(content)
        return path

    return written


def test_how_a_tour_is_written(tmp_path):
    path = tmp_path / "t.tour"
    write_tour(path, [2, 0, 1], "my\ntown", length=7542, names=["a", "b", "c"])
    body = "DIMENSION : 3\nTOUR_SECTION\nc\na\nb\n-1\nEOF\n"
    assert path.read_text() == f"NAME : my town\nCOMMENT : length 7542\nTYPE : TOUR\n{body}"
    write_tour(path, np.array([2, 0, 1], np.int32), "t", length=1.5)
    assert path.read_text().splitlines()[1] == "COMMENT : length 1.5"
    assert path.read_text().split("SECTION\n")[1].split() == ["3", "1", "2", "-1", "EOF"]


LABELS = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.integers(1, 9).flatmap(lambda n: st.permutations(range(n))), data=st.data())
def test_what_is_written_is_read_back(tmp_path, order, data):
    path = tmp_path / "t.tour"
    write_tour(path, order, "t")
    assert read_tour(path).tolist() == order and read_tour(path).dtype == np.int64
    names = data.draw(st.lists(LABELS, min_size=len(order), max_size=len(order), unique=True))
    try:
        write_tour(path, order, "t", names=names)
    except BadInput as error:
        assert "cannot stand in a tour" in str(error)
        assert any(":" in name or name.upper() in ("-1", "EOF", "NAME", "TYPE") for name in names)
    else:
        assert read_tour(path, names).tolist() == order


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.replace("-1\n", ""),
        GOOD.replace("-1\n", "-1\n-1\n"),
        GOOD.replace("EOF\n", ""),
        GOOD.replace("1\n3\n2\n", "1 3 2 "),
        GOOD.replace("DIMENSION : 4\n", "").replace("TYPE : TOUR\n", ""),
        GOOD.lower().replace("\n", "\r\n"),
    ],
)
def test_spellings(file, content):
    assert read_tour(file(content)).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("TOUR\n", "TSP\n", "line 2: TYPE is 'TSP'; name a file of TYPE TOUR"),
        ("TOUR_SECTION", "DEMAND_SECTION", "TOUR_SECTION is missing"),
        ("\n3\n", "\n", "line 4: the tour has 3 cities and DIMENSION says 4"),
        ("\n3\n", "\n2\n", "line 7: the tour comes to city 2 a second time"),
        ("\n3\n", "\n5\n", "line 6: '5' is none of the 4 cities"),
        ("\n3\n", "\n0\n", "line 6: '0' is none of the 4 cities"),
        ("\n3\n", "\n-1\n3\n", "line 7: '3' stands after the closing -1"),
        ("DIMENSION : 4", "DIMENSION : 1000000000000", "the tour has 4 cities and DIMENSION says 1,000,000,000,000"),
        ("\n1\n3\n2\n4\n", "\n", "line 4: the tour is empty"),
    ],
)
def test_faults_of_reading(file, old, new, said):
    assert old in GOOD
    path = file(GOOD.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        read_tour(path)
    assert said in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_tour_of_another_problem(file):
    with pytest.raises(BadInput, match="the tour has 4 cities and the problem 3; visit each once"):
        read_tour(file(GOOD), names=["1", "2", "3"])
    with pytest.raises(BadInput, match="line 7: '2' is none of the 4 cities"):
        read_tour(file(GOOD), names=["1", "3", "5", "4"])


@pytest.mark.parametrize(
    ("order", "names", "said"),
    [
        ([0, 2], None, "order visits city 1 0 times; visit each of 0 to 1 once"),
        ([0, 1, 1], None, "order visits city 1 2 times"),
        ([-1, 0], None, "order visits city 1 0 times"),
        ([0.0, 1.0], None, "type float64; give whole numbers"),
        ([[0, 1]], None, r"shape \(1, 2\)"),
        ([], None, r"shape \(0,\)"),
        ([0, 1], ["a"], "1 names and 2 cities"),
        ([0, 1], ["a", "a"], "a name comes twice"),
        ([0, 1], ["a", "New York"], "'New York' cannot stand in a tour"),
        ([0, 1], ["a", ""], "'' cannot stand in a tour"),
        ([0, 1], ["a", "-1"], "'-1' cannot stand in a tour"),
        ([0, 1], ["a", "eof"], "'eof' cannot stand in a tour"),
        ([0, 1], ["a", "TYPE"], "'TYPE' cannot stand in a tour"),
    ],
)
def test_faults_of_writing(tmp_path, order, names, said):
    path = tmp_path / "t.tour"
    with pytest.raises(BadInput, match=said):
        write_tour(path, order, "t", names=names)
    assert not path.exists()
