"""Opinion pools: their limits, what they are the prices of, and that no number is too small for them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from catallax.collective import pools
from catallax.core.errors import BadInput


def beliefs(seed: int = 0, members: int = 5, outcomes: int = 3, rows: int = 7, sharp: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(outcomes, sharp), (rows, members))


def close(a, b, by=1e-10):
    np.testing.assert_allclose(a, b, rtol=by, atol=by)


seeds = st.integers(0, 10_000)


@given(seeds)
def test_linear_is_the_mean_and_logarithmic_the_geometric_mean(seed):
    p, w = beliefs(seed), np.random.default_rng(seed).random(5)
    close(pools.linear(p), p.mean(1))
    close(pools.linear(p, w), (w[:, None] * p).sum(1) / w.sum())
    raw = np.prod(p ** w[:, None], 1)
    close(pools.logarithmic(p, w), raw / raw.sum(-1, keepdims=True))
    raw = np.prod(p, 1) ** (1 / 5)
    close(pools.logarithmic(p), raw / raw.sum(-1, keepdims=True))


@given(seeds)
def test_the_power_mean_goes_from_the_least_over_the_pools_to_the_largest(seed):
    p, w = beliefs(seed), np.random.default_rng(seed).random(5) + 0.1
    close(pools.isoelastic(p, 1, w), pools.linear(p, w))
    close(pools.isoelastic(p, 0, w), pools.logarithmic(p, w / w.sum()))
    close(pools.isoelastic(p, 1e-7, w), pools.logarithmic(p, w / w.sum()), 1e-5)
    for order, most in ((np.inf, p.max(1)), (-np.inf, p.min(1))):
        close(pools.isoelastic(p, order, w), most / most.sum(-1, keepdims=True))
    harmonic = 1 / ((w / w.sum())[:, None] / p).sum(1)
    close(pools.isoelastic(p, -1, w), harmonic / harmonic.sum(-1, keepdims=True))


@given(seeds)
def test_evidence_that_is_independent_given_the_outcome_adds_up(seed):
    random = np.random.default_rng(seed)
    prior, chance = random.dirichlet(np.ones(3)), random.dirichlet(np.ones(4), (5, 3))  # [members, outcomes, signals]
    seen = np.stack([chance[m, :, random.integers(4)] for m in range(5)])
    own = prior * seen / (prior * seen).sum(1, keepdims=True)
    both = prior * seen.prod(0)
    close(pools.logarithmic(own, np.ones(5), prior), both / both.sum())


def test_extremising_multiplies_log_odds():
    p = beliefs(outcomes=2)
    one, two = (pools.logarithmic(p), pools.extremised(p, 2.0))
    close(np.log(two[:, 1] / two[:, 0]), 2 * np.log(one[:, 1] / one[:, 0]))
    close(pools.extremised(p, 1.0, [1, 2, 3, 4, 5]), pools.logarithmic(p, np.arange(1, 6) / 15))
    assert (two.max(1) > one.max(1)).all()


@pytest.mark.parametrize("aversion", [0.1, 0.4, 1.0, 3.0, 50.0])
@pytest.mark.parametrize("sharp", [1.0, 0.2])
def test_at_the_clearing_price_nobody_wants_anything_else(aversion, sharp):
    """Bundles found by SciPy, each trader's own problem, add up to what there is."""
    p, wealth = beliefs(3, rows=1, sharp=sharp)[0], np.array([1.0, 2.0, 0.5, 0.2, 4.0])
    p = 0.99 * p + 0.01 / 3
    price = pools.clearing(p, wealth, aversion)
    assert price.sum() == pytest.approx(1, abs=1e-12)

    def bundle(belief, money):
        def loss(logs):
            spent = np.exp(logs - np.logaddexp.reduce(logs))
            claims = np.log(spent) - np.log(price)
            return -np.logaddexp.reduce(np.log(belief) + (1 - aversion) * claims) / (1 - aversion)

        if aversion == 1:
            return money * belief / price
        found = minimize(loss, np.log(belief), method="BFGS", options=dict(gtol=1e-9))
        return money * np.exp(found.x - np.logaddexp.reduce(found.x)) / price

    held = sum(bundle(b, w) for b, w in zip(p, wealth, strict=True))
    np.testing.assert_allclose(held, wealth.sum(), rtol=1e-4)


