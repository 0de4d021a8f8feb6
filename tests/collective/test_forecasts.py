"""Dated forecasts: the market's price and learning against independent sums, strict causality, and what is refused."""

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import root

from catallax.collective import Forecasts
from catallax.core.errors import BadInput, Refused

LAW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def crowd(seed=0, questions=60, people=8, noise=None, options=2):
    """A crowd that knows a little each: columns question, user, time, probability, outcome, resolved."""
    rng = np.random.default_rng(seed)
    noise = np.linspace(0.3, 3, people) if noise is None else noise
    rows = []
    for q in range(questions):
        truth = rng.normal() * 2
        outcome = int(rng.uniform() < 1 / (1 + np.exp(-truth)))
        start = rng.integers(0, 200)
        end = start + rng.integers(5, 30)
        for u in rng.choice(people, rng.integers(1, people + 1), replace=False):
            for day in rng.integers(start, end + 2, rng.integers(1, 3)):
                p = 1 / (1 + np.exp(-truth - noise[u] * rng.normal()))
                rows.append((f"q{q}", f"u{u}", float(day), p, outcome, float(end)))
    return [list(column) for column in zip(*rows, strict=True)]


def cut(columns, date):
    """What was known at the end of a date."""
    question, user, time, p, outcome, resolved = (np.array(c, object) for c in columns)
    keep = time <= date
    outcome = np.where(resolved <= date, outcome, None)
    return [list(c[keep]) for c in (question, user, time, p, outcome, resolved)]


def same(before, after):
    """The bits of earlier history, and of earlier ends."""
    count = len(before.history_.time)
    assert before.history_.question == after.history_.question[:count]
    np.testing.assert_array_equal(before.history_.price, after.history_.price[:count])
    ends = dict(zip(after.closing_.question, after.closing_.price.tolist(), strict=True))
    assert [ends[q] for q in before.closing_.question] == before.closing_.price.tolist()


# --- what the price is ---


def test_nobody_wishes_to_trade_at_the_price():
    """Each trader's best holding against the maker's price, found by a root finder, leads to the price of the pool."""
    p, tolerance, power = np.array([0.9, 0.6, 0.2]), 1.0, 1.5  # before anything is learnt: e^0 of the liquidity
    market = Forecasts(fading=0.0, extremising=power, tremble=1e-12).fit(["q"] * 3, ["a", "b", "c"], [0, 1, 2], p)
    belief = p**power / (p**power + (1 - p) ** power)

    def regret(held):  # of CARA: slope of expected utility by one more claim on yes, bought from an LMSR of liquidity 1
        price = 1 / (1 + np.exp(-held.sum()))
        yes = belief * np.exp(-held / tolerance) * (1 - price)
        return yes - (1 - belief) * price

    held = root(regret, np.zeros(3), tol=1e-13).x
    assert market.predict(["q"])[0] == pytest.approx(1 / (1 + np.exp(-held.sum())), abs=1e-9)


def pooled(rows, market, offset, common, width):
    """The formula of the module, straight in NumPy. `rows`: (user, time, belief)."""
    times = np.array([t for _, t, _ in rows])
    stale = (times.max() - times) / (times.max() - times.min() + 1)
    weight = np.exp(common["mean"] + np.array([offset[u] for u, _, _ in rows]) - common["fading"] * stale)
    belief = np.array([(1 - market.tremble) * np.asarray(b) + market.tremble / width for _, _, b in rows])
    z = common["power"] * weight @ np.log(belief)
    z[0] += common["prior"] if width == 2 else 0.0
    z /= 1 + weight.sum()
    return np.exp(z) / np.exp(z).sum()


