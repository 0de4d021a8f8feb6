"""What settings come to: members' shares, who hears whom, how they work; and that settings agree with one another."""

from typing import Any

import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.merging.together import facts as known
from catallax.merging.together.aggregate import AGGREGATES
from catallax.merging.together.attacks import ATTACKS
from catallax.merging.together.facts import Facts, Settings, Table, named
from catallax.merging.together.graphs import adjacency, mixing
from catallax.merging.together.member import Way

METHODS = ("fedavg", "diloco", "gossip", "synchronous", "alone")
CONSENSUS = {1: 0.3, 2: 0.6, 3: 0.8}  # how far to go towards what is heard in so few bits; else all the way
PEER = ("gossip", "alone")  # members keep models of their own


def check(facts: Facts) -> None:
    """Settings that depend on one another."""
    set_ = facts.settings
    if set_.method not in METHODS:
        raise BadInput(f"method is {set_.method!r}: give one of {', '.join(METHODS)}")
    if facts.table.start.ndim == 2 and set_.method not in PEER:
        raise BadInput(f"{set_.method} starts from one model: give one, or train by gossip")
    if set_.outer is not None and set_.method in (*PEER, "synchronous"):
        raise BadInput(f"{set_.method} has no outer optimiser: leave outer out")
    if set_.outer is not None and not hasattr(set_.outer, "update"):
        raise BadInput(f"outer is {set_.outer!r}: give an Optax optimiser")
    if len(set_.byzantine) == facts.members:
        raise BadInput("all members lie: leave one at least that does not")
    aggregate_of(set_.aggregate)
    known.check_full(set_, facts.table)
    shares_of(facts)
    if set_.method == "gossip":
        mixing_of(facts)


def aggregate_of(aggregate: Any) -> Any:
    """The function of a name, or the function given."""
    if not callable(aggregate) and aggregate not in AGGREGATES:
        raise BadInput(f"aggregate is {aggregate!r}: give one of {', '.join(AGGREGATES)}, or a function")
    return aggregate if callable(aggregate) else AGGREGATES[aggregate]


def outer_of(settings: Settings) -> Any:
    """What moves the merged model."""
    if settings.method == "synchronous":
        return settings.optimiser
    if settings.outer is not None:
        return settings.outer
    return named("sgd", 0.7, momentum=0.9, nesterov=True) if settings.method == "diloco" else named("sgd", 1.0)


def way_of(facts: Facts) -> Way:
    """How members work."""
    set_ = facts.settings
    each = set_.method == "synchronous"
    says = "model" if set_.method in PEER else "update" if set_.aggregate == "mean" else "row"
    consensus = set_.consensus if set_.consensus is not None else CONSENSUS.get(set_.bits or 32, 1.0)
    return Way(
        set_.form,
        tuple(dict.fromkeys(set_.losses)),
        attacks_of(set_),
        named("sgd", 1.0) if each else set_.optimiser,
        1 if each else set_.steps,
        set_.batch,
        set_.bits,
        says,
        set_.proximal,
        consensus,
    )


def attacks_of(settings: Settings) -> tuple:
    """All that have a name, and those given: one executable serves all who lie by name."""
    return tuple(dict.fromkeys([*ATTACKS.values(), *settings.byzantine.values()])) if settings.byzantine else ()


def shares_of(facts: Facts) -> np.ndarray:
    """Shares in what is merged, sum 1."""
    from catallax.measures.power import capped

    set_, count = facts.settings, facts.members
    if isinstance(set_.weights, str):
        if set_.weights not in ("rows", "equal"):
            raise BadInput(f"weights is {set_.weights!r}: give 'rows', 'equal', or a number for each member")
        given = np.asarray(facts.table.rows if set_.weights == "rows" else [1] * count, float)
    else:
        given = np.asarray(set_.weights, float)
    if given.shape != (count,) or not np.isfinite(given).all() or (given < 0).any() or not given.sum():
        raise BadInput(f"weights must be {count} finite numbers of at least 0, one a member, not all 0")
    if set_.method == "gossip" and (given == 0).any():
        raise BadInput(f"weights[{int(np.argmin(given))}] is 0: neighbours cannot pass on what counts for nothing")
    return given / given.sum() if set_.most is None else np.asarray(capped(given, set_.most))


def mixing_of(facts: Facts) -> np.ndarray:
    """How much each hears of whom."""
    set_, count = facts.settings, facts.members
    if set_.method == "alone":
        return np.eye(count)
    return mixing(set_.graph, count, shares_of(facts), set_.seed)


def among(facts: Facts, keep: list[int]) -> Any:
    """The graph of those who stay: what they heard of the others they now hear of themselves."""
    set_, count = facts.settings, facts.members
    if set_.method != "gossip" or (isinstance(set_.graph, str) and set_.graph == "complete"):
        return set_.graph
    place = np.ix_(keep, keep)
    given = None if isinstance(set_.graph, str) or hasattr(set_.graph, "adjacency") else np.asarray(set_.graph)
    if given is not None and given.dtype.kind == "f":
        left = given[place]
        return left + np.diag(1 - left.sum(1))
    left = adjacency(set_.graph, count, set_.seed)[place]
    try:
        return adjacency(left, len(keep))
    except BadInput as error:
        raise Refused(f"without those who left, {error}") from None


def renaming(random: np.random.Generator, table: Table, size: float) -> Any:
    """(targets) -> targets in which a share of the classes have changed names, or of the numbers their sign."""
    labels = table.held_y.dtype.kind in "iu" and table.held_y.ndim == 1
    if not labels:
        return lambda y: np.where(np.random.default_rng(len(y)).random(y.shape) < size, -y, y).astype(y.dtype)
    count = 1 + max(int(y.max()) for y in (*table.y, table.held_y))
    moved = min(count, max(2, round(min(size, 1.0) * count))) if size > 0 else 0
    some, names = random.permutation(count)[:moved], np.arange(count)
    names[np.roll(some, 1)] = some
    return lambda y: names[y].astype(y.dtype)
