"""The active set, found exactly: the few neurons that speak, and their least-squares answer. `method="auto"`.

With support S and signs s a code is optimal where

    G_SS a_S = b_S - penalty s        sign(a_S) = s        |q| <= penalty elsewhere,    q = b - G a: matches with the residual

From any code: (1) hear q; certified within the tolerance: done. (2) Wake those that are loudest, |q| >= penalty + eager (max |q| -
penalty), with the sign that they hear. (3) Go towards the solution of the equations; where a neuron would cross 0 before, stop
there, silence it, and go on with the others. The cost falls with every step, and as there are finitely many supports it
ends: Lawson and Hanson's method for least squares with signs (1974, chapter 23), several neurons waking at once. Of those that wake
together some get the wrong sign at once and are put back; the loudest alone never does, if need be it is taken alone.

The Cholesky factor of G_SS grows by rows; 1 / L_ii is kept in place of L_ii. Sets that depend on each other linearly get a
floor under the pivot. Should rounding keep a sample from its certificate, coordinate descent on the same numbers goes on.

H. Lee, A. Battle, R. Raina and A. Ng, Efficient sparse coding algorithms, NIPS 2006 (feature-sign search); M. Osborne,
B. Presnell and B. Turlach, IMA J. Numerical Analysis 20, 2000.
"""

from typing import Any

import numba
import numpy as np

from catallax.networks.sparse.atoms import Atoms
from catallax.networks.sparse.batch import Aim, Found

Array = np.ndarray
EAGER = 0.7  # how loud, between the penalty and the loudest, a neuron must be to wake
PIVOT = 1e-10  # the least that the squared diagonal of the factor may be
STUCK, LESS = 3, 1e-13  # rounds in a row that may bring no more than this share, before coordinate descent takes over

FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums may be taken in another order; NaN and infinity stay what they are


def kernel(function: Any) -> Any:
    """Compiled by numba; sums in any order, so that they go several at once."""
    return numba.njit(cache=True, nogil=True, fastmath=FAST)(function)


@kernel
def hear(b, G, active, a, k, q):
    """q = b - G a, four active neurons at a time: each pass over q costs as much as a row of G."""
    count = b.shape[0]
    for i in range(count):
        q[i] = b[i]
    j = 0
    while j + 3 < k:
        a0, a1, a2, a3 = a[j], a[j + 1], a[j + 2], a[j + 3]
        g0, g1, g2, g3 = G[active[j]], G[active[j + 1]], G[active[j + 2]], G[active[j + 3]]
        for i in range(count):
            q[i] -= a0 * g0[i] + a1 * g1[i] + a2 * g2[i] + a3 * g3[i]
        j += 4
    while j < k:
        a0, g0 = a[j], G[active[j]]
        for i in range(count):
            q[i] -= a0 * g0[i]
        j += 1


@kernel
def judge(b, square, q, active, a, k, penalty, positive):
    """The cost of the code, its gap, and the loudest match: `certificate.bounds`, from sums over the active set."""
    loudest, driven, heard, size = 0.0, 0.0, 0.0, 0.0
    for i in range(q.shape[0]):
        loudest = max(loudest, q[i] if positive else abs(q[i]))
    for j in range(k):
        i = active[j]
        driven += b[i] * a[j]
        heard += q[i] * a[j]
        size += abs(a[j])
    along = square - driven  # x.r
    residual = max(along - heard, 0.0)  # |r|^2
    cost = residual / 2 + penalty * size
    if cost <= 0.0:
        return 0.0, 0.0, loudest
    scale = penalty / loudest if loudest > 0 else np.inf
    if along < scale * residual:
        scale = along / residual
    elif residual == 0.0 and scale == np.inf:
        scale = 0.0
    scale = max(scale, 0.0)
    least = scale * along - scale * scale * residual / 2
    return cost, max(cost - least, 0.0) / cost, loudest


