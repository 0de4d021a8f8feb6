"""Routing as a market: tokens bid for experts, a price a expert clears it, and a bound says how good the routing is.

    maximise sum_ij x_ij s_ij    over x in {0, 1},  sum_j x_ij = k,  sum_i x_ij <= c_j        s = bids - costs [unit of the bids]

k experts a token (at most k where it may buy nothing, which is worth 0), capacities c_j in tokens. For any prices p >= 0

    D(p) = sum_j c_j p_j + sum_i (sum of the k largest of s_ij - p_j, or of their positive parts)    >=  welfare of any routing

(weak duality). At exact balance, sum c = k tokens, adding a constant to all prices leaves D as it is, so p >= 0 costs nothing.
What tokens want at given prices may overload experts, and what it would be worth is worth nothing: the routing is first
repaired (the cheapest chains of moves, `routers.repair`: the best there is within the capacities), and only that is valued.

Rules are kinds of price: `exact` and `dual` (quantile balancing), `sinkhorn`, `sign` (auxiliary-loss-free), `tatonnement`.
M. Lewis and others, BASE layers, ICML 2021 (routing as an assignment); the rules' own sources are in `signals.routers`.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.core.errors import BadInput
from catallax.signals.routers.terms import Terms

ROUNDS = {"exact": 8, "dual": 16, "sinkhorn": 20, "sign": 100, "tatonnement": 100}


LARGEST = 1e100  # in size, of bids, prices and costs: sums of more would not be numbers


class Routing(NamedTuple):
    """`prices` [experts]; `choice` [tokens, k]: what tokens want at these prices, -1 nothing, and its `max_violation`:
    max_j load_j / c_j - 1, at least 0 (MaxVio where capacities are equal and just enough).

    `assignment` [tokens, k]: repaired, within capacities; `moved`: moves that took; `welfare` of it, and `bound` = D(prices)
    above the welfare of every routing, both in float64 and in the unit of the bids. `rounds` of the rule.
    """

    prices: Float[np.ndarray, " experts"]
    choice: Int[np.ndarray, "tokens k"]
    max_violation: float
    assignment: Int[np.ndarray, "tokens k"]
    moved: int
    welfare: float
    bound: float
    rounds: int

    @property
    def gap(self) -> float:
        """(bound - welfare) / |bound|: 0 where prices prove the routing the best there is."""
        short = self.bound - self.welfare
        return short / abs(self.bound) if self.bound else short

    @property
    def load(self) -> Int[np.ndarray, " experts"]:
        """Tokens at each expert after repair, [experts]."""
        return load_of(self.assignment, len(self.prices))


def clear(
    bids: Any,
    capacity: Any,
    k: int = 1,
    rule: str = "exact",
    *,
    costs: Any = None,
    opt_out: bool = False,
    prices: Any = None,
    rounds: int | None = None,
    tolerance: float = 0.0,
    size: float | None = None,
) -> Routing:
    """Prices at which tokens come to experts, the repaired routing, and a bound on the welfare of any routing.

    `bids` [tokens, experts]: worth of an expert to a token; `capacity`: tokens an expert can serve, one number or
    [experts]; `k` experts a token; `costs` [experts] (or one), off every bid; `opt_out`: a token may buy nothing; `prices`
    [experts] to start from; `rounds` of the rule at most; `tolerance` (exact and dual): ends early where no expert is
    overloaded by more than this share. `size`: step of `sign` and `tatonnement`, temperature of `sinkhorn`, in the unit of
    the bids (None: a share of their standard deviation).

    Raises `BadInput` for wrong shapes, numbers that are not finite, fewer experts than k, and too little capacity for
    all tokens where none may buy nothing.
    """
    net, room, terms, start = checked(bids, capacity, k, costs, opt_out, prices, rule)
    most = ROUNDS[rule] if rounds is None else rounds
    rough, scale = single(net, terms)
    if rule in ("exact", "dual"):
        level, used = counted(rough, start / scale, room, terms, most, tolerance)
    else:
        level, used = iterated(rule, rough, start / scale, room, terms, most, size and size / scale), most
    level = level * scale
    return judged(net, room, terms, in_range(level, terms), used, rule == "exact")


def judged(net: Any, room: Any, terms: Terms, level: Any, rounds: int, prove: bool) -> Routing:
    """The routing at given prices, or (`prove`) at those that its repair ends with."""
    from catallax.signals.routers.exact import repaired

    choice = choose(net, level, terms)
    assignment, proof, moved = repaired(net, level, room, choice, terms)
    if prove:
        level, choice = proof, choose(net, proof, terms)
    return Routing(
        level, choice, max_violation(choice, room), assignment, moved, worth(net, assignment),
        dual_bound(net, level, room, terms), rounds,
    )  # fmt: skip


# --- the certificate: plain NumPy in float64, beside whatever found the prices -----------------------------------------


def dual_bound(net: Any, prices: Any, capacity: Any, terms: Terms) -> float:
    """D(prices): no routing within the capacities is worth more. `net` [tokens, experts]: bids less costs."""
    gains = np.asarray(net, np.float64) - np.asarray(prices, np.float64)
    if terms.k > 1:
        gains = np.partition(gains, gains.shape[1] - terms.k, 1)[:, -terms.k :]
    else:
        gains = gains.max(1)
    gains = np.maximum(gains, 0) if terms.opt_out else gains
    return float(np.asarray(capacity, np.float64) @ np.asarray(prices, np.float64) + gains.sum())


def worth(net: Any, assignment: Any) -> float:
    """The welfare of a routing [tokens, k]: bids less costs of all that was bought."""
    rows, _ = np.nonzero(assignment >= 0)
    return float(np.asarray(net, np.float64)[rows, assignment[assignment >= 0]].sum())


def choose(net: Any, prices: Any, terms: Terms) -> Int[np.ndarray, "tokens k"]:
    """The k experts that each token wants most at these prices, the best first; -1 where it is better off without."""
    gains = net - prices
    if terms.k == 1:
        found = gains.argmax(1)[:, None]
    else:
        some = np.argpartition(-gains, terms.k - 1, 1)[:, : terms.k]
        order = np.argsort(-np.take_along_axis(gains, some, 1), 1, kind="stable")
        found = np.take_along_axis(some, order, 1)
    return np.where(np.take_along_axis(gains, found, 1) > 0, found, -1) if terms.opt_out else found


def load_of(assignment: Any, experts: int) -> Int[np.ndarray, " experts"]:
    """Tokens at each expert."""
    return np.bincount(assignment[assignment >= 0], minlength=experts)


def max_violation(choice: Any, capacity: Any) -> float:
    """max_j load_j / c_j - 1, at least 0; infinite where an expert that serves nobody is wanted."""
    load = load_of(choice, len(capacity))
    over = load > capacity
    if not over.any():
        return 0.0
    with np.errstate(divide="ignore"):
        return float((load[over] / capacity[over]).max() - 1)


def in_range(prices: Any, terms: Terms) -> Float[np.ndarray, " experts"]:
    """As `terms.in_range`, on the host."""
    return prices - prices.min() if terms.free else np.maximum(prices, 0)


# --- rules, in float32 ---------------------------------------------------------------------------------------------------


def single(net: Any, terms: Terms) -> tuple[Float[np.ndarray, "tokens experts"], float]:
    """(bids in float32, their unit: a power of 2), relative to each token's best where only differences matter."""
    near = net if terms.opt_out else net - net.max(1, keepdims=True)
    scale = float(np.ldexp(1.0, int(np.frexp(max(-near.min(), near.max(), 1 / LARGEST))[1])))
    return np.ascontiguousarray(near / scale, np.float32), scale


