"""Forecasts from tables: what is read, and the sentence for each fault."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io import read_forecasts
from catallax.io.forecasts import days

PLAIN = """question,user,time,probability,outcome,resolved
rain,ann,2024-03-01,0.7,1,2024-03-09
rain,bob,2024-03-02T10:30,0.55,1,2024-03-09
"snow, heavy",ann,2024-03-04T00:00+02:00,0.1,,
"""


@pytest.fixture
def file(tmp_path):
    def written(content):
        path = tmp_path / "f.csv"
        path.write_text(content)
        return path

    return written


@pytest.mark.parametrize("content", [PLAIN, PLAIN.replace(",", ";").replace("snow; ", "snow, ").replace("\n", "\r\n")])
def test_what_is_read(file, content):
    rows = read_forecasts(file(content))
    assert rows.question == ["rain", "rain", "snow, heavy"] and rows.user == ["ann", "bob", "ann"]
    first = (np.datetime64("2024-03-01") - np.datetime64("1970-01-01")).astype(int)
    np.testing.assert_allclose(rows.time - first, [0, 1 + 10.5 / 24, 3 - 2 / 24], atol=1e-9)
    np.testing.assert_array_equal(rows.probability, [0.7, 0.55, 0.1])
    np.testing.assert_array_equal(rows.outcome, [1, 1, np.nan])
    np.testing.assert_array_equal(rows.resolved - first, [8, 8, np.nan])
    assert rows.option is None and rows.place(2).endswith("f.csv, line 4")


def test_columns_that_may_be_left_out_and_options(file):
    rows = read_forecasts(file("time,user,question,probability\n3,a,q,0.5\n4.5,b,q,1\n"))
    assert np.isnan(rows.outcome).all() and np.isnan(rows.resolved).all()
    np.testing.assert_array_equal(rows.time, [3, 4.5])
    rows = read_forecasts(file("question,user,time,option,probability\nq,a,3,x,0.5\nq,a,3,y,0.5\n"))
    assert rows.option == ["x", "y"]


FAULTS = [
    ("user,time,probability\na,1,0.5\n", "line 1: column 'question' is missing"),
    (PLAIN.replace("resolved", "resolvd"), "line 1: column 'resolvd' is not understood"),
    (PLAIN.replace("0.55", "55"), r"line 3, column 'probability': 55 lies outside \[0, 1\]; write 0.7 for 70 %"),
    (PLAIN.replace("0.55", "-0.1"), r"line 3, column 'probability': -0.1 lies outside \[0, 1\]; give 0 to 1"),
    (PLAIN.replace("0.55", "often"), "line 3, column 'probability': 'often' is not a number"),
    (PLAIN.replace("0.55", ""), "line 3, column 'probability': the cell is empty"),
    (PLAIN.replace("ann,2024-03-01,", "ann,2024-02-30,"), "line 2, column 'time': '2024-02-30' is not a date"),
    (PLAIN.replace("ann,2024-03-01,", "ann,inf,"), "line 2, column 'time': 'inf' is not a date"),
    (PLAIN.replace("0.7,1,2024-03-09", "0.7,1,soon"), "line 2, column 'resolved': 'soon' is not a date"),
    (PLAIN.replace("0.7,1,", "0.7,-1,"), "line 2, column 'outcome': -1 is not 0 or 1; leave it empty"),
    (PLAIN.replace("0.7,1,", "0.7,yes,"), "line 2, column 'outcome': 'yes' is not a number"),
    (PLAIN.replace("rain,bob", ",bob"), "line 3, column 'question': the cell is empty"),
]


@pytest.mark.parametrize(("content", "sentence"), FAULTS, ids=range(len(FAULTS)))
def test_faults_are_sentences(file, content, sentence):
    with pytest.raises(BadInput, match=sentence) as caught:
        read_forecasts(file(content))
    assert "\n" not in str(caught.value) and len(str(caught.value).split("f.csv", 1)[1]) < 200


@given(st.datetimes())
def test_dates_keep_their_order_and_distance(moment):
    second = np.timedelta64(1, "s")
    there = np.datetime64(moment)
    found = days([moment.isoformat(), str(there), moment], "time")
    assert found[0] == found[1] == found[2]
    assert abs(found[0] * 86400 - (there - np.datetime64("1970-01-01")) / second) < 1e-3