@kernel
def factor(G, active, L, first, k):
    """Rows `first` to k of the Cholesky factor of G over the active set; 1 / L_ii on the diagonal."""
    for n in range(first, k):
        g = G[active[n]]
        for j in range(n):
            s = g[active[j]]
            for t in range(j):
                s -= L[n, t] * L[j, t]
            L[n, j] = s * L[j, j]
        pivot = g[active[n]]
        for t in range(n):
            pivot -= L[n, t] * L[n, t]
        L[n, n] = 1 / np.sqrt(max(pivot, PIVOT))


@kernel
def solve(L, v, k):
    """v becomes (L L')^-1 v."""
    for n in range(k):
        s = v[n]
        for t in range(n):
            s -= L[n, t] * v[t]
        v[n] = s * L[n, n]
    for n in range(k - 1, -1, -1):
        v[n] *= L[n, n]
        s = v[n]
        for t in range(n):
            v[t] -= s * L[n, t]


@kernel
def wake(q, cut, positive, active, a, signs, awake, k, most):
    """Those at least as loud as `cut` join, silent as yet. The new count, and which of them is the loudest."""
    best, top = -1, -1.0
    for i in range(q.shape[0]):
        loud = q[i] if positive else abs(q[i])
        if loud >= cut and not awake[i] and k < most:
            active[k], a[k], signs[k], awake[i] = i, 0.0, 1.0 if q[i] > 0 else -1.0, True
            k += 1
            if loud > top:
                best, top = i, loud
    return k, best


@kernel
def reach(a, way, signs, k):
    """How far along `way` the first neuron reaches 0, at most 1 (0: a silent one would get the wrong sign)."""
    far = 1.0
    for j in range(k):
        if (a[j] + way[j]) * signs[j] < 0:
            far = min(far, -a[j] / way[j] if a[j] != 0 else 0.0)
    return far


@kernel
def step(far, best, penalty, active, a, way, signs, heard, awake, k):
    """Goes so far and silences who is at 0 with the wrong sign ahead. The new count, and the first place that changed."""
    alone = False  # the loudest itself gets the wrong sign: without the others that woke with it, it does not
    if far == 0.0:
        for j in range(k):
            alone = alone or (active[j] == best and a[j] == 0 and way[j] * signs[j] < 0)
    kept, first = 0, k
    for j in range(k):
        there = a[j] + far * way[j]
        if far == 0.0:
            goes = a[j] == 0 and active[j] != best and (alone or way[j] * signs[j] < 0)
        else:
            goes = (a[j] + way[j]) * signs[j] < 0 and there * signs[j] <= 1e-14
        if goes:
            awake[active[j]] = False
            first = min(first, kept)
        else:
            active[kept], a[kept], signs[kept] = active[j], there, signs[j]
            heard[kept] = heard[j] - far * (heard[j] - penalty * signs[j])
            kept += 1
    return kept, first


@kernel
def settle(G, penalty, places, a, signs, way, heard, awake, k, factored, best, L):
    """From codes `a` on the active set to its least-squares answer. The new count, and rows of the factor that are right."""
    far = 0.0
    while far < 1.0 and k > 0:
        factor(G, places, L, factored, k)
        for j in range(k):
            way[j] = heard[j] - penalty * signs[j]
        solve(L, way, k)
        far = reach(a, way, signs, k)
        before = k
        k, first = step(far, best, penalty, places, a, way, signs, heard, awake, k)
        factored = min(before, first)
        if far < 1.0 and k == before:  # rounding: nobody is in the way, and there is no way
            break
    return k, factored