@pytest.mark.parametrize("width", [2, 3])
def test_one_outcome_teaches_what_the_derivatives_say(width):
    """A step is the slope of the log-loss over (1 + expected curvature), by finite differences of the plain formula."""
    rng = np.random.default_rng(width)
    rows = [(u, float(t), rng.dirichlet(np.ones(width))) for u, t in (("a", 0), ("b", 3), ("c", 4))]
    names = ["x", "y", "z"][:width]
    columns = [[] for _ in range(7)]
    for user, time, belief in rows:
        for k, name in enumerate(names):
            for column, value in zip(columns, ("q", user, time, belief[k], int(k == 1), 9.0, name), strict=True):
                column.append(value)
    market = Forecasts(spread=0.7)
    if width == 2:
        market.fit(["q"] * 3, list("abc"), [t for _, t, _ in rows], [b[0] for *_, b in rows], [0] * 3, [9.0] * 3)
    else:
        market.fit(*columns)
    start = {"mean": 0.0, "fading": 2.0, "power": 1.5, "prior": 0.0}
    offset = dict.fromkeys("abc", 0.0)
    price = pooled(rows, market, offset, start, width)
    np.testing.assert_allclose(np.ravel(market.closing_.price)[:1], price[:1], rtol=1e-12)

    def learnt(change):
        """The move of what `change(h)` moves by h."""
        h = 1e-6
        slope = (np.log(pooled(rows, market, *change(h), width)) - np.log(pooled(rows, market, *change(-h), width))) / (
            2 * h
        )
        return slope[1], price @ slope**2

    for user in "abc":
        slope, curve = learnt(lambda h, user=user: (offset | {user: h}, start))
        found = np.log(market.tolerance_[user] / market.tolerance_of_strangers_)
        assert found == pytest.approx(slope / (0.7**-2 + curve), rel=1e-6)
    found = {
        "mean": np.log(market.tolerance_of_strangers_),
        "fading": market.fading_ - 2,
        "power": market.extremising_ - 1.5,
        "prior": np.log(market.prior_ / (1 - market.prior_)),
    }
    for name in found if width == 2 else list(found)[:3]:
        slope, curve = learnt(lambda h, name=name: (offset, start | {name: start[name] + h}))
        assert found[name] == pytest.approx(slope / (1 + curve), rel=1e-6, abs=1e-12)
    assert width == 2 or market.prior_ == 0.5


def test_a_new_forecast_replaces_the_same_persons():
    market = Forecasts().fit(["q"] * 3, ["a", "b", "a"], [0, 1, 5], [0.1, 0.5, 0.9])
    again = Forecasts().fit(["q"] * 2, ["b", "a"], [1, 5], [0.5, 0.9])
    assert len(market.history_.price) == 3
    # b's is older by 4 of 5 days where a began it, by 4 of 4 where b did
    assert market.predict(["q"])[0] < again.predict(["q"])[0] and market.predict(["q"])[0] > 0.5


def test_old_forecasts_fade():
    fading = [Forecasts(fading=f).fit(["q"] * 2, ["a", "b"], [0, 9], [0.2, 0.8]).predict()[0] for f in (0.0, 1.0, 4.0)]
    assert fading[0] == pytest.approx(0.5, abs=1e-12) and fading[0] < fading[1] < fading[2]


def test_prices_are_probabilities_over_options():
    columns = dict(question=["q"] * 6, user=["a"] * 3 + ["b"] * 3, time=[0.0] * 3 + [1.0] * 3, option=list("xyzxyz"))
    market = Forecasts().fit(**columns, probability=[0.2, 0.5, 0.3, 0.1, 0.8, 0.1])
    assert market.options_ == {"q": ("x", "y", "z")} and market.history_.price.shape == (2, 3)
    np.testing.assert_allclose(market.history_.price.sum(axis=1), 1, rtol=1e-12)
    assert market.predict(["q"])[0].argmax() == 1
    two = dict(question=["q"] * 4, user=list("aabb"), time=[0, 0, 1, 1], option=["yes", "no"] * 2)
    named = Forecasts().fit(**two, probability=[0.2, 0.8, 0.1, 0.9]).predict()
    plain = Forecasts().fit(["q"] * 2, ["a", "b"], [0, 1], [0.2, 0.1]).predict()
    np.testing.assert_allclose(named[:, 0], plain, rtol=1e-12)


# --- causality ---


@LAW
@given(seed=st.integers(0, 5), date=st.integers(0, 235))
def test_a_file_cut_at_any_date_gives_the_same_bits(seed, date):
    columns = crowd(seed)
    whole, part = Forecasts().fit(*columns), cut(columns, date)
    if part[0]:
        same(Forecasts().fit(*part), whole)


@pytest.mark.parametrize("seed", range(3))
def test_day_by_day_is_at_once(seed):
    columns = crowd(seed)
    market, whole = Forecasts(), Forecasts().fit(*columns)
    ends = dict(zip(columns[0], zip(*columns[4:], strict=True), strict=True))
    for day in range(240):
        today = [k for k, time in enumerate(columns[2]) if time == day and time < columns[5][k]]
        if today:
            market.partial_fit(*([column[k] for k in today] for column in columns[:4]))
        over = [q for q, (_, end) in ends.items() if end == day and day and q in set(whole.history_.question)]
        if over:
            market.resolve(over, [ends[q][0] for q in over], [day] * len(over))
    same(market, whole)
    same(whole, market)
    assert market.tolerance_ == whole.tolerance_ and market.extremising_ == whole.extremising_


