"""Cities from tables: places, degrees, distances; and the door that tells tables from TSPLIB."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catallax.colony.example import capitals
from catallax.core.errors import BadInput
from catallax.io import read_places, read_tours, write_table, write_tsplib

PLANE = "name,x,y\nann,1,2\nbob,3,4.5\ncid,1,2\n"
SPHERE = "name,lat,lon\nParis,48.86,2.35\nLondon,51.51,-0.13\n"
SQUARE = "from,a,b,c\na,0,1,2\nb,1,0,3\nc,2,3,0\n"


@pytest.fixture
def file(tmp_path):
    """Write bytes or text to `t.csv` and return its path."""

    def written(content):
        path = tmp_path / "t.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def sentence(path, read=read_places) -> str:
    """The message of the fault in a file, after the checks that hold for every message."""
    with pytest.raises(BadInput) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and "; " in message
    assert len(message.replace(str(path), "")) < 260
    return message.replace(str(path), "t.csv")


# --- what is read ---


@pytest.mark.parametrize(
    "content",
    [
        PLANE,
        PLANE.replace(",", ";").replace("\n", "\r\n"),
        PLANE.replace(",", "\t"),
        PLANE.replace("name,x,y", "City,X,Y"),
        b"\xef\xbb\xbf" + PLANE.encode(),
        "y,name,x\n2,ann,1\n4.5,bob,3\n2,cid,1\n",
    ],
)
def test_places_on_a_plane(file, content):
    cities = read_places(file(content))
    assert (cities.name, cities.kind, cities.symmetric, cities.matrix) == ("t", "PLANE", True, None)
    assert cities.names == ("ann", "bob", "cid")
    np.testing.assert_array_equal(cities.places, [[1, 2], [3, 4.5], [1, 2]])  # two on one spot are fine


def test_places_without_names_are_numbered(file):
    cities = read_places(file("x,y\n1,2\n3,4\n"))
    assert cities.names == ("1", "2")
    np.testing.assert_array_equal(cities.places, [[1, 2], [3, 4]])


@pytest.mark.parametrize("header", ["name,lat,lon", "name,latitude,longitude", "name,Lat,Lng", "city,LATITUDE,long"])
def test_places_on_the_earth(file, header):
    cities = read_places(file(SPHERE.replace("name,lat,lon", header)))
    assert cities.kind == "SPHERE" and cities.names == ("Paris", "London")
    np.testing.assert_array_equal(cities.places, [[48.86, 2.35], [51.51, -0.13]])
    swapped = read_places(file("lon,lat,name\n2.35,48.86,Paris\n"))
    np.testing.assert_array_equal(swapped.places, [[48.86, 2.35]])  # latitude first, whatever the order of the columns


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(1, 5), seed=st.integers(0, 99), whole=st.booleans(), even=st.booleans())
def test_distances(tmp_path, n, seed, whole, even):
    random = np.random.default_rng(seed)
    matrix = random.integers(0, 99, (n, n)) if whole else random.uniform(0, 99, (n, n))
    matrix = (matrix + matrix.T if even else matrix) * (1 - np.eye(n, dtype=int))
    written = matrix + 7 * np.eye(n, dtype=int)  # what stands on the diagonal is dropped
    names = [f"stop {k}" for k in range(n)]
    path = tmp_path / "t.csv"
    write_table(path, {"from": names, **{name: written[:, k] for k, name in enumerate(names)}})
    cities = read_places(path)
    np.testing.assert_array_equal(cities.matrix, matrix)
    assert cities.matrix.dtype == (np.int64 if whole or n == 1 else np.float64)
    assert cities.symmetric == bool((matrix == matrix.T).all())
    assert (cities.kind, cities.places, cities.names) == ("EXPLICIT", None, tuple(names))


def test_the_first_column_needs_no_name(file):
    assert read_places(file(SQUARE.replace("from", ""))).names == ("a", "b", "c")
    assert read_places(file(SPHERE.replace("name", ""))).names == ("Paris", "London")
    assert "t.csv, line 1: column 3 has no name" in sentence(file(SQUARE.replace("from,a,b", ",a,")))
    assert "t.csv, line 1 is blank" in sentence(file(",,\na,1,2\n"))


def test_a_matrix_of_cities_named_as_an_axis(file):
    assert read_places(file("from,x,b\nx,0,1\nb,1,0\n")).names == ("x", "b")


def test_the_door_decides_by_content(file, tmp_path):
    assert read_tours(file(PLANE)).kind == "PLANE"
    assert read_tours(file(SPHERE.replace(",", "\t"))).kind == "SPHERE"
    assert read_tours(file(SQUARE)).kind == "EXPLICIT"
    write_tsplib(tmp_path / "t.csv", [[0, 0], [1, 2]])
    text = (tmp_path / "t.csv").read_text()
    for content in (text, text.replace(" : ", ":"), text.replace(" : ", " "), text.replace("\n", "\r")):
        assert read_tours(file(content)).kind == "EUC_2D"
    assert read_tours(file(b"\xef\xbb\xbf" + text.encode())).kind == "EUC_2D"


# --- faults ---


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "t.csv is empty"),
        ("name,x,y\n", "t.csv has a header and no rows"),
        (PLANE + "dan,1\n", "t.csv, line 5: the row has 2 cells"),
        (PLANE + "dan,1,east\n", "t.csv, line 5, column 'y': 'east' is not a number"),
        (PLANE + "dan,1,nan\n", "t.csv, line 5, column 'y': 'nan' is not a finite number"),
        (PLANE + "ann,1,1\n", "t.csv, line 5, column 'name': 'ann' already stands in line 2"),
        ("id,name,x,y\n1,a,1,2\n", "t.csv, line 1: column 'id' is not understood; keep name, x, y"),
        ("hello\nworld\n", "t.csv, line 1: the columns are 'hello'; give name,x,y, or name,lat,lon"),
        ("name,x,z\na,1,2\n", "t.csv: rows below the columns 'x, z': 1, which is no square of distances; give"),
        ("name,lat,lon\na,90.5,0\n", "t.csv, line 2, column 'lat': 90.5 degrees lie beyond 90"),
        ("name,lat,lon\na,0,0\nb,0,-200\n", "t.csv, line 3, column 'lon': -200 degrees lie beyond 180"),
        (SQUARE.replace("c,2", "d,2"), "t.csv, line 4: the row is named 'd' where the columns have 'c'"),
        (SQUARE.replace("b,1,0,3\n", ""), "t.csv: rows below the columns 'a, b, c': 2"),
        (SQUARE.replace("b,1,0,3", "b,1,0,-3"), "t.csv, line 3, column 'c': the distance is -3; give 0 or more"),
        (SQUARE.replace("b,1,0,3", "b,1,0,inf"), "t.csv, line 3, column 'c': 'inf' is not a finite number"),
        (SQUARE.replace("b,1,0,3", "b,1,0"), "t.csv, line 3: the row has 3 cells"),
    ],
)
def test_faults(file, content, said):
    assert said in sentence(file(content))
    assert said in sentence(file(content), read_tours)


def test_the_door_is_as_careful_as_the_readers(tmp_path, file):
    assert "is a folder" in sentence(tmp_path, read_tours)
    assert "t.csv does not exist" in sentence(tmp_path / "t.csv", read_tours)
    assert "is not UTF-8" in sentence(file(b"name,x,y\nK\xf6ln,1,2\n"), read_tours)
    assert "t.csv is a spreadsheet or a zip archive" in sentence(file(b"PK\x03\x04rest"), read_tours)
    assert "line 2: TYPE 'CVRP' is not read here" in sentence(file("NAME : a\nTYPE : CVRP\n"), read_tours)


# --- the example ---


def haversine(one, other):
    """Kilometres along the great circle, from degrees."""
    (a, b), (c, d) = np.radians(one), np.radians(other)
    chord = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * 6371.0088 * np.arcsin(np.sqrt(chord))


def test_the_capitals_lie_where_they_do():
    cities = capitals()
    assert cities.kind == "SPHERE" and len(set(cities.names)) == len(cities.names) == 45
    latitude, longitude = cities.places.T
    assert latitude.min() > 35 and latitude.max() < 65 and longitude.min() > -22 and longitude.max() < 38
    place = dict(zip(cities.names, cities.places, strict=True))
    for one, other, kilometres, within in (
        ("London", "Paris", 344, 5),
        ("Helsinki", "Tallinn", 82, 5),
        ("Vienna", "Bratislava", 55, 5),
        ("Rome", "Athens", 1050, 15),
        ("Madrid", "Lisbon", 503, 15),
        ("Moscow", "Warsaw", 1150, 15),
        ("Reykjavik", "Oslo", 1747, 15),
        ("Copenhagen", "Stockholm", 522, 15),
    ):
        assert abs(haversine(place[one], place[other]) - kilometres) < within
