"""A round trip through Europe's capitals is under way when one of them is closed and two cities more are to be visited.

A colony finds a tour from Lisbon (great circles). Eight cities have been driven when Vienna is closed and Milan and Istanbul come.
The colony goes on from what it knows: its tour, repaired, and its trails. What was driven stays as it was; beside it stands what a
colony that begins from nothing finds for the same question. Both have the same rounds and see the same bound.

    python examples/changing.py [changing.png]
"""

import sys

import numpy as np

from catallax.colony.example import capitals
from catallax.colony.solution import solve
from catallax.view import style

START, DRIVEN, CLOSED = "Lisbon", 8, "Vienna"
NEW = {"Milan": (45.46, 9.19), "Istanbul": (41.01, 28.98)}
ROUNDS = 30
WIDE = np.cos(np.radians(50.0))  # of a degree of longitude, in degrees of latitude
LATITUDES, LONGITUDES = (34.0, 66.0), (-24.0, 42.0)


def before():
    """A round trip through all capitals."""
    return solve(capitals(), rounds=ROUNDS, start=START)


def after(tour, driven):
    """The tour from what the colony knows, once the world has changed."""
    return tour.update(driven=driven, remove=[CLOSED], add=list(NEW.values()), names=list(NEW), rounds=ROUNDS)


def cold(later):
    """The same question, from nothing."""
    ground, plan = later.tour.ground, later.tour.facts.plan
    return solve(ground, rounds=ROUNDS, driven=plan.driven)


def draw_tour(axes, solution, driven, words):
    """A map of one tour: what is behind, grey, and what is ahead, blue."""
    up, right = solution.tour.ground.places.T
    order = np.append(solution.order, solution.order[0])
    axes.plot(WIDE * right[order[:driven]], up[order[:driven]], color=style.GREY, linewidth=1.2)
    axes.plot(WIDE * right[order[driven - 1 :]], up[order[driven - 1 :]], color=style.BLUE, linewidth=1.8)
    axes.plot(WIDE * right, up, "o", color=style.INK, markersize=2.5)
    axes.set_xlim(WIDE * LONGITUDES[0], WIDE * LONGITUDES[1])
    axes.set_ylim(*LATITUDES)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    style.write(axes, WIDE * LONGITUDES[0], LATITUDES[1], words, style.MUTED, ha="left", by=(0, 4))


def mark(axes, place, words, colour, by=(0, 8)):
    """A city that matters."""
    up, right = place
    axes.plot([WIDE * right], [up], "o", color=colour, markersize=6)
    style.write(axes, WIDE * right, up, words, colour, by=by)


def draw(first, later, afresh, driven):
    """Before and after."""
    ground = first.tour.ground
    title = f"{CLOSED} is closed, {' and '.join(NEW)} come: {later.length:,.0f} km in place of {first.length:,.0f}."
    caption = (
        f"Great circles. Grey: driven already. At most {100 * later.gap:.1f} % above the shortest way to go on (Held and Karp's "
        f"bound); a colony from nothing finds {afresh.length:,.0f} km in as many rounds."
    )
    sheet = style.sheet(3.3, title, caption)
    left, right = sheet.axes(0.15, 0.1, 3.75, 2.95), sheet.axes(4.1, 0.1, 3.75, 2.95)
    draw_tour(left, first, driven, f"the first {driven} cities have been driven")
    draw_tour(right, later, driven, "gone on from there")
    for axes in (left, right):
        mark(axes, ground.places[ground.names.index(START)], START, style.INK, by=(0, -10))
    mark(left, ground.places[ground.names.index(CLOSED)], CLOSED, style.VERMILION, by=(26, 8))
    for (name, place), by in zip(NEW.items(), ((-22, 6), (30, 4)), strict=True):
        mark(right, place, name, style.GREEN, by=by)
    return sheet.figure


def main():
    """Print the three tours, and save the picture."""
    first = before()
    driven = first.names[:DRIVEN]
    later = after(first, driven)
    afresh = cold(later)
    for words, solution in (("before", first), ("after", later), ("after, from nothing", afresh)):
        print(f"{words:20s} {solution.length:8,.1f} km, at most {solution.gap:.2%} above the shortest")
    print("driven: " + ", ".join(driven))
    print("ahead:  " + ", ".join(later.names[DRIVEN:]))
    print(style.save(draw(first, later, afresh, DRIVEN), (sys.argv[1:] or ["changing.png"])[0]))


if __name__ == "__main__":
    main()
