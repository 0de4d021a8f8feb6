"""Where a market should win: seats are counted, verdicts follow their rule, and arms differ in routing alone."""

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.stats import ttest_1samp

from benchmarks.competition import capacity, failure, inputs, trials
from benchmarks.competition.routed import BATCH, Judged, Rows, Shape, Terms, begin, objective

RNG = np.random.default_rng(0)
ROWS, EXPERTS = 2 * BATCH, 8


def judged(bids=None, rows=ROWS):
    loss = RNG.uniform(0, 3, (rows, EXPERTS))
    bids = RNG.normal(size=(rows, EXPERTS)) if bids is None else bids
    right = RNG.random((rows, EXPERTS)) < 0.5
    return Judged(loss, right, RNG.uniform(0, 3, rows), RNG.random(rows) < 0.5, bids, RNG.uniform(0, 2, rows))


def test_intervals_are_students_and_verdicts_follow_their_rule():
    apart = RNG.normal(0.3, 1, 7)
    expected = ttest_1samp(apart, 0).confidence_interval(0.95)
    mean, half = trials.interval(apart)
    np.testing.assert_allclose([mean - half, mean + half], [expected.low, expected.high])
    mine = np.array([1.0, 1.1, 0.9, 1.0])
    jitter = np.array([0.01, -0.01, 0.02, 0.0])
    worse, better, unclear = mine + 1 + jitter, mine - 1 + jitter, mine + 10 * np.array([1, -1, 1, -1])
    for rivals, said in (
        ((worse,), "win"),
        ((worse, unclear), "undecided"),
        ((worse, unclear, better), "loss"),
        ((unclear,), "undecided"),
    ):
        assert trials.verdict(mine, {str(i): one for i, one in enumerate(rivals)}) == said


def test_a_claim_holds_in_two_of_three_widths():
    for each, said in (
        (("win", "win", "undecided"), "win"),
        (("win", "undecided", "undecided"), "undecided"),
        (("win", "win", "loss"), "undecided"),
        (("loss", "win", "loss"), "loss"),
    ):
        assert trials.overall(list(each)) == said
    runs = {"own": [{"loss": 1.0}, {"loss": 1.1}, {"loss": 0.9}], "hash": [{"loss": 2.0}, {"loss": 2.2}, {"loss": 1.8}]}
    claim = trials.Claim("Pays.", "own", ["hash"], "loss")
    assert claim.at(runs) == ("win", "hash " + trials.said([-1.0, -1.1, -0.9]))
    note = trials.answered("table", {8: runs, 16: runs}, "loss", "own", [claim]).notes[0]
    assert note.startswith("Pays. own: **win**.") and "8 units, win" in note and "16 units, win" in note


def test_settings_are_those_of_the_middle_width(monkeypatch):
    ran = []
    monkeypatch.setattr(
        trials.Question,
        "run",
        lambda self, arm, terms, seed, test: ran.append((self.shape.hidden, seed)) or {"loss": terms.rate},
    )

    def made(units):
        question = trials.Question("name", Shape(hidden=units), None, None, "loss", (10, 11), 5)
        return question, [trials.arm("hash")]

    found = trials.found_at(made, 32)
    assert found["hash"] == [{"loss": 1e-3}] * 2  # the least of the four rates
    assert ran == [(16, trials.TUNING)] * 4 + [(32, 10), (32, 11)]


def test_who_comes_first_is_served_first():
    choice = RNG.integers(-1, 3, ROWS)
    found = capacity.seated(choice, 3, 5)
    expected = []
    for batch in (choice[:BATCH], choice[BATCH:]):
        left = [5, 5, 5]
        for j in batch.tolist():
            served = j >= 0 and left[j] > 0
            left[j] -= served
            expected.append(j if served else -1)
    np.testing.assert_array_equal(found, expected)


