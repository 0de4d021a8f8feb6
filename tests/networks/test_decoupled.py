"""Groups of layers in processes of their own: nobody waits, who is killed is not missed, nothing is left behind."""

import multiprocessing
import os
import signal
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.errors import BadInput, Refused
from catallax.core.progress import Interrupt
from catallax.networks.decoupled import Crew, links_of, snapshot_like, train_apart, with_leaves
from catallax.networks.links.groups import taken_apart
from catallax.networks.links.process import Process, link, shared
from catallax.networks.links.ring import Ring
from catallax.networks.links.worker import COUNTS, GO, Task, Wiring, Worker
from catallax.networks.school import Learner
from catallax.networks.training import enrolled
from catallax.signals.teaching import Batch, Wire

ADAM = optax.adam(2e-3)
KINDS = {
    "local losses": networks.LocalLosses("predsim"),
    "random targets": networks.RandomTargets(),
    "forward-forward": networks.ForwardForward(),
    "SoftHebb": networks.SoftHebb(temperature=(0.03, 0.05)),
}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    return (X[rows] / 16).astype(np.float32), y[rows].astype(np.int32)


def chain_of(teaching):
    layers = [networks.Dense(64, 48), networks.Dense(48, 40), networks.Dense(40, 10)]
    return networks.Chain(layers, teaching=teaching, seed=1)


# --- the link ---


def message(number):
    return [np.full((3, 2), number, np.float32), np.full(3, number, np.int32)]


LIKE = [((3, 2), "float32"), ((3,), "int32")]


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 2)), max_size=40),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.integers(1, 4),
)
def test_a_link_hands_on_the_freshest_that_has_landed_and_never_more_than_it_holds(events, delay, slots):
    ring, now, sent, last = Ring(LIKE, delay=delay, slots=slots), 0.0, [], -1
    for is_send, wait in events:
        now += wait
        if is_send:
            under_way = [t for t, _ in sent[-slots:] if t + delay > now]
            assert ring.send(message(len(sent)), now) == (len(under_way) < slots)
            if len(under_way) < slots:
                sent.append((now, len(sent)))
            continue
        got = ring.newest(now)
        landed = [(t, k) for t, k in sent[-slots:] if t + delay <= now and k > last]
        assert (got is None) == (not landed)
        if got is not None:
            assert (got.arrays[0] == landed[-1][1]).all() and (got.arrays[1] == landed[-1][1]).all()
            assert got.age == pytest.approx(now - landed[-1][0]) and got.age >= delay
            last = landed[-1][1]
    assert ring.sent == len(sent) and ring.dropped == sum(is_send for is_send, _ in events) - len(sent)


def test_what_is_half_written_is_not_read():
    ring = Ring(LIKE, slots=3)
    ring.send(message(1), 0.0)
    ring.send(message(2), 0.0)
    ring.places[ring.written % 3 - 1, 5] ^= 1  # a byte of the second
    got = ring.newest(1.0)
    assert got is not None and (got.arrays[0] == 1).all()
    assert ring.newest(1.0) is None


def test_messages_are_lost_as_often_as_it_says():
    ring = Ring(LIKE, loss=0.25, slots=2, seed=3)
    for number in range(2000):
        ring.send(message(number), float(number))
    assert ring.sent == 2000 and abs(ring.lost / 2000 - 0.25) < 4 * (0.25 * 0.75 / 2000) ** 0.5


# --- the lessons of a group ---


@pytest.mark.parametrize("kind", KINDS)
def test_groups_learn_what_the_whole_network_would(kind, digits):
    chain, (X, y) = chain_of(KINDS[kind]), digits
    x, target, key = jnp.asarray(X[:32]), jnp.asarray(y[:32]), jax.random.key(7)
    whole = eqx.filter_jit(lambda parts: chain.teaching.teach(parts, Batch(x, target, chain.loss, key), Wire()))(
        chain.parts
    )
    stream, found = (x,), []
    for group in taken_apart(chain, (1, 2)):
        lesson = eqx.filter_jit(lambda group, parts, stream: group.lesson(parts, stream, target, key))
        gradients, stream, value = lesson(group, chain.parts[group.first : group.stop], stream)
        assert np.isfinite(value)
        found += gradients
    np.testing.assert_allclose(value, whole.loss, rtol=1e-5)
    for own, wanted in zip(jax.tree.leaves(tuple(found)), jax.tree.leaves(whole.gradients), strict=True):
        np.testing.assert_allclose(own, wanted, rtol=1e-4, atol=1e-6)


def crew_of(chain, rows, cuts=(1,), batch=50, optimiser=ADAM):
    """Workers in this process, one a group."""
    learners = [Learner.new(part, optimiser) for part in chain.parts]
    tasks = [Task(g, tuple(learners[g.first : g.stop]), None, batch, 5, 0.0, 4) for g in taken_apart(chain, cuts)]
    tasks[0] = tasks[0]._replace(rows=rows)
    links = links_of(tasks, dict(delay=0.0, loss=0.0, slots=4, batch=batch))
    word = shared(1)
    word[0] = GO
    ends = zip(tasks, [None, *links], [*links, None], strict=True)
    return [Worker(task, Wiring(a, b, link(snapshot_like(task), 3), word)) for task, a, b in ends]


