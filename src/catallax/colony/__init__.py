"""Colonies: ants that are coordinated by the trails they leave, and by nothing else.

Names are found when they are first asked for, so that `import catallax.colony` loads neither JAX nor numba.
"""

from typing import TYPE_CHECKING

from catallax.core.lazy import lazy

if TYPE_CHECKING:
    from catallax.colony.foraging import Foraging as Foraging
    from catallax.colony.shortest_path import ShortestPath as ShortestPath
    from catallax.colony.slime import Slime as Slime
    from catallax.colony.solution import Change as Change
    from catallax.colony.solution import Solution as Solution
    from catallax.colony.solution import solve as solve
    from catallax.colony.tour import Tour as Tour

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Change": "catallax.colony.solution",
        "Foraging": "catallax.colony.foraging",
        "ShortestPath": "catallax.colony.shortest_path",
        "Slime": "catallax.colony.slime",
        "Solution": "catallax.colony.solution",
        "Tour": "catallax.colony.tour",
        "solve": "catallax.colony.solution",
    },
)
