"""A jury from a file: `competence[,weight][,abstention]`, a row a juror, and a column `juror` of names if one likes."""

from typing import Any

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.tables import AnyPath, read_header, read_table

KNOWN = ("juror", "competence", "weight", "abstention")
SHAPE = "[juror,]competence[,weight][,abstention]"


def read_jury(path: AnyPath) -> dict[str, Any]:
    """The fields of a `Jury`. Raises `BadInput`, with file, line and column, where the file is none."""
    header = read_header(path)
    for name in header:
        if name not in KNOWN:
            raise BadInput(f"{path}, line 1: column '{name}' is not known; remove it, the header must be {SHAPE}")
    if "competence" not in header:
        raise BadInput(f"{path}, line 1: column 'competence' is missing; the header must be {SHAPE}")
    words = tuple(name for name in ("juror",) if name in header)
    table = read_table(path, text=words, unique=words)
    rules = {
        "competence": ("above 0 and below 1", lambda x: (x > 0) & (x < 1)),
        "weight": ("at least 0", lambda x: x >= 0),
        "abstention": ("at least 0 and below 1", lambda x: (x >= 0) & (x < 1)),
    }
    for name, values in table.numbers.items():
        rule, holds = rules[name]
        wrong = np.flatnonzero(~holds(values))
        if wrong.size:
            line = table.lines[wrong[0]]
            raise BadInput(f"{path}, line {line}: {name} is {values[wrong[0]]:g}; give a number that is {rule}")
    fields = {"competence": "competence", "weight": "weights", "abstention": "abstention"}
    return {fields[name]: values for name, values in table.numbers.items()}
