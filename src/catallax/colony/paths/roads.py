"""A map for ants: places, roads with their lengths, and what an ant finds at a crossing.

Road e from place u to place v is two *arcs*: 2e leads along it, 2e + 1 against it, so the other way of arc a is a ^ 1.
An undirected road may be walked both ways at any time; a directed one along its arrow by those who go out, and
against it by those who come home. `choices[way, place]` are the arcs out of a place (way 0: out, 1: home), filled up with -1:

    out    arcs on which the target can still be reached       home    the same for the source
"""

import dataclasses
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from catallax.core.errors import BadInput

NAMES = ("length", "weight")  # attributes of a NetworkX edge that say how long it is, the first that any edge has


@dataclasses.dataclass(frozen=True, eq=False)
class Roads:
    """`places`: names, hashable; `ends` [roads, 2]: numbers of the places that a road joins; `length` [roads] > 0 in any unit.

    `spots` [places, 2]: where the places are in the plane, for pictures; None where nobody said.
    """

    places: tuple[Hashable, ...]
    ends: Int[np.ndarray, "roads 2"]
    length: Float[np.ndarray, " roads"]
    directed: bool = False
    spots: Float[np.ndarray, "places 2"] | None = None

    def number(self, field: str, place: Hashable) -> int:
        """The number of a place. Raises `BadInput` where the map has none of that name."""
        if place not in self.places:
            raise BadInput(f"{field} is {place!r}, which is none of the {len(self.places)} places of the graph")
        return self.places.index(place)

    @property
    def tails(self) -> Int[np.ndarray, " arcs"]:
        """The place that each arc leaves; where it leads is `tails[arc ^ 1]`."""
        return self.ends.reshape(-1)

    @property
    def heads(self) -> Int[np.ndarray, " arcs"]:
        """The place that each arc leads to."""
        return self.ends[:, ::-1].reshape(-1)

    def walked(self, open_: Bool[np.ndarray, " roads"]) -> tuple[np.ndarray, np.ndarray]:
        """Which arcs may be walked on the way out, and which on the way home: bool[arcs] each."""
        both = np.repeat(open_, 2)
        along = both & (np.arange(len(both)) % 2 == 0)
        return (along, both & ~along) if self.directed else (both, both)

    def leads(self, arcs: Bool[np.ndarray, " arcs"], goal: int) -> Bool[np.ndarray, " places"]:
        """The places from which `goal` can be reached over `arcs`."""
        count = len(self.places)
        back = csr_array((np.ones(arcs.sum()), (self.heads[arcs], self.tails[arcs])), shape=(count, count))
        reached = np.zeros(count, bool)
        reached[breadth_first_order(back, goal, return_predecessors=False)] = True
        return reached

    def choices(
        self, source: int, target: int, open_: Bool[np.ndarray, " roads"]
    ) -> Int[np.ndarray, "ways places degree"]:
        """The arcs out of every place that lead on to the target (way 0) or to the source (way 1), filled up with -1."""
        degree = int(np.bincount(self.tails).max())  # of all roads, open or not: opening one changes no shape
        table = np.full((2, len(self.places), degree), -1, np.int32)
        for way, (arcs, goal) in enumerate(zip(self.walked(open_), (target, source), strict=True)):
            good = np.flatnonzero(arcs & self.leads(arcs, goal)[self.heads])
            good = good[np.argsort(self.tails[good], kind="stable")]
            tail = self.tails[good]
            column = np.arange(len(good)) - np.searchsorted(tail, tail)
            table[way, tail, column] = good
        return table


def read(graph: Any, directed: bool = False) -> Roads:
    """A NetworkX graph of any kind, or triples (from, to, length), as roads. Raises `BadInput` for what is no map."""
    if isinstance(graph, Roads):
        return graph
    if hasattr(graph, "edges") and hasattr(graph, "is_directed"):
        return from_networkx(graph)
    return from_triples(graph, directed)


def from_networkx(graph: Any) -> Roads:
    """Edges with their attribute "length" (else "weight", else 1 each); "pos" of nodes, where all have it, says where they are."""
    data = [(u, v, facts) for u, v, facts in graph.edges(data=True)]
    name = next((n for n in NAMES if any(n in facts for _, _, facts in data)), None)
    for u, v, facts in data:
        if name and name not in facts:
            raise BadInput(f"edge {u!r}-{v!r} has no {name!r}, which others have: give every edge one")
    triples = [(u, v, facts[name] if name else 1) for u, v, facts in data]
    roads = from_triples(triples, graph.is_directed())
    spots = [graph.nodes[place].get("pos") for place in roads.places]
    if any(spot is None or len(spot) != 2 for spot in spots):
        return roads
    return dataclasses.replace(roads, spots=np.array(spots, float))


def from_triples(triples: Iterable[Any], directed: bool) -> Roads:
    """Rows (from, to, length) as roads, places in the order in which they are first named."""
    rows = [tuple(row) for row in triples]
    if not rows or any(len(row) != 3 for row in rows):
        raise BadInput("graph must be a NetworkX graph or rows (from, to, length), at least one")
    for row, (start, stop, length) in enumerate(rows):
        check_road(row, start, stop, length)
    places = tuple(dict.fromkeys(place for start, stop, _ in rows for place in (start, stop)))
    number = {place: i for i, place in enumerate(places)}
    ends = np.array([(number[start], number[stop]) for start, stop, _ in rows])
    return Roads(places, ends, np.array([float(length) for _, _, length in rows]), bool(directed))


def check_road(row: int, start: Any, stop: Any, length: Any) -> None:
    """A road joins two places and is longer than 0."""
    where = f"graph edge {row}, {start!r}-{stop!r},"
    if start == stop:
        raise BadInput(f"{where} leads from a place to itself: leave it out")
    try:
        known = float(length)
    except (TypeError, ValueError):
        raise BadInput(f"{where} has the length {length!r}: give a number") from None
    if not 0 < known < np.inf:
        raise BadInput(f"{where} has the length {known:g}: give one that is finite and above 0")


def to_networkx(roads: Roads, **facts: Any) -> Any:
    """The roads as a NetworkX (multi-)graph; `facts` [roads] become attributes of its edges. Needs `catallax[graphs]`."""
    try:
        import networkx
    except ImportError as error:
        raise BadInput("to_networkx needs NetworkX: pip install 'catallax[graphs]'") from error
    pairs = roads.ends if roads.directed else np.sort(roads.ends, axis=1)
    many = len(np.unique(pairs, axis=0)) < len(pairs)
    kinds = {
        (False, False): "Graph",
        (False, True): "MultiGraph",
        (True, False): "DiGraph",
        (True, True): "MultiDiGraph",
    }
    graph = getattr(networkx, kinds[roads.directed, many])()
    for i, place in enumerate(roads.places):
        graph.add_node(place, **({} if roads.spots is None else {"pos": tuple(roads.spots[i].tolist())}))
    for e, (start, stop) in enumerate(roads.ends):
        known = {name: np.asarray(values)[e].item() for name, values in facts.items()}
        graph.add_edge(roads.places[start], roads.places[stop], length=float(roads.length[e]), **known)
    return graph
