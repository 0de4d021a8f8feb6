"""What the command line says of a tour, and writes of it.

tour.tour   the cities in TSPLIB's format, by the numbers or names of their file (numbers where names have spaces)
tour.csv    name,x,y (or lat,lon; names alone where a matrix is all there is), in the order of the tour
"""

import math
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from catallax.core.errors import BadInput

SECONDS = 5.0  # of search, where nobody says how long
MANY = 20_000  # cities whose bound is not sought beside the search
ROUNDING = 1e-7  # bounds of lengths that are not whole are below them by so much, a share


def words(tour: Any) -> Callable[[dict[str, Any]], str]:
    """What to say of a recorded length while the search goes on. The bound is found beside it, in a thread of its own; of very
    many cities it takes a while, and is found at the end."""
    from catallax.core.answer import text

    if tour.ground.cities <= MANY:
        Thread(target=tour.bound, daemon=True).start()

    def said(values: dict[str, Any]) -> str:
        length, bound = float(values["length"]), tour.facts.found.get("bound", math.nan)
        return f"length {text(length)}" + (f", {above(length, bound)}" if bound > 0 else "")

    return said


def above(length: float, bound: float) -> str:
    """How far above the shortest a tour is at most."""
    if length <= bound:
        return "the shortest there is"
    share = length / bound - 1
    if share < ROUNDING:
        return "the shortest there is, to rounding"
    return f"at most {math.ceil(1e4 * share) / 100:.2f} % above the shortest"  # rounded up: it is a certificate


def judged(outcome: Any, optimum: float | None) -> tuple[str, dict[str, Any], list[str]]:
    """The finding, entries of the JSON object, and notes. `optimum`: the length of the shortest tour, where it is known."""
    from catallax.core.answer import text

    length, bound, gap = float(outcome.length), float(outcome.bound), float(outcome.gap)
    sure = math.isfinite(bound) and math.isfinite(length)
    end = above(length, bound) if sure else "no certificate"
    said = f"A tour of length {text(length)} through {len(outcome.order):,} cities: {end}."
    entries = dict(length=length, bound=bound, gap_to_bound=gap, tours=int(outcome.changes))
    if optimum is None:
        return said, entries, []
    share = length / optimum - 1
    beaten = f"The tour is shorter than the optimum given, {text(optimum)}, which is therefore none."
    lost = f"The optimum given, {text(optimum)}, lies below a lower bound, {text(bound)}: no tour is as short."
    notes = [beaten] * (length < optimum) + [lost] * (sure and optimum < bound)
    return said, entries | dict(gap_to_optimum=share), notes


def write(tour: Any, outcome: Any, name: str, folder: Path) -> None:
    """The tour as files, under the name of its problem."""
    import numpy as np

    from catallax.io.tours import write_tour
    from catallax.io.writing import write_table

    ground, order, length = tour.ground, outcome.order, float(outcome.length)
    length = int(length) if length.is_integer() else length
    try:
        write_tour(folder / "tour.tour", order, name, length, ground.names)
    except BadInput:  # names with spaces, or twice the same
        write_tour(folder / "tour.tour", order, name, length)
    names = np.arange(1, len(order) + 1) if ground.names is None else np.array(ground.names)
    columns = {"name": names[order]}
    if ground.places is not None:
        axes = ("lat", "lon") if ground.kind in ("SPHERE", "GEO") else ("x", "y")
        places = in_degrees(ground.places) if ground.kind == "GEO" else ground.places
        columns |= dict(zip(axes, places[order].T, strict=True))
    write_table(folder / "tour.csv", columns)


def in_degrees(places: Any) -> Any:
    """TSPLIB's degrees and minutes, DDD.MM, as degrees."""
    import numpy as np

    whole = np.trunc(places)
    return np.round(whole + (places - whole) / 0.6, 10)
