"""Bids as tables: both forms, and every fault a sentence."""

import re

import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.economy import bids as module
from catallax.economy.bids import read_bids

WIDE = "buyer,budget,cpu,memory\nann,10,3,0.5\nbob,5,1,2\n"
LONG = "buyer,good,value\nann,memory,2\nbob,cpu,1.5\nann,cpu,3\ncat,memory,0\n"
SUPPLY = "good,supply\nmemory,256\ncpu,64\n"


@pytest.fixture
def file(tmp_path):
    """Writes a file and returns its path."""

    def written(text, name="bids.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def sentence(path, **options) -> str:
    """The message of a fault: one line that begins with a path."""
    with pytest.raises(BadInput) as caught:
        read_bids(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path.parent)) and "\n" not in message
    return message.replace(f"{path.parent}/", "")


def test_the_wide_form(file):
    bids = read_bids(file(WIDE), supply=file(SUPPLY, "supply.csv"))
    assert bids.names == ("ann", "bob") and bids.goods == ("cpu", "memory")
    np.testing.assert_array_equal(bids.valuations, [[3, 0.5], [1, 2]])
    np.testing.assert_array_equal(bids.budgets, [10, 5])
    np.testing.assert_array_equal(bids.supply, [64, 256])
    assert {bids.valuations.dtype, bids.budgets.dtype, bids.supply.dtype} == {np.dtype(np.float64)}


def test_budgets_are_another_column_or_one_each(file):
    named = read_bids(file("cpu,wealth,buyer\n1,7,ann\n0,8,bob\n"), budgets="wealth")
    assert named.goods == ("cpu",) and named.budgets.tolist() == [7, 8]
    without = read_bids(str(file("buyer,cpu\nann,1\nbob,0\n")))
    assert without.budgets.tolist() == [1, 1] and without.supply.tolist() == [1]


def test_the_long_form_leaves_out_what_is_worth_nothing(file):
    bids = read_bids(file(LONG))
    assert bids.names == ("ann", "bob", "cat") and bids.goods == ("memory", "cpu")
    np.testing.assert_array_equal(bids.valuations, [[2, 3], [0, 1.5], [0, 0]])
    assert bids.budgets.tolist() == [1, 1, 1] and bids.supply.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"bids\.csv is empty"),
        ("buyer,budget,cpu\n", "has a header and no rows"),
        ("name,budget,cpu\nann,1,1\n", "line 1: column 'buyer' is missing; the header must be"),
        ("buyer,budget\nann,1\n", "line 1: the header names no good"),
        ("buyer,Budget,cpu\nann,1,1\n", "column 'budget' is missing, and 'Budget' would be taken for a good"),
        ("buyer,cpu,cpu\nann,1,1\n", "columns 2 and 3 are both named 'cpu'"),
        (WIDE.replace("bob,5", "bob,0"), "line 3, column 'budget': the budget of 'bob' is 0; write a positive"),
        (WIDE.replace("ann,10", "ann,-1"), "line 2, column 'budget': the budget of 'ann' is -1; write a positive"),
        (WIDE.replace("ann,10", "ann,nan"), "line 2, column 'budget': 'nan' is not a finite number"),
        (WIDE.replace("1,2", "1,-2"), "line 3, column 'memory': the value to 'bob' is -2, negative"),
        (WIDE.replace("1,2", "nan,2"), "line 3, column 'cpu': 'nan' is not a finite number"),
        (WIDE.replace("1,2", "much,2"), "line 3, column 'cpu': 'much' is not a number"),
        (WIDE.replace("1,2", ",2"), "line 3, column 'cpu': the cell is empty"),
        (WIDE.replace("bob", "ann"), "line 3, column 'buyer': 'ann' already stands in line 2"),
        ("buyer,cpu\nann,0\n", "nobody values anything"),
        ("buyer,good,value,budget\nann,cpu,1,1\n", "line 1: column 'budget' is not known; the long form is"),
        (LONG + "bob,cpu,2\n", "line 6, columns 'buyer' and 'good': 'bob' values 'cpu' in line 3 already"),
        (LONG.replace("1.5", "-1.5"), "line 3, column 'value': the value to 'bob' is -1.5, negative"),
        (LONG.replace("1.5", "inf"), "line 3, column 'value': 'inf' is not a finite number"),
        (LONG.replace("1.5", "dear"), "line 3, column 'value': 'dear' is not a number"),
        (LONG.replace("bob,cpu", "bob,"), "line 3, column 'good': the cell is empty"),
        (LONG.replace("bob,cpu", "bob,buyer"), "line 3, column 'good': no good can be named 'buyer'"),
    ],
)
def test_a_fault_is_one_sentence(text, said, file):
    message = sentence(file(text))
    assert message.startswith("bids.csv") and re.search(said, message), message


def test_a_fault_of_the_options(file):
    assert "column 'buyer' holds names" in sentence(file(WIDE), budgets="buyer")
    assert "column 'wealth' is missing, and 'budget' would be taken" in sentence(file(WIDE), budgets="wealth")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("good,amount\ncpu,1\n", "line 1: column 'supply' is missing; the header must be good,supply"),
        ("good,supply,unit\ncpu,1,2\n", "line 1: column 'unit' is not known"),
        ("good,supply\ncpu,64\n", "has no row for 'memory'"),
        (SUPPLY + "gpu,2\n", "line 4, column 'good': 'gpu' is no good of"),
        (SUPPLY + "cpu,2\n", "line 4, column 'good': 'cpu' already stands in line 3"),
        (SUPPLY.replace("64", "0"), "line 3, column 'supply': the supply of 'cpu' is 0; write a positive number"),
        (SUPPLY.replace("256", "-1"), "line 2, column 'supply': the supply of 'memory' is -1"),
        (SUPPLY.replace("64", "nan"), "line 3, column 'supply': 'nan' is not a finite number"),
        (SUPPLY.replace("64", "lots"), "line 3, column 'supply': 'lots' is not a number"),
    ],
)
def test_a_fault_of_the_supply_is_one_sentence(text, said, file):
    message = sentence(file(WIDE), supply=file(text, "supply.csv"))
    assert message.startswith("supply.csv") and re.search(said, message), message


def test_pairs_that_would_not_fit_as_a_matrix_are_refused(file, monkeypatch):
    # enough to read the rows, which is judged elsewhere, not for the matrix
    monkeypatch.setattr(module.memory, "free_memory", lambda: 10.0)
    assert "has 3 buyers and 2 goods, which would need 96 bytes of memory" in sentence(file(LONG))


def test_a_column_may_say_what_a_buyer_may_hold(file):
    path = file("buyer,budget,most,cpu\nann,1,2,3\nbob,1,0.5,1\n")
    bids = read_bids(path, caps="most")
    assert bids.goods == ("cpu",) and bids.caps is not None and bids.caps.tolist() == [2, 0.5]
    assert read_bids(path).caps is None and read_bids(path).goods == ("most", "cpu")
    for text, said in (
        ("buyer,most,cpu\nann,0,1\n", "the most of 'ann' is 0"),
        (LONG, "long form buyer,good,value has no"),
    ):
        with pytest.raises(BadInput, match=said):
            read_bids(file(text), caps="most")
