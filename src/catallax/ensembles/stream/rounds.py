"""One outcome after another, and whom it pays. Compiled; NumPy arrays in and out, changed in place.

Members offer p_m over K outcomes, [rows, members, outcomes] as logarithms; y came. Two kinds of market:

    purses (Kelly 1956; Beygelzimer, Langford and Pennock 2012)
        stake   s_m = eta w_m, none above the cap: a share of all stakes
        price   c = sum_m s_m p_m / sum_m s_m
        payment w_m <- w_m + s_m (p_m(y) / c(y) - 1)          eta = 1: the Bayes mixture; eta < 1: fractional Kelly
        tax     w_m <- (1 - f) w_m + f mean(w)                forgetting f (fixed share: Herbster and Warmuth 1998)
    tolerances (CARA and LMSR; Storkey 2011)
        price   c ~ prod_m p_m^t_m, t_m >= 0
        payment w_m <- w_m + t_m (log p_m(y) - sum_k c_k log p_mk), out of the maker's purse
        t       <- argmax b't - t'P t / 2 over t >= 0, t_m <= cap sum t, where each round, by H = L (diag c - c c') L' with
                L = log p [members, outcomes] and by g_m = log p_m(y) - sum_k c_k log p_mk, the gain of one unit more,
                P <- (1 - f) P + f P_0 + H,   b <- (1 - f) b + f P_0 t_0 + H t + g
                Inside the bounds that is an online Newton step, t + P^-1 g: whoever earns trades more.

Payments sum to zero in every round, the maker's among them where there is one. An offer of NaN is that of a member who is
asleep: it does not bet (among tolerances it would offer alike on all outcomes, which is the same).
"""

import numba
import numpy as np

PURSES, TOLERANCES = 0, 1
SWEEPS = 100  # over all bounds
CLOSE = 1e-9  # the largest step of a sweep, of the size of tolerances in the metric of their precision, that ends it


@numba.njit(cache=True)
def capped(weight, cap, out):
    """Weights of which none is above `cap` of their sum; those above come down to it, the others stay."""
    members = len(weight)
    for m in range(members):
        out[m] = weight[m]
    for _ in range(members):
        total = out.sum()
        above, rest = 0, 0.0
        for m in range(members):
            if out[m] >= cap * total * (1 - 1e-12):
                above += 1
            else:
                rest += out[m]
        if above == 0 or total == 0.0:
            return
        if above * cap >= 1 - 1e-12:  # all that is left is shared alike
            for m in range(members):
                if out[m] >= cap * total * (1 - 1e-12):
                    out[m] = cap * total
            return
        level = cap * rest / (1 - above * cap)
        moved = False
        for m in range(members):
            if out[m] >= cap * total * (1 - 1e-12) and out[m] > level:
                moved = moved or out[m] > level * (1 + 1e-12)
                out[m] = level
        if not moved:
            return


