"""From prices at which some courses are asked for too much to seats that can be handed out, as Course Match does.

1. over-subscription: the price of the course that is asked for too much by most is raised to the lowest (to 1/4096 of
   the largest budget) at which it is not, others standing; again, until no course is. Prices only rise, and above the
   largest budget nobody asks: it ends.
2. backfill: one after the other, in an order by lot, each student may take one empty seat, dropping what it will, at
   those prices with a budget larger by a tenth; then again with empty seats for nothing; each until nobody wants to. A
   move makes its mover better off and nobody worse off: it ends. (All that is empty to one student at a time would give
   the first in the order more than the others: up to 29 of 200 students then envied by more than one course, measured.)

E. Budish, G. Cachon, J. Kessler, A. Othman, Course Match: a large-scale implementation of approximate competitive
equilibrium from equal incomes for combinatorial allocation, Operations Research 65, 2017 (its stages 2 and 3; there
stage 2 halves the over-subscription in each step, a student takes all it can in its turn, and no round is free).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from catallax.economy.courses.bundles import best_bundles, best_with_one_more
from catallax.economy.courses.seats import Students

HALVINGS = 12
LARGER = 1.1  # budgets of the backfill, relative to those of the market


def seated(
    students: Students, price: Float[np.ndarray, " courses"], capacity: Int[np.ndarray, " courses"], order: np.ndarray
) -> tuple[Bool[np.ndarray, "students courses"], Float[np.ndarray, " courses"]]:
    """Seats within every capacity, and the prices at which they were handed out before the backfill."""
    price, taken = without_excess(students, price, capacity)
    larger = LARGER * students.budgets
    taken = backfilled(students, taken, price, larger, capacity, order)
    return backfilled(students, taken, 0 * price, larger, capacity, order), price


def without_excess(students: Students, price: np.ndarray, capacity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prices raised until no course is asked for too much, and what is then asked for."""
    price = np.array(price, np.float64)
    top = float(students.budgets.max()) * 1.001
    taken = asked(students, price)
    while ((over := taken.sum(0) - capacity) > 0).any():
        j = int(over.argmax())
        low, high = price[j], max(top, price[j])
        for _ in range(HALVINGS):
            price[j] = (low + high) / 2
            if asked(students, price)[:, j].sum() > capacity[j]:
                low = price[j]
            else:
                high = price[j]
        price[j] = high
        taken = asked(students, price)
    return price, taken


def backfilled(
    students: Students,
    taken: np.ndarray,
    price: np.ndarray,
    budgets: np.ndarray,
    capacity: np.ndarray,
    order: np.ndarray,
) -> np.ndarray:
    """Bundles after everyone has taken empty seats, one a turn, until nobody wants to."""
    taken, empty, conflicts = taken.copy(), capacity - taken.sum(0), students.conflicts
    better, moved = np.zeros_like(taken[0]), True
    while moved:
        moved = False
        for i in order:
            limit, budget = students.limits[i], budgets[i]
            best_with_one_more(students.values[i], price, conflicts, limit, budget, taken[i], empty, better)
            if (better != taken[i]).any():
                empty += taken[i].astype(empty.dtype) - better
                taken[i], moved = better, True
    return taken


def asked(students: Students, price: np.ndarray) -> Bool[np.ndarray, "students courses"]:
    """Everyone's best affordable bundle."""
    return best_bundles(students.values, price, students.conflicts, students.limits, students.budgets)


def drawn_by_lot(
    wanted: Bool[np.ndarray, "students courses"], capacity: Int[np.ndarray, " courses"], lots: np.ndarray
) -> Bool[np.ndarray, "students courses"]:
    """The seats of each course to those who want one and drew the smallest numbers `lots` [students, courses]."""
    rank = np.argsort(np.argsort(np.where(wanted, lots, np.inf), axis=0, kind="stable"), axis=0, kind="stable")
    return wanted & (rank < capacity)
