"""Full information: everyone sees everyone's way, so all begin from the shortest, and of all changes one survives a round.

Each ant cuts and mends as in `faint`, smelling nothing; the change that shortens the way most is kept, all others are in vain.
"""

import numpy as np

from catallax.colony.tours.faint import LEAST, rearrange
from catallax.colony.tours.path import undo
from catallax.colony.tours.three_opt import mend
from catallax.core.kernel import bare, fold_in

NOBODY = -1


@bare
def contend(metric, near, path, log, level, crew, key, width):
    """One round: every ant tries a change of the same way, and the best is made. Ticks gained (0 where none shortens it)."""
    ids, reach, merit = crew
    best, winner = np.int64(0), NOBODY
    if path.shape[1] < LEAST:
        return best
    for ant in range(len(ids)):
        change = tried(metric, near, path, log, level, reach[ant], fold_in(key[0], key[1], ids[ant]), width)
        if not undo(path, log):
            merit[ant] -= change
            return change
        if change < best:
            best, winner = change, ant
    if winner != NOBODY:
        tried(metric, near, path, log, level, reach[winner], fold_in(key[0], key[1], ids[winner]), width)
        merit[winner] -= best
    return best


@bare
def tried(metric, near, path, log, level, reach, key, width):
    """One ant's change; ticks gained."""
    log[0, 0] = 0
    change = rearrange(metric, near, path, log, level, reach, 1, key[0], key[1])
    return change - mend(metric, near, path, log, width)
