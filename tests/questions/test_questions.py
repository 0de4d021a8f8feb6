"""The five questions on small economies: what their rows must say whatever the machine."""

import math
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import catallax as cx
from catallax.economy import Exchange
from catallax.questions import compare, frontier, lesion, replicate, shock, sweep
from catallax.questions.replicate import finding
from catallax.questions.shock import back_after
from tests.core.gathering import Meeting, meeting


@pytest.fixture(scope="module")
def valley() -> Exchange:
    return Exchange.example()


def owners(n: int) -> Exchange:
    return Exchange(np.repeat(np.eye(2), n, axis=0), np.ones((2 * n, 2)), np.ones(2 * n))


def by(answer, key):
    return {row[key]: row for row in answer.rows}


def test_compare_orders_the_regimes(valley):
    answer = compare(valley)
    rows = by(answer, "regime")
    assert list(rows) == ["silence", "signal", "planner", "full_information"]
    assert rows["silence"]["efficiency"] < rows["full_information"]["efficiency"] < rows["signal"]["efficiency"] <= 1
    assert rows["signal"]["status"] == rows["planner"]["status"] == "settled"
    assert rows["planner"]["share_of_optimum"] == 1
    assert rows["silence"]["bits"] == 0 < rows["signal"]["bits"] < rows["planner"]["bits"]
    assert answer.facts["price_of_the_equilibrium_found"] == pytest.approx(
        rows["planner"]["efficiency"] / rows["full_information"]["efficiency"]
    )
    assert "but with full information" in answer.headline


def test_compare_says_why_a_regime_is_refused():
    sole = Exchange(np.eye(3), np.ones((3, 3)), np.ones(3))
    answer = compare(sole)
    assert by(answer, "regime")["full_information"]["status"] == "refused"
    assert any("single owner" in note for note in answer.notes)
    assert by(answer, "regime")["full_information"]["efficiency"] is None


def test_compare_of_a_cycling_economy_says_so():
    taste = np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])
    scarf = Exchange(np.eye(3), taste, np.zeros(3), opening=np.array([0.5, 0.3, 0.2]))
    answer = compare(scarf)
    assert by(answer, "regime")["signal"]["status"] == "cycling"
    assert "cycling" in answer.headline


def test_frontier_climbs_from_silence_and_falls_with_full_information(valley):
    seen = []
    answer = frontier(valley, bits=(1, 4), leaks=(0.5, 1.0), seeds=3, look=lambda k, n: seen.append((k, n)))
    rows = by(answer, "point")
    assert list(rows) == ["silence", "1 bit", "4 bits", "exact", "leak 0.5", "leak 1"]
    means = [rows[p]["efficiency"] for p in ("silence", "1 bit", "4 bits", "exact")]
    assert means == sorted(means)
    assert rows["exact"]["efficiency"] > 1 - 1e-9
    assert rows["leak 1"]["efficiency"] < rows["leak 0.5"]["efficiency"] < rows["4 bits"]["efficiency"]
    assert all(r["low"] <= r["efficiency"] <= r["high"] and r["seeds"] == 3 for r in answer.rows)
    assert rows["1 bit"]["bits"] < rows["4 bits"]["bits"] < rows["exact"]["bits"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert answer.headline.startswith("4 bits of price reach 99.") and "more than full information" in answer.headline


def test_frontier_does_not_claim_what_is_not_so():
    plain = frontier(owners(2), bits=(1, 2), leaks=(), seeds=2)
    assert "full information" not in plain.headline


def test_lesion_without_a_master():
    answer = lesion(owners(5), fractions=(0.0, 0.4), seeds=3)
    for row in answer.rows:
        assert row["recovered"] > 1 - 1e-9
    intact = [r for r in answer.rows if r["removed"] == 0]
    assert all(r["efficiency"] > 1 - 1e-9 for r in intact)
    assert {r["order"] for r in answer.rows} == {"random", "influential"}


def test_lesion_takes_the_most_influential_first(valley):
    answer = lesion(valley, fractions=(0.2,), seeds=6)
    rows = by(answer, "order")
    assert rows["influential"]["efficiency"] < rows["random"]["efficiency"]


def test_shock_is_forgotten(valley):
    answer = shock(valley, size=0.5, rounds=30)
    first, last = answer.rows[0], answer.rows[-1]
    assert first["round"] == 0 and last["round"] == 30
    assert first["efficiency"] < 0.99 < last["efficiency"]
    assert last["distance"] < 1e-4 < first["distance"]
    unrest = [r["unrest"] for r in answer.rows[1:]]
    assert unrest[-1] < 1e-3 * unrest[0]
    recovered, goal = answer.facts["recovered"], answer.facts["rest"]
    away = [abs(r["efficiency"] - goal) for r in answer.rows]
    assert all(far <= 0.01 * away[0] for far in away[recovered:])
    assert away[recovered - 1] > 0.01 * away[0]


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=8),
    st.floats(-1, 1),
    st.sampled_from([1.0, -1.0, 1e-6, -1e6]),
    st.integers(-3, 3),
)
def test_recovery_is_the_same_in_any_unit_and_upside_down(values, goal, unit, offset):
    rounds = list(range(len(values)))
    plain = back_after(values, goal, rounds, 0.0)
    scaled = back_after([unit * v for v in values], unit * goal, rounds, 0.0)
    assert plain == scaled
    moved = back_after([v + offset for v in values], goal + offset, rounds, 1e-12)
    assert moved == plain or min(abs(0.01 * abs(values[0] - goal) - abs(v - goal)) for v in values) < 1e-9


