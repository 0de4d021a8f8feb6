"""The worked examples of the economy wing, small: a cluster by prices, and a day of paced budgets."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from typer.testing import CliRunner

from benchmarks.markets_instances import gavel
from catallax.cli.app import app
from catallax.economy import allocate
from catallax.economy.bids import read_bids
from examples import cluster, pacing

SMALL = np.array([1.0, 1, 2])  # GPUs of each type


# --- a cluster ---


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    return cluster.read_throughputs(cluster.write_throughputs(tmp_path_factory.mktemp("gavel") / "throughputs.json"))


@pytest.fixture(scope="module")
def jobs(kinds):
    return cluster.arrivals(kinds, seed=0, steps=20, rate=0.3)


@pytest.fixture(scope="module")
def others():
    return {"max-min": cluster.MaxMin(SMALL), "equal shares": cluster.EqualShares(SMALL)}


@pytest.fixture(scope="module")
def followed(jobs, others):
    """The cluster by prices, every clearing beside the other policies', and what each held."""
    prices, held = cluster.Prices(SMALL), []

    def watched(present, value, cap):
        shares = prices(present, value, cap)
        held.append((prices.allocation, value, shares, cap))
        return shares

    return prices, held, cluster.simulate(jobs, watched, others, every=1, supply=SMALL)


def test_the_file_is_read_as_the_benchmarks_read_it(kinds, tmp_path):
    path = cluster.write_throughputs(tmp_path / "throughputs.json")
    market = gavel(path)
    relative = kinds.rates / kinds.rates.max(1, keepdims=True)
    np.testing.assert_allclose(market.valuations, relative[:, ::-1])  # its columns start with the K80
    assert len(market.names) == len(kinds.names) and set(kinds.workers) == {1, 2, 4, 8}
    table = json.loads(path.read_text())
    assert table["v100"]["('Model 0 (batch size 16)', 1)"].keys() == {"null"}


def test_a_seed_is_a_stream_of_jobs(kinds):
    first, again, other = (cluster.arrivals(kinds, seed, 2_000, 1.0) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again)) and not np.array_equal(first.come, other.come)
    assert abs(first.come.size - 2_000) < 4 * 2_000**0.5 and (np.diff(first.come) >= 0).all()
    assert abs(np.mean(first.cap == 1) - 0.7) < 0.05
    hours = first.work / (first.rates[:, 0] * first.cap) / 3600  # at the first type, in full
    assert hours.min() >= 10**1.5 / 60 and hours.max() <= 10**4 / 60
    # the mean of 10^U(a, b) is (10^b - 10^a) / ((b - a) log 10)
    mean = (0.8 * (10**3 - 10**1.5) / 1.5 + 0.2 * (10**4 - 10**3)) / np.log(10) / 60
    assert hours.mean() == pytest.approx(mean, rel=4 * hours.std() / mean / hours.size**0.5)


def test_no_policy_hands_out_what_there_is_not(followed, others):
    _, held, _ = followed
    for _, value, shares, cap in held:
        for given_out in (shares, *(policy(np.arange(cap.size), value, cap) for policy in others.values())):
            assert (given_out >= 0).all() and (given_out.sum(0) <= SMALL + 1e-6).all()
            assert (given_out.sum(1) <= cap + 1e-6).all()


def test_each_policy_is_the_best_at_its_own_aim(followed):
    prices, _, trace = followed
    gaps = np.array([cleared["gap"] for cleared in prices.cleared])
    own, fair, equal = (trace.beside[name] for name in ("own", "max-min", "equal shares"))
    for other in (fair, equal):  # the certificate bounds what anyone's Nash welfare is beyond
        assert (other[:, 0] <= own[:, 0] + gaps + 1e-9).all()
        assert (fair[:, 2] >= other[:, 2] - 1e-6).all()
    assert (fair[:, 2] >= own[:, 2] - 1e-6).all() and (own[:, 0] - equal[:, 0]).max() > 0.01
    assert all(cleared["settled"] for cleared in prices.cleared)
    assert len(prices.cleared) == (trace.running > 0).sum() == len(trace.looked)


def test_rows_are_those_of_the_jobs_that_are_there(followed):
    prices, held, _ = followed
    for allocation, value, shares, _ in held:
        np.testing.assert_allclose(allocation.utilities, (value * shares).sum(1))
    churn = [cleared["churn"] for cleared in prices.cleared if cleared["churn"] is not None]
    assert len(churn) > 5 and all(0 <= share <= 1 + 1e-6 for share in churn)


