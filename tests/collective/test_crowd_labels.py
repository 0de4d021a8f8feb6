"""Crowd labels: against a dense EM of their own, against crowds whose truth is known, and the laws that hold for any."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from catallax.collective import CrowdLabels
from catallax.collective.labels import certificate, confusion, numeric
from catallax.collective.labels.sheet import Sheet
from catallax.core.errors import BadInput, Refused

EXACT = dict(tolerance=1e-13, max_rounds=20_000)


def crowd(seed=0, tasks=60, workers=12, classes=3, votes=400, skill=4.0):
    """(task, worker, label, truth, confusion): workers whose confusion matrices are drawn, mostly right."""
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=tasks)
    matrices = np.stack([[random.dirichlet(1 + skill * row) for row in np.eye(classes)] for _ in range(workers)])
    task, worker = random.integers(tasks, size=votes), random.integers(workers, size=votes)
    label = np.array([random.choice(classes, p=matrices[w, truth[t]]) for t, w in zip(task, worker, strict=True)])
    return task, worker, label, truth, matrices


def newcomer(smoothing, classes):
    """Pseudo-votes [truth, vote], as the docstring says: three quarters right, the rest spread evenly."""
    return smoothing * np.where(np.eye(classes), 3 / 4 + 1 / 4 / classes, 1 / 4 / classes)


def dense(task, worker, label, weight, smoothing, rounds, gold=()):
    """Dawid and Skene's EM in full arrays: (posterior, prior, confusion, log-likelihood with log prior) after so many rounds."""
    tasks, workers, classes = task.max() + 1, worker.max() + 1, label.max() + 1
    votes = np.zeros((tasks, workers, classes))
    np.add.at(votes, (task, worker, label), weight)
    posterior = votes.sum(axis=1) / votes.sum(axis=(1, 2))[:, None]
    for t, k in gold:
        posterior[t] = np.eye(classes)[k]
    bounds, pseudo = [], newcomer(smoothing, classes)
    for _ in range(rounds):
        counts = np.einsum("tk,twl->wkl", posterior, votes, optimize=True) + pseudo
        matrices = counts / counts.sum(axis=2, keepdims=True)
        prior = (posterior.sum(axis=0) + smoothing / classes) / (tasks + smoothing)
        joint = prior * np.exp(np.einsum("twl,wkl->tk", votes, np.log(matrices), optimize=True))
        posterior = joint / joint.sum(axis=1, keepdims=True)
        evidence = joint.sum(axis=1)
        for t, k in gold:
            posterior[t], evidence[t] = np.eye(classes)[k], joint[t, k]
        log_prior = (pseudo * np.log(matrices)).sum() + smoothing / classes * np.log(prior).sum()
        bounds.append(np.log(evidence).sum() + log_prior)
    return posterior, prior, matrices, np.array(bounds)


@pytest.fixture(scope="module")
def votes():
    return crowd()


@pytest.fixture(scope="module")
def fitted(votes):
    return CrowdLabels(**EXACT).fit(*votes[:3])


# --- Dawid and Skene ---


def test_agrees_with_a_dense_em(votes, fitted):
    task, worker, label, *_ = votes
    posterior, prior, matrices, bounds = dense(task, worker, label, 1.0, 2.0, 1500)
    np.testing.assert_allclose(fitted.posterior_, posterior, atol=1e-10)
    np.testing.assert_allclose(fitted.prior_, prior, atol=1e-10)
    np.testing.assert_allclose(fitted.confusion_, matrices, atol=1e-10)
    assert fitted.bounds_[-1] == pytest.approx(bounds[-1], rel=1e-13)
    assert fitted.rounds_ < 400  # the long steps are worth it: the dense one creeps
    assert fitted.status_ == "settled" and fitted.residual_ < 1e-11


def test_the_first_rounds_are_the_dense_ones(votes):
    """Before any long step: two rounds."""
    task, worker, label, *_ = votes
    with pytest.warns(ConvergenceWarning, match="not settled after 2 rounds"):
        two = CrowdLabels(smoothing=0.3, max_rounds=2).fit(task, worker, label)
    posterior, _, _, bounds = dense(task, worker, label, 1.0, 0.3, 2)
    np.testing.assert_allclose(two.posterior_, posterior, atol=1e-12)
    np.testing.assert_allclose(two.bounds_, bounds, rtol=1e-13)
    assert two.status_ == "unsettled"


