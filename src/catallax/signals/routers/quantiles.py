"""The dual rule on the host: coordinate descent by counting, as one numba kernel in float32.

    alpha_i = what token i would gain beside its k best     (k+1-th largest of s_i - p; at least 0 where it may buy nothing)
    p_j     = the price at which expert j is full           (c_j+1-th largest of s_ij - alpha_i over tokens i)

The quantile over tokens is found by halving an interval and counting who is above the middle: a scan of the bids in the
order in which they lie in memory. The same law is `routers.dual.step` in JAX; a test holds them together.

J. Su, Quantile balancing (kexue.fm 11619), 2026.
"""

import numba
import numpy as np


@numba.njit(cache=True)
def margins(net, price, k, out, alpha, load):
    """Fills alpha [tokens], what each would gain beside its k best, and the load [experts] at these prices."""
    n, m = net.shape
    worth = np.empty(k + 1, np.float32)
    who = np.empty(k + 1, np.int64)
    load[:] = 0
    for i in range(n):
        worth[:] = -np.inf
        who[:] = 0
        for j in range(m):
            v = np.float32(net[i, j] - price[j])
            if v > worth[k]:
                r = k
                while r > 0 and v > worth[r - 1]:
                    worth[r], who[r] = worth[r - 1], who[r - 1]
                    r -= 1
                worth[r], who[r] = v, j
        for r in range(k):
            load[who[r]] += not out or worth[r] > 0
        alpha[i] = worth[k] if k < m else worth[k - 1]
        if out:
            alpha[i] = max(alpha[i] if k < m else np.float32(0), np.float32(0))


@numba.njit(cache=True, fastmath=True)
def above(net, middle, alpha, count):
    """Fills count [experts]: the tokens whose s_ij - middle_j > alpha_i."""
    n, m = net.shape
    count[:] = 0
    for i in range(n):
        row, limit = net[i], alpha[i]
        for j in range(m):
            count[j] += np.int32(row[j] - middle[j] > limit)


@numba.njit(cache=True)
def quantile_prices(net, price, capacity, k, out, free, rounds, halvings, tolerance):
    """The best prices met, in place; (their largest overload relative to capacity, rounds used).

    Where there is room to spare, idle capacity of an expert that is not free of charge counts as much as an overload.

    `net` [tokens, experts], `price` [experts]: float32; `capacity` [experts] int64. `free`: prices may be negative.
    Ends after so many rounds, or where no load exceeds its capacity by more than the share `tolerance` of it.
    """
    n, m = net.shape
    alpha, load = np.empty(n, np.float32), np.zeros(m, np.int64)
    low, high, middle = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    count = np.zeros(m, np.int32)
    best, least, t = price.copy(), np.inf, 0
    while True:
        margins(net, price, k, out, alpha, load)
        worst = 0.0
        for j in range(m):
            worst = max(worst, (load[j] - capacity[j]) / max(capacity[j], 1))
            if price[j] > 0 and not free:
                worst = max(worst, (capacity[j] - load[j]) / max(capacity[j], 1))
        if worst < least:
            least = worst
            best[:] = price
        if least <= tolerance or t == rounds:
            break
        bounds(net, alpha, low, high)
        for _ in range(halvings):
            for j in range(m):
                middle[j] = np.float32(0.5) * (low[j] + high[j])
            above(net, middle, alpha, count)
            for j in range(m):
                if count[j] > capacity[j]:
                    low[j] = middle[j]
                else:
                    high[j] = middle[j]
        for j in range(m):
            price[j] = np.float32(0.5) * (low[j] + high[j])
            if not free:
                price[j] = max(price[j], np.float32(0))
        t += 1
    price[:] = best
    return least, t


@numba.njit(cache=True)
def bounds(net, alpha, low, high):
    """Fills low and high [experts]: the least and the greatest of s_ij - alpha_i."""
    n, m = net.shape
    low[:] = np.inf
    high[:] = -np.inf
    for i in range(n):
        for j in range(m):
            z = net[i, j] - alpha[i]
            low[j] = min(low[j], z)
            high[j] = max(high[j], z)