def test_a_lone_job_takes_as_long_as_its_best_gpu(kinds):
    jobs = cluster.arrivals(kinds, seed=0, steps=1, rate=30.0)
    alone = cluster.Jobs(*(field[:1] for field in jobs))
    trace = cluster.simulate(alone, cluster.Prices(np.full(3, 8.0)), supply=np.full(3, 8.0))
    best = alone.work[0] / (alone.rates[0].max() * alone.cap[0]) / 3600
    assert trace.hours[0] == pytest.approx(best, rel=1e-3) and trace.steps == np.ceil(best / cluster.HOURS)
    assert trace.churn[0] == pytest.approx(alone.cap[0] / 48, rel=1e-3) and (trace.churn[1:] < 1e-3).all()


def test_prices_finish_jobs_sooner_than_equal_shares(jobs, followed, others):
    trace, equal = followed[2], cluster.simulate(jobs, others["equal shares"], supply=SMALL)
    assert np.isfinite(equal.hours).all() and trace.hours.mean() < equal.hours.mean()


@settings(max_examples=20)
@given(st.lists(st.sampled_from(cluster.WORKERS), min_size=1, max_size=12), st.floats(0.5, 40))
def test_equal_shares_fill_the_smallest_first(caps, gpus):
    cap = np.array(caps, float)
    held = cluster.EqualShares(np.array([gpus]))(np.arange(cap.size), np.ones((cap.size, 1)), cap)[:, 0]
    assert held.sum() == pytest.approx(min(gpus, cap.sum()))
    level = held.max()
    np.testing.assert_allclose(held, np.minimum(cap, level))
    # with one type, who has the least has the most that anyone with the least can have
    fair = cluster.MaxMin(np.array([gpus]))(np.arange(cap.size), np.ones((cap.size, 1)), cap)[:, 0]
    assert fair.min() == pytest.approx(held.min(), rel=1e-6)


def test_max_min_without_its_second_programme_has_the_same_least_and_no_larger_total():
    value, cap = np.random.default_rng(0).uniform(0.1, 2, (9, 3)), np.full(9, 2.0)
    one, two = (cluster.MaxMin(np.array([2.0, 3, 4]), second)(np.arange(9), value, cap) for second in (False, True))
    assert (value * one).sum(1).min() == pytest.approx((value * two).sum(1).min(), rel=1e-6)
    assert (value * one).sum() <= (value * two).sum() + 1e-6


def test_a_picture_of_the_cluster(followed, jobs, others, tmp_path):
    traces = {"prices": followed[2]} | {k: cluster.simulate(jobs, p, supply=SMALL) for k, p in others.items()}
    figure = cluster.draw(traces, 1.0, steps=20)
    assert [len(axes.lines) for axes in figure.axes] == [3, 3, 3]
    said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert f"{traces['prices'].hours.mean():.1f} hours where GPUs have prices" in said
    np.testing.assert_allclose(cluster.smooth(np.arange(5.0), 2), [0, 0.5, 1.5, 2.5, 3.5])


# --- paced budgets ---


@pytest.fixture(scope="module")
def campaigns():
    return pacing.drawn(seed=0, advertisers=12, keywords=4, impressions=1_200)


@pytest.fixture(scope="module")
def found(campaigns):
    return allocate(campaigns.valuations, campaigns.budgets, campaigns.supply, "quasi-linear", tolerance=1e-8)


@pytest.fixture(scope="module")
def days(campaigns, found):
    keywords = pacing.stream(campaigns.supply, seed=0)
    return {
        name: pacing.replay(keywords, bids, campaigns.budgets, shares)
        for name, (bids, shares) in pacing.policies(campaigns, found).items()
    }


