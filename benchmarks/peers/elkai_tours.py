"""Tours by elkai, which is K. Helsgaun's LKH (Lin and Kernighan's search in C): one run, which takes the time that it takes.

Request: matrix. Answer: order, seconds (`solve_tsp` alone). It takes neither a seed nor a limit of time.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import time

import elkai
from cities import answer, read


def main():
    """Solve the request and answer."""
    _, distances = read()
    cities = elkai.DistanceMatrix(distances.tolist())
    start = time.perf_counter()
    order = cities.solve_tsp(runs=1)
    answer(order[:-1], time.perf_counter() - start, ("elkai",))


if __name__ == "__main__":
    main()