def test_recovery_counts_from_the_last_time_away():
    rounds = [0, 1, 2, 3, 4]
    assert back_after([-2.0, -1.0, -1.001, -0.5, -1.001], -1.0, rounds, 1e-6) == 4  # it rose and fell again
    assert back_after([-2.0, -1.5, -1.0, -1.0, -1.0], -1.0, rounds, 1e-6) == 2
    assert back_after([-2.0, -1.5, -1.4, -1.3, -1.2], -1.0, rounds, 1e-6) is None
    rising = [0.5, 1.2, 0.9, 1.1, 1.3]
    assert back_after(rising, 1.0, rounds, 1e-6) is None
    assert back_after(rising, 1.0, rounds, 1e-6, least=True) == 3  # a goal that is no rest may be passed
    assert back_after([3.0, 3.0, 3.0, 3.0, 3.0], 3.0 + 1e-9, rounds, 1e-6) == 0  # nothing fell


def test_replicate_quarters_the_loss():
    answer = replicate(owners(2), copies=(1, 2, 4))
    loss = [r["inefficiency"] for r in answer.rows]
    assert [r["agents"] for r in answer.rows] == [4, 8, 16]
    assert all(3.2 < a / b < 5 for a, b in pairwise(loss))
    assert all(math.isclose(a["effect"] / b["effect"], 2, rel_tol=1e-4) for a, b in pairwise(answer.rows))
    assert all(a["gain"] > b["gain"] > 0 for a, b in pairwise(answer.rows))


def test_a_loss_that_grows_with_the_crowd_is_said_to_grow():
    rows = [dict(agents=2**k, effect=2.0**-k, inefficiency=0.1 * 2**k) for k in range(3)]
    said = finding(rows)
    assert "divides the own effect on the signal by 2.0 and multiplies the loss from full information by 2.0" in said
    assert finding([dict(r, inefficiency=None) for r in rows]).endswith("by 2.0.")
    assert "could not be followed" in finding(rows[:1])


def test_sweep_names_the_worst():
    answer = sweep([(f"draw {k}", Exchange.drawn(k)) for k in range(3)], regimes=("silence", "signal"))
    assert len(answer.rows) == 6
    spread = answer.facts["distribution"]["silence"]
    worst = min((r for r in answer.rows if r["regime"] == "silence"), key=lambda r: r["efficiency"])
    assert spread["worst"] == worst["draw"] and spread["lowest"] == worst["efficiency"]
    assert worst["draw"] in answer.headline


def test_answers_are_plain(valley):
    import json

    json.dumps(compare(valley).json(), allow_nan=False)


def test_seeds_are_repeatable(valley):
    once, again = (frontier(valley, bits=(1,), leaks=(), seeds=2, seed=5).rows for _ in range(2))
    assert once == again
    assert once != frontier(valley, bits=(1,), leaks=(), seeds=2, seed=6).rows


def test_problems_without_a_regime_say_so():
    class Bare(cx.Problem):
        def society(self, leak=0.0):
            raise cx.Refused("nothing to do")

        def outcome(self, society, heard=None):
            raise AssertionError

        def welfare(self, outcome):
            raise AssertionError

    answer = compare(Bare())
    assert all(r["status"] == "refused" for r in answer.rows)
    assert any("Bare has no plan" in note for note in answer.notes)


# --- a society on the host ---


@pytest.fixture(scope="module")
def crowd() -> Meeting:
    return meeting()


def test_who_coordinates_a_host_society(crowd):
    rows = by(compare(crowd), "regime")
    assert rows["signal"]["status"] == "settled" and rows["signal"]["certificate"] <= crowd.tolerance
    assert rows["silence"]["efficiency"] < 0.9 < 1 - 1e-6 < rows["signal"]["efficiency"] <= 1
    assert (rows["silence"]["bits"], rows["signal"]["bits"]) == (0, 128)
    assert rows["planner"]["bits"] == 3 * 64 * 12  # home, loudness and place of twelve


def test_what_has_not_come_to_rest_is_unsettled():
    class Hasty(Meeting):
        patience: ClassVar[int] = 4

    hasty = Hasty(meeting().home, meeting().loud)
    answer = compare(hasty)
    row = by(answer, "regime")["signal"]
    assert row["status"] == "unsettled" and row["certificate"] > hasty.tolerance and row["rounds"] == 4
    assert "does not come to rest" in answer.headline
    hurt = lesion(hasty, fractions=(0.0, 0.5), seeds=2)
    assert not hurt.facts["settled"] and any("lesions did not come to rest" in note for note in hurt.notes)
    assert any(note.startswith("Before the lesion it is unsettled") for note in hurt.notes)
    changed = shock(hasty, rounds=5)
    assert not changed.facts["settled"] and any("Before the shock" in note for note in changed.notes)


