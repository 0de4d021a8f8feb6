"""The counter-based generator: equal wherever it is written, honest by chance, and enough for jax.random."""

import math
import re

import jax
import jax.numpy as jnp
import numba
import numpy as np
import pytest
from scipy import stats

from catallax.core import kernel, random
from catallax.core.errors import BadInput

KEY = random.key(20_240_817)
SURE = 1e-5  # all seeds are fixed: a p-value below this is a fault, not bad luck that comes and goes


def words(key):
    return np.asarray(jax.random.key_data(key))


def children(key, n):
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n, dtype=jnp.uint32))


def even(counts, expected=None):
    """The p-value of counts being even (or as expected) by chi-square."""
    return stats.chisquare(np.asarray(counts).ravel(), expected).pvalue


# --- keys ----------------------------------------------------------------------------------------------------


def test_seeds_of_64_bits_each_have_a_key_of_their_own():
    seeds = [0, 1, 7, 2**31, 2**32 - 1, 2**32, 2**32 + 7, 7 << 32, 2**63, 2**64 - 1, np.int64(12), np.uint64(2**64 - 2)]
    assert len({tuple(words(random.key(s))) for s in seeds}) == len(seeds)
    assert not np.array_equal(jax.random.bits(random.key(7), (4,)), jax.random.bits(random.key(2**32 + 7), (4,)))


def test_seeds_that_are_no_whole_number_of_64_bits_are_refused():
    for seed in (-1, 2**64, 1.5, "3", None):
        with pytest.raises(BadInput, match=re.escape(f"seed is {seed!r}: give a whole number from 0 to 2**64 - 1")):
            random.key(seed)


def test_words_make_the_key_they_came_from():
    again = jax.random.wrap_key_data(words(KEY), impl=jax.random.key_impl(KEY))
    assert again.dtype == KEY.dtype and np.array_equal(jax.random.bits(again, (3,)), jax.random.bits(KEY, (3,)))


def test_jax_makes_the_same_keys_of_plain_and_traced_seeds():
    for seed in (0, 1, 2**31 - 1):
        assert np.array_equal(words(random.key(seed)), words(jax.random.key(seed, impl=random.counter)))
    many = jax.vmap(lambda s: jax.random.key(s, impl=random.counter))(jnp.arange(9))
    assert np.array_equal(words(many), [words(random.key(s)) for s in range(9)])
    with jax.enable_x64(True):
        for seed in (3, 2**40 + 3, 2**63 - 1):
            assert np.array_equal(words(random.key(seed)), words(jax.random.key(seed, impl=random.counter)))


def test_derived_keys_differ_from_each_other_and_from_their_parent():
    split, fold = words(jax.random.split(KEY, (20, 50))).reshape(-1, 2), words(children(KEY, 1000))
    assert len(np.unique(np.concatenate([split, fold, words(KEY)[None]]), axis=0)) == 2001


def test_vmap_jit_and_single_calls_agree():
    keys = children(KEY, 5)
    assert np.array_equal(words(keys), [words(jax.random.fold_in(KEY, i)) for i in range(5)])

    def draw(key):
        return jax.random.normal(key, (3,))

    assert np.array_equal(jax.jit(jax.vmap(draw))(keys), [draw(key) for key in keys])
    splits = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
    assert np.array_equal(words(splits), [words(jax.random.split(key, 3)) for key in keys])


# --- bits ----------------------------------------------------------------------------------------------------


def test_a_draw_depends_on_its_position_alone():
    row = jax.random.bits(KEY, (24,))
    assert np.array_equal(jax.random.bits(KEY, (2, 3, 4)).ravel(), row)
    assert np.array_equal(jax.random.bits(KEY, (5,)), row[:5])
    assert jax.random.bits(KEY) == row[0]
    assert jax.random.bits(KEY, (3, 0)).shape == (3, 0)


def test_narrow_draws_are_the_top_of_wide_ones():
    with jax.enable_x64(True):
        wide = np.asarray(jax.random.bits(KEY, (1000,), jnp.uint64))
    for width in (8, 16, 32):
        narrow = np.asarray(jax.random.bits(KEY, (1000,), f"uint{width}"))
        assert narrow.dtype == f"uint{width}" and np.array_equal(narrow, wide >> np.uint64(64 - width))


