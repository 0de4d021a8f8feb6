"""Labels by crowd-kit: Dawid and Skene's EM, its one-coin version, majority vote.

Request: votes (a CSV file of task,worker,label), method (a class of `crowdkit.aggregation`), settings, repeats. Answer: labels
(task to label, as text), seconds (one per repeat: `fit_predict` on a data frame that is there already), versions.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import importlib.metadata
import json
import sys
import time

import crowdkit.aggregation
import pandas


def main():
    """Label as asked and answer."""
    request = json.loads(sys.argv[1])
    votes = pandas.read_csv(request["votes"], dtype=str)
    votes.columns = ["task", "worker", "label"]
    seconds = []
    for _ in range(request["repeats"]):
        method = getattr(crowdkit.aggregation, request["method"])(**request["settings"])
        start = time.perf_counter()
        labels = method.fit_predict(votes)
        seconds.append(time.perf_counter() - start)
    versions = {name: importlib.metadata.version(name) for name in ("crowd-kit", "pandas", "numpy")}
    print(json.dumps({"labels": labels.astype(str).to_dict(), "seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main()
