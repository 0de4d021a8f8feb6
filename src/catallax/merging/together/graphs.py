"""Who hears whom, and how much each counts: graphs, their mixing matrices, and how quickly they come to agree.

Weights of Metropolis and Hastings for the target shares pi, each member proposing its neighbours and itself alike,
d_i neighbours:

    W_ij = min(1 / (d_i + 1), pi_j / (pi_i (d_j + 1))),     W_ii = 1 - sum_j W_ij,     so that pi W = pi, rows sum to 1.

For equal shares W is symmetric and doubly stochastic. Hearing x <- W x, members come to the mean sum_i pi_i x_i, and what
is left of their disagreement falls by |lambda_2| a round, the second largest absolute eigenvalue. Gap: 1 - |lambda_2|.

L. Xiao and S. Boyd, Fast linear iterations for distributed averaging, Systems & Control Letters 53, 2004.
S. Boyd, A. Ghosh, B. Prabhakar and D. Shah, Randomized gossip algorithms, IEEE Trans. Information Theory 52, 2006.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from catallax.core.errors import BadInput

GRAPHS = ("ring", "torus", "expander", "star", "complete")
CYCLES = 2  # random cycles of an expander: at most 4 neighbours each


def adjacency(graph: Any, members: int, seed: int = 0) -> Bool[np.ndarray, "members members"]:
    """Who neighbours whom: of a name in `GRAPHS`, a matrix of bools or whole numbers, or a NetworkX graph.

    Raises `BadInput` for a name that is none, a matrix that is not symmetric, or parts that never hear of each other.
    """
    if isinstance(graph, str):
        found = named(graph, members, seed)
    elif hasattr(graph, "adjacency"):
        found = links(graph)
    else:
        found = np.asarray(graph) != 0
    if found.shape != (members, members):
        raise BadInput(
            f"graph has the shape {list(found.shape)}: give a row and a column for each of {members} members"
        )
    if (found != found.T).any():
        i, j = np.argwhere(found != found.T)[0]
        raise BadInput(
            f"graph[{i}, {j}] and graph[{j}, {i}] differ: give a symmetric matrix, or a mixing matrix of floats"
        )
    found = found & ~np.eye(members, dtype=bool)
    if parts(found) > 1:
        raise BadInput(f"the graph falls into {parts(found)} parts that never hear of each other: join them by an edge")
    return found


def links(graph: Any) -> np.ndarray:
    """The matrix of a NetworkX graph, in the order of its nodes."""
    place = {node: number for number, node in enumerate(graph)}
    found = np.zeros((len(place), len(place)), bool)
    for node, others in graph.adjacency():
        found[place[node], [place[other] for other in others]] = True
    return found


def named(name: str, members: int, seed: int) -> np.ndarray:
    """A graph by name; an expander's cycles are drawn by `seed`."""
    if name not in GRAPHS:
        raise BadInput(f"graph is {name!r}: give one of {', '.join(GRAPHS)}, or a matrix")
    if name == "complete":
        return np.ones((members, members), bool)
    if name == "star":
        edges = [(0, i) for i in range(1, members)]
    elif name == "ring":
        edges = [(i, (i + 1) % members) for i in range(members)]
    elif name == "torus":
        edges = torus(members)
    else:
        random = np.random.default_rng([seed, members])
        orders = [random.permutation(members) for _ in range(CYCLES)]
        edges = [(int(a), int(b)) for order in orders for a, b in zip(order, np.roll(order, 1), strict=True)]
    found = np.zeros((members, members), bool)
    for a, b in edges:
        found[a, b] = found[b, a] = a != b
    return found


def torus(members: int) -> list[tuple[int, int]]:
    """Edges of the squarest grid whose borders are joined."""
    rows = max((r for r in range(1, math.isqrt(members) + 1) if members % r == 0), default=1)
    columns = members // rows
    if rows < 2:
        raise BadInput(f"{members} members make no torus: give a number of members that is a product, or a ring")
    place = np.arange(members).reshape(rows, columns)
    return [
        (int(a), int(b)) for axis in (0, 1) for a, b in zip(place.ravel(), np.roll(place, 1, axis).ravel(), strict=True)
    ]


def parts(found: np.ndarray) -> int:
    """How many parts a graph falls into."""
    from scipy.sparse.csgraph import connected_components

    return int(connected_components(found, directed=False)[0])


def metropolis(found: Bool[np.ndarray, "members members"], shares: Any = None) -> Float[np.ndarray, "members members"]:
    """The mixing matrix of a graph for target `shares` [members] > 0 (default equal)."""
    own = found & ~np.eye(len(found), dtype=bool)
    pi = np.ones(len(own)) if shares is None else np.asarray(shares, float)
    proposed = 1.0 / (own.sum(1) + 1)
    weights = np.where(own, np.minimum(proposed[:, None], pi[None, :] / pi[:, None] * proposed[None, :]), 0.0)
    np.fill_diagonal(weights, 1 - weights.sum(1))
    return weights


def mixing(graph: Any, members: int, shares: Any = None, seed: int = 0) -> Float[np.ndarray, "members members"]:
    """The mixing matrix W [members, members]: of floats as it is given (rows sum to 1), else `metropolis` of the graph."""
    given = None if isinstance(graph, str) or hasattr(graph, "adjacency") else np.asarray(graph)
    if given is None or given.dtype.kind != "f":
        return metropolis(adjacency(graph, members, seed), shares)
    if given.shape != (members, members):
        raise BadInput(
            f"graph has the shape {list(given.shape)}: give a row and a column for each of {members} members"
        )
    if not np.isfinite(given).all() or (given < 0).any():
        i, j = np.argwhere(~np.isfinite(given) | (given < 0))[0]
        raise BadInput(f"graph[{i}, {j}] is {given[i, j]}: weights of what is heard are finite and at least 0")
    wrong = np.flatnonzero(np.abs(given.sum(1) - 1) > 1e-6)
    if wrong.size:
        raise BadInput(f"row {wrong[0]} of graph sums to {given[wrong[0]].sum():g}: weights of what is heard sum to 1")
    return given.astype(float)


def second_eigenvalue(weights: Float[np.ndarray, "members members"]) -> float:
    """|lambda_2|: by what disagreement falls in a round; 0 for one member."""
    sizes = np.sort(np.abs(np.linalg.eigvals(weights)))[::-1]
    return float(sizes[1]) if len(sizes) > 1 else 0.0


def spectral_gap(weights: Float[np.ndarray, "members members"]) -> float:
    """1 - |lambda_2|."""
    return 1 - second_eigenvalue(weights)


def stationary(weights: Float[np.ndarray, "members members"]) -> Float[np.ndarray, " members"]:
    """The shares pi = pi W, sum 1, with which members' models count in what they come to agree on."""
    count = len(weights)
    system = np.vstack([weights.T - np.eye(count), np.ones(count)])
    found = np.linalg.lstsq(system, np.r_[np.zeros(count), 1.0], rcond=None)[0]
    return np.maximum(found, 0) / np.maximum(found, 0).sum()
