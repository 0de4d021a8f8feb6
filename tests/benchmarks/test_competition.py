"""What the figures of the competition are made of: information, intervals, verdicts by the written rules, texts cut cleanly."""

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import mutual_info_score

from benchmarks.competition import corpus, evidence, study, trials


def test_mutual_information_is_scikit_learns_and_counts_by_row():
    rng = np.random.default_rng(0)
    expert, letter = rng.integers(0, 8, 500), rng.integers(0, 97, 500)
    counts = evidence.counted(np.eye(8)[expert], letter, 97)
    assert counts.sum() == 500
    assert counts[expert[0], letter[0]] == np.sum((expert == expert[0]) & (letter == letter[0]))
    assert evidence.mutual_information(counts) == pytest.approx(mutual_info_score(expert, letter))
    assert evidence.mutual_information(np.diag([3, 3, 3, 3])) == pytest.approx(np.log(4))
    assert evidence.mutual_information(np.outer([1, 2], [3, 4, 0])) == pytest.approx(0)


def test_spread_of_loads():
    assert evidence.spread([4, 4, 4, 4]) == {"MaxVio": 0, "entropy": pytest.approx(1), "dead": 0}
    assert evidence.spread([16, 0, 0, 0]) == {"MaxVio": 3, "entropy": 0, "dead": 3}


def test_the_interval_is_students_and_paired():
    a, b = np.random.default_rng(1).normal(size=(2, 5))
    mean, half = trials.interval(a - b)
    theirs = ttest_rel(a, b).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((theirs.low, theirs.high))


JITTER = 0.001 * np.array([-1, 0.5, 0, -0.5, 1])


@pytest.mark.parametrize(
    ("apart", "expected"),
    [(-0.1, "better"), (0.1, "worse"), (0.0, "not worth having"), (-0.005, "not worth having"), (np.nan, "worse")],
)
def test_one_interval(apart, expected):
    assert evidence.against(2.0 + JITTER + apart, np.full(5, 2.0)) == expected


def test_one_interval_that_is_wide_is_unclear():
    assert evidence.against(2.0 + 50 * JITTER, np.full(5, 2.0)) == "unclear"


def test_a_price_must_beat_every_control():
    base = 2.0 + JITTER
    good, bad, wide = np.full(5, 2.2), np.full(5, 1.8), base + 100 * JITTER[::-1]
    assert evidence.cell(base, [good, good]) == evidence.HELP
    assert evidence.cell(base, [good, bad]) == evidence.NO_HELP
    assert evidence.cell(base, [good, base]) == evidence.NO_HELP
    assert evidence.cell(base, [good, wide]) == evidence.UNDECIDED


@pytest.mark.parametrize(
    ("cells", "expected"),
    [("HHU", "H"), ("HHH", "H"), ("HHN", "U"), ("NNH", "N"), ("NUU", "U"), ("HUU", "U"), ("NNU", "N")],
)
def test_a_corpus_is_judged_by_its_widths(cells, expected):
    words = {"H": evidence.HELP, "N": evidence.NO_HELP, "U": evidence.UNDECIDED}
    assert evidence.overall([words[c] for c in cells]) == words[expected]


def test_the_explanation_is_put_to_the_test():
    hashed = 2.0 + JITTER
    dual = hashed + 0.1
    assert "NOT supported" in evidence.explanation(dual, hashed, dual - 0.02, dual)
    found = evidence.explanation(dual, hashed, dual - 0.08 + JITTER, dual - 0.08)
    assert ": supported" not in found
    assert "is supported" in found
    assert "not about prices" in found
    assert "nothing to explain" in evidence.explanation(hashed - 0.1, hashed, dual, dual)


def test_texts_are_cut_without_overlap_and_read_evenly():
    text = "".join(chr(33 + i % 90) for i in range(1000)) + "\n\u00e9"
    parts = corpus.corpus("Shakespeare + WikiText", {"shakespeare": text, "wikitext": text[::-1] + "more"})
    assert [part.symbols.shape for part in parts] == [(2, 802), (2, 100), (2, 100)]
    np.testing.assert_array_equal(np.concatenate([p.symbols[0] for p in parts]), corpus.encoded(text))
    assert corpus.encoded("\n ~\u00e9").tolist() == [0, 1, 95, 96]
    rows = corpus.spaced(parts.test, 40)
    assert np.bincount(rows.source).tolist() == [20, 20]
    for context, target, source in zip(*rows, strict=True):
        window = [*context, target]
        line = parts.test.symbols[source]
        assert any(line[i : i + 33].tolist() == window for i in range(len(line) - 32))


def test_as_many_trials_for_every_arm(monkeypatch):
    tried = []

    def loss(_, arm, name, setting):
        tried.append(setting)
        return abs(setting.rate - 0.002) + 0.1 * setting.value if setting.value != 1.0 else float("nan")

    monkeypatch.setattr(study, "trial", loss)
    plan = study.Study(("hash", "dual price"))
    alone, priced = (study.tried(plan, arm, "Shakespeare") for arm in plan.arms)
    assert len(alone.settings) == len(priced.settings) == 6
    assert alone.chosen == study.Setting(0.002, 0.0)
    assert priced.chosen == study.Setting(0.002, 0.05)
    assert [s.rate for s in alone.settings[3:5]] == pytest.approx([0.002 * 3**0.5, 0.002 / 3**0.5])
    assert priced.settings[5] == study.Setting(pytest.approx(0.002 * 3**0.5), 0.05)