@LAW
@given(seed=st.integers(0, 5), date=st.integers(0, 235))
def test_outcomes_teach_only_what_comes_after_them(seed, date):
    columns = crowd(seed)
    other = [*columns[:4], [y if r < date else 1 - y for y, r in zip(*columns[4:], strict=True)], columns[5]]
    market, changed = Forecasts().fit(*columns), Forecasts().fit(*other)
    early = market.history_.time <= date
    np.testing.assert_array_equal(market.history_.price[early], changed.history_.price[early])
    ended = market.closing_.time <= date
    np.testing.assert_array_equal(market.closing_.price[ended], changed.closing_.price[ended])
    if (market.closing_.time == date).any() and (market.history_.time > date).any():
        assert market.extremising_ != changed.extremising_


def test_rows_may_come_in_any_order():
    columns = crowd(1)
    columns[2] = list(np.array(columns[2]) + np.linspace(0, 0.5, len(columns[2])))  # no two at one instant
    order = np.random.default_rng(0).permutation(len(columns[0]))
    mixed = Forecasts().fit(*([column[k] for k in order] for column in columns))
    same(mixed, Forecasts().fit(*columns))


def test_forecasts_after_the_end_are_dropped_and_said():
    market = Forecasts().fit(["q"] * 3, list("abc"), [0, 1, 2], [0.3, 0.4, 0.99], [1] * 3, [2] * 3)
    assert market.dropped_ == 1 and len(market.history_.time) == 2 and "1" in market.notes_[0]
    assert market.predict(["q"])[0] == market.closing_.price[0] == market.history_.price[-1]
    market.partial_fit(["q", "r"], ["a", "a"], [3, 3], [0.99, 0.5])
    assert market.dropped_ == 2 and market.predict(["q"])[0] == market.closing_.price[0]


def test_outcomes_without_dates_teach_no_price_of_the_file():
    question, user, time, p, outcome, _ = crowd(2)
    market, blind = Forecasts().fit(question, user, time, p, outcome), Forecasts().fit(question, user, time, p)
    np.testing.assert_array_equal(market.history_.price, blind.history_.price)
    assert market.extremising_ != blind.extremising_ and "without a date: 60" in market.notes_[0]
    market.partial_fit(["new"], ["u0"], [999], [0.7])  # what comes later has learnt
    assert market.predict(["new"])[0] != blind.partial_fit(["new"], ["u0"], [999], [0.7]).predict(["new"])[0]


def test_dates_are_dates():
    dated = Forecasts().fit(["q"] * 2, ["a", "b"], ["2024-01-01", "2024-01-03T12:00"], [0.3, 0.6])
    days = Forecasts().fit(
        ["q"] * 2, ["a", "b"], np.array(["2024-01-01T00", "2024-01-03T12"], "datetime64[h]"), [0.3, 0.6]
    )
    np.testing.assert_array_equal(dated.history_.price, days.history_.price)
    assert dated.history_.time[1] - dated.history_.time[0] == 2.5


# --- what is learnt ---


def test_those_who_know_are_trusted_more():
    noise = (0.1, 0.1, 4.0, 4.0, 4.0)
    market = Forecasts().fit(*crowd(3, questions=400, people=5, noise=noise))
    trust = [market.tolerance_[f"u{k}"] for k in range(5)]
    assert min(trust[:2]) > 1.5 * max(trust[2:])
    closing = market.closing_
    half = len(closing.question) // 2
    alike = Forecasts(spread=1e-6).fit(*crowd(3, questions=400, people=5, noise=noise)).closing_
    brier = [np.mean((c.price - c.outcome)[half:] ** 2) for c in (closing, alike)]
    assert brier[0] < brier[1]


def test_the_makers_prior_learns_the_base_rate():
    rng = np.random.default_rng(0)
    count = 300
    outcome = (rng.uniform(size=count) < 0.1).astype(int)
    market = Forecasts().fit(
        np.arange(count),
        rng.integers(0, 9, count),
        np.arange(count),
        np.full(count, 0.5),
        outcome,
        np.arange(count) + 0.5,
    )
    assert market.prior_ < 0.2 and market.predict([count - 1])[0] < 0.3


def test_the_scene_is_the_path():
    market = Forecasts().fit(*crowd(4))
    scene = market.scene("q0")
    np.testing.assert_array_equal(scene.items[0].y, market.history_.price[np.array(market.history_.question) == "q0"])