def test_a_routing_is_worth_what_its_tokens_lose():
    seen = judged()
    choice = RNG.integers(-1, EXPERTS, ROWS)
    loss = np.mean([seen.loss[i, j] if j >= 0 else seen.public[i] for i, j in enumerate(choice)])
    assert capacity.outcome(seen, choice)["log-loss"] == pytest.approx(loss)
    rows = Rows(*[np.zeros((ROWS, 1))] * 4)
    found = capacity.less_cost(seen, rows, Terms(opt_out=1.0, doubt=0.5), costs=(0.25,) * EXPERTS)
    bought = (seen.bids.max(1) > 0) & (seen.entropy > 0.5)
    assert found["cost"] == pytest.approx(0.25 * bought.mean()) and 0 < bought.mean() < 1
    assert found["loss + cost"] == pytest.approx(found["log-loss"] + found["cost"])


def test_batches_are_cleared_as_well_as_can_be():
    bids = RNG.normal(size=(BATCH, EXPERTS))
    choice = capacity.cleared_batches(bids)
    assert np.bincount(choice, minlength=EXPERTS).max() <= capacity.SEATS
    seats = np.repeat(bids, capacity.SEATS, axis=1)
    best = seats[linear_sum_assignment(seats, maximize=True)].sum()
    assert bids[np.arange(BATCH), choice].sum() == pytest.approx(best)


def test_buckets_are_even_and_others_come_after():
    x = RNG.normal(size=(800, 5)).astype(np.float32)
    given, cut = inputs.buckets(x, EXPERTS, 3)
    np.testing.assert_array_equal(np.bincount(given.argmax(1)), 100)
    again, _ = inputs.buckets(x[:7], EXPERTS, 3, cut)
    np.testing.assert_allclose(again, given[:7], atol=1e-4)
    without = np.delete(given, 2, 1)[given.argmax(1) == 2]
    assert len(np.unique(without.argmax(1))) > 3  # those who were of a bucket that is gone spread over the rest


SMALL = Shape(experts=3, hidden=4, classes=3, types=2, batch=16)


@pytest.fixture(scope="module")
def slopes():
    """Gradients of each arm at the same parameters and rows."""
    rng = np.random.default_rng(1)
    y, kind = (rng.integers(n, size=16).astype(np.int32) for n in (3, 2))
    rows = Rows(rng.normal(size=(16, 5)).astype(np.float32), y, np.eye(3, dtype=np.float32)[[0] * 16], kind)
    state, found = begin(SMALL, 5, 0), {}
    slope = jax.jit(jax.grad(objective, has_aux=True))
    for name in ("own", "auxiliary", "hash"):
        terms = trials.ROUTERS[name][0]._replace(cost=(0.0,) * 3)
        found[name] = slope(state.parameters, state, rows, terms, jax.random.key(0))
    return found


def test_the_public_model_learns_the_same_in_every_arm(slopes):
    first = slopes["own"][0]
    for found, _ in slopes.values():
        assert np.abs(first["public"]).max() > 0
        np.testing.assert_allclose(found["public"], first["public"], atol=1e-6)


def test_who_sold_nothing_learns_nothing(slopes):
    for found, (_, choice, _, _) in slopes.values():
        moved = np.abs(np.asarray(found["leave"])).sum((1, 2)) > 0
        np.testing.assert_array_equal(moved, np.bincount(np.asarray(choice), minlength=3) > 0)
    assert not np.abs(slopes["hash"][0]["bid"]).any() and np.abs(slopes["own"][0]["bid"]).any()


def test_a_newcomer_takes_one_place_and_nothing_else():
    shape = Shape(hidden=4)
    state = begin(shape, 49, 0)
    after = failure.joined(shape, failure.gone(state, 5), 5, 1)
    np.testing.assert_array_equal(failure.gone(state, 5).there, [0, 1, 2, 3, 4, 6, 7])
    for name in ("enter", "leave"):
        differs = (after.parameters[name] != state.parameters[name]).any((1, 2))
        np.testing.assert_array_equal(np.flatnonzero(differs), 5)
    np.testing.assert_array_equal(after.parameters["listen"], state.parameters["listen"])


def test_runs_are_kept_by_all_that_they_hang_on(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "RUNS", tmp_path)
    calls = []
    for given in (1, 1, 2):
        found = trials.kept("run", given, lambda g=given: calls.append(g) or {"loss": float(g)})
        assert found == {"loss": float(given)}
    assert calls == [1, 2]
