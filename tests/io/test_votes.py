"""Votes from tables: columns by many names, the quick way and the careful one alike, and every fault a sentence."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io import votes as module
from catallax.io.votes import read_gold, read_votes

VOTES = "task,worker,label\nt1,ann,cat\nt1,bob,dog\nt2,ann,cat\n"


@pytest.fixture
def file(tmp_path):
    """Writes bytes or text to `v.csv` and returns its path."""

    def written(content, name="v.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def columns(votes):
    """Task, worker and label of every vote, as text."""
    return [
        votes.tasks[votes.task].tolist(),
        votes.workers[votes.worker].tolist(),
        votes.labels[votes.label].tolist(),
    ]


def sentence(path, read=read_votes) -> str:
    with pytest.raises(BadInput) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and "; " in message
    return message.replace(str(path), "v.csv")


def test_votes_are_coded_in_order_of_appearance(file):
    votes = read_votes(file(VOTES))
    assert votes.tasks.tolist() == ["t1", "t2"] and votes.workers.tolist() == ["ann", "bob"]
    assert votes.task.tolist() == [0, 0, 1] and votes.label.tolist() == [0, 1, 0]
    assert votes.lines.tolist() == [2, 3, 4] and votes.weight is None and votes.ignored == ()
    assert {a.dtype for a in (votes.task, votes.worker, votes.label)} == {np.dtype(np.int32)}


@pytest.mark.parametrize(
    "text",
    [
        "Answer;WORKER;question\ncat;ann;t1\ndog;bob;t1\ncat;ann;t2",
        "item\tresponse\tannotator\r\nt1\tcat\tann\r\nt1\tdog\tbob\r\nt2\tcat\tann\r\n",
        "task,worker,label\n t1 ,ann, cat\nt1, bob,dog\nt2,ann,cat\n\n",
        'task,worker,label\n"t1",ann,cat\nt1,"bob",dog\nt2,ann,cat\n',
        "\ufefftask,user,label\nt1,ann,cat\nt1,bob,dog\nt2,ann,cat\n",
        "task,label,worker,label_source\nt1,cat,ann,x\nt1,dog,bob,y\nt2,cat,ann,\n",
    ],
)
def test_names_separators_and_quotes(file, text):
    votes = read_votes(file(text))
    assert columns(votes) == [["t1", "t1", "t2"], ["ann", "bob", "ann"], ["cat", "dog", "cat"]]
    assert votes.ignored == (("label_source",) if "source" in text else ())


def test_weights_are_numbers(file):
    votes = read_votes(file("weight,task,worker,label\n2,a,x,1\n0.5,a,y,0\n2,b,x,1\n"))
    assert votes.weight.tolist() == [2, 0.5, 2]
    assert "line 3, column 'weight': the weight is -1" in sentence(
        file("weight,task,worker,label\n1,a,x,1\n-1,a,y,0\n")
    )
    assert "line 2, column 'weight': 'much' is not a number" in sentence(file("weight,task,worker,label\nmuch,a,x,1\n"))


cells = st.text(st.sampled_from('ab ,";\néß\t'), min_size=1, max_size=4).filter(lambda s: s.strip() == s)


@given(rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=12), plain=st.booleans())
def test_what_csv_writes_is_read(tmp_path_factory, rows, plain):
    """By both ways; blocks of a few bytes, so that rows of one and of the other follow each other."""
    if plain:
        rows = [tuple("".join(c for c in cell if c not in ',";\n\t ') or "z" for cell in row) for row in rows]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("task", "worker", "label"), *rows])
    path = tmp_path_factory.mktemp("votes") / "v.csv"
    path.write_text(text.getvalue(), newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 16)
        votes = read_votes(path)
    assert columns(votes) == [list(column) for column in zip(*rows, strict=True)]


def test_the_quick_way_leaves_nothing_to_the_careful_one(file, monkeypatch):
    monkeypatch.setattr(module, "careful", lambda *_: pytest.fail("the careful way was taken"))
    monkeypatch.setattr(module, "BLOCK", 64)
    rows = [(f"t{k // 5}", f"w{k % 7}", "yes" if k % 3 else "no") for k in range(500)]
    votes = read_votes(file("task,worker,label\n" + "".join(",".join(row) + "\r\n" for row in rows)))
    assert columns(votes) == [list(column) for column in zip(*rows, strict=True)]
    assert votes.lines.tolist() == list(range(2, 502))


def test_rows_that_make_up_for_each_other_are_seen(file):
    """Four cells and then two: six in two rows."""
    text = "task,worker,label\n" + "a,b,c\n" * 30 + "a,b,c,d\na,b\n"
    assert "line 32: the row has 4 cells and the header 3 columns" in sentence(file(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task,worker\n1,2\n", "line 1: column 'label' is missing; the header must name task,worker,label"),
        ("label,worker\n1,2\n", "line 1: column 'task' is missing"),
        ("task,label\n1,2\n", "line 1: column 'worker' is missing"),
        (VOTES + "t3,,cat\n", "line 5, column 'worker': the cell is empty"),
        (VOTES + "t3,ann, \n", "line 5, column 'label': the cell is empty"),
        (VOTES + "t3,ann\n", "line 5: the row has 2 cells"),
        (VOTES + "\nt3,ann,cat\n", "line 5 is blank, with rows after it"),
        (VOTES.encode() + b"t3,\xff,cat\n", "line 5: byte 54 (0xff) is not UTF-8"),
        ("task,worker,label\n", "has a header and no rows"),
        ("", "is empty"),
    ],
)
def test_faults_are_sentences(file, text, said):
    assert said in sentence(file(text))


def test_gold(file):
    text = "question,truth\nt1,cat\nt2,dog\nt1,cat\n"
    assert read_gold(file(text)) == {"t1": "cat", "t2": "dog"}
    assert read_gold(file("label,task,note\ncat,t1,\n")) == {"t1": "cat"}
    assert "line 4, column 'truth': task 't2' is 'cat' here and 'dog' before" in sentence(
        file("question,truth\nt1,cat\nt2,dog\nt2,cat\n"), read_gold
    )
    assert "line 1: column 'label' is missing; the header must name task,label" in sentence(
        file("task,x\n1,2\n"), read_gold
    )
    assert "does not exist" in sentence(file("x").with_name("other.csv"), read_gold)
