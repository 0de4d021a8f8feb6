"""Full information among ants: everyone knows every road that any ant has reported, and takes the shortest way known.

Nobody knows the map. Until a first ant is back with a report, those who leave wander as if there were no trail; from
then on all take the shortest way over roads that some ant has walked who has come back, or is on its way back. Nobody
could gain by another way that is known, so nobody goes where no one has been: what the first wanderers did not find
is never found.
"""

import numpy as np
from jaxtyping import Int

from catallax.colony.paths.roads import Roads
from catallax.colony.paths.walks import shortest


class Explorers:
    """Wanderers over the signposts `choices` [2 ways, places, degree] of a map whose roads take `steps` [arcs] rounds."""

    def __init__(self, roads: Roads, choices: Int[np.ndarray, "ways places degree"], steps: Int[np.ndarray, " arcs"]):
        self.heads, self.tails, self.steps, self.choices = roads.heads, roads.tails, steps, choices

    def trip(self, source: int, target: int, random: np.random.Generator) -> tuple[list[int], int]:
        """The roads of one trip there and back at random, and the rounds it takes."""
        place, arc, way, roads, rounds = source, -1, 0, [], 0
        while not (way and place == source):
            if not way and place == target:
                way, arc = 1, -1
            offered = self.choices[way, place]
            offered = offered[offered >= 0]
            onward = offered[offered != (arc ^ 1)] if arc >= 0 else offered
            arc = int(random.choice(onward if len(onward) else offered))
            place = int(self.heads[arc])
            roads.append(arc // 2)
            rounds += int(self.steps[arc])
        return roads, rounds

    def known(self, source: int, target: int, leaves: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The roads that are known once all who left (in rounds `leaves`, rising) before the first report are back."""
        walked, first = set(), np.inf
        for departure in leaves:
            if departure >= first:
                break
            roads, rounds = self.trip(source, target, random)
            walked.update(roads)
            first = min(first, departure + rounds)
        return np.array(sorted(walked))

    def way(self, source: int, target: int, roads: np.ndarray) -> np.ndarray:
        """The shortest way out over `roads`, as arcs."""
        arcs = np.concatenate([2 * roads, 2 * roads + 1])
        allowed = np.isin(arcs, self.choices[0])
        found = shortest(arcs[allowed], self.tails, self.heads, self.steps, source, target)
        assert found is not None, "a trip there and back knows a way"
        return found