@given(seeds, st.sampled_from([0.1, 0.5, 1.0, 2.0, 20.0, 1e4]))
def test_the_clearing_price_clears(seed, aversion):
    p, w = beliefs(seed, outcomes=4, sharp=0.7), np.random.default_rng(seed).random(5) + 0.01
    price = pools.clearing(p, w, aversion)
    logs = (1 - 1 / aversion) * np.log(price)[:, None] + np.log(p) / aversion
    share = np.exp(logs - np.logaddexp.reduce(logs, -1, keepdims=True))
    close(((w / w.sum())[:, None] * share).sum(1) / price, 1)
    if aversion == 1:
        close(price, pools.linear(p, w))
    if aversion == 1e4:
        close(price, pools.logarithmic(p, w / w.sum()), 1e-2)


def test_nothing_is_too_small_nor_too_certain():
    tiny = np.array([[1e-300, 1 - 1e-300], [1e-280, 1.0], [0.5, 0.5]])
    for pooled in (
        pools.linear(tiny),
        pools.logarithmic(tiny),
        pools.extremised(tiny, 3.0),
        pools.isoelastic(tiny, -5),
    ):
        assert np.isfinite(pooled).all() and pooled.sum() == pytest.approx(1)
    assert pools.logarithmic(tiny[:2], [1, 1])[0] == 0  # 1e-580 is below every double
    sure = np.array([[0.0, 1.0], [0.3, 0.7]])
    assert pools.logarithmic(sure).tolist() == [0, 1] and pools.isoelastic(sure, -1).tolist() == [0, 1]
    assert pools.logarithmic(sure, [0, 1]).tolist() == pytest.approx([0.3, 0.7])  # no weight, no veto
    assert pools.isoelastic(sure, 2, [1, 1])[0] == pytest.approx(0.3 / (0.3 + np.sqrt(1.49)))
    assert pools.clearing(sure, [1, 1], 2.0).sum() == pytest.approx(1)


def test_weights_may_be_of_each_row():
    p, w = beliefs(), np.random.default_rng(1).random((7, 5))
    for pool in (
        pools.linear,
        pools.logarithmic,
        lambda p, w: pools.isoelastic(p, 0.5, w),
        lambda p, w: pools.clearing(p, w, 3),
    ):
        close(pool(p, w), np.stack([pool(a, b) for a, b in zip(p, w, strict=True)]))


good = [[0.2, 0.8], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pools.linear([[0.2, 1.2]]), "from 0 to 1"),
        (lambda: pools.linear([[0.2, np.nan]]), "from 0 to 1"),
        (lambda: pools.linear([[0.2, 0.7]]), "sum to 1"),
        (lambda: pools.linear([[1.0], [1.0]]), "one outcome only"),
        (lambda: pools.linear([0.2, 0.8]), "members, outcomes"),
        (lambda: pools.linear([["a", "b"]]), "give numbers"),
        (lambda: pools.linear(good, [1, -1]), "at least 0"),
        (lambda: pools.linear(good, [0, 0]), "above 0"),
        (lambda: pools.linear(good, [1, 1, 1]), "each of 2"),
        (lambda: pools.logarithmic(good, None, [0, 1]), "prior"),
        (lambda: pools.logarithmic([[0.0, 1.0], [1.0, 0.0]]), "clip"),
        (lambda: pools.extremised(good, 0), "factor"),
        (lambda: pools.isoelastic(good, np.nan), "order"),
        (lambda: pools.clearing(good, [1, 1], 0), "aversion"),
    ],
)
def test_what_is_no_forecast_is_refused(make, said):
    with pytest.raises(BadInput, match=said) as error:
        make()
    assert "\n" not in str(error.value)


def test_pools_load_no_jax():
    code = "import sys, catallax.collective.pools, catallax.collective.market.wealth as w; print('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