@kernel
def descend(b, square, G, penalty, positive, tolerance, rounds, places, code, q):
    """Coordinate descent from `code`, q in step: sweeps over all neurons. Sweeps, cost and gap."""
    count, cost, gap = b.shape[0], 0.0, np.inf
    for i in range(count):
        places[i] = i
    for sweep in range(rounds):
        for i in range(count):
            u = G[i, i] * code[i] + q[i]
            new = max(u - penalty, 0.0) if positive else np.sign(u) * max(abs(u) - penalty, 0.0)
            moved = new / G[i, i] - code[i]
            if moved != 0.0:
                code[i] += moved
                g = G[i]
                for t in range(count):
                    q[t] -= moved * g[t]
        cost, gap, _ = judge(b, square, q, places, code, count, penalty, positive)
        if gap <= tolerance:
            return sweep + 1, cost, gap
    return rounds, cost, gap


@kernel
def one(b, square, G, penalty, tolerance, positive, rounds, code, warm, places, awake, room, L):
    """The code of one sample, written into `code` (which holds the start where `warm`). Rounds, cost and gap.

    `room` [5, atoms]: codes, signs and ways of the active set, what its neurons hear, what all hear.
    """
    a, signs, way, heard, q = room[0], room[1], room[2], room[3], room[4]
    most, k, factored = L.shape[0], np.int64(0), np.int64(0)  # plain zeros are types of their own, compiled twice
    for i in range(b.shape[0]):
        awake[i] = False
        if warm and code[i] != 0 and k < most:
            places[k], a[k], signs[k], awake[i] = i, code[i], np.sign(code[i]), True
            k += 1
        code[i] = 0.0
    gap, turn, stuck, cost, before = np.inf, 0, 0, 0.0, np.inf
    while turn < rounds and stuck < STUCK:
        hear(b, G, places, a, k, q)
        cost, gap, loudest = judge(b, square, q, places, a, k, penalty, positive)
        turn += 1
        if gap <= tolerance:
            break
        stuck = stuck + 1 if cost > (1 - LESS) * before else 0
        before, best = cost, -1
        if turn > 1 or k == 0:
            cut = penalty + EAGER * (loudest - penalty)
            k, best = wake(q, cut, positive, places, a, signs, awake, k, most)
        for j in range(k):
            heard[j] = q[places[j]]
        k, factored = settle(G, penalty, places, a, signs, way, heard, awake, k, factored, best, L)
    for j in range(k):
        code[places[j]] = a[j]
    if gap > tolerance:
        hear(b, G, places, a, k, q)
        cost, gap, loudest = judge(b, square, q, places, a, k, penalty, positive)
    if gap > tolerance and turn < rounds:
        more, cost, gap = descend(b, square, G, penalty, positive, tolerance, rounds - turn, places, code, q)
        turn += more
    return turn, cost, gap


@kernel
def each(B, squares, G, penalty, tolerance, positive, most, codes, warm, places, awake, room, L, rounds, cost, gap):
    """The codes of all samples, one after the other; the lock is let go."""
    for r in range(B.shape[0]):
        rounds[r], cost[r], gap[r] = one(
            B[r], squares[r], G, penalty, tolerance, positive, most, codes[r], warm, places, awake, room, L
        )


def encode(X: Array, start: Array | None, atoms: Atoms, aim: Aim) -> Found:
    """Codes of X [samples, features], in float64; `start` [samples, atoms] as in `batch.drive`."""
    X = np.ascontiguousarray(X, np.float64)
    count, (neurons, features) = len(X), atoms.table.shape
    driven, squares = X @ atoms.table.T, np.einsum("sf,sf->s", X, X)
    codes = np.zeros((count, neurons)) if start is None else np.array(start, np.float64)
    most = min(neurons, 2 * features)  # those that depend on each other linearly may be active for a moment
    places, awake = np.zeros(neurons, np.int64), np.zeros(neurons, np.bool_)
    room, L = np.zeros((5, neurons)), np.zeros((most, most))
    rounds, cost, gap = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
    goal = (float(aim.penalty), float(aim.tolerance), bool(aim.positive), int(aim.max_rounds))
    each(driven, squares, atoms.gram, *goal, codes, start is not None, places, awake, room, L, rounds, cost, gap)
    return Found(codes, cost, gap, rounds, gap)
