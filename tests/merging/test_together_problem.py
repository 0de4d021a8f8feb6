"""Training together as a problem: its laws, its regimes, the questions, what leaves with a member, and bad input."""

import equinox as eqx
import jax
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.outcome import Status
from catallax.core.random import key as make_key
from catallax.core.run import run
from catallax.measures.bits import bits
from catallax.measures.influence import influence
from catallax.merging.together.problem import Together
from catallax.merging.together.training import train_together
from catallax.questions import compare, lesion
from catallax.testing import check_problem

MEMBERS = 6


@pytest.fixture(scope="module")
def digits():
    """Noughts to threes: 180 rows, and 120 held out."""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(y < 4))[:300]
    X, y = X[rows] / 16, y[rows]
    return (X[120:], y[120:]), (X[:120], y[:120])


@pytest.fixture(scope="module")
def data(digits):
    """Two kinds a member, or three."""
    (X, y), held = digits
    parts = np.array_split(np.argsort(y, kind="stable"), 2 * MEMBERS)
    own = [np.concatenate([parts[i], parts[i + MEMBERS]]) for i in range(MEMBERS)]
    return [(X[rows], y[rows]) for rows in own], held


@pytest.fixture(scope="module")
def model():
    return eqx.nn.Linear(64, 4, key=jax.random.key(0))


@pytest.fixture(scope="module")
def together(model, data):
    rows, held = data
    return Together(model, rows, held=held, rounds=20, local_steps=5, batch=16, rate=0.3)


@pytest.fixture(scope="module")
def learnt(together):
    return together.trained()


def test_laws_of_the_merged_model(together, model, data):
    rows, _ = data
    x, y = rows[0]
    bad = [
        lambda: Together(model, []),
        lambda: Together(model, [(x,)]),
        lambda: Together(model, [(x, y[:-1])]),
        lambda: Together(model, [(x[:, :9], y)]),
        lambda: Together(model, [(x, y), (x[:, :9], y)]),
        lambda: Together(model, [(np.where(x == x[3, 5], np.nan, x), y)]),
        lambda: Together(model, [(x, y + 3)]),
        lambda: Together(model, [(x, y + 0.5)]),
        lambda: Together(model, [(x, y)], held=(x[:, :9], y)),
        lambda: Together(len, rows),
        lambda: Together([model], rows),
        lambda: Together([model] * MEMBERS, rows),
        lambda: Together(model, rows, method="smoke"),
        lambda: Together(model, rows, loss="pain"),
        lambda: Together(model, rows, objectives=["squared"]),
        lambda: Together(model, rows, score="points"),
        lambda: Together(model, rows, rounds=-1),
        lambda: Together(model, rows, local_steps=0),
        lambda: Together(model, rows, batch=0),
        lambda: Together(model, rows, optimiser="anneal"),
        lambda: Together(model, rows, rate=0),
        lambda: Together(model, rows, optimiser=optax.sgd(1.0), rate=0.1),
        lambda: Together(model, rows, method="gossip", outer=optax.sgd(1.0)),
        lambda: Together(model, rows, participation=0),
        lambda: Together(model, rows, lost=1.0),
        lambda: Together(model, rows, aggregate="shout"),
        lambda: Together(model, rows, faulty=0.5),
        lambda: Together(model, rows, byzantine={9: "flip"}),
        lambda: Together(model, rows, byzantine=dict.fromkeys(range(MEMBERS), "flip")),
        lambda: Together(model, rows, method="gossip", graph="web"),
        lambda: Together(model, rows, weights=[1, 2]),
        lambda: Together(model, rows, max_influence=0.1),
        lambda: Together(model, rows, bits=0),
        lambda: Together(model, [*rows[:-1], (x[:4], y[:4])], loss=lambda m, x, y: 0.0 * x.sum(), batch=None),
        lambda: train_together(model, rows, bits=4, channel=Channel(bits=4)),
    ]
    few = together.by(bits=3, participation=0.7)
    assert check_problem(few, bad=bad) == ["locality", "honest bits", "conservation", "reproducibility"]


@pytest.mark.long
def test_laws_of_a_robust_merge(together):
    assert check_problem(together.by(aggregate="median")) == [
        "locality",
        "honest bits",
        "conservation",
        "reproducibility",
    ]


@pytest.mark.long
def test_laws_of_gossip_in_few_bits(together):
    few = together.by(method="gossip", bits=4, lost=0.2)
    assert check_problem(few) == ["locality", "conservation", "reproducibility"]


def test_together_they_know_what_none_knows_alone(together, learnt):
    """Each has seen two kinds of four; the merged model comes near that of all rows in one place."""
    answer = compare(together)
    reached = {row["regime"]: row["accuracy"] for row in answer.rows}
    assert reached["silence"] < 0.8 < 0.9 < reached["signal"]
    assert abs(reached["planner"] - reached["signal"]) < 0.05
    assert answer.rows[3]["status"] == "refused" and learnt.accuracy > 0.9
    planned = together.plan()
    assert planned.rounds == 100 and planned.bits == 5 * learnt.bits


