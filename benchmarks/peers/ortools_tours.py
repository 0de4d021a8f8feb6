"""Tours by OR-Tools' routing library: cheapest arc, then guided local search within so many seconds.

Request: matrix, seconds. Answer: order, seconds (`SolveWithParameters` alone).
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import time

from cities import answer, read
from ortools.constraint_solver import pywrapcp, routing_enums_pb2


def main():
    """Solve the request and answer."""
    request, distances = read()
    manager = pywrapcp.RoutingIndexManager(len(distances), 1, 0)
    model = pywrapcp.RoutingModel(manager)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(distances.tolist()))
    settings = pywrapcp.DefaultRoutingSearchParameters()
    settings.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    settings.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    settings.time_limit.FromMilliseconds(int(1000 * request["seconds"]))
    start = time.perf_counter()
    found = model.SolveWithParameters(settings)
    seconds = time.perf_counter() - start
    if found is None:
        raise SystemExit("OR-Tools found no tour in the time given")
    order, at = [], model.Start(0)
    while not model.IsEnd(at):
        order.append(manager.IndexToNode(at))
        at = found.Value(model.NextVar(at))
    answer(order, seconds, ("ortools",))


if __name__ == "__main__":
    main()
