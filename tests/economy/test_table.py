"""Exchange economies as tables: what is read, what is refused and in which words, and the shipped example."""

import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.economy.trade.table import check_facts, read_exchange, valley

HEADER = "agent,endowment:grain,endowment:fish,taste:fish,taste:grain,elasticity"
ROWS = ("farmer,40,1.5,0.5,0.6,2", "fisher,2,25,0.7,0.3,0.5")


@pytest.fixture
def file(tmp_path):
    """Write a header and rows to `market.csv` and return its path."""

    def written(*rows, header=HEADER):
        path = tmp_path / "market.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return written


def sentence(path, **options) -> str:
    """The message of the fault in a file: one sentence that begins with the path."""
    with pytest.raises(BadInput) as caught:
        read_exchange(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.replace(str(path), path.name)


def test_facts_are_read_in_the_order_of_the_endowment_columns(file):
    facts = read_exchange(file(*ROWS))
    assert facts["names"] == ("farmer", "fisher") and facts["goods"] == ("grain", "fish")
    np.testing.assert_array_equal(facts["endowment"], [[40, 1.5], [2, 25]])
    np.testing.assert_array_equal(facts["taste"], [[0.6, 0.5], [0.3, 0.7]])
    np.testing.assert_array_equal(facts["elasticity"], [2, 0.5])
    assert all(facts[field].dtype == np.float64 for field in ("endowment", "taste", "elasticity"))


def test_elasticity_is_one_where_the_column_is_left_out(file):
    header = HEADER.removesuffix(",elasticity")
    facts = read_exchange(str(file(*(row.rsplit(",", 1)[0] for row in ROWS), header=header)))
    np.testing.assert_array_equal(facts["elasticity"], [1, 1])


def test_inf_for_all_makes_wants_linear(file):
    facts = read_exchange(file(*(row.rsplit(",", 1)[0] + ", Inf" for row in ROWS)))
    np.testing.assert_array_equal(facts["elasticity"], [np.inf, np.inf])
    mixed = sentence(file(ROWS[0], "fisher,2,25,0.7,0.3,inf"))
    assert mixed.startswith(
        "market.csv, line 3, column 'elasticity': the elasticity of trader 'fisher' is inf and that of"
    )
    assert "line 2, column 'taste:grain'" in sentence(file("farmer,40,1.5,0.5,inf,2", ROWS[1]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("agent", "name"), "column 'agent' is missing; the header must be agent,endowment:<good>"),
        (("agent", "agent,price"), "column 'price' is not known; remove it"),
        (("elasticity", "Elasticity"), "column 'Elasticity' is not known"),
        ((",endowment:fish", ""), "column 'taste:fish' has no counterpart 'endowment:fish'"),
        ((",taste:grain", ""), "column 'endowment:grain' has no counterpart 'taste:grain'"),
        (("taste:fish", "taste:fisch"), "column 'endowment:fish' has no counterpart 'taste:fish'"),
        ((",endowment:grain", ",endowment:"), "column 'endowment:' names no good"),
        (("endowment:grain", "endowment: fish"), "'endowment: fish' and 'endowment:fish' name the same good"),
        (("taste:grain", "taste:fish"), "columns 4 and 5 are both named 'taste:fish'"),
    ],
)
def test_faults_of_the_header(file, change, said):
    message = sentence(file("not read", header=HEADER.replace(*change)))
    assert message.startswith("market.csv, line 1: ") and said in message


def test_an_exchange_needs_two_goods_and_two_traders(file):
    one = file("a,1,1", "b,1,1", header="agent,endowment:grain,taste:grain")
    assert "market.csv, line 1: an exchange needs two goods, the header names 1" in sentence(one)
    assert "line 1: an exchange needs two goods, the header names 0" in sentence(file("a", header="agent"))
    assert "market.csv has one trader; an exchange needs two or more" in sentence(file(ROWS[0]))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "smith,-1,2,1,1,1",
            "line 4, column 'endowment:grain': the endowment of trader 'smith' is -1, negative",
        ),
        ("smith,1,2,-0.5,1,1", "line 4, column 'taste:fish': the taste of trader 'smith' is -0.5, negative"),
        ("smith,1,2,1,1,-3", "line 4, column 'elasticity': the elasticity of trader 'smith' is -3, negative"),
        ("smith,0,0,1,1,1", "line 4, columns 'endowment:...': trader 'smith' owns nothing"),
        ("smith,1,2,0,0,1", "line 4, columns 'taste:...': trader 'smith' wants nothing"),
        ("farmer,1,2,1,1,1", "line 4, column 'agent': 'farmer' already stands in line 2"),
        (" ,1,2,1,1,1", "line 4, column 'agent': the cell is empty"),
        ("smith,1,two,1,1,1", "line 4, column 'endowment:fish': 'two' is not a number"),
        ("smith,1,2,nan,1,1", "line 4, column 'taste:fish': 'nan' is not a finite number"),
        ("smith,1,2,1,1,two", "line 4, column 'elasticity': 'two' is not a number"),
        ("smith,1,2,1,1,nan", "line 4, column 'elasticity': 'nan' is not a finite number"),
        ("smith,1,2,1,1,", "line 4, column 'elasticity': the cell is empty"),
        ("smith,1,2,1,1", "line 4: the row has 5 cells and the header 6 columns"),
    ],
)
def test_faults_of_a_row(file, row, said):
    assert sentence(file(*ROWS, row)).startswith(f"market.csv, {said}")