def test_the_files_are_those_of_the_command(campaigns, found, tmp_path, monkeypatch):
    monkeypatch.setattr("catallax.cli.session.prepare", lambda: None)  # JAX is set up already
    bids, supply = pacing.write_campaigns(campaigns, tmp_path)
    again = read_bids(bids, supply=supply)
    assert again.names == campaigns.names and again.goods == campaigns.goods
    assert np.array_equal(again.valuations, campaigns.valuations) and np.array_equal(again.budgets, campaigns.budgets)
    words = ["allocate", str(bids), "--supply", str(supply), "--utility", "quasi-linear", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    np.testing.assert_allclose([said["prices"][good] for good in campaigns.goods], found.prices, rtol=1e-4)


def test_the_equilibrium_keeps_its_definition(campaigns, found):
    assert found.status == "settled"
    missed = pacing.broken(campaigns, found.prices, found.allocation)
    assert len(missed) == 5 and max(missed.values()) < 1e-6
    beta = pacing.multipliers(campaigns, found.prices)
    assert (beta < 0.99).any() and (beta == 1).any()  # some are paced, some need not be
    dearer = pacing.broken(campaigns, 1.1 * found.prices, found.allocation)
    assert dearer["within budgets"] > 0.05  # what is wrong is seen


def test_prices_are_those_of_the_dual_programme(campaigns, found):
    """min p.s - sum_i B_i log beta_i over beta_i v_ij <= p_j, beta_i <= 1 (Conitzer et al.), by a solver of its own."""
    value, budgets, supply = campaigns.valuations, campaigns.budgets, campaigns.supply
    n, total = budgets.size, budgets.sum()

    def cost(log_beta):
        bids = np.exp(log_beta)[:, None] * value
        return (bids.max(0) @ supply - budgets @ log_beta) / total

    beta = pacing.multipliers(campaigns, found.prices)
    least, random = cost(np.log(beta)), np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(50):
            assert cost(np.minimum(0, np.log(beta) + size * random.normal(size=n))) >= least - 1e-9
    start = np.full(n, -0.5)
    reached = optimize.minimize(cost, start, method="Powell", bounds=[(-6, 0)] * n, options=dict(maxiter=20))
    assert reached.fun >= least - 1e-9


def test_paced_budgets_last_the_day(campaigns, found, days):
    came = pacing.figures(campaigns, days[pacing.PACED])
    beta, spent = pacing.multipliers(campaigns, found.prices), found.allocation @ found.prices / campaigns.budgets
    np.testing.assert_allclose(came["spent"], spent, atol=0.03)  # to a few impressions
    assert (came["spent"][beta < 0.99] > 0.97).all() and not (came["out"] < pacing.EVENING).any()
    assert came["revenue"] == pytest.approx(found.prices @ campaigns.supply / campaigns.budgets.sum(), abs=0.01)
    assert came["regret"] @ campaigns.budgets < 0.01 * campaigns.budgets.sum()


def test_controls_run_out_and_regret_it(campaigns, days):
    came = {name: pacing.figures(campaigns, day) for name, day in days.items()}
    for name in (pacing.TRUE, pacing.HALF):
        assert (came[name]["out"] < pacing.EVENING).sum() > 2
        assert came[name]["regret"] @ campaigns.budgets > 10 * (came[pacing.PACED]["regret"] @ campaigns.budgets)
    assert came[pacing.TRUE]["value"] < came[pacing.PACED]["value"]  # budgets go where they are worth less
    assert came[pacing.TRUE]["revenue"] > came[pacing.PACED]["revenue"]  # and the seller is the better for it


@settings(max_examples=20)
@given(st.integers(0, 2**31 - 1), st.floats(0.2, 1.0))
def test_nobody_pays_more_than_bid_or_budget(seed, shade):
    small = pacing.drawn(seed, advertisers=4, keywords=2, impressions=40)
    keywords = pacing.stream(small.supply, seed)
    day = pacing.replay(keywords, shade * small.valuations, small.budgets)
    won = day.winner >= 0
    spent = np.bincount(day.winner[won], day.paid[won], minlength=4)
    assert (spent <= small.budgets * (1 + 1e-12)).all()
    np.testing.assert_allclose(day.paid[won], shade * small.valuations[day.winner[won], keywords[won]])
    assert (day.others <= day.paid * (1 + pacing.TICK) + 1e-12).all() and not day.paid[~won].any()
    came = pacing.figures(small, day)
    assert (came["regret"] >= 0).all() and (came["gain"] >= 0).all() and 0 <= came["value"] <= 1 + 1e-12


def test_tied_impressions_go_round_in_their_shares():
    bids, shares = np.ones((3, 1)), np.array([[0.5], [0.3], [0.2]])
    day = pacing.replay(np.zeros(100, int), bids, np.full(3, 1e3), shares)
    assert np.bincount(day.winner).tolist() == [50, 30, 20]
    alike = pacing.replay(np.zeros(99, int), bids, np.full(3, 1e3))
    assert np.bincount(alike.winner).tolist() == [33, 33, 33]


def test_regret_of_a_day_by_hand():
    """One advertiser with money for two of three impressions, sold to another at 1, 2 and 3; each is worth 4 to it."""
    market = pacing.Bids(("poor", "rich"), ("ad",), np.array([[4.0], [9.0]]), np.array([3.0, 99]), np.array([3.0]))
    day = pacing.Day(np.zeros(3, int), np.ones(3, int), np.array([1.0, 2, 3]), np.zeros(3))
    assert pacing.best_purchase(market, day, 0) == pytest.approx(4 - 1 + 4 - 2)
    assert pacing.figures(market, day)["regret"][0] == pytest.approx(5 / 3)
    # one multiplier: a bid of 0.26 x 4 wins the first alone, at 1.04
    assert pacing.best_multiplier(market, day, 0) == pytest.approx(4 - 1.04)


def test_a_picture_of_the_day(campaigns, days):
    figure = pacing.draw(campaigns, days)
    assert sorted(len(axes.lines) for axes in figure.axes) == [3, 12, 12, 12]
    assert "Paced by prices, none." in " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