def test_float64_draws_refine_float32_ones():
    with jax.enable_x64(True):
        fine = np.asarray(jax.random.uniform(KEY, (10_000,), jnp.float64))
        wide = np.asarray(jax.random.normal(KEY, (10_000,), jnp.float64))
    coarse = np.asarray(jax.random.uniform(KEY, (10_000,)))
    assert np.all((fine >= coarse) & (fine - coarse < 2.0**-23))
    near = np.asarray(jax.random.normal(KEY, (10_000,)))
    # A step of 2^-23 of the uniform is a step of 2^-23 / density of the normal.
    assert np.all(np.abs(wide - near) < 2.0**-22 / stats.norm.pdf(wide) + 1e-5)


def test_more_words_than_a_key_has_are_refused():
    jax.jit(lambda: jax.random.bits(KEY, (2**16, 2**16))).lower()
    with pytest.raises(BadInput, match=r"more than its 2\*\*32 words: split the key first"):
        jax.jit(lambda: jax.random.bits(KEY, (2**16 + 1, 2**16))).lower()


# --- on the host ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed, turn, population", [(0, 0, 0), (7, 3, 1), (2**64 - 1, 2**32 - 1, 2**32 - 1)])
def test_host_keys_are_those_of_jax(seed, turn, population):
    key = jax.random.fold_in(jax.random.fold_in(random.key(seed), np.uint32(turn)), np.uint32(population))
    host = random.host_key(seed, turn, population)
    assert host.dtype == np.uint32 and np.array_equal(host, words(key))
    ids = np.array([0, 1, 5, 2**31, 2**32 - 1])
    theirs = jax.vmap(lambda i: jax.random.fold_in(key, i))(ids.astype(np.uint32))
    ours = random.host_fold_in(host, ids)
    assert ours.shape == (5, 2) and np.array_equal(ours, words(theirs))
    assert np.array_equal(random.host_bits(ours), jax.vmap(jax.random.bits)(theirs))
    assert np.array_equal(random.host_bits(ours, 6), jax.vmap(lambda k: jax.random.bits(k, (6,)))(theirs))
    assert np.array_equal(random.host_bits(host), jax.random.bits(key))


def test_impossible_host_keys_are_refused():
    with pytest.raises(BadInput, match="round is -1: give a whole number"):
        random.host_key(0, -1)
    with pytest.raises(BadInput, match="population is 4294967296: give"):
        random.host_key(0, 1, 2**32)
    with pytest.raises(BadInput, match=r"key is int64\[2\]: give the words"):
        random.host_bits(np.array([1, 2]))


@numba.njit
def kernel_draws(k0, k1, ids, n):
    out = np.empty((ids.size, 4, 2), np.uint32)
    fine = np.empty((ids.size, 4))
    low = np.empty((ids.size, 4), np.int64)
    for i in range(ids.size):
        a, b = kernel.fold_in(k0, k1, ids[i])
        for j in range(4):
            out[i, j, 0], out[i, j, 1] = kernel.word(a, b, j), a
            fine[i, j] = kernel.uniform(a, b, j)
            low[i, j] = kernel.below(a, b, j, n)
    return out, fine, low


