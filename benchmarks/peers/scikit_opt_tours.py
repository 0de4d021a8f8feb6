"""Tours by scikit-opt's ant system (ACA_TSP): its own defaults but for the numbers of ants and rounds asked for.

It builds its table with `np.int`, which NumPy took away in 1.24: the peer's environment pins NumPy 1.23.5, nothing is patched.
Its ants give up pheromone on all edges of all tours, smell a full matrix, and know neither candidate lists nor local search.

Request: matrix, ants, rounds, seed. Answer: order, seconds (`run` alone), tours built.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import time

import numpy as np
from cities import answer, read
from sko.ACA import ACA_TSP


def main():
    """Solve the request and answer."""
    request, distances = read()
    cities = len(distances)
    np.random.seed(request["seed"])  # noqa: NPY002 - the generator that it draws from

    def length(order):
        return distances[order, np.roll(order, -1)].sum()

    colony = ACA_TSP(
        func=length,
        n_dim=cities,
        size_pop=request["ants"],
        max_iter=request["rounds"],
        distance_matrix=distances.astype(float),
    )
    start = time.perf_counter()
    order, _ = colony.run()
    seconds = time.perf_counter() - start
    answer(order, seconds, ("scikit-opt", "numpy"), tours=request["ants"] * request["rounds"])


if __name__ == "__main__":
    main()
