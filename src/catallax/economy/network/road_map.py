"""A road network as a picture: nodes from left to right as far as they are from the origin, roads as wide as their flow."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

from catallax.core.scene import Bars, Edges, Points, Scene

Road = tuple[Hashable, Hashable]


def drawn(
    edges: Sequence[Road],
    origin: Hashable,
    flow: Float[np.ndarray, " edges"],
    times: Float[np.ndarray, " edges"],
) -> Scene:
    """The map at these flows, and how long every road takes."""
    place = layout(edges, origin)
    nodes = list(place)
    ends = np.array([[nodes.index(start), nodes.index(stop)] for start, stop in edges])
    points = Points([place[n][0] for n in nodes], [place[n][1] for n in nodes], label=nodes)
    names = [f"{start}-{stop}" for start, stop in edges]
    return Scene("routing", (points, Edges(ends[:, 0], ends[:, 1], flow), Bars(names, times, "time")))


def layout(edges: Sequence[Road], origin: Hashable) -> dict[Hashable, tuple[float, float]]:
    """A place for every node: as far to the right as it is from the origin, side by side with those as far."""
    depth: dict[Hashable, int] = {origin: 0}
    for _ in edges:
        for start, stop in edges:
            if start in depth and depth.get(stop, len(edges) + 1) > depth[start] + 1:
                depth[stop] = depth[start] + 1
    nodes = dict.fromkeys(node for edge in edges for node in edge)
    columns: dict[int, list] = {}
    for node in nodes:
        columns.setdefault(depth.get(node, 0), []).append(node)
    return {
        node: (float(x), (len(column) - 1) / 2 - row)
        for x, column in columns.items()
        for row, node in enumerate(column)
    }
