"""Course Match and picking sequences as fairpyx 0.1 has them, on instances that the request holds.

Request: `instances`, a file with a list, each `values` [students][courses], `capacities`, `limits`, `conflicts`
(pairs), `budgets`; `seconds` for the price search of each; `answer`, the file to write. Answer there: for each instance
and rule `bundles` (courses of each student) and `seconds`, for Course Match also `error`, the clearing error at the
prices that its search returns, by its own demand; `failed` where it raises.
"""

import importlib.metadata
import json
import sys
import time
from pathlib import Path

from fairpyx import AllocationBuilder, Instance
from fairpyx.algorithms import picking_sequence
from fairpyx.algorithms.course_match import A_CEEI, main_course_match


def instance(given):
    """As fairpyx names things: s0, s1, ... and c0, c1, ..."""
    students, courses = range(len(given["values"])), range(len(given["capacities"]))
    excluded = {f"c{j}": [] for j in courses}
    for a, b in given["conflicts"]:
        excluded[f"c{a}"].append(f"c{b}")
        excluded[f"c{b}"].append(f"c{a}")
    return Instance(
        valuations={f"s{i}": {f"c{j}": given["values"][i][j] for j in courses} for i in students},
        agent_capacities={f"s{i}": given["limits"][i] for i in students},
        item_capacities={f"c{j}": given["capacities"][j] for j in courses},
        item_conflicts=excluded,
        agent_conflicts={f"s{i}": [f"c{j}" for j in courses if not given["values"][i][j]] for i in students},
    )


def course_match(given, seconds):
    """The three stages; the error at the prices of the first is taken as they pass."""
    budget = {f"s{i}": b for i, b in enumerate(given["budgets"])}
    kept = {}
    search = A_CEEI.A_CEEI

    def watched(alloc, budget, limit):
        kept["price"] = search(alloc, budget, limit)
        return kept["price"]

    alloc = AllocationBuilder(instance(given))
    main_course_match.A_CEEI.A_CEEI = watched
    start = time.perf_counter()
    try:
        main_course_match.course_match_algorithm(alloc, budget, [list(budget)], seconds)
    finally:
        main_course_match.A_CEEI.A_CEEI = search
    took = time.perf_counter() - start
    fresh = AllocationBuilder(instance(given))
    preferred = A_CEEI.find_preferred_schedule_adapter(fresh)
    demand = A_CEEI.compute_surplus_demand_for_each_course(kept["price"], fresh, budget, preferred)
    # the error is Budish's: its own search minimises one that holds empty seats against a price of 0 too
    at = kept["price"]
    excess = [z if at[c] > 0 else max(z, 0) for c, z in demand.items()]
    return {"bundles": bundles(alloc), "seconds": took, "error": sum(z * z for z in excess) ** 0.5}


def picked(given, rule):
    """One of the picking sequences, in the order of the students."""
    alloc = AllocationBuilder(instance(given))
    start = time.perf_counter()
    rule(alloc)
    return {"bundles": bundles(alloc), "seconds": time.perf_counter() - start}


def bundles(alloc):
    """The courses of each student, as numbers."""
    count = len(alloc.instance.agents)
    return [sorted(int(c[1:]) for c in alloc.bundles.get(f"s{i}", ())) for i in range(count)]


def tried(action, *arguments):
    """What it answers, or why it does not."""
    try:
        return action(*arguments)
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"[:200]}


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    found = [
        {
            "course match": tried(course_match, given, request["seconds"]),
            "round robin": tried(picked, given, picking_sequence.round_robin),
            "serial dictatorship": tried(picked, given, picking_sequence.serial_dictatorship),
        }
        for given in json.loads(Path(request["instances"]).read_text())
    ]
    Path(request["answer"]).write_text(json.dumps(found))
    print(json.dumps({"versions": {"fairpyx": importlib.metadata.version("fairpyx")}}))
