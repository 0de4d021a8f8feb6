"""Lessons as a problem: its laws, its regimes, other problems made of it, its units, and its file."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Damaged, Refused
from catallax.core.random import key as make_key
from catallax.core.record import Record
from catallax.core.run import run
from catallax.io.labelled import exchanged
from catallax.measures.bits import bits
from catallax.measures.influence import influence
from catallax.networks.layers import with_fields
from catallax.networks.problem import Lessons
from catallax.networks.saved import load, save
from catallax.networks.units import Staff, Units
from catallax.questions import lesion, replicate, shock
from catallax.testing import check_problem

X, Y = load_digits(return_X_y=True)
X, Y = X[:360] / 16, Y[:360]


@pytest.fixture(scope="module")
def lessons():
    return Lessons(X, Y, widths=(24,), epochs=8, rate=1e-2)


@pytest.fixture(scope="module")
def easy():
    """Noughts and ones: the loss falls to nothing in few rounds, which is rest."""
    return Lessons(X[Y < 2], Y[Y < 2], widths=(8,), epochs=30, batch=16, rate=0.3)


@pytest.fixture(scope="module")
def learnt(lessons):
    return lessons.taught()


def test_it_is_taught_all_epochs_and_no_round_more(lessons, learnt):
    table = lessons.facts.table
    assert lessons.steps == len(table.y) // 32 > 1
    assert learnt.rounds == lessons.patience == 8 * lessons.steps


def test_laws(easy):
    bad = [
        lambda: Lessons(X[:, 0], Y),
        lambda: Lessons(X, Y[:-1]),
        lambda: Lessons(np.where(X[3, 5] == X, np.nan, X), Y),
        lambda: Lessons(X, np.zeros(len(Y), int)),
        lambda: Lessons(X, Y + 0.5),
        lambda: Lessons(X, Y, widths=()),
        lambda: Lessons(X, Y, widths=(8, 0)),
        lambda: Lessons(X, Y, epochs=0),
        lambda: Lessons(X, Y, share=1.0),
        lambda: Lessons(X, Y, signal="smoke"),
        lambda: Lessons(X, Y, bits=25),
        lambda: Lessons(X, Y, rate=0.0),
        lambda: Lessons(X, Y, activation="wavy"),
        lambda: Lessons(X, np.arange(len(Y))),
        lambda: Lessons(X, Y, held=(X[:3], [0, 1, 77])),
    ]
    assert check_problem(easy, bad=bad) == ["conservation", "reproducibility", "certificate"]


def test_laws_of_units(easy):
    assert check_problem(easy.units()) == ["conservation", "reproducibility", "certificate"]


def test_every_class_is_held_out_and_none_twice(lessons):
    table = lessons.facts.table
    assert len(table.y) + len(table.held_y) == len(Y)
    for label in range(10):
        assert (table.held_y == label).sum() == round(0.2 * (label == Y).sum())
    together = np.concatenate([table.x, table.held_x])
    assert {row.tobytes() for row in together} == {row.tobytes() for row in X}


def test_words_are_classes_and_inputs_are_scaled_by_rows_learnt_from():
    names = np.array(["no", "yes"])[(Y > 4).astype(int)]
    lessons = Lessons(X, names, scaled=True)
    table = lessons.facts.table
    assert table.classes == ("no", "yes")
    np.testing.assert_allclose(table.x.mean(axis=0), 0, atol=1e-12)
    varied = table.x.std(axis=0) > 0
    np.testing.assert_allclose(table.x.std(axis=0)[varied], 1)
    given_rows = Lessons(X[:300], names[:300], held=(X[300:], names[300:]))
    np.testing.assert_array_equal(given_rows.facts.table.held_y, names[300:] == "yes")


def test_regimes(lessons, learnt):
    silent, planned = lessons.silence(), lessons.plan()
    assert lessons.welfare(silent)["accuracy"] < lessons.welfare(learnt)["accuracy"]
    assert lessons.welfare(learnt)["accuracy"] > 0.8
    assert planned.digest() == learnt.digest()
    assert "no optimum" in planned.notes[0]
    assert lessons.welfare(silent)["bits_per_update"] == pytest.approx(np.log2(10))
    assert lessons.welfare(learnt)["bits_per_update"] == (24 + 10) * 32
    with pytest.raises(Refused, match="no ends of their own"):
        lessons.contest()
    with pytest.raises(Refused, match="no effect of its own"):
        lessons.society(0.5)
    with pytest.raises(Refused, match=r"Lessons\.units"):
        lessons.restrict([0])
    with pytest.raises(Refused, match=r"Lessons\.units"):
        lessons.replicate(2)


def test_welfare_is_of_the_rows_held_out(lessons, learnt):
    table, chain = lessons.facts.table, lessons.chain(learnt.society)
    score = np.asarray(chain(np.asarray(table.held_x, np.float32)), float)
    found = lessons.welfare(learnt)
    assert found["accuracy"] == pytest.approx((score.argmax(1) == table.held_y).mean())
    logs = score - np.log(np.exp(score).sum(1, keepdims=True))
    assert found["loss"] == pytest.approx(-logs[np.arange(len(score)), table.held_y].mean(), rel=1e-4)


def test_a_channel_narrows_what_layers_are_told(lessons):
    through = run(lessons, 8, channel=Channel(bits=6)).digest()
    assert through == run(lessons.quantised(6), 8).digest() != run(lessons, 8).digest()
    for channel in (Channel(noise=0.1), Channel(delay=1), Channel(loss=0.5), Channel(bits=32)):
        with pytest.raises(Refused):
            run(lessons, 8, channel=channel)
    with pytest.raises(Refused, match="1 to 24 bits"):
        lessons.quantised(32)


def test_bits_of_a_round_are_those_of_a_row_times_the_batch(lessons):
    assert bits(lessons.society())["total"] == 32 * 34 * 32
    assert bits(lessons.quantised(4).society())["total"] == 32 * (34 * 4 + 2 * 32)


def test_record(lessons):
    outcome = run(lessons, lessons.patience, record=Record(every=lessons.steps, **lessons.watch()))
    assert np.isnan(outcome.record["loss"][0]) and np.isnan(outcome.record["accuracy"][0])
    assert (np.diff(outcome.record["loss"][1:]) < 0).all()
    assert outcome.record["accuracy"][-1] == pytest.approx(lessons.welfare(outcome)["accuracy"])
    assert outcome.status == "done"


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0, 2))
def test_exchanges_move_just_so_many(seed, count, size):
    order = exchanged(np.random.default_rng(seed), count, size)
    assert sorted(order) == list(range(count))
    moved = (order != np.arange(count)).sum()
    assert moved == (min(count, max(2, round(min(size, 1) * count))) if size > 0 else 0)


def test_a_shock_moves_inputs_or_names_alike_in_all_rows(lessons):
    before, after = lessons.facts.table, lessons.shocked(make_key(1), 0.5).facts.table
    moved = (before.x != after.x).any(axis=0)
    assert 0 < moved.sum() <= 32
    np.testing.assert_array_equal(np.sort(before.x, axis=1), np.sort(after.x, axis=1))
    np.testing.assert_array_equal(before.y, after.y)
    renamed = lessons.shocked(make_key(1), 0.3, what="labels").facts.table
    assert len({(a, b) for a, b in zip(before.y, renamed.y, strict=True)}) == 10
    assert len(set(before.y[before.y != renamed.y])) == 3
    np.testing.assert_array_equal(before.x, renamed.x)
    with pytest.raises(BadInput, match="inputs change places"):
        lessons.shocked(make_key(1), 0.3, what="weather")


def test_shock_is_answered(lessons):
    answer = shock(lessons, size=0.3, rounds=12)
    assert [row["round"] for row in answer.rows] == list(range(13))
    assert answer.rows[0]["efficiency"] < answer.facts["before"]
    assert answer.rows[-1]["efficiency"] > answer.rows[0]["efficiency"]


def test_units_that_are_gone_say_nothing(lessons, learnt):
    units = Units(lessons)
    staff = units.carried(units.outcome(Staff.of(learnt.society)).society)
    keep = np.arange(24) % 3 > 0
    left = units.restrict(keep)
    assert left.lessons.facts.settings.widths == (16,)
    silent = left.carried(staff, keep)
    first, last = (part.layer for part in silent.school.parts)
    whole = [part.layer for part in staff.school.parts]
    table = lessons.facts.table
    hidden = np.maximum(table.held_x @ np.asarray(whole[0].weight)[keep].T + np.asarray(whole[0].bias)[keep], 0)
    score = hidden @ np.asarray(whole[1].weight)[:, keep].T + np.asarray(whole[1].bias)
    assert left.welfare(left.outcome(silent))["accuracy"] == pytest.approx((score.argmax(1) == table.held_y).mean())
    assert not np.asarray(first.weight)[~keep].any() and not np.asarray(last.weight)[:, ~keep].any()
    with pytest.raises(Refused, match="hidden layer 0 would have no unit"):
        units.restrict(np.zeros(24, bool))


def test_influence_is_a_share_of_what_a_layer_says(lessons, learnt):
    staff = Staff.of(learnt.society)
    layer = staff.school.parts
    y = np.maximum(
        lessons.facts.table.held_x @ np.asarray(layer[0].layer.weight).T + np.asarray(layer[0].layer.bias), 0
    )
    loud = y[:256].mean(0) * np.linalg.norm(np.asarray(layer[1].layer.weight), axis=0)
    np.testing.assert_allclose(influence(staff), loud / loud.sum(), rtol=1e-4)
    assert lessons.effect(learnt) == pytest.approx(loud.max() / loud.sum(), rel=1e-4)


def test_lesion_and_replication_are_answered(lessons):
    short = lessons.by(epochs=1).units()
    answer = lesion(short, fractions=(0.0, 0.5), seeds=2)
    by = {(row["order"], row["removed"]): row["efficiency"] for row in answer.rows}
    assert by["influential", 0.5] < by["influential", 0.0]
    wide = replicate(short, copies=(1, 2))
    assert [row["agents"] for row in wide.rows] == [24, 48]
    assert wide.rows[1]["effect"] < wide.rows[0]["effect"]


def test_a_chain_comes_back_from_its_file(lessons, learnt, tmp_path):
    chain = lessons.chain(learnt.society)
    again = load(save(chain, tmp_path / "chain.safetensors"))
    x = X[:7].astype(np.float32)
    np.testing.assert_array_equal(chain(x), again(x))
    assert jax.tree.structure(chain) == jax.tree.structure(again)
    direct = lessons.by("direct-feedback-alignment").chain()
    other = load(save(direct, tmp_path / "direct.safetensors"))
    np.testing.assert_array_equal(direct.teaching.matrices[0], other.teaching.matrices[0])


def test_files_that_are_none(lessons, tmp_path):
    path = save(lessons.chain(), tmp_path / "chain.safetensors")
    data = path.read_bytes()
    for name, content in {
        "cut": data[:-40],
        "changed": data[:-4] + bytes([data[-4] ^ 1]) + data[-3:],
        "other": b"hello",
        "renamed": data.replace(b"layer.1.bias", b"layer.7.bias"),
        "version": data.replace(b"catallax chain 1", b"catallax chain 0"),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Damaged) as raised:
            load(tmp_path / name)
        assert "\n" not in str(raised.value)
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "nothing")
    with pytest.raises(BadInput, match="not a folder"):
        save(lessons.chain(), tmp_path / "no" / "chain")
    odd = lessons.chain()
    own = (with_fields(odd.layers[0], activation=lambda z: z), *odd.layers[1:])
    with pytest.raises(BadInput, match="function of your own"):
        save(with_fields(odd, layers=own), tmp_path / "odd")


def test_scene(lessons, learnt):
    scene = lessons.scene(learnt.society)
    grid, bars = scene.items
    assert grid.values.shape == (4 * 9 - 1, 4 * 9 - 1) and bars.values.tolist() == [24 * 32, 10 * 32]
    weight = np.asarray(learnt.society.parts[0].layer.weight, float)[0].reshape(8, 8)
    np.testing.assert_allclose(grid.values[::-1][:8, :8], weight / np.abs(weight).max())


def test_a_class_of_one_row_is_named():
    with pytest.raises(BadInput, match=r"the rows of class 'b' \(1\) are too few"):
        Lessons(np.arange(8.0)[:, None], np.array(["a"] * 7 + ["b"]))
