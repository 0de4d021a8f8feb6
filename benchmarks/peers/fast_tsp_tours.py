"""Tours by fast-tsp (C++: Or-opt and local search in an iterated scheme) on one thread, within so many seconds.

Request: matrix, seconds. Answer: order, seconds (`find_tour` alone). It takes no seed.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import time

import fast_tsp
from cities import answer, read


def main():
    """Solve the request and answer."""
    request, distances = read()
    distances = distances.tolist()
    start = time.perf_counter()
    order = fast_tsp.find_tour(distances, duration_seconds=request["seconds"], max_threads=1)
    answer(order, time.perf_counter() - start, ("fast-tsp",))


if __name__ == "__main__":
    main()
