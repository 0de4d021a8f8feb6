"""Cities from a NetworkX graph, and a tour back into one.

How far it is between two nodes is the `weight` of their edge (1 where it has none) where every two nodes have one; otherwise
the shortest way along edges, as on a map of roads, where a tour may pass through a node more than once. In a directed graph
there and back may differ.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from catallax.colony.tours.ground import Ground, lengths_by_kind
from catallax.core.errors import BadInput

WEIGHT = "weight"


def from_networkx(graph: Any) -> Ground:
    """The ground of a graph's nodes; they are named by their words, unless they are 0, 1, 2, ... in order.

    Of parallel edges the shortest counts. Raises `BadInput` for weights that are no numbers of at least 0, and where there
    is no way from one node to another.
    """
    nodes = list(graph.nodes)
    index = {node: k for k, node in enumerate(nodes)}
    matrix = np.full((len(nodes), len(nodes)), np.inf)
    np.fill_diagonal(matrix, 0.0)
    for a, b, weight in graph.edges(data=WEIGHT, default=1):
        i, j, length = index[a], index[b], weighed(a, b, weight)
        if i != j:
            matrix[i, j] = min(matrix[i, j], length)
            matrix[j, i] = matrix[j, i] if graph.is_directed() else matrix[i, j]
    if np.isinf(matrix).any():
        matrix = along_edges(matrix, nodes)
    if (matrix == np.round(matrix)).all() and matrix.max(initial=0) < 2**53:
        matrix = matrix.astype(np.int64)
    names = None if nodes == list(range(len(nodes))) else tuple(str(node) for node in nodes)
    return Ground("EXPLICIT", None, matrix, bool((matrix == matrix.T).all()), names)


def weighed(a: Any, b: Any, weight: Any) -> float:
    """The length of an edge."""
    try:
        length = float(weight)
    except (TypeError, ValueError):
        raise BadInput(f"the {WEIGHT} of the edge from {a!r} to {b!r} is {weight!r}: give a number") from None
    if not 0 <= length < np.inf:
        raise BadInput(f"the {WEIGHT} of the edge from {a!r} to {b!r} is {length}: give a finite number of at least 0")
    return length


def along_edges(matrix: Float[np.ndarray, "nodes nodes"], nodes: list[Any]) -> Float[np.ndarray, "nodes nodes"]:
    """Lengths of shortest ways; `matrix`: of edges, infinite where there is none."""
    rows, columns = np.nonzero(np.isfinite(matrix) & ~np.eye(len(matrix), dtype=bool))
    edges = csr_array((matrix[rows, columns], (rows, columns)), shape=matrix.shape)  # edges of length 0 are kept
    found = shortest_path(edges, directed=True)
    lost = np.argwhere(np.isinf(found))
    if len(lost):
        a, b = (nodes[k] for k in lost[0])
        raise BadInput(f"there is no way in the graph from {a!r} to {b!r}: join them, or leave one out")
    return found


def to_networkx(ground: Ground, order: Int[np.ndarray, " cities"], opened: bool) -> Any:
    """The tour as a graph: nodes in its order, with `position` [2] where cities have places, and edges with their `weight`.

    A `DiGraph` where the tour is open or distances are one-way, else a `Graph`.
    """
    import networkx as nx

    graph: Any = nx.DiGraph() if opened or not ground.symmetric else nx.Graph()
    name = list(range(ground.cities)) if ground.names is None else ground.names
    for city in order.tolist():
        graph.add_node(
            name[city], **({} if ground.places is None else {"position": tuple(ground.places[city].tolist())})
        )
    start, stop = (order[:-1], order[1:]) if opened else (order, np.roll(order, -1))
    for a, b, length in zip(start.tolist(), stop.tolist(), lengths_by_kind(ground, start, stop).tolist(), strict=True):
        graph.add_edge(name[a], name[b], **{WEIGHT: length})
    return graph