def test_a_host_society_is_told_in_few_bits(crowd):
    answer = frontier(crowd, bits=(1, 3, 12), leaks=(1.0,), seeds=2)
    rows = by(answer, "point")
    means = [rows[p]["efficiency"] for p in ("1 bit", "3 bits", "12 bits", "exact")]
    assert means == sorted(means) and means[0] < 0.9 and means[2] > 0.999
    assert [rows[p]["bits"] for p in ("silence", "1 bit", "3 bits", "exact")] == [0, 64 + 1, 64 + 3, 64 + 64]
    assert rows["exact"]["settled"] == 1 and answer.facts["rounds"] == crowd.patience
    assert rows["leak 1"]["efficiency"] < rows["exact"]["efficiency"]


def test_the_loudest_of_a_host_society_are_removed_first(crowd):
    asked: list[np.ndarray] = []

    class Noted(Meeting):
        def carried(self, old, keep=None):
            asked.append(keep)
            return super().carried(old, keep)

    answer = lesion(Noted(crowd.home, crowd.loud), fractions=(0.0, 0.5), seeds=3)
    worst = min(asked, key=lambda keep: crowd.loud[keep].sum() / len(keep))
    np.testing.assert_array_equal(np.sort(worst), np.sort(np.argsort(crowd.loud)[:6]))
    rows = {(r["order"], r["removed"]): r for r in answer.rows}
    assert rows["random", 0.0]["efficiency"] == pytest.approx(1, abs=1e-6)
    for order in ("random", "influential"):
        assert rows[order, 0.5]["recovered"] > 0.98
        assert rows[order, 0.5]["seeds"] == (3 if order == "random" else 1)
    assert rows["random", 0.5]["efficiency"] < rows["random", 0.5]["recovered"]
    assert answer.facts["settled"] and not any("come to rest" in note for note in answer.notes)


def test_a_shock_of_a_host_society_is_followed_round_by_round(crowd):
    answer = shock(crowd, size=1.0, rounds=40)
    changed = crowd.shocked(cx.random.key(0), 1.0)
    assert [r["round"] for r in answer.rows] == list(range(41))
    assert answer.rows[0]["unrest"] is None and answer.facts["settled"]
    # the same society, run for as many rounds by itself
    old = cx.settle(crowd, crowd.tolerance, max_rounds=crowd.patience)
    kept = changed.carried(old.society)
    at_once, end = (changed.welfare(changed.outcome(s))["efficiency"] for s in (kept, cx.run(kept, 40).society))
    assert (answer.rows[0]["efficiency"], answer.rows[-1]["efficiency"]) == (at_once, end)
    assert at_once < 0.9 and end == pytest.approx(answer.facts["rest"], abs=1e-4)
    assert 1 < answer.facts["recovered"] < 40 and answer.rows[-1]["distance"] < 0.01 < answer.rows[0]["distance"]


def test_a_host_society_is_replicated(crowd):
    answer = replicate(crowd, copies=(1, 2, 4))
    assert [r["agents"] for r in answer.rows] == [12, 24, 48]
    assert all(math.isclose(a["effect"] / b["effect"], 2) for a, b in pairwise(answer.rows))
    assert all(a["inefficiency"] > b["inefficiency"] > 0 for a, b in pairwise(answer.rows))
    assert any("without gain" in note for note in answer.notes)


def test_a_host_society_that_does_not_say_what_is_state_is_left_alone(crowd):
    class Mute(Meeting):
        carried = cx.Problem.carried  # pyright: ignore[reportAssignmentType]

        def society(self, leak: float = 0.0):
            asked.append(leak)
            return super().society(leak)

    asked: list[float] = []
    for question in (shock, lesion):
        asked.clear()
        with pytest.raises(cx.Refused, match=r"host society keeps .* on the host.*Mute would have to define carried"):
            question(Mute(crowd.home, crowd.loud))
        assert len(asked) <= 2  # nothing was run


def test_agents_on_the_host_that_do_not_say_their_influence():
    from catallax.measures.influence import influence
    from tests.core.societies import walkers

    with pytest.raises(cx.Refused, match="Walkers acts on the host and does not say"):
        influence(walkers(3))
    np.testing.assert_allclose(influence(meeting().society()), meeting().share)


def test_what_cannot_be_replicated_is_compared_all_the_same(crowd):
    class Sole(Meeting):
        replicate = cx.Problem.replicate  # pyright: ignore[reportAssignmentType]

    answer = compare(Sole(crowd.home, crowd.loud))
    assert by(answer, "regime")["signal"]["status"] == "settled" and "grows with" not in answer.headline