# --- what is refused ---

BAD = [
    (dict(probability=[0.5, 1.5]), r"row 2, column 'probability': 1.5 lies outside \[0, 1\]"),
    (dict(probability=[0.5, 70]), r"write 0.7 for 70 %"),
    (dict(probability=[0.5, "x"]), r"row 2, column 'probability': 'x' is not a number"),
    (dict(probability=[0.5, None]), r"row 2, column 'probability': the cell is empty"),
    (dict(probability=[0.5]), r"probability has 1 entries and question 2"),
    (dict(probability=[[0.5, 0.5]]), r"probability has 1 entries"),
    (dict(time=["2024-13-01", "2024-01-02"]), r"row 1, column 'time': '2024-13-01' is not a date"),
    (dict(time=[np.nan, 1]), r"row 1, column 'time': nan is not a date"),
    (dict(outcome=[0, 2]), r"row 2, column 'outcome': 2 is not 0 or 1"),
    (dict(outcome=[0, 1]), r"row 2: question 'q' ends another way than in row 1"),
    (dict(outcome=[1, 1], resolved=[5, 6]), r"row 2: question 'q' is resolved at another time than in row 1"),
    (dict(resolved=[5, "soon"], outcome=[1, 1]), r"row 2, column 'resolved': 'soon' is not a date"),
    (dict(option=["x", "x"]), r"row 1: the question has one option, 'x'"),
    (dict(option=["x", "y"]), r"row 1: the question has one option, 'x'"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD, ids=range(len(BAD)))
def test_bad_rows_are_sentences(change, sentence):
    good = dict(question=["q", "q"], user=["a", "b"], time=[1, 2], probability=[0.5, 0.6])
    with pytest.raises(BadInput, match=sentence):
        Forecasts().fit(**good | change)


def test_options_must_fit_together():
    good = dict(question=["q"] * 4, user=["a", "a", "b", "b"], time=[1, 1, 2, 2], option=["x", "y", "x", "y"])
    for change, sentence in (
        (dict(probability=[0.5, 0.5, 0.5, 0.6]), "row 3: the probabilities of the forecast sum to 1.1"),
        (dict(option=["x", "y", "x", "z"]), "row 3: option 'z' is new"),
        (dict(user=["a", "a", "b", "c"]), "row 3: the forecast leaves out option 'y'"),
        (dict(outcome=[0, 0, 0, 0]), "row 1: question 'q' ends with no option true"),
        (dict(outcome=[1, 0, 0, 1]), "row 4: question 'q' ends another way than in row 1"),
        (dict(outcome=[1, None, 0, None]), "row 3: question 'q' ends another way than in row 1"),
    ):
        with pytest.raises(BadInput, match=sentence):
            Forecasts().fit(**good | dict(probability=[0.5] * 4) | change)


def test_what_comes_later_must_be_later():
    market = Forecasts().fit(["q", "q"], ["a", "b"], [1, 2], [0.5, 0.6])
    market.partial_fit(["q"], ["c"], [2], [0.7])  # at the same instant, nothing having been learnt there
    with pytest.raises(BadInput, match="row 1: the forecast is not later"):
        market.partial_fit(["q"], ["a"], [1.5], [0.5])
    market.resolve(["q"], [1], [4])
    with pytest.raises(BadInput, match="row 1: the forecast is not later"):
        market.partial_fit(["r"], ["a"], [4], [0.5])
    with pytest.raises(BadInput, match="row 1: question 'q' ended another way before"):
        market.resolve(["q"], [0], [5])
    market.resolve(["q"], [1], [5])  # said twice: fine
    with pytest.raises(BadInput, match="nobody has forecast question 'z'"):
        market.resolve(["z"], [0], [5])
    with pytest.raises(BadInput, match="nobody has forecast question 'z'"):
        market.predict(["z"])
    with pytest.raises(BadInput, match="2 is no outcome of question 'q'"):
        market.resolve(["q"], [2], [5])
    with pytest.raises(BadInput, match="name options and others do not"):
        market.partial_fit(["r"] * 2, ["a"] * 2, [9, 9], [0.5, 0.5], option=["x", "y"])


def test_settings_are_checked_and_nothing_is_known_before_fit():
    for name, value in dict(extremising=0.0, spread=-1.0, fading=-1.0, tremble=0.0).items():
        with pytest.raises(BadInput, match=f"{name} is"):
            Forecasts(**{name: value}).fit(["q"], ["a"], [0], [0.5])
    with pytest.raises(Refused, match="call fit first"):
        Forecasts().predict()
