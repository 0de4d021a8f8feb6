"""The example that the wing ships: 45 capitals of Europe, by latitude and longitude to 0.01 degrees (about 1 km)."""

from pathlib import Path

from catallax.io.places import read_places
from catallax.io.tsplib import TourFile

CAPITALS = Path(__file__).with_name("capitals.csv")


def capitals() -> TourFile:
    """The capitals of Europe, of kind SPHERE."""
    return read_places(CAPITALS)
