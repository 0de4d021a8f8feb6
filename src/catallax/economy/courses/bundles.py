"""The best bundle that a student can afford, exactly: branch and bound in a numba kernel.

    max sum_j v_j x_j   over x in {0, 1}^courses   with   p.x <= b,   sum_j x_j <= k,   x_j + x_l <= 1 for conflicts

Bound: for any l >= 0, dropping conflicts and pricing the budget, a bundle of at most c more courses out of those left
adds at most  l (b - spent) + the c largest max(0, v_j - l p_j).  Courses are visited in the order of v_j - l p_j, so
that this is a difference of two prefix sums: O(1) a node. l is chosen once a bundle to make the first bound least
(it is convex in l). Courses worth nothing are never taken. An equal bundle never replaces the first one found, so
ties are broken by the order of visiting: callers who want strict preferences make the values differ.

M. Held, R. Karp, The traveling-salesman problem and minimum spanning trees, Operations Research 18, 1970 (the bound);
E. Budish, G. Cachon, J. Kessler, A. Othman, Course Match, Operations Research 65, 2017 (the programme).
"""

import numba
import numpy as np

SLACK = 1e-12  # relative rounding: what costs this much more than the budget is affordable
STEPS = 14  # of golden section towards the multiplier: it need not be exact, any one gives a bound


@numba.njit(cache=True)
def first_bound(worth, price, count, budget, limit, multiplier, gain):
    """multiplier * budget + the `limit` largest max(0, worth - multiplier * price); fills `gain`."""
    for a in range(count):
        gain[a] = max(0.0, worth[a] - multiplier * price[a])
    total = multiplier * budget
    if count <= limit:
        return total + gain[:count].sum()
    ordered = np.sort(gain[:count])
    return total + ordered[count - limit :].sum()


@numba.njit(cache=True)
def best_multiplier(worth, price, count, budget, limit, gain):
    """The multiplier of the least first bound, nearly: golden section on a convex function."""
    if limit <= 0 or count == 0:
        return 0.0
    high = 0.0
    for a in range(count):
        if price[a] > 0:
            high = max(high, worth[a] / price[a])
    low, ratio = 0.0, 0.6180339887498949
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left = first_bound(worth, price, count, budget, limit, left, gain)
    at_right = first_bound(worth, price, count, budget, limit, right, gain)
    for _ in range(STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = first_bound(worth, price, count, budget, limit, left, gain)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = first_bound(worth, price, count, budget, limit, right, gain)
    middle = (low + high) / 2
    at_middle = first_bound(worth, price, count, budget, limit, middle, gain)
    none = first_bound(worth, price, count, budget, limit, 0.0, gain)
    return middle if at_middle < none else 0.0


@numba.njit(cache=True)
def best_bundle(value, price, conflict, limit, budget, taken):
    """Fills `taken` bool[courses] with the best bundle; returns what it is worth."""
    courses = value.size
    taken[:] = False
    index = np.empty(courses, np.int64)
    worth, cost, gain = np.empty(courses), np.empty(courses), np.empty(courses)
    purse, count = budget * (1 + SLACK), 0
    for j in range(courses):
        if value[j] > 0 and price[j] <= purse:
            index[count], worth[count], cost[count] = j, value[j], price[j]
            count += 1
    purse = min(purse, cost[:count].sum() * (1 + SLACK))  # an endless budget would make 0 * inf of the bound
    multiplier = best_multiplier(worth, cost, count, purse, limit, gain)
    for a in range(count):
        gain[a] = worth[a] - multiplier * cost[a]
    order = np.argsort(-gain[:count], kind="mergesort")  # stable: the same order on every machine
    index, worth, cost = index[order], worth[order], cost[order]
    prefix = np.zeros(count + 1)
    for a in range(count):
        prefix[a + 1] = prefix[a] + max(0.0, worth[a] - multiplier * cost[a])
    # depth first, with first: `path` holds the places of the courses taken, `spent` and `had` what they come to
    path = np.empty(limit + 1, np.int64)
    spent, had = np.zeros(limit + 2), np.zeros(limit + 2)
    depth, a, best = 0, 0, 0.0
    while True:
        left = limit - depth
        open_here = False
        if a < count and left > 0:
            most = had[depth] + multiplier * (purse - spent[depth]) + prefix[min(count, a + left)] - prefix[a]
            open_here = most > best * (1 - SLACK)
        if open_here:
            fits = spent[depth] + cost[a] <= purse
            if fits:
                for d in range(depth):
                    if conflict[index[path[d]], index[a]]:
                        fits = False
                        break
            if fits:
                path[depth] = a
                depth += 1
                spent[depth], had[depth] = spent[depth - 1] + cost[a], had[depth - 1] + worth[a]
                if had[depth] > best:
                    best = had[depth]
                    taken[:] = False
                    for d in range(depth):
                        taken[index[path[d]]] = True
            a += 1
        else:  # back to the last course taken, and on without it
            if depth == 0:
                return best
            depth -= 1
            a = path[depth] + 1


@numba.njit(cache=True)
def best_bundles(values, price, conflict, limits, budgets):
    """Every student's best bundle at one price list, bool[students, courses]."""
    students, courses = values.shape
    taken = np.zeros((students, courses), np.bool_)
    for i in range(students):
        best_bundle(values[i], price, conflict, limits[i], budgets[i], taken[i])
    return taken


@numba.njit(cache=True)
def best_with_one_more(value, price, conflict, limit, budget, own, empty, better):
    """Fills `better` with the best bundle out of `own` and one more course that has `empty` seats; returns its worth.

    `own` itself stands where no other is worth more.
    """
    worth = 0.0
    for j in range(value.size):
        if own[j]:
            worth += value[j]
    better[:] = own
    least = worth * (1 + SLACK)
    open_to, found = np.where(own, value, 0.0), np.empty(value.size, np.bool_)
    for j in range(value.size):
        if own[j] or empty[j] <= 0 or value[j] <= 0:
            continue
        open_to[j] = value[j]
        now = best_bundle(open_to, price, conflict, limit, budget, found)
        open_to[j] = 0.0
        if now > least:
            worth, least = now, now
            better[:] = found
    return worth
