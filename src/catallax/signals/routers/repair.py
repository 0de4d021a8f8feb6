"""Who must move so that no expert has more than it can serve: the cheapest chains of moves, as numba kernels.

Tokens sit where they gain most at prices p. Moving one from expert a to expert b costs its regret

    w_ab = min over tokens at a of (s_ia - s_ib),        w_ab + p_b - p_a >= 0        s, p in the unit of the bids

and what is not negative has shortest paths: from any expert with too many to the nearest one with room, a token is moved along
each edge of the path, and prices fall by the distance (p_v <- p_v - min(d_v, d_target)), which keeps everybody where it gains
most. So the routing at the end has the greatest welfare of all that keep to the capacities, and the prices prove it.
Capacity that nobody needs is a pool of idle units worth nothing anywhere: it is a node too, and its price is the zero of prices.
One row of regrets is one scan of an expert's tokens; a path is found in O(experts^2).

R. K. Ahuja, T. L. Magnanti and J. B. Orlin, Network flows, 1993, ch. 9.7 (successive shortest paths, reduced costs).
"""

import numba
import numpy as np

NOBODY = -1


@numba.njit(cache=True)
def has(slots, i, b):
    """Whether token i is at expert b."""
    for r in range(slots.shape[1]):  # noqa: SIM110 - numba has no generators
        if slots[i, r] == b:
            return True
    return False


@numba.njit(cache=True)
def cheapest(net, slots, chain, a, b, out, enough):
    """(regret, unit) of the token that leaves a for b at the least loss; a token is never twice at one expert but `out`.

    No regret is below p_a - p_b, so that the first token that comes down to `enough`, just above, is taken: among equals
    one need not look at all.
    """
    after, first = chain[0], chain[2]
    k = slots.shape[1]
    least, who = np.inf, np.int64(NOBODY)
    u = first[a]
    while u != NOBODY:
        i = u // k
        regret = net[i, a] - net[i, b]
        if regret < least and (b == out or not has(slots, i, b)):
            least, who = regret, u
            if least <= enough:
                break
        u = after[u]
    return least, who


@numba.njit(cache=True)
def link(chain, u, a):
    """Unit u comes to expert a."""
    after, before, first = chain[0], chain[1], chain[2]
    after[u], before[u] = first[a], NOBODY
    if first[a] != NOBODY:
        before[first[a]] = u
    first[a] = u


@numba.njit(cache=True)
def unlink(chain, u, a):
    """Unit u leaves expert a."""
    after, before, first = chain[0], chain[1], chain[2]
    if before[u] == NOBODY:
        first[a] = after[u]
    else:
        after[before[u]] = after[u]
    if after[u] != NOBODY:
        before[after[u]] = before[u]


@numba.njit(cache=True)
def offer(net, slots, u, a, regret, unit, out):
    """Unit u at a as the one that may leave at the least loss, for every other expert."""
    i = u // slots.shape[1]
    for b in range(net.shape[1]):
        loss = net[i, a] - net[i, b]
        if loss < regret[a, b] and b != a and (b == out or not has(slots, i, b)):
            regret[a, b], unit[a, b] = loss, u


@numba.njit(cache=True)
def move(net, slots, chain, u, a, b, regret, unit, out, price, rounding):
    """Unit u from a to b, and every regret that this changes."""
    k = slots.shape[1]
    i = u // k
    unlink(chain, u, a)
    slots[i, u % k] = b
    link(chain, u, b)
    for c in range(net.shape[1]):
        if unit[a, c] == u:
            regret[a, c], unit[a, c] = cheapest(net, slots, chain, a, c, out, price[a] - price[c] + rounding)
    offer(net, slots, u, b, regret, unit, out)
    for r in range(k):  # the token's other units: b is taken now, a is free again
        c = slots[i, r]
        other = i * k + r
        if other != u and c != b:
            if b != out and unit[c, b] == other:
                regret[c, b], unit[c, b] = cheapest(net, slots, chain, c, b, out, price[c] - price[b] + rounding)
            if c != a and net[i, c] - net[i, a] < regret[c, a]:
                regret[c, a], unit[c, a] = net[i, c] - net[i, a], other