@numba.njit(cache=True)
def solved(matrix, right):
    """The solution of matrix x = right, matrix symmetric and positive definite (Cholesky)."""
    size = len(right)
    root, x = np.zeros((size, size)), right.copy()
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            root[i, j] = np.sqrt(max(rest, 1e-300)) if i == j else rest / root[j, j]
    for i in range(size):
        for k in range(i):
            x[i] -= root[i, k] * x[k]
        x[i] /= root[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            x[i] -= root[k, i] * x[k]
        x[i] /= root[i, i]
    return x


@numba.njit(cache=True)
def best(precision, target, cap, out):
    """argmax of target't - t'precision t / 2 over t >= 0 and t_m <= cap sum t, into `out`.

    Where the free optimum breaks a bound, by Hildreth's dual steps (1957), one multiplier after the other; what they leave
    undone after `SWEEPS` is mended by a mean with equal tolerances.
    """
    members = len(target)
    out[:] = solved(precision, target)
    total = out.sum()
    if out.min() >= 0 and (cap == 1 or out.max() <= cap * total):
        return
    inverse = np.empty((members, members))
    for m in range(members):
        unit = np.zeros(members)
        unit[m] = 1.0
        inverse[m] = solved(precision, unit)
    bounds = 2 * members if cap < 1 else members
    bound, moved, size = np.zeros((bounds, members)), np.empty((bounds, members)), np.empty(bounds)
    for k in range(bounds):
        if k < members:
            bound[k, k] = 1.0
        else:
            bound[k] = cap
            bound[k, k - members] -= 1.0
        moved[k] = inverse @ bound[k]
        size[k] = bound[k] @ moved[k]
    price = np.zeros(bounds)
    for _ in range(SWEEPS):
        change = 0.0
        for k in range(bounds):
            step = max(-(bound[k] @ out) / size[k], -price[k])
            price[k] += step
            out += step * moved[k]
            change = max(change, abs(step) * np.sqrt(size[k]))
        if change <= CLOSE * np.sqrt(max(target @ out, 0.0)):
            break
    mend(cap, out)


@numba.njit(cache=True)
def mend(cap, out):
    """Bounds that are nearly kept are kept: nothing below zero, and the shares drawn to equal ones as far as it takes."""
    members = len(out)
    for m in range(members):
        out[m] = max(out[m], 0.0)
    mean, most = out.mean(), out.max()
    if most > cap * members * mean:
        part = 1.0 if members * cap <= 1 else (most - cap * members * mean) / (most - mean)
        for m in range(members):
            out[m] += part * (mean - out[m])


@numba.njit(cache=True)
def pay_purses(offer, y, wealth, fraction, forgetting, cap, price):
    """One round of purses; the price is left in `price`."""
    members, outcomes = offer.shape
    stake, bet = np.empty(members), fraction * wealth
    for m in range(members):
        if np.isnan(offer[m, 0]):
            bet[m] = 0.0
    capped(bet, cap, stake)
    total = stake.sum()
    price[:] = 0.0 if total > 0 else 1.0 / outcomes
    for m in range(members):
        if stake[m] == 0:
            continue
        for k in range(outcomes):
            price[k] += stake[m] / total * np.exp(offer[m, k])
    for m in range(members):
        if stake[m] > 0:
            wealth[m] += stake[m] * (np.exp(offer[m, y]) / price[y] - 1)
    mean = wealth.sum() / members
    for m in range(members):
        wealth[m] = (1 - forgetting) * wealth[m] + forgetting * mean


@numba.njit(cache=True)
def pool(offer, tolerance, price):
    """The logarithmic pool of one row, into `price`."""
    members, outcomes = offer.shape
    price[:] = 0.0
    for m in range(members):
        for k in range(outcomes):
            price[k] += tolerance[m] * offer[m, k]
    top, total = price.max(), 0.0
    for k in range(outcomes):
        price[k] = np.exp(price[k] - top)
        total += price[k]
    for k in range(outcomes):
        price[k] /= total


@numba.njit(cache=True)
def pay_tolerances(told, y, wealth, maker, tolerance, precision, target, first, forgetting, cap, price):
    """One round of tolerances; the price is left in `price`."""
    members, outcomes = told.shape
    offer = np.where(np.isnan(told), 0.0, told)
    pool(offer, tolerance, price)
    mean, slope = np.zeros(members), np.empty(members)
    for m in range(members):
        for k in range(outcomes):
            mean[m] += price[k] * offer[m, k]
        slope[m] = offer[m, y] - mean[m]
    for i in range(members):
        wealth[i] += tolerance[i] * slope[i]
        maker[0] -= tolerance[i] * slope[i]
        target[i] = (1 - forgetting) * target[i] + forgetting * first[0] * first[1] + slope[i]
        for j in range(members):
            curve = 0.0
            for k in range(outcomes):
                curve += price[k] * (offer[i, k] - mean[i]) * (offer[j, k] - mean[j])
            precision[i, j] = (1 - forgetting) * precision[i, j] + curve
            target[i] += curve * tolerance[j]
        precision[i, i] += forgetting * first[0]
    best(precision, target, cap, tolerance)


@numba.njit(cache=True)
def play(offers, y, kind, wealth, maker, tolerance, precision, target, first, fraction, forgetting, cap, leads, leader):
    """All rows in order: the log of the price of what came, [rows], and the largest change of all money there is.

    `first` [2]: the precision and the tolerance that everyone begins with. `precision` [members, members], `target` [members].
    `leads` [rows] says where another member came to have the most influence: its number, else -1. `leader` [1]: who has.
    """
    rows, _, outcomes = offers.shape
    log_price, price, worst = np.empty(rows), np.empty(outcomes), 0.0
    for row in range(rows):
        before = wealth.sum() + maker[0]
        if kind == PURSES:
            pay_purses(offers[row], y[row], wealth, fraction, forgetting, cap, price)
        else:
            pay_tolerances(
                offers[row], y[row], wealth, maker, tolerance, precision, target, first, forgetting, cap, price
            )  # fmt: skip
        worst = max(worst, abs(wealth.sum() + maker[0] - before))
        log_price[row] = np.log(price[y[row]])
        first_now = np.argmax(wealth if kind == PURSES else tolerance)
        leads[row] = first_now if first_now != leader[0] and leader[0] >= 0 else -1
        leader[0] = first_now
    return log_price, worst
