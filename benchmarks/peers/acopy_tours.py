"""Tours by acopy: its own defaults but for the numbers of ants and rounds asked for.

Request: matrix, ants (null: as many as cities, its default), rounds, seed. Answer: order, seconds (`solve` alone), tours built.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import random
import time

import acopy
import networkx
from cities import answer, read


def main():
    """Solve the request and answer."""
    request, distances = read()
    cities, ants = len(distances), request["ants"]
    random.seed(request["seed"])
    graph = networkx.Graph()
    graph.add_weighted_edges_from((i, j, int(distances[i, j])) for i in range(cities) for j in range(i))
    start = time.perf_counter()
    found = acopy.Solver().solve(graph, acopy.Colony(), gen_size=ants, limit=request["rounds"])
    seconds = time.perf_counter() - start
    answer(found.nodes, seconds, ("acopy", "networkx"), tours=(ants or cities) * request["rounds"])


if __name__ == "__main__":
    main()