def counted(net: Any, start: Any, room: Any, terms: Terms, rounds: int, tolerance: float) -> tuple[Any, int]:
    """Quantile balancing by numba; (the best prices met, rounds)."""
    from catallax.signals.routers.dual import HALVINGS
    from catallax.signals.routers.quantiles import quantile_prices

    found = start.astype(np.float32)
    _, used = quantile_prices(net, found, room, terms.k, terms.opt_out, terms.free, rounds, HALVINGS, tolerance)
    return found.astype(np.float64), int(used)


def iterated(rule: str, net: Any, start: Any, room: Any, terms: Terms, rounds: int, size: float | None) -> Any:
    """So many steps of a rule, by JAX."""
    import jax.numpy as jnp

    arrays = [jnp.asarray(x, jnp.float32) for x in (net, start, room)]
    found = stepped(rule, terms)(*arrays, rounds, None if size is None else jnp.float32(size))
    return np.asarray(found, np.float64)


@functools.lru_cache(maxsize=64)
def stepped(rule: str, terms: Terms) -> Any:
    """The compiled loop of a rule."""
    import jax

    step = step_of(rule)

    @jax.jit
    def loop(net, start, room, rounds, size):
        return jax.lax.fori_loop(0, rounds, lambda _, p: step(net, p, room, terms, size), start)

    return loop