def test_gold_and_weights_agree_with_a_dense_em(votes):
    task, worker, label, truth, _ = votes
    weight = np.random.default_rng(1).uniform(0, 2, len(task))
    gold = {0: int(truth[0]), 7: int((truth[7] + 1) % 3), 30: 2}
    ours = CrowdLabels(**EXACT).fit(task, worker, label, gold, weight)
    posterior, _, matrices, bounds = dense(task, worker, label, weight, 2.0, 1500, gold.items())
    np.testing.assert_allclose(ours.posterior_, posterior, atol=1e-10)
    np.testing.assert_allclose(ours.confusion_, matrices, atol=1e-10)
    assert ours.bounds_[-1] == pytest.approx(bounds[-1], rel=1e-13)
    for name, value in gold.items():
        assert ours.labels_[name] == value and ours.posterior_[name, value] == 1


@given(seed=st.integers(0, 10_000), method=st.sampled_from(["dawid-skene", "one-coin"]), smoothing=st.floats(0.01, 5))
def test_the_bound_never_falls(seed, method, smoothing):
    task, worker, label, *_ = crowd(seed, tasks=15, workers=6, votes=60, skill=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = CrowdLabels(method, classes=[0, 1, 2], smoothing=smoothing, max_rounds=60).fit(task, worker, label)
    assert (np.diff(ours.bounds_) >= -1e-9 * abs(ours.bounds_[0])).all()
    assert np.isfinite(ours.posterior_).all()
    np.testing.assert_allclose(ours.posterior_.sum(axis=1), 1)


def test_the_answer_is_a_maximum(votes, fitted):
    """No parameter of the likelihood can be moved for the better: a gradient by differences, in log-odds."""
    task, worker, label, *_ = votes
    counts = np.zeros((60, 12, 3))
    np.add.at(counts, (task, worker, label), 1)

    def value(z):
        logs = scipy.special.log_softmax(z.reshape(12 * 3 + 1, 3), axis=1)
        matrices, prior = logs[1:].reshape(12, 3, 3), logs[0]
        each = scipy.special.logsumexp(prior + np.einsum("twl,wkl->tk", counts, matrices), axis=1)
        return each.sum() + (newcomer(2, 3) * logs[1:].reshape(12, 3, 3)).sum() + 2 / 3 * prior.sum()

    at = np.log(np.vstack([fitted.prior_[None], fitted.confusion_.reshape(-1, 3)])).ravel()
    assert value(at) == pytest.approx(fitted.bounds_[-1], rel=1e-12)
    assert np.abs(scipy.optimize.approx_fprime(at, value, 1e-6)).max() < 1e-3
    assert (
        np.abs(scipy.optimize.approx_fprime(at + 0.1 * np.random.default_rng(0).normal(size=at.size), value)).max()
        > 0.1
    )


def test_one_coin_is_a_maximum_of_its_own_likelihood(votes):
    task, worker, label, *_ = votes
    ours = CrowdLabels("one-coin", **EXACT).fit(task, worker, label)
    counts = np.zeros((60, 12, 3))
    np.add.at(counts, (task, worker, label), 1)
    right = ours.confusion_[:, 0, 0]
    for k, said in np.ndindex(3, 3):
        np.testing.assert_allclose(ours.confusion_[:, k, said], right if k == said else (1 - right) / 2, rtol=1e-9)

    def value(r):
        matrices = np.where(np.eye(3), r[:, None, None], (1 - r)[:, None, None] / 2)
        each = scipy.special.logsumexp(np.log(ours.prior_) + np.einsum("twl,wkl->tk", counts, np.log(matrices)), axis=1)
        return each.sum() + (newcomer(2, 3)[0] * np.log(matrices[:, 0])).sum() + 2 / 3 * np.log(ours.prior_).sum()

    assert value(right) == pytest.approx(ours.bounds_[-1], rel=1e-12)
    assert np.abs(scipy.optimize.approx_fprime(right, value, 1e-7)).max() < 1e-3
    assert ours.residual_ < 1e-11


def test_known_confusion_is_found():
    """With many votes, confusion matrices come out within the error that their counts allow."""
    task, worker, label, truth, matrices = crowd(3, tasks=1500, workers=8, votes=16_000, skill=6.0)
    ours = CrowdLabels().fit(task, worker, label)
    assert (ours.labels_ == truth[ours.tasks_]).mean() > 0.98
    rows = 16_000 / 8 / 3
    error = np.sqrt(matrices * (1 - matrices) / rows)
    assert (np.abs(ours.confusion_ - matrices) < 4.5 * error + 2 / rows).all()
    chance = np.einsum("wkk->w", matrices) / 3
    np.testing.assert_allclose(ours.reliability_, chance, atol=0.05)


def test_a_liar_is_found_out_and_a_guesser_ignored():
    """One worker always says the opposite, one always 1: what the liar says is worth as much as the truth."""
    random = np.random.default_rng(5)
    truth = random.integers(2, size=300)
    said = np.stack(
        [np.where(random.random(300) < 0.85, truth, 1 - truth) for _ in range(3)] + [1 - truth, 0 * truth + 1]
    )
    worker, task = (place.ravel() for place in np.indices(said.shape))
    ours = CrowdLabels().fit(task, worker, said.ravel())
    plain = CrowdLabels("majority").fit(task, worker, said.ravel())
    assert (ours.labels_ == truth).mean() > 0.97 > 0.85 > (plain.labels_ == truth).mean()
    assert ours.reliability_[3] < 0.05 and ours.information_[3] > 0.8
    assert ours.reliability_[4] == pytest.approx(0.5, abs=0.1) and ours.information_[4] < 0.01
    assert ours.influence_.argmax() == 3 and ours.influence_[4] < 0.01


def test_information_is_what_a_bettor_earns(fitted):
    """Kelly: at the odds of the prior, the tip-following bettor's log2 wealth grows by the information of the tip."""
    joint = fitted.prior_[:, None] * fitted.confusion_[2]
    random = np.random.default_rng(0)
    place = random.choice(9, p=joint.ravel(), size=200_000)
    truth, tip = np.divmod(place, 3)
    growth = np.log2((joint / joint.sum(axis=0))[truth, tip] / fitted.prior_[truth])
    error = growth.std() / np.sqrt(len(growth))
    assert abs(growth.mean() - fitted.information_[2]) < 4 * error


def test_influence_is_what_a_vote_changes(votes, fitted):
    """Each vote taken out by hand, parameters as they are."""
    task, worker, label, *_ = votes
    counts = np.zeros((60, 12, 3))
    np.add.at(counts, (task, worker, label), 1)
    moved = np.zeros(12)
    for t, w, said in np.argwhere(counts):  # what a worker says twice of a task counts as one
        less = counts[t].copy()
        less[w, said] = 0
        odds = fitted.prior_ * np.exp(np.einsum("wl,wkl->k", less, np.log(fitted.confusion_)))
        moved[w] += np.abs(odds / odds.sum() - fitted.posterior_[t]).sum() / 2
    np.testing.assert_allclose(fitted.influence_, moved / moved.sum(), atol=1e-8)


# --- the compiled rounds ---


@given(
    seed=st.integers(0, 10_000),
    classes=st.sampled_from([2, 3, 4, 5, 9]),
    one_coin=st.booleans(),
    weighted=st.booleans(),
    smoothing=st.floats(1e-3, 5),
)
def test_a_round_is_that_of_the_certificate(seed, classes, one_coin, weighted, smoothing):
    """Code of its own, in logarithms throughout. The first task has more votes than a product of chances could take."""
    random = np.random.default_rng(seed)
    task, worker, label = (
        random.integers(70, size=900),
        random.integers(9, size=900),
        random.integers(classes, size=900),
    )
    task[:400] = 0
    weight = random.uniform(0, 2, 900) if weighted else np.ones(900)
    sheet = Sheet.of(*(c.astype(np.int32) for c in (task, worker, label)), weight, (70, 9, classes))
    gold = confusion.Gold(np.array([5, 69], np.int32), np.array([1, 0], np.int32))
    start, rule = random.dirichlet(np.ones(classes), size=70), confusion.Rule(smoothing, one_coin, 1e-4, 1)
    there = confusion.settle(sheet, gold, start, rule)
    posterior = start
    for _ in range(there.rounds):
        posterior = certificate.judged_again(sheet, posterior, rule)
        posterior[gold.task] = np.eye(classes)[gold.label]
    assert there.rounds == 2
    np.testing.assert_allclose(there.posterior, posterior, atol=1e-10)


@given(seed=st.integers(0, 10_000), classes=st.integers(2, 6), length=st.sampled_from([0.0, 1.0, 2.5, 6.0]))
def test_a_long_step_is_normalised(seed, classes, length):
    """In log chances, a + 2 length (b - a) + length^2 (c - 2 b + a), and chances that sum to one."""
    sheet = Sheet.of(*np.indices((4, 3)).reshape(2, -1), np.arange(12) % classes, np.ones(12), (4, 3, classes))
    none = confusion.Gold(np.empty(0, np.int32), np.empty(0, np.int32))
    rule = confusion.Rule(2.0, False, 1e-4, 1)
    random = np.random.default_rng(seed)
    with confusion.Search(sheet, none, rule, np.full((4, classes), 1 / classes)) as search:
        a, b, c, led = (search.logs() for _ in range(4))
        for logs in (a, b, c):
            logs[:, :classes] = random.normal(size=(3 * classes + 1, classes))
        plain = (a + 2 * length * (b - a) + length**2 * (c - 2 * b + a))[:, :classes]
        search.lead(a, b, c, length, led)
        prior, evidence = search.knowledge(led)
        chances = search.tables[0, :, :, 0].reshape(3 * classes, -1)[:, :classes]
    np.testing.assert_allclose(prior, scipy.special.log_softmax(plain[-1]), rtol=1e-9, atol=1e-9)
    rows = scipy.special.log_softmax(plain[:-1].reshape(3, classes, classes), axis=1)
    np.testing.assert_allclose(evidence.reshape(rows.shape), rows, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(chances, np.exp(evidence), rtol=1e-12)


@given(seed=st.integers(0, 10_000), weighted=st.booleans())
def test_votes_are_sorted(seed, weighted):
    random = np.random.default_rng(seed)
    columns = random.integers(5, size=40), random.integers(3, size=40), random.integers(4, size=40)
    weight = random.integers(3, size=40).astype(float) if weighted else np.ones(40)
    sheet = Sheet.of(*columns, weight, (5, 3, 4))
    order = np.lexsort((weight, *columns[::-1]))
    for got, wanted in zip(sheet.rows(), (*columns, weight), strict=True):
        np.testing.assert_array_equal(got, wanted[order])
    counts = np.zeros((5, 4))
    np.add.at(counts, (columns[0], columns[2]), weight)
    np.testing.assert_allclose(sheet.counts(), counts)


# --- laws ---


@pytest.mark.parametrize("method", ["dawid-skene", "one-coin", "majority", "gaussian", "student-t"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_order_of_votes_leaves_no_trace(votes, method, weighted):
    task, worker, label, *_ = votes
    weight = np.random.default_rng(1).uniform(0.1, 2, len(task)) if weighted else np.ones(len(task))
    order = np.random.default_rng(2).permutation(len(task))
    first, second = (
        CrowdLabels(method).fit(task[o], worker[o], label[o], sample_weight=weight[o]) for o in (slice(None), order)
    )
    assert (first.posterior_ == second.posterior_).all() and (first.reliability_ == second.reliability_).all()


@pytest.mark.parametrize("method", ["dawid-skene", "one-coin", "majority", "gaussian", "student-t"])
def test_a_vote_given_twice_weighs_two(votes, method):
    task, worker, label, *_ = votes
    again = np.random.default_rng(2).integers(len(task), size=100)
    twice = np.concatenate([np.arange(len(task)), again])
    weight = 1.0 + np.bincount(again, minlength=len(task))
    settings = dict(tolerance=1e-11, max_rounds=20_000)
    first = CrowdLabels(method, **settings).fit(task[twice], worker[twice], label[twice])
    second = CrowdLabels(method, **settings).fit(task, worker, label, sample_weight=weight)
    np.testing.assert_allclose(first.posterior_, second.posterior_, atol=1e-7)
    np.testing.assert_allclose(first.votes_, second.votes_)


def test_names_do_not_matter(votes, fitted):
    """Text, objects and numbers in other places: the same answer under the same names."""
    task, worker, label, *_ = votes
    words = np.array(["ant", "bee", "cat"])[label]
    named = CrowdLabels(**EXACT).fit([f"t{t:02}" for t in task], list(1000 * worker), words.astype(object))
    assert named.tasks_.tolist() == [f"t{t:02}" for t in range(60)]
    assert named.classes_.tolist() == ["ant", "bee", "cat"] and named.workers_.tolist() == [1000 * w for w in range(12)]
    assert (named.posterior_ == fitted.posterior_).all()
    assert (named.labels_ == np.array(["ant", "bee", "cat"])[fitted.labels_]).all()
    assert (named.predict(["t03", "t00", "t03"]) == named.labels_[[3, 0, 3]]).all()
    assert (named.predict_proba(["t03"]) == named.posterior_[3]).all()


def test_relabelling_classes_permutes_the_answer(votes, fitted):
    task, worker, label, *_ = votes
    other = CrowdLabels(**EXACT).fit(task, worker, (label + 1) % 3)
    np.testing.assert_allclose(other.posterior_[:, [1, 2, 0]], fitted.posterior_, atol=1e-9)


def test_many_parts_are_one(votes, monkeypatch):
    """Sums over the tables of two threads, blocks of seven tasks, and over all at once differ by rounding."""
    task, worker, label, *_ = votes
    gold = {3: 0, 20: 1, 59: 2}
    whole = CrowdLabels(**EXACT).fit(task, worker, label, gold)
    monkeypatch.setattr(confusion, "MANY", 100)
    monkeypatch.setattr(confusion, "BLOCK", 7)
    shared, again = (CrowdLabels(**EXACT).fit(task, worker, label, gold) for _ in range(2))
    np.testing.assert_allclose(shared.posterior_, whole.posterior_, atol=1e-11)
    np.testing.assert_allclose(shared.confusion_, whole.confusion_, atol=1e-11)
    assert (shared.posterior_[[3, 20, 59]] == np.eye(3)).all() and (shared.posterior_ == again.posterior_).all()


def test_scikit_learn_style(fitted):
    other = clone(fitted)
    assert other.get_params() == dict(method="dawid-skene", classes=None, abstain=None, smoothing=2.0) | EXACT
    assert not hasattr(other, "labels_")
    with pytest.raises(NotFittedError, match="call fit first"):
        other.predict()
    assert "CrowdLabels(" in repr(other)


def test_importing_the_wing_loads_nothing_heavy():
    code = "import sys, catallax.collective as c; print(*sys.modules); c.CrowdLabels; print(*sys.modules)"
    before, after = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert not {"jax", "sklearn", "numba", "scipy"} & set(before.split())
    assert "sklearn" in after.split() and not {"jax", "matplotlib", "numba"} & set(after.split())


# --- votes that are few, silent or late ---


def test_who_has_voted_once_is_not_infallible():
    task, worker, label, *_ = crowd(0, tasks=30, workers=5, classes=2, votes=150)
    ours = CrowdLabels().fit([*task, 0], [*worker, 99], [*label, int(np.bincount(label[task == 0]).argmax())])
    assert 0.8 < ours.reliability_[-1] < 0.95
    assert ours.confusion_.min() > 0
    sharper = CrowdLabels(smoothing=0.01).fit([*task, 0], [*worker, 99], [*label, ours.labels_[0]])
    assert sharper.confusion_[-1, ours.labels_[0]].max() > 0.98


def test_abstentions_are_heard_and_say_nothing(votes):
    task, worker, label, *_ = votes
    words = np.array(["a", "b", "c"], dtype=object)[label]
    plain = CrowdLabels().fit(task, worker, words)
    more = CrowdLabels(abstain="?").fit([*task, *task[:50], 777], [*worker, *worker[:50], 888], [*words, *"?" * 51])
    assert more.tasks_[-1] == 777 and more.workers_[-1] == 888 and more.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(more.posterior_[-1], more.prior_, atol=1e-4)  # nobody has said anything of it
    np.testing.assert_allclose(more.confusion_[-1], newcomer(1, 3))
    assert more.abstentions_.sum() == 51 and more.abstentions_[-1] == 1 and more.votes_[-1] == 0
    assert (more.labels_[:-1] == plain.labels_).mean() > 0.95
    missing = [*words, None, float("nan")]
    quiet = CrowdLabels(abstain=float("nan")).fit([*task, 0, 1], [*worker, 0, 1], missing)
    assert quiet.abstentions_.sum() == 2 and (quiet.posterior_ == plain.posterior_).all()
    assert clone(quiet).get_params()["abstain"] is quiet.abstain


def test_partial_fits_end_where_one_fit_ends(votes):
    task, worker, label, *_ = votes
    words = np.array(["a", "b", "c"])[label]
    settings = dict(tolerance=1e-12, max_rounds=20_000)
    whole = CrowdLabels(**settings).fit(task, worker, words, {5: "a"})
    bit = CrowdLabels(**settings)
    late = (task >= 40) | (worker == 11)  # new tasks, and a new worker on old ones
    bit.partial_fit(task[~late], worker[~late], words[~late])
    bit.partial_fit(task[late][:70], worker[late][:70], words[late][:70], {5: "a"})
    bit.partial_fit(task[late][70:], worker[late][70:], words[late][70:])
    assert (bit.tasks_ == whole.tasks_).all() and (bit.workers_ == whole.workers_).all()
    np.testing.assert_allclose(bit.posterior_, whole.posterior_, atol=1e-9)
    np.testing.assert_allclose(bit.confusion_, whole.confusion_, atol=1e-9)
    assert bit.votes_.sum() == len(task) and bit.residual_ < 1e-10


def test_partial_fit_goes_on_from_what_is_believed(votes):
    """Equal, bit for bit, to rounds on all votes from the posterior so far and the shares of votes on new tasks; and fewer
    than from the beginning."""
    task, worker, label, *_ = votes
    rule = confusion.Rule(2.0, False, 1e-4, 1000)
    none = confusion.Gold(np.empty(0, np.int32), np.empty(0, np.int32))
    old = task < 55
    ours = CrowdLabels().fit(task[old], worker[old], label[old])
    sheet = Sheet.of(*(c.astype(np.int32) for c in (task, worker, label)), np.ones(len(task)), (60, 12, 3))
    start = confusion.shares(sheet, none)
    start[:55] = ours.posterior_
    there = confusion.settle(sheet, none, start, rule)
    ours.partial_fit(task[~old], worker[~old], label[~old])
    assert (ours.posterior_ == there.posterior).all() and ours.rounds_ == there.rounds
    long = CrowdLabels(tolerance=1e-9).fit(task, worker, label)
    assert (
        long.partial_fit(task[:1], worker[:1], label[:1]).rounds_
        < CrowdLabels(tolerance=1e-9).fit(task, worker, label).rounds_
    )


def test_new_classes_join_late():
    ours = CrowdLabels().partial_fit(["x", "x", "y"], [1, 2, 1], ["b", "b", "c"])
    ours.partial_fit(["z", "z", "z"], [1, 2, 3], ["a", "a", "a"])
    assert ours.classes_.tolist() == ["a", "b", "c"] and ours.labels_.tolist() == ["b", "c", "a"]
    ours.partial_fit(["y"] * 3, [4, 5, 6], ["b"] * 3, gold={"y": "c"})
    assert ours.predict(["y"]).tolist() == ["c"]
    ours.partial_fit(["y"], [7], ["b"], gold={"y": "b"})  # gold is corrected
    assert ours.predict(["y"]).tolist() == ["b"] and ours.abstentions_.sum() == 0


def test_majority_is_a_count(votes):
    task, worker, label, *_ = votes
    ours = CrowdLabels("majority").fit(task, worker, label)
    counts = np.stack([np.bincount(label[task == t], minlength=3) for t in range(60)])
    np.testing.assert_allclose(ours.posterior_, counts / counts.sum(axis=1, keepdims=True))
    assert (ours.labels_ == counts.argmax(axis=1)).all() and np.isnan(ours.residual_) and len(ours.bounds_) == 0


@pytest.mark.parametrize("many", [1_000_000, 100])
def test_interrupted_keeps_what_is_there(votes, monkeypatch, many):
    monkeypatch.setattr(confusion, "MANY", many)

    def press(rounds, change):
        if rounds >= 4:
            raise KeyboardInterrupt

    ours = CrowdLabels(tolerance=1e-13).fit(*votes[:3], look=press)
    assert ours.status_ == "interrupted" and ours.rounds_ == 4 and 0 < ours.residual_ < 1
    counts = np.zeros((60, 12, 3))
    np.add.at(counts, votes[:3], 1)
    said = np.einsum("tk,twl->wkl", ours.posterior_, counts) + newcomer(
        2, 3
    )  # posterior and parameters belong together
    np.testing.assert_allclose(ours.confusion_, said / said.sum(axis=2, keepdims=True), atol=1e-12)
    some = CrowdLabels("gaussian", tolerance=1e-13).fit(*votes[:3], look=press)
    assert some.status_ == "interrupted" and some.rounds_ == 4


# --- numbers ---


def answers(seed=0, tasks=200, workers=15, each=8, wild=0.0):
    """(task, worker, value, truth, bias, deviation); a share of wild answers."""
    random = np.random.default_rng(seed)
    truth, bias, deviation = random.normal(10, 5, tasks), random.normal(0, 1, workers), random.uniform(0.2, 3, workers)
    task = np.repeat(np.arange(tasks), each)
    worker = np.concatenate([random.choice(workers, each, replace=False) for _ in range(tasks)])
    value = truth[task] + bias[worker] + deviation[worker] * random.normal(size=len(task))
    lost = random.random(len(task)) < wild
    value[lost] = random.uniform(-200, 200, lost.sum())
    return task, worker, value, truth, bias, deviation


def test_gaussian_evidence_is_that_of_the_joint_normal():
    """The bound against SciPy's density of all votes at once, and its maximum against a general optimiser's."""
    task, worker, value, *_ = answers(1, tasks=12, workers=4, each=3)
    ours = CrowdLabels("gaussian", **EXACT).fit(task, worker, value)
    columns = [c[np.lexsort((value, worker, task))] for c in (task, worker, value)]
    facts = numeric.Answers(*columns, np.ones(36), 12, 4, np.empty(0, int), np.empty(0))
    scale = numeric.scale_of(facts, numeric.medians(facts), False)
    same = (columns[0][:, None] == columns[0]).astype(float)

    def value_at(z):
        bias, precision, centre, spread = z[:4], np.exp(z[4:8]), z[8], np.exp(z[9])
        covariance = spread * same + np.diag(1 / precision[columns[1]])
        joint = scipy.stats.multivariate_normal(centre + bias[columns[1]], covariance).logpdf(columns[2])
        prior = (np.log(precision) - precision * (bias**2 + scale.error)).sum() - np.log(spread) - scale.truth / spread
        return float(joint + ours.smoothing / 2 * prior)

    begin = np.concatenate([np.zeros(4), np.full(4, -np.log(scale.error)), [value.mean(), np.log(scale.truth)]])
    best = scipy.optimize.minimize(lambda z: -value_at(z), begin, method="BFGS", options=dict(gtol=1e-6))
    assert ours.bounds_[-1] == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(ours.bias_, best.x[:4], atol=1e-3)
    np.testing.assert_allclose(ours.reliability_, np.exp(best.x[4:8]), rtol=1e-3)
    assert ours.residual_ < 1e-12


@given(seed=st.integers(0, 10_000), method=st.sampled_from(["gaussian", "student-t"]), gold=st.booleans())
def test_the_bound_of_numbers_never_falls(seed, method, gold):
    task, worker, value, truth, *_ = answers(seed, tasks=10, workers=4, each=3, wild=0.1)
    ours = CrowdLabels(method, max_rounds=3000).fit(task, worker, value, {2: float(truth[2])} if gold else None)
    assert (np.diff(ours.bounds_) >= -1e-9 * abs(ours.bounds_).max()).all()
    assert ours.labels_[2] == truth[2] or not gold


def test_bias_and_precision_are_found():
    task, worker, value, truth, bias, deviation = answers()
    ours = CrowdLabels("gaussian").fit(task, worker, value)
    plain = np.bincount(task, value) / 8
    assert np.sqrt(np.mean((ours.labels_ - truth - (bias.mean())) ** 2)) < 0.7 * np.sqrt(np.mean((plain - truth) ** 2))
    centred = bias - np.average(bias, weights=deviation**-2)
    np.testing.assert_allclose(ours.bias_, centred, atol=0.7)
    np.testing.assert_allclose(ours.reliability_**-0.5, deviation, rtol=0.35, atol=0.1)
    off = (ours.labels_ - truth - np.average(bias, weights=deviation**-2)) / ours.posterior_[:, 1]
    assert 0.8 < off.std() < 1.25  # as wrong as it says


def test_wild_answers_are_withstood():
    task, worker, value, truth, *_ = answers(wild=0.1)
    robust, plain = (CrowdLabels(method).fit(task, worker, value).labels_ for method in ("student-t", "gaussian"))
    error, other = (np.sqrt(np.mean((labels - truth) ** 2)) for labels in (robust, plain))
    assert error < 1.5 and other > 3 * error


def test_gold_tells_where_zero_is():
    """Biases that all share cannot be seen without gold."""
    task, worker, value, truth, bias, _ = answers()
    gold = {k: float(truth[k]) for k in range(60)}
    ours = CrowdLabels("gaussian").fit(task, worker, value + 3, gold)
    np.testing.assert_allclose(ours.bias_, bias + 3, atol=0.8)
    assert (ours.posterior_[:60] == np.stack([truth[:60], np.zeros(60)], axis=1)).all()
    blind = CrowdLabels("gaussian").fit(task, worker, value + 3)
    assert abs((blind.labels_ - truth).mean()) > 2 > 0.5 > abs((ours.labels_ - truth).mean())


def test_numbers_come_bit_by_bit():
    task, worker, value, *_ = answers(tasks=40)
    settings = dict(tolerance=1e-13, max_rounds=50_000)
    whole = CrowdLabels("gaussian", **settings).fit(task, worker, value)
    half = CrowdLabels("gaussian", **settings)
    for part in (task < 15, task >= 15):
        half.partial_fit(task[part], worker[part], value[part])
    np.testing.assert_allclose(half.labels_, whole.labels_, atol=1e-7)
    np.testing.assert_allclose(half.reliability_, whole.reliability_, rtol=1e-6)


def test_numbers_that_agree_are_believed():
    ours = CrowdLabels("student-t").fit([1, 1, 2, 2], list("abab"), ["3", "3", 3, 3.0])
    np.testing.assert_allclose(ours.labels_, 3)
    with pytest.raises(Refused, match="no classes with probabilities"):
        ours.predict_proba()
    with pytest.raises(Refused, match="influence"):
        _ = ours.influence_


# --- bad input ---

GOOD = dict(tasks=[1, 1, 2], workers=["a", "b", "a"], labels=["x", "y", "x"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(tasks=[], workers=[], labels=[]), "tasks is empty: give at least one vote"),
        (dict(workers=["a"]), "workers has 1 rows and tasks 3: give one entry a vote in each"),
        (dict(labels=["x", "y"]), "labels has 2 rows and tasks 3"),
        (dict(labels=["x", None, "x"]), r"labels, row 1: the value is missing \(None\)"),
        (dict(labels=[1.0, 2.0, float("nan")]), r"labels, row 2: the value is missing \(nan\)"),
        (dict(labels=np.array([1, np.nan, 2])), r"labels, row 1: the value is missing \(nan\)"),
        (dict(tasks=[1, float("nan"), 2]), r"tasks, row 1: the value is missing"),
        (dict(workers=["a", None, "b"]), r"workers, row 1: the value is missing"),
        (dict(labels=["x"] * 3), "every vote says 'x', and with one class there is nothing to tell apart"),
        (dict(tasks=[1, "b", 2]), "tasks mixes int and str, which have no common order"),
        (dict(tasks=[[1], [2], [3]]), "tasks holds values that cannot be names"),
        (dict(tasks=np.ones((3, 1))), "tasks has 2 axes"),
        (dict(tasks=5), "tasks is 5: give a column"),
        (dict(gold={3: "x"}), "gold: nobody has voted on task 3; remove it"),
        (dict(gold={1: "z"}), r"gold of task 1: 'z' is none of the classes \['x', 'y'\]"),
        (dict(gold={1: None}), "gold of task 1: the label is missing"),
        (dict(gold=["x"]), "gold is .*: give a mapping"),
        (dict(sample_weight=[1, 2]), "sample_weight has 2 rows"),
        (dict(sample_weight=[1, -2, 0]), "sample_weight, row 1: the weight is -2"),
        (dict(sample_weight=[0, 0, 0]), "sample_weight is 0 for every vote"),
        (dict(sample_weight=["p", 0, 0]), "sample_weight holds values that are no numbers"),
    ],
)
def test_bad_votes_are_refused_in_a_sentence(change, sentence):
    with pytest.raises(BadInput, match=sentence) as caught:
        CrowdLabels().fit(**GOOD | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (dict(method="magic"), "method is 'magic': give one of dawid-skene"),
        (dict(smoothing=0), "smoothing is 0: give a positive number"),
        (dict(tolerance=float("nan")), "tolerance is nan"),
        (dict(max_rounds=0), "max_rounds is 0"),
        (dict(abstain="x", classes=["y"]), "with one class there is nothing"),
        (dict(classes=["x", "x"]), "name each class once"),
        (dict(classes=["x", "z"]), r"labels, row 1: 'y' is none of the classes \['x', 'z'\]"),
        (dict(method="gaussian"), "labels, row 0: 'x' is no finite number"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        CrowdLabels(**settings).fit(**GOOD)


def test_rows_count_from_the_first_vote_abstentions_included():
    votes = dict(tasks=[1, 2, 3, 4], workers=[1] * 4, labels=["?", "?", "x", None])
    with pytest.raises(BadInput, match="labels, row 3: the value is missing"):
        CrowdLabels(abstain="?").fit(**votes)
    with pytest.raises(BadInput, match="row 2: 'x' is no finite number"):
        CrowdLabels("gaussian", abstain="?").fit(**votes | dict(labels=["?", "?", "x", 1]))
    with pytest.raises(BadInput, match="all 2 votes are abstentions"):
        CrowdLabels(abstain=0).fit([1, 2], [1, 1], [0, 0])


def test_what_is_asked_must_have_votes(fitted):
    with pytest.raises(BadInput, match="tasks, row 1: nobody has voted on 99"):
        fitted.predict([1, 99])
    with pytest.raises(BadInput, match="gold is .*: give a mapping"):
        CrowdLabels().fit(**GOOD, gold={1: "x"}).partial_fit([1], ["a"], ["x"], gold=["x"])
    with pytest.raises(BadInput, match="was of another kind before"):
        CrowdLabels().fit(**GOOD).set_params(method="gaussian").partial_fit([1], [1], [1.0])


def test_a_failed_fit_leaves_the_answer_as_it_was(votes):
    ours = CrowdLabels().fit(*votes[:3])
    before = ours.posterior_
    with pytest.raises(BadInput):
        ours.partial_fit([1], [1], [1], gold={12345: 1})
    assert ours.posterior_ is before and ours.votes_.sum() == 400