def test_one_waits_for_none_and_the_other_goes_on_with_what_it_has_kept(digits, monkeypatch):
    X, y = digits[0][:500], digits[1][:500]
    chain = chain_of(KINDS["local losses"])
    lower, upper = crew_of(chain, (X, y))
    upper.step()
    assert upper.lessons == 0 and upper.idle > 0  # nothing has ever come
    for _ in range(12):  # more than an epoch
        lower.step()
    school, _ = enrolled(chain, X, y, 50, ADAM, None, None).advance(0, 12, 5)
    for own, wanted in zip(weights(lower), jax.tree.leaves(school.parts[:1]), strict=True):
        np.testing.assert_allclose(own, wanted, rtol=1e-3, atol=1e-4)  # as within the whole network
    for _ in range(3):
        upper.step()
    assert upper.lessons == 3 and upper.source.repeated == 2  # the freshest, then what was kept of it
    lower.step()
    upper.step()
    assert upper.source.repeated == 2 and upper.source.counts["read"] == 2
    assert lower.outbox.sent == 13 and lower.outbox.dropped == 0
    parents = iter([1, 1, 1, 2])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    before = lower.lessons
    assert lower.go() == [] and lower.lessons == before + 2  # its parent is another: it ends
    newest = Ring(**lower_snapshots(lower)).newest(time.monotonic())
    np.testing.assert_array_equal(newest.arrays[0], weights(lower)[0])


def lower_snapshots(worker):
    ring = worker.snapshots
    return dict(like=[(shape, kind.name) for shape, kind in ring.like], memory=ring.memory, slots=ring.slots)


def weights(worker):
    learners = eqx.combine(worker.moving, worker.rest)
    return jax.tree.leaves(eqx.filter(tuple(one.part for one in learners), eqx.is_inexact_array))


def test_a_layer_that_comes_to_hold_nan_is_named(digits):
    chain = chain_of(KINDS["local losses"])
    (worker, _) = crew_of(chain, (digits[0][:100], digits[1][:100]), cuts=(2,), optimiser=optax.sgd(float("inf")))
    assert worker.go() == [0, 1]


# --- processes ---


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def first_killed(digits):
    """Both learn; then the first is killed, and the second goes on."""
    seen = {}

    def look(glance):
        seen.setdefault("pids", glance.processes)
        lessons = glance.counts["lessons"]
        if "at" not in seen and lessons.min() >= 150 and glance.counts["read"][1] >= 20:
            os.kill(glance.processes[0], signal.SIGKILL)
            seen["at"], seen["loss"] = lessons[1], glance.counts["loss"][1]
        return "at" in seen and glance.processes[0] == 0 and lessons[1] >= seen["at"] + 300

    chain = chain_of(KINDS["local losses"])
    rows = digits[0][:1200], digits[1][:1200]
    return train_apart(chain, *rows, batch=32, optimiser=ADAM, every=0.1, seconds=300.0, look=look), seen


def test_neither_waits_and_the_network_learns(first_killed, digits):
    outcome, seen = first_killed
    record = outcome.record
    assert len(seen["pids"]) == 2 and record["lessons"].shape[1] == 2
    assert (record["idle"][:, 0] == 0).all()
    idle = record["idle"][record["lessons"][:, 1] > 0, 1]
    assert idle.max() == idle.min()  # before the first message, and never again
    assert np.nanmin(record["age"][:, 1]) >= 0.05 and np.isnan(record["age"][:, 0]).all()
    assert record["sent"][-1, 0] > 0 and record["lost"][-1, 0] == 0
    assert record["sent"][-1, 0] + record["dropped"][-1, 0] == record["lessons"][-1, 0]  # each was sent or dropped
    assert record["read"][-1, 1] + record["repeated"][-1, 1] == record["lessons"][-1, 1]
    wrong = np.argmax(outcome.chain(digits[0][1200:]), axis=1) != digits[1][1200:]
    assert wrong.mean() < 0.25


def test_the_second_goes_on_when_the_first_is_killed(first_killed):
    outcome, seen = first_killed
    record = outcome.record
    assert outcome.status == "stopped" and outcome.ended[1] == "done"
    assert outcome.ended[0].startswith("was killed by signal 9 (SIGKILL) after")
    assert outcome.notes == (f"the process of layer 0 {outcome.ended[0]}",)
    dead = ~record["alive"][:, 0]
    assert not dead[0] and dead[-1] and record["alive"][:, 1].all()
    assert len(set(record["lessons"][dead, 0])) == 1  # the last snapshot stands
    assert record["lessons"][-1, 1] >= seen["at"] + 300
    assert record["loss"][-1, 1] < seen["loss"]
    assert not any(map(alive, seen["pids"])) and not multiprocessing.active_children()