@numba.njit(cache=True)
def reach(regret, price, excess, distance, parent, done):
    """The nearest node with room from any with too many, by Dijkstra; NOBODY where none can be reached."""
    nodes = price.size
    for v in range(nodes):
        distance[v] = 0.0 if excess[v] > 0 else np.inf
        parent[v], done[v] = NOBODY, False
    while True:
        v = NOBODY
        for c in range(nodes):
            if not done[c] and distance[c] < np.inf and (v == NOBODY or distance[c] < distance[v]):
                v = c
        if v == NOBODY or excess[v] < 0:
            return v
        done[v] = True
        for c in range(nodes):
            if not done[c]:
                there = distance[v] + max(regret[v, c] + price[c] - price[v], 0.0)
                if there < distance[c]:
                    distance[c], parent[c] = there, v


@numba.njit(cache=True)
def carry(net, slots, chain, path, regret, unit, idle, excess, out, price, rounding):
    """One unit along a path (many, where idle capacity goes straight to where there is room); how many tokens moved."""
    pool = net.shape[1]
    length = path.size
    source, target = path[0], path[length - 1]
    if length == 2 and source == pool:
        many = min(excess[pool], -excess[target])
        idle[target] += many
        excess[pool] -= many
        excess[target] += many
        regret[target, pool] = 0.0
        return 0
    units = np.full(length - 1, np.int64(NOBODY))
    for e in range(length - 1):
        if path[e] != pool and path[e + 1] != pool:
            units[e] = unit[path[e], path[e + 1]]
    moved = 0
    for e in range(length - 1):
        a, b = path[e], path[e + 1]
        if a == pool:
            idle[b] += 1
            regret[b, pool] = 0.0
        elif b == pool:
            idle[a] -= 1
            regret[a, pool] = 0.0 if idle[a] > 0 else np.inf
        else:
            move(net, slots, chain, units[e], a, b, regret, unit, out, price, rounding)
            moved += 1
    excess[source] -= 1
    excess[target] += 1
    return moved


@numba.njit(cache=True)
def balance(net, price, slots, capacity, out, pooled):
    """Moves tokens until no expert has more than its capacity. (moves, whether all found room); `slots`, `price` in place.

    `net` [tokens, experts] float64: bids less costs; `slots` [tokens, k] int64: each token where it gains most at `price`
    [experts + 1], float64, the last one the pool's, the least of all (where `pooled`: there is more room than tokens).
    `capacity` [experts] int64; `out`: the column of who buys nothing, which may have one token many times, or -1.
    """
    n, m = net.shape
    k = slots.shape[1]
    chain = (np.empty(n * k, np.int64), np.empty(n * k, np.int64), np.full(m, np.int64(NOBODY)))
    regret, unit = np.full((m + 1, m + 1), np.inf), np.full((m, m), np.int64(NOBODY))
    excess, idle = np.zeros(m + 1, np.int64), np.zeros(m + 1, np.int64)
    for u in range(n * k - 1, -1, -1):
        a = slots[u // k, u % k]
        link(chain, u, a)
        excess[a] += 1
        offer(net, slots, u, a, regret, unit, out)
    for a in range(m):
        excess[a] -= capacity[a]
        excess[m] -= excess[a]
    if pooled:
        regret[m, :m] = 0.0
    else:
        excess[m] = 0
    distance, parent, done = np.empty(m + 1), np.empty(m + 1, np.int64), np.empty(m + 1, np.bool_)
    moves, rounding = 0, 4 * np.finfo(np.float64).eps * max(abs(net.min()), abs(net.max()))
    while (excess > 0).any():
        target = reach(regret, price, excess, distance, parent, done)
        if target == NOBODY:
            return moves, False
        for v in range(m + 1):
            price[v] -= min(distance[v], distance[target])
        length, v = 1, target
        while parent[v] != NOBODY:
            length, v = length + 1, parent[v]
        path = np.empty(length, np.int64)
        v = target
        for e in range(length - 1, -1, -1):
            path[e], v = v, parent[v]
        moves += carry(net, slots, chain, path, regret, unit, idle, excess, out, price, rounding)
    return moves, True
