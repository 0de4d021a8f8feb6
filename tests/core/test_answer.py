"""An answer is plain: for JSON, for pandas, for a terminal."""

import json
import math

import numpy as np
import pytest

from catallax.core.answer import Answer, plain, text


def answer() -> Answer:
    rows = [
        {"regime": "silence", "efficiency": np.float32(0.25), "rounds": np.int64(0)},
        {"regime": "signal", "efficiency": np.nan, "rounds": 12_345, "settled": np.bool_(True)},
    ]
    return Answer(
        "compare",
        "exchange",
        rows,
        "Prices do.",
        ["a note"],
        {"shares": np.array([0.5, np.inf]), "outcomes": {"signal": object()}},
    )


def test_json_is_plain_and_strict():
    sent = json.loads(json.dumps(answer().json(), allow_nan=False))
    assert sent["rows"][0] == {"regime": "silence", "efficiency": 0.25, "rounds": 0, "settled": None}
    assert sent["rows"][1]["efficiency"] is None and sent["rows"][1]["settled"] is True
    assert sent["facts"] == {"shares": [0.5, None]}
    assert (sent["question"], sent["system"], sent["headline"]) == ("compare", "exchange", "Prices do.")


def test_records_have_every_column_in_every_row():
    records = answer().records
    assert [list(record) for record in records] == [["regime", "efficiency", "rounds", "settled"]] * 2


def test_table_is_text_with_numbers_marked():
    table = answer().table()
    assert table.columns == ["regime", "efficiency", "rounds", "settled"]
    assert table.rows == [["silence", "0.2500", "0", "–"], ["signal", "–", "12,345", "yes"]]
    assert table.numeric == [False, True, True, False]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0, "1"), (1 - 4e-7, "1 - 4e-07"), (0.99994, "0.9999"), (0.5, "0.5000"), (-0.5, "-0.5000"),
        (1.0000001, "1.0000"), (3e-9, "3.00e-09"), (12345.678, "12,345.7"), (3.0e8, "300,000,000"),
        (math.inf, "–"), (None, "–"), ([1, 0.5], "1, 0.5000"), ({"a": 2}, "a: 2"), (False, "no"),
        (0, "0"), ("<b>", "<b>"),
    ],
)  # fmt: skip
def test_text_never_rounds_up_to_perfect(value, words):
    assert text(value) == words


def test_plain_reaches_into_nests():
    nest = {1: (np.arange(2), {"x": -math.inf}), "set": {3}, "path": complex(1, 2)}
    assert plain(nest) == {"1": [[0, 1], {"x": None}], "set": [3], "path": "(1+2j)"}