def test_the_first_goes_on_when_the_second_is_killed_and_ctrl_c_keeps_what_was_learnt(digits):
    seen, before = {}, signal.getsignal(signal.SIGINT)

    def look(glance):
        seen.setdefault("pids", glance.processes)
        lessons = glance.counts["lessons"]
        if "at" not in seen and lessons.min() >= 1:
            seen["at"], seen["loss"] = lessons[0], glance.counts["loss"][0]
            os.kill(glance.processes[1], signal.SIGKILL)
        if "at" in seen and glance.processes[1] == 0 and lessons[0] >= seen["at"] + 200 and "done" not in seen:
            seen["done"] = True
            os.kill(os.getpid(), signal.SIGINT)

    chain = chain_of(KINDS["local losses"])
    outcome = train_apart(chain, *digits, batch=32, optimiser=ADAM, every=0.1, seconds=300.0, look=look)
    assert outcome.status == "interrupted" and outcome.ended[0] == "done" and "signal 9" in outcome.ended[1]
    assert outcome.record["lessons"][-1, 0] >= seen["at"] + 200
    assert outcome.record["loss"][-1, 0] < seen["loss"]
    assert np.abs(outcome.chain.layers[0].weight - chain.layers[0].weight).max() > 1e-3
    assert not any(map(alive, seen["pids"])) and signal.getsignal(signal.SIGINT) is before


class Seen:
    """A process as its parent sees it; it takes a lesson whenever it is listened to."""

    def __init__(self, state="here", lessons=0.0):
        self.state, self.pid, self.counts = state, 1, dict.fromkeys(COUNTS, 0.0) | {"lessons": lessons}

    @property
    def alive(self):
        return self.state == "here"

    def listen(self):
        self.counts["lessons"] += self.alive


@pytest.mark.parametrize(
    "members, status, least",
    [
        ([Seen(), Seen(lessons=-2.0)], "done", 5),  # the slower has had its lessons, too
        ([Seen("gone"), Seen()], "stopped", 0),
        ([Seen("sick"), Seen()], "broken", 0),
        ([Seen("gone"), Seen("failed")], "stopped", 0),
    ],
)
def test_when_it_is_over(members, status, least):
    crew = Crew([Task(None, (), None, 1, 0, 0.01, 1)], [], Interrupt())
    crew.members, crew.began = members, time.monotonic()
    assert crew.watch(5, None, None) == status
    assert min(member.counts["lessons"] for member in members) == least


def started():
    group = taken_apart(chain_of(KINDS["local losses"]), (1,))[0]
    return Process(group, Wiring(None, None, link([((10,), "float64")], 3), shared(1)))


def test_a_process_that_cannot_begin_says_why():
    raises, dies = started(), started()
    try:
        raises.give(b"no task at all")
        os.kill(dies.pid, signal.SIGKILL)
        for process in (raises, dies):
            while process.alive:
                time.sleep(0.01)
                process.listen()
        assert raises.state == "failed" and "UnpicklingError" in raises.reason
        assert dies.state == "gone" and dies.reason == "was killed by signal 9 (SIGKILL)"
    finally:
        raises.close()
        dies.close()


def test_what_would_have_to_wait_is_refused(digits):
    for teaching in (networks.Backpropagation(), networks.DirectFeedbackAlignment()):
        with pytest.raises(Refused, match="wait for those behind them"):
            train_apart(chain_of(teaching), *digits, seconds=1.0)
    own = networks.Objective("predict", data=digits)
    layers = [networks.Dense(64, 8), networks.Dense(8, 8, objective=own), networks.Dense(8, 10)]
    with pytest.raises(Refused, match="layer 1 learns from rows of its own"):
        train_apart(networks.Chain(layers, teaching=networks.LocalLosses()), *digits, seconds=1.0)


def test_bad_settings_are_named(digits):
    chain = chain_of(KINDS["local losses"])
    for given_, said in (
        (dict(), "nothing says when to stop"),
        (dict(seconds=1.0, cut=3), r"cut is \[3\]: give layers from 1 to 2"),
        (dict(seconds=1.0, cut=[2, 1]), "cut is"),
        (dict(seconds=1.0, delay=-1.0), "delay is -1.0"),
        (dict(seconds=1.0, loss=2.0), "loss is 2.0"),
        (dict(seconds=1.0, slots=0), "slots is 0"),
        (dict(epochs=0), "epochs is 0"),
        (dict(seconds=float("nan")), "seconds is nan"),
    ):
        with pytest.raises(BadInput, match=said):
            train_apart(chain, *digits, **given_)


def test_weights_come_back_in_their_places():
    chain = chain_of(KINDS["local losses"])
    leaves = [np.asarray(x) + 1 for x in jax.tree.leaves(eqx.filter(chain.parts[1:], eqx.is_inexact_array))]
    back = with_leaves(chain.parts[1:], leaves)
    np.testing.assert_array_equal(back[0].layer.weight, chain.layers[1].weight + 1)
    np.testing.assert_array_equal(back[1].layer.bias, chain.layers[2].bias + 1)