def test_lines_are_those_of_the_file_not_of_the_array(file):
    path = file('"a\nb",1,2,1,1,1', "smith,-1,2,1,1,1")
    assert "line 4, column 'endowment:grain'" in sentence(path)


def test_goods_that_nobody_owns_or_wants(file):
    unowned = sentence(file("a,1,0,1,1,1", "b,1,0,1,1,1"))
    assert unowned.startswith("market.csv, column 'endowment:fish': nobody owns 'fish'")
    assert "write a positive endowment for one trader or remove the good" in unowned
    unwanted = sentence(file("a,1,1,1,0,1", "b,1,1,1,0,1"))
    assert unwanted.startswith("market.csv, column 'taste:grain': nobody wants 'grain'")


def test_faults_of_the_file_pass_through(file, tmp_path):
    assert "none.csv does not exist" in sentence(tmp_path / "none.csv")
    assert "bytes may be used" in sentence(file(*ROWS), limit=10)


# --- arrays ---


def facts(**changed):
    """A sound economy of three traders and two goods, with some fields changed."""
    sound = {
        "names": ("ann", "bob", "cid"),
        "goods": ("grain", "fish"),
        "endowment": [[1.0, 0], [0, 2], [1, 1]],
        "taste": [[1.0, 1], [0, 1], [2, 0]],
        "elasticity": [1.0, 0, 2],
    }
    return {**sound, **changed}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
def test_sound_facts_pass(dtype):
    arrays = {field: np.array(facts()[field], dtype) for field in ("endowment", "taste", "elasticity")}
    check_facts(**facts(**arrays))
    check_facts(**facts(**arrays, names=None, goods=None))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"endowment": [[1, -2], [1, 2], [1, 1]]},
            "endowment[0, 1]: the endowment of trader 'ann' is -2, negative",
        ),
        (
            {"taste": [[1, 1], [1, np.nan], [1, 1]]},
            "taste[1, 1]: the taste of trader 'bob' is nan, not a finite",
        ),
        (
            {"taste": [[1, 1], [1, 1], [-np.inf, 1]]},
            "taste[2, 0]: the taste of trader 'cid' is -inf, not a finite",
        ),
        (
            {"elasticity": [1, np.inf, 1]},
            "elasticity[1]: the elasticity of trader 'bob' is inf and that of trader 'ann' 1",
        ),
        ({"endowment": [[1, 0], [1, 0], [1, 0]]}, "endowment[:, 1]: nobody owns 'fish'"),
        ({"endowment": [[1, 1], [0, 0], [1, 0]]}, "endowment[1]: trader 'bob' owns nothing"),
        ({"taste": [[1, 1], [1, 1], [0, 0]]}, "taste[2]: trader 'cid' wants nothing"),
        ({"taste": [[0, 1], [0, 1], [0, 1]]}, "taste[:, 0]: nobody wants 'grain'"),
        ({"taste": [[1, 1], [1, 1]]}, "taste has shape (2, 2) where the endowment asks for (3, 2)"),
        ({"elasticity": np.array(1.0)}, "elasticity has shape () where the endowment asks for (3,)"),
        ({"names": ("ann", "bob")}, "names has shape (2,)"),
        ({"goods": ("grain",)}, "goods has shape (1,)"),
        ({"names": ("ann", "bob", "ann")}, "names[2] is 'ann', as is names[0]"),
        ({"goods": ("grain", " ")}, "goods[1] is empty"),
        ({"endowment": [1, 2, 3]}, "endowment has shape (3,); give [traders, goods], at least two of each"),
        ({"endowment": [[1], [1], [1]]}, "endowment has shape (3, 1)"),
        ({"endowment": [[1, 1]]}, "endowment has shape (1, 2)"),
    ],
)
def test_faults_of_arrays(changed, said):
    with pytest.raises(BadInput) as caught:
        check_facts(**facts(**changed))
    assert str(caught.value).startswith(said)


def test_without_names_traders_and_goods_are_counted_as_in_the_arrays():
    for changed, said in (
        ({"endowment": [[1, 1], [1, -2], [1, 1]]}, r"endowment\[1, 1\]: the endowment of trader 1 is -2"),
        ({"endowment": [[1, 0], [1, 0], [1, 0]]}, r"endowment\[:, 1\]: nobody owns good 1"),
    ):
        with pytest.raises(BadInput, match=said):
            check_facts(**facts(**changed, names=None, goods=None))


# --- the example ---


def test_the_shipped_example_is_a_market_day_of_specialists():
    facts = read_exchange(valley())
    endowment, taste, elasticity = facts["endowment"], facts["taste"], facts["elasticity"]
    assert endowment.shape == (10, 5)
    assert (endowment > 0).all()  # a kitchen garden: nobody's utility is 0 in silence
    assert ((endowment >= 3).sum(0) >= 2).all(), "every good has two real owners"
    assert ((taste > 0).sum(0) >= 3).all(), "every good is wanted by three"
    value = endowment / endowment.sum(0)
    assert np.median(value.max(1) / value.sum(1)) > 0.6, "most traders own mainly one good"
    assert {0.3, 0.5, 1.0, 2.0, 4.0} <= set(elasticity.tolist())
    np.testing.assert_array_equal(endowment, endowment.round(1))