def test_bits_of_a_round_follow_the_bits_of_a_number(together):
    numbers = 64 * 4 + 4
    whole, few = bits(together.society()), bits(together.quantised(4).society())
    assert whole["public"] == 32 * numbers and few["public"] == 4 * numbers
    gathered = bits(together.by(aggregate="median").society())
    assert gathered["summary"] > MEMBERS * 32 * numbers and bits(together.quantised(32).society()) == whole


def test_a_channel_on_the_air_is_heard_by_all(together):
    """The core's own channel cuts the merged model itself."""
    outcome = run(together, 20, channel=Channel(bits=8))
    assert outcome.accuracy > 0.9 and outcome.heard.shape == (260,)
    with pytest.raises(Refused, match="rows"):
        run(together.by(aggregate="median"), 5, channel=Channel(loss=0.1))
    with pytest.raises(Refused, match="neighbours"):
        train_together(*plain(together), method="gossip", channel=Channel(delay=1))


def plain(together) -> tuple:
    table, set_ = together.facts.table, together.facts.settings
    return set_.form.model(set_.form.params(table.start)), list(zip(table.x, table.y, strict=True))


def test_liars_are_outvoted_and_the_mean_is_not(together, model, digits):
    """Where members' rows are alike: who has seen other kinds than the rest looks like a liar."""
    (X, y), held = digits
    alike = [(X[i::MEMBERS], y[i::MEMBERS]) for i in range(MEMBERS)]
    given = dict(held=held, rounds=20, local_steps=5, batch=16, rate=0.3)
    lied = Together(model, alike, byzantine={5: lambda update, key: -20 * update}, **given)
    fooled, median = lied.trained(), lied.by(aggregate="median").trained()
    assert fooled.accuracy < 0.8 < 0.9 < median.accuracy
    assert fooled.influence[5] > 0.5 > 0.3 > median.influence[5]
    assert lied.plan().shares.size == MEMBERS - 1  # the planner knows who lies


def test_who_leaves_takes_its_rows_and_not_what_it_taught(together, learnt):
    left = together.restrict(np.arange(MEMBERS) != 2)
    assert left.facts.members == 5 and np.array_equal(left.facts.table.x[2], together.facts.table.x[3])
    keep = np.array([0, 1, 3, 4, 5])
    society = left.carried(learnt.society, keep)
    assert np.array_equal(society.signal.model, learnt.society.signal.model)
    assert np.array_equal(society.agents.own, learnt.society.agents.own[keep])
    assert left.outcome(society).accuracy == learnt.accuracy
    assert np.allclose(influence(learnt.society), learnt.influence) and together.effect(learnt) < 0.3
    with pytest.raises(Refused, match="nobody"):
        together.restrict(np.zeros(MEMBERS, bool))


def test_models_of_ones_own_are_carried_and_a_broken_ring_is_refused(together):
    gossip = together.by(method="gossip", graph="complete")
    old = run(gossip.society(), 3).society
    keep = np.array([0, 1, 4])
    left = gossip.restrict(keep)
    assert np.array_equal(left.carried(old, keep).signal.copies, old.signal.copies[keep])
    with pytest.raises(Refused, match="parts"):
        gossip.by(graph="ring").restrict([0, 1, 3, 4])
    weights = gossip.by(graph=np.full((6, 6), 1 / 6)).restrict([0, 1, 2]).mixing()
    assert np.allclose(weights, np.full((3, 3), 1 / 6) + np.eye(3) / 2)


@pytest.mark.long
def test_a_lesion_costs_little(together):
    rows = lesion(together, fractions=(0.0, 0.2), seeds=1).rows
    assert {row["removed"] for row in rows} == {0.0, 0.2} and all(row["efficiency"] > 0.9 for row in rows)


def test_more_of_them_and_another_world(together, learnt):
    twice = together.replicate(2)
    assert twice.facts.members == 2 * MEMBERS and np.allclose(twice.shares().sum(), 1)
    other = together.shocked(make_key(0), 0.5)
    changed = [not np.array_equal(a, b) for a, b in zip(other.facts.table.y, together.facts.table.y, strict=True)]
    assert sum(changed) == 1 and np.array_equal(other.facts.table.held_y, together.facts.table.held_y)
    everywhere = together.shocked(make_key(0), 0.5, what="all")
    after = everywhere.outcome(everywhere.carried(learnt.society))
    assert after.accuracy < 0.8  # half of the classes have other names
    with pytest.raises(Refused, match="lie"):
        together.society(leak=0.5)


def test_the_door_says_how_it_went(together, model):
    _, rows = plain(together)
    outcome = train_together(
        model, rows, rounds=20, local_steps=5, batch=16, rate=0.3, weights="equal", max_influence=0.2
    )
    assert outcome.status == Status.DONE and set(outcome.record) >= {
        "round",
        "loss",
        "accuracy",
        "disagreement",
        "bits",
    }
    assert outcome.record["accuracy"][-1] == pytest.approx(outcome.accuracy)
    assert outcome.bits == outcome.record["bits"][-1] == 2 * MEMBERS * 20 * 32 * 260
    assert outcome.model(rows[0][0][0]).shape == (4,) and np.allclose(outcome.shares, 1 / MEMBERS)


def test_what_there_is_to_look_at(together, learnt):
    assert len(together.scene(learnt.society).items) == 2
    assert len(together.by(method="gossip").scene(together.by(method="gossip").society()).items) == 4
    assert "6 members" in together.words()["population"]