def test_numba_draws_are_those_of_jax():
    k0, k1 = words(KEY)
    ids = np.array([0, 1, 2, 1000, 2**31, 2**32 - 1])
    got, fine, low = kernel_draws(k0, k1, ids, 1000)
    keys = jax.vmap(lambda i: jax.random.fold_in(KEY, i))(ids.astype(np.uint32))
    assert np.array_equal(got[:, 0, 1], words(keys)[:, 0])
    assert np.array_equal(got[..., 0], jax.vmap(lambda k: jax.random.bits(k, (4,)))(keys))
    with jax.enable_x64(True):
        assert np.array_equal(fine, jax.vmap(lambda k: jax.random.uniform(k, (4,), jnp.float64))(keys))
    assert np.array_equal(low, got[..., 0].astype(object) * 1000 // 2**32)


def test_numba_integers_are_even():
    _, _, low = kernel_draws(*words(KEY), np.arange(20_000), 13)
    assert low.min() == 0 and low.max() == 12 and even(np.bincount(low.ravel())) > SURE


# --- chance --------------------------------------------------------------------------------------------------


def stream(kind, n=50_000):
    """First draws of neighbours: consecutive agents of a round, rounds of a seed, seeds; and one key's own stream."""
    if kind == "agents":
        return random.host_bits(random.host_fold_in(random.host_key(3, 5), np.arange(n)))
    if kind == "rounds":
        rounds = random.host_fold_in(np.asarray(words(random.key(3))), np.arange(n))
        return random.host_bits(random.host_fold_in(random.host_fold_in(rounds, 0), 17))
    if kind == "seeds":
        seeds = random.host_fold_in(random.host_fold_in(np.array(random.ROOT), np.arange(n)), 0)
        assert np.array_equal(seeds[:3], [words(random.key(s)) for s in range(3)])
        return random.host_bits(random.host_fold_in(random.host_fold_in(seeds, 5), 17))
    return np.asarray(jax.random.bits(random.key(8), (n,)))


@pytest.mark.parametrize("kind", ["agents", "rounds", "seeds", "one key"])
def test_neighbours_are_uncorrelated(kind):
    draws = stream(kind)
    signs = ((draws[:, None] >> np.arange(32, dtype=np.uint32)) & 1).astype(np.float32) * 2 - 1
    for lag in (1, 2, 16):
        # Every bit of a draw with every bit of the draw `lag` later: 1024 standard normals.
        z = signs[:-lag].T @ signs[lag:] / math.sqrt(len(draws) - lag)
        assert np.abs(z).max() < 5.2
        assert stats.chi2.sf(np.sum(z.astype(float) ** 2), 1024) > SURE
    own = (signs.T @ signs / math.sqrt(len(draws)))[np.triu_indices(32, 1)]
    assert np.abs(own).max() < 5 and np.abs(signs.sum(0)).max() < 4.5 * math.sqrt(len(draws))


@pytest.mark.parametrize("kind", ["agents", "rounds", "seeds", "one key"])
def test_pairs_of_neighbours_are_even(kind):
    draws = stream(kind)
    for shift in (0, 5, 13, 28):
        four = (draws >> np.uint32(shift)) & np.uint32(15)
        for lag in (1, 2, 64):
            assert even(np.bincount(four[:-lag] * 16 + four[lag:], minlength=256)) > SURE
    assert stats.kstest(draws / 2.0**32, "uniform").pvalue > SURE


def first_draw(low, high, turn, agent):
    """The first word that an agent draws in a round, of arrays of seeds (two halves), rounds and ids."""
    seeds = random.host_fold_in(random.host_fold_in(np.array(random.ROOT), low), high)
    return random.host_bits(random.host_fold_in(random.host_fold_in(random.host_fold_in(seeds, turn), 0), agent))


@pytest.mark.parametrize("place, name", [*enumerate(["seed, low half", "seed, high half", "round", "agent"])])
def test_every_bit_of_seed_round_and_agent_moves_every_bit_of_a_draw(place, name):
    n = 20_000
    draw = np.random.default_rng(place)
    # As people use them: small numbers, close together.
    inputs = [draw.integers(0, 1000, n), np.zeros(n, int), draw.integers(0, 1000, n), draw.integers(0, 100_000, n)]
    before, z = first_draw(*inputs), np.empty((32, 32))
    for bit in range(32):
        flipped = [x ^ (1 << bit) if k == place else x for k, x in enumerate(inputs)]
        changed = before ^ first_draw(*flipped)
        z[bit] = [(np.count_nonzero(changed >> np.uint32(b) & 1) - n / 2) / math.sqrt(n / 4) for b in range(32)]
    assert np.abs(z).max() < 5.2
    assert SURE < stats.chi2.sf(np.sum(z**2), 1024) < 1 - SURE


@pytest.mark.parametrize("kind", ["agents", "one key"])
def test_draws_repeat_as_often_as_chance_has_it(kind):
    n = 2**19
    repeats = n - len(np.unique(stream(kind, n)))
    assert abs(repeats - n * n / 2**33) < 4 * math.sqrt(n * n / 2**33)  # a permutation would have none


# --- what jax.random makes of it -----------------------------------------------------------------------------

r = jax.random
CONTINUOUS = {
    "beta": (lambda k, s: r.beta(k, 2.0, 3.0, s), stats.beta(2, 3)),
    "cauchy": (r.cauchy, stats.cauchy()),
    "chisquare": (lambda k, s: r.chisquare(k, 3.0, s), stats.chi2(3)),
    "exponential": (r.exponential, stats.expon()),
    "f": (lambda k, s: r.f(k, 4.0, 7.0, s), stats.f(4, 7)),
    "gamma": (lambda k, s: r.gamma(k, 2.5, s), stats.gamma(2.5)),
    "generalized_normal": (lambda k, s: r.generalized_normal(k, 1.5, s), stats.gennorm(1.5)),
    "gumbel": (r.gumbel, stats.gumbel_r()),
    "laplace": (r.laplace, stats.laplace()),
    "loggamma": (lambda k, s: r.loggamma(k, 2.5, s), stats.loggamma(2.5)),
    "logistic": (r.logistic, stats.logistic()),
    "lognormal": (lambda k, s: r.lognormal(k, 0.7, s), stats.lognorm(0.7)),
    "maxwell": (r.maxwell, stats.maxwell()),
    "normal": (r.normal, stats.norm()),
    "pareto": (lambda k, s: r.pareto(k, 2.5, s), stats.pareto(2.5)),
    "rayleigh": (lambda k, s: r.rayleigh(k, 2.0, s), stats.rayleigh(scale=2)),
    "t": (lambda k, s: r.t(k, 5.0, s), stats.t(5)),
    "triangular": (lambda k, s: r.triangular(k, 0.0, 0.3, 1.0, s), stats.triang(0.3)),
    "truncated_normal": (lambda k, s: r.truncated_normal(k, -1.0, 2.0, s), stats.truncnorm(-1, 2)),
    "uniform": (r.uniform, stats.uniform()),
    "wald": (lambda k, s: r.wald(k, 1.5, s), stats.invgauss(1.5)),
    "weibull_min": (lambda k, s: r.weibull_min(k, 2.0, 1.5, s), stats.weibull_min(1.5, scale=2)),
}
CHANCES = np.array([0.1, 0.2, 0.3, 0.4])
DISCRETE = {
    "bernoulli": (lambda k, s: r.bernoulli(k, 0.3, s).astype(int), stats.bernoulli(0.3)),
    "binomial": (lambda k, s: r.binomial(k, 10.0, 0.3, s), stats.binom(10, 0.3)),
    "categorical": (
        lambda k, s: r.categorical(k, jnp.log(CHANCES), shape=s),
        stats.rv_discrete(values=(range(4), CHANCES)),
    ),
    "choice": (lambda k, s: r.choice(k, 4, s, p=CHANCES), stats.rv_discrete(values=(range(4), CHANCES))),
    "geometric": (lambda k, s: r.geometric(k, 0.2, s), stats.geom(0.2)),
    "rademacher": (lambda k, s: (r.rademacher(k, s) + 1) // 2, stats.bernoulli(0.5)),
    "randint": (lambda k, s: r.randint(k, s, 3, 10), stats.randint(3, 10)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_samplers(name):
    draw, law = CONTINUOUS[name]
    sample = np.asarray(draw(KEY, (50, 100)))
    assert sample.shape == (50, 100) and sample.dtype == np.float32
    assert stats.kstest(sample.ravel(), law.cdf).pvalue > SURE


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_samplers(name):
    draw, law = DISCRETE[name]
    sample = np.asarray(draw(KEY, (50, 100)))
    assert sample.shape == (50, 100)
    assert fits(sample, law) > SURE


def fits(sample, law):
    """The p-value of counts against a discrete law by chi-square, cells of at least 10 expected."""
    sample = np.asarray(sample).ravel()
    values = np.arange(int(law.ppf(1e-12)) - 1, int(law.ppf(1 - 1e-12)) + 2)
    edges, mass = [], 0.0
    for value, chance in zip(values, law.pmf(values) * sample.size):
        mass += chance
        if mass >= 10:
            edges.append(value + 0.5)
            mass = 0.0
    edges = np.array([-np.inf, *edges[:-1], np.inf])
    expected = np.diff(law.cdf(edges)) * sample.size
    assert len(expected) > 1
    return even(np.histogram(sample, edges)[0], expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_narrow_floats(dtype):
    assert r.uniform(KEY, (4000,), dtype).dtype == dtype
    sample = np.asarray(r.normal(KEY, (4000,), dtype), np.float64)
    assert abs(sample.mean()) < 0.07 and abs(sample.std() - 1) < 0.05


def test_multivariate_samplers():
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    sample = np.asarray(r.multivariate_normal(KEY, jnp.array([1.0, -1.0]), covariance, (5000,)))
    assert np.allclose(sample.mean(0), [1, -1], atol=0.1) and np.allclose(np.cov(sample.T), covariance, atol=0.15)
    shares = np.asarray(r.dirichlet(KEY, jnp.array([1.0, 2.0, 3.0]), (5000,)))
    assert np.allclose(shares.sum(1), 1, atol=1e-5)
    assert stats.kstest(shares[:, 1], stats.beta(2, 4).cdf).pvalue > SURE
    frame = np.asarray(r.orthogonal(KEY, 4, (3,)))
    assert np.allclose(frame @ frame.transpose(0, 2, 1), np.eye(4), atol=1e-5)
    radius = np.linalg.norm(r.ball(KEY, 3, shape=(5000,)), axis=1)
    assert stats.kstest(radius**3, "uniform").pvalue > SURE
    speed = np.asarray(r.double_sided_maxwell(KEY, 0.0, 1.0, (5000,)))
    assert stats.kstest(np.abs(speed), stats.maxwell.cdf).pvalue > SURE and abs(np.sign(speed).mean()) < 0.06
    counts = np.asarray(r.multinomial(KEY, 20.0, jnp.asarray(CHANCES), shape=(2000, 4)))
    assert np.all(counts.sum(-1) == 20) and fits(counts[:, 2].astype(int), stats.binom(20, 0.3)) > SURE


def test_permutations_of_jax():
    many = np.asarray(jax.vmap(lambda k: r.permutation(k, 4))(children(KEY, 6000)))
    assert np.all(np.sort(many, 1) == np.arange(4))
    assert even(np.unique(many @ 4 ** np.arange(4), return_counts=True)[1]) > SURE
    drawn = np.asarray(r.choice(KEY, 100, (100,), replace=False))
    assert np.array_equal(np.sort(drawn), np.arange(100))


# --- poisson -------------------------------------------------------------------------------------------------


RATES = np.array([0.3, 3.0, 9.9, 10.1, 40.0, 1e4, 3e6, 0.0, -0.0, -1.0, np.nan, np.inf, -np.inf, 1e30])
COUNTED = 30_000


@pytest.fixture(scope="module")
def counts():
    """Of every rate above so many counts, computed in float32."""
    sample = random.poisson(KEY, RATES.astype(np.float32)[:, None], (len(RATES), COUNTED))
    assert sample.dtype == jnp.int32
    return np.asarray(sample)


@pytest.mark.parametrize("rate", [0.3, 3.0, 9.9, 10.1, 40.0, 1e4])
def test_poisson_counts_follow_their_law(counts, rate):
    assert fits(counts[RATES.tolist().index(rate)], stats.poisson(rate)) > SURE


def test_poisson_of_a_high_rate_keeps_its_mean_and_variance_in_float32(counts):
    sample = counts[RATES.tolist().index(3e6)].astype(float)
    assert abs(sample.mean() / 3e6 - 1) < 4 / math.sqrt(3e6 * COUNTED)
    assert abs(sample.var() / 3e6 - 1) < 4 * math.sqrt(2 / COUNTED)


def test_impossible_rates_give_minus_one_and_large_counts_stop_at_their_type(counts):
    for rate, count in zip(counts[7:, 0], [0, 0, -1, -1, -1, -1, 2**31 - 1]):
        assert rate == count
    assert np.all(counts[7:] == counts[7:, :1])
    small = random.poisson(KEY, [1e6, -1.0, 0.0], dtype=jnp.int16)
    assert small.dtype == jnp.int16 and small.tolist() == [32767, -1, 0]
    with pytest.raises(BadInput, match="counts need signed integers"):
        random.poisson(KEY, 1.0, dtype=jnp.float32)


def test_poisson_in_float64_keeps_counts_beyond_float32():
    with jax.enable_x64(True):
        sample = np.asarray(random.poisson(KEY, jnp.asarray([3.0, 1e12], jnp.float64), (3000, 2), jnp.int64))
    assert sample.dtype == np.int64 and fits(sample[:, 0], stats.poisson(3)) > SURE
    assert stats.kstest(sample[:, 1], stats.norm(1e12, 1e6).cdf).pvalue > SURE
    assert len(np.unique(sample[:, 1] % 2)) == 2


def test_poisson_of_jax_is_for_threefry_alone_and_ours_maps_over_keys_of_both():
    with pytest.raises(NotImplementedError, match="only implemented for the threefry2x32 RNG"):
        jax.random.poisson(KEY, 3.0)
    rates = jnp.array([3.0, 12.0])
    for keys in (children(KEY, 3000), jax.random.split(jax.random.key(1), 3000)):
        sample = np.asarray(jax.jit(jax.vmap(random.poisson, (0, None)))(keys, rates))
        assert fits(sample[:, 0], stats.poisson(3)) > SURE and fits(sample[:, 1], stats.poisson(12)) > SURE
        assert np.array_equal(random.poisson(keys[1], rates), sample[1])


# --- order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 64, 100, 129, 144, 1000, 10_007])
def test_an_order_is_a_permutation(n):
    places = jax.jit(random.order, static_argnums=1)(KEY, n)
    assert places.dtype == jnp.int32 and np.array_equal(np.sort(places), np.arange(n))


def test_orders_of_no_places_are_refused():
    for n in (0, -3):
        with pytest.raises(BadInput, match=f"order asks for {n} places"):
            random.order(KEY, n)


def orders(n, count):
    """The orders of consecutive rounds."""
    return np.asarray(jax.jit(jax.vmap(lambda key: random.order(key, n)))(children(KEY, count)))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_all_orders_of_a_few_are_as_frequent(n):
    found = np.unique(orders(n, 30_000) @ n ** np.arange(n), return_counts=True)[1]
    assert len(found) == math.factorial(n) and even(found) > SURE


@pytest.mark.parametrize(("n", "count"), [(20, 20_000), (129, 10_000), (1000, 5_000)])
def test_places_and_pairs_of_places_are_even(n, count):
    drawn, others = orders(n, count), ~np.eye(10, dtype=bool)
    tenth = drawn * 10 // n
    sizes = np.bincount(np.arange(n) * 10 // n) / n
    for place in range(0, n, max(1, n // 20)):
        assert even(np.bincount(tenth[:, place], minlength=10), sizes * len(drawn)) > SURE
    columns = -(-n // (math.isqrt(n - 1) + 1))
    pairs = np.outer(sizes, sizes) * n / (n - 1) * others + np.diag(sizes * (sizes * n - 1) / (n - 1))
    for first, second in ((0, 1), (0, columns), (columns + 1, 2), (n // 2, n // 2 + columns), (n - 2, n - 1)):
        table = np.bincount(tenth[:, first] * 10 + tenth[:, second], minlength=100)
        assert even(table, (pairs * len(drawn)).ravel()) > SURE
        ahead = np.count_nonzero(drawn[:, first] < drawn[:, second])
        assert abs(ahead - len(drawn) / 2) < 4.5 * math.sqrt(len(drawn) / 4)
    # Who comes first among the four corners of a rectangle of the grid: 24 orders.
    four = np.argsort(drawn[:, [0, 1, columns, columns + 1]], axis=1) @ 4 ** np.arange(4)
    assert even(np.unique(four, return_counts=True)[1]) > SURE


@pytest.mark.parametrize("n", [50, 500])
def test_orders_of_neighbouring_rounds_are_unrelated(n):
    drawn = orders(n, 4000).astype(float)
    scaled = (drawn - (n - 1) / 2) / math.sqrt((n * n - 1) / 12)
    for lag in (1, 2, 7):
        z = np.sum(scaled[:-lag] * scaled[lag:], axis=1) / math.sqrt(n * n / (n - 1))
        assert stats.kstest(z, "norm").pvalue > SURE and abs(z.mean()) * math.sqrt(len(z)) < 4.5
    inside = np.sum(scaled[:, :-1] * scaled[:, 1:]) / math.sqrt(scaled.size)
    assert abs(inside + math.sqrt(scaled.size) / n) < 4.5