def step_of(rule: str) -> Any:
    """`step(net, prices, capacity, terms, size=None)` of a rule, in JAX, to be used inside `jit`."""
    from catallax.signals.routers import dual, sign, sinkhorn, tatonnement

    steps = {"dual": dual.step, "sinkhorn": sinkhorn.step, "sign": sign.step, "tatonnement": tatonnement.step}
    return steps[rule]


# --- what is refused -----------------------------------------------------------------------------------------------------


def checked(bids: Any, capacity: Any, k: Any, costs: Any, opt_out: bool, prices: Any, rule: str) -> Any:
    """(bids less costs, capacities of at most all tokens, terms, first prices)"""
    if rule not in ROUNDS:
        raise BadInput(f"rule is {rule!r}: give one of {', '.join(ROUNDS)}")
    net = np.ascontiguousarray(bids, np.float64)  # another order in memory would compile the kernels anew
    if np.ndim(bids) != 2 or net.size == 0:
        raise BadInput(f"bids have shape {list(np.shape(bids))}: give [tokens, experts], at least one of each")
    wrong = ~(np.abs(net) <= LARGEST)
    if wrong.any():
        i, j = np.argwhere(wrong)[0].tolist()
        raise BadInput(
            f"bids[{i}, {j}] is {float(net[i, j])!r}: give a finite number (at most {LARGEST:g} in size) for each pair"
        )
    tokens, experts = net.shape
    if not 1 <= k <= experts:
        raise BadInput(f"k is {k} and there are {experts} experts: give 1 <= k <= experts")
    room = whole(capacity, experts)
    served, needed = int(np.minimum(room, tokens).sum()), k * tokens
    if served < needed and not opt_out:
        raise BadInput(
            f"capacity: experts can serve {served} in all, at most {tokens} each, and {tokens} tokens want {k} each, {needed}: "
            "raise capacities, or let tokens buy nothing (opt_out=True)"
        )
    room = np.minimum(room, tokens)
    net = net if costs is None else net - row(costs, "costs", experts)
    start = np.zeros(experts) if prices is None else row(prices, "prices", experts)
    return net, room, Terms(int(k), served == needed and not opt_out, bool(opt_out)), start


def row(values: Any, name: str, experts: int) -> Float[np.ndarray, " experts"]:
    """One finite number an expert."""
    given = np.asarray(values, np.float64)
    if given.shape not in ((), (experts,)):
        raise BadInput(f"{name} has shape {list(given.shape)}: give one number, or one for each of {experts} experts")
    given = np.array(np.broadcast_to(given, (experts,)))
    if not (np.abs(given) <= LARGEST).all():
        j = int(np.flatnonzero(~(np.abs(given) <= LARGEST))[0])
        raise BadInput(f"{name}[{j}] is {float(given[j])!r}: give finite numbers")
    return given


def whole(capacity: Any, experts: int) -> Int[np.ndarray, " experts"]:
    """Capacities as whole numbers of tokens."""
    given = row(capacity, "capacity", experts)
    wrong = (given < 0) | (given != np.floor(given)) | (given > 2**62)
    if wrong.any():
        j = int(np.flatnonzero(wrong)[0])
        raise BadInput(f"capacity[{j}] is {float(given[j])!r}: give whole numbers of tokens, at least 0")
    return given.astype(np.int64)
