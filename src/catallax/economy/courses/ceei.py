"""Courses: seats in whole units, shared by prices among students with nearly equal budgets (A-CEEI).

    silence           nobody is told anything: all ask for their favourite bundle, seats asked for too much go by lot
    signal            a price a course; everyone asks for its best affordable bundle (`seats`), then seats are handed
                      out within the capacities (`seating`)
    planner           max sum_ij v_ij x_ij, an integer programme, with its gap
    full information  refused: see `contest`

In whole units no prices need clear the market. Budish: with unequal budgets, however nearly equal, there are some at
which the clearing error (see `seats`) is at most  sqrt(min(2 k, M) M) / 2  seats, M courses, bundles of at most k
courses, after an arbitrarily small change of budgets; whatever the number of students. That prices exist is not that a
search finds them: `bound_met` says whether ours did. With budgets in [1, 1 + spread], spread < 1 / (k - 1), everyone is
free of envy up to one course at the equilibrium itself; what is handed out after it need not be, and is measured.

E. Budish, The combinatorial assignment problem: approximate competitive equilibrium from equal incomes, J. Political
Economy 119, 2011. Units: values in any unit of each student's own, prices in budgets, errors in seats.
"""

from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status, digest
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.society import HostSociety, Society
from catallax.economy.courses import seating
from catallax.economy.courses.bundles import best_bundles, best_with_one_more
from catallax.economy.courses.courses_file import check_facts, read_courses
from catallax.economy.courses.courses_plan import best_total
from catallax.economy.courses.seats import SeatPrices, Students, clearing, draws, exclusions, opening
from catallax.economy.facts import remember
from catallax.measures.fairness import envy, envy_up_to_one

BUDGETS, TIES, LOTS = 3, 4, 5  # streams of random bits
TIE = 1e-9  # a value is raised by less than this share of itself, by lot: then no two bundles are worth the same
LARGEST = 50_000  # pairs of a student and a course that it wants: more are not planned


def whole_numbers(values: Any) -> np.ndarray:
    """An array of int64. BadInput where a number is not whole."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and not (np.isfinite(array) & (array == np.floor(array))).all():
        raise BadInput(f"seats and limits are counted, and {array.tolist()} are not all whole numbers: give whole ones")
    return array.astype(np.int64)


class Courses(Problem):
    """Students and courses.

    **Fields:** `values` [students, courses], what a seat is worth to each (0: never taken); `capacities` [courses],
    seats; `limits` [students] (or one for all), how many courses each may take; `conflicts`, pairs of courses that
    exclude each other; `budgets` [students], default drawn in [1, 1 + `spread`] from `seed`, which draws all other lots
    too; `names`, `courses` for messages and pictures; `waves` of `wave` rounds: how long prices are searched.

    **Raises** `BadInput` where a fact is missing or impossible.
    """

    values: Float[np.ndarray, "students courses"] = eqx.field(converter=lambda x: np.array(x, np.float64))
    capacities: Int[np.ndarray, " courses"] = eqx.field(converter=whole_numbers)
    limits: Int[np.ndarray, "*students"] = eqx.field(converter=whole_numbers)
    conflicts: tuple[tuple[int, int], ...] = eqx.field(
        static=True, default=(), converter=lambda pairs: tuple((int(a), int(b)) for a, b in pairs)
    )
    budgets: Float[np.ndarray, " students"] | None = eqx.field(
        default=None, converter=lambda x: None if x is None else np.array(x, np.float64)
    )
    spread: float = eqx.field(static=True, default=0.1)
    seed: int = eqx.field(static=True, default=0)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    courses: tuple[str, ...] | None = eqx.field(static=True, default=None)
    wave: int = eqx.field(static=True, default=400)
    waves: int = eqx.field(static=True, default=3)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        check_facts(self)

    @classmethod
    def read(cls, path: str | Path, **settings: Any) -> "Courses":
        """From a JSON file in the format of fairpyx: valuations, agent_capacities, item_capacities, ..._conflicts."""
        facts: dict[str, Any] = read_courses(path) | settings
        return cls(**facts)

    @classmethod
    def drawn(
        cls, seed: int, students: int = 20, courses: int = 8, limit: int = 3, plenty: float = 1.1, **settings: Any
    ) -> "Courses":
        """A random instance: values half common and half each student's own, `plenty` seats for each that can be used."""
        random = np.random.default_rng(seed)
        values = np.round(100 * (random.random((students, courses)) + random.random(courses)) / 2, 2)
        weights = random.dirichlet(np.full(courses, 3.0))
        capacities = np.maximum(1, np.round(weights * students * limit * plenty))
        chosen: dict[str, Any] = {"seed": seed} | settings
        return cls(values, capacities, limit, **chosen)

    # --- facts ---

    @property
    def limit(self) -> Int[np.ndarray, " students"]:
        """How many courses each student may take."""
        return np.minimum(np.broadcast_to(self.limits, len(self.values)), self.values.shape[1])

    @property
    def excluded(self) -> Bool[np.ndarray, "courses courses"]:
        """Which pairs exclude each other."""
        return exclusions(self.conflicts, self.values.shape[1])

    @property
    def students(self) -> Students:
        """Price-takers, with budgets and with ties between bundles broken by lot."""
        n, m = self.values.shape
        budgets = self.budgets
        if budgets is None:
            budgets = 1 + self.spread * draws(self.seed, 0, n, BUDGETS)
        lots = draws(self.seed, 0, n * m, TIES).reshape(n, m)
        return Students(self.values * (1 + TIE * lots), self.limit.copy(), budgets, self.conflicts)

    @property
    def order(self) -> Int[np.ndarray, " students"]:
        """Whose turn it is when seats are filled, by lot."""
        return np.argsort(draws(self.seed, 1, len(self.values), LOTS), kind="stable")

    @property
    def bound(self) -> float:
        """Budish's bound on the clearing error of some prices, seats."""
        m = self.values.shape[1]
        return float(np.sqrt(min(2 * int(self.limit.max()), m) * m) / 2)

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> HostSociety:
        """Students and the price of each course's seats. Refused with a leak."""
        if leak != 0:
            self.contest()
        students, limit = self.students, max(int(self.limit.max()), 1)
        price = np.full(self.values.shape[1], 0.5 / limit)  # a full bundle for half a budget
        signal = SeatPrices(
            self.capacities,
            float(students.budgets.max()),
            self.seed,
            self.wave,
            self.waves,
            opening(self.capacities, price),
        )
        return HostSociety(students, signal)

    def silence(self) -> Outcome:
        """Nobody is told of anybody: all ask for their favourite bundle, and seats asked for too much go by lot."""
        wanted = self.favourites
        lots = draws(self.seed, 0, wanted.size, LOTS).reshape(wanted.shape)
        return Outcome(values=self.valued(seating.drawn_by_lot(wanted, self.capacities, lots)), certificate=0.0)

    def plan(self) -> Outcome:
        """The largest sum of values, by HiGHS; the certificate is its gap, a share. Refused above `LARGEST` pairs."""
        return remember("courses", digest((self.values, self.capacities, self.limit, self.excluded)), self._plan)

    def _plan(self) -> Outcome:
        pairs = int(np.count_nonzero(self.values))
        if pairs > LARGEST:
            raise Refused(
                f"{pairs:,} pairs of a student and a course are too many for an exact plan: at most {LARGEST:,} are planned"
            )
        taken, gap = best_total(self.values, self.capacities, self.limit, self.conflicts)
        status = Status.SETTLED if gap <= 1e-6 else Status.UNSETTLED
        values = self.valued(taken) | {"gap": gap}
        return Outcome(code=CODES.index(status), unrest=gap, certificate=gap, values=values)

    def contest(self, leak: float = 1.0) -> Outcome:
        """Refused."""
        raise Refused(
            "in whole units demand jumps with the price, so a student's own effect on it has no size and a best reply "
            "to the others no definition: with full information courses are assigned by the planner alone"
        )

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """At the best prices found: what is asked for and its clearing error, beside what is then handed out.

        `price`, `demand`, `clearing_error`, `bound`, `bound_met` are of the approximate equilibrium; `allocation`,
        `final_price`, `utilities` of the seats handed out, which is feasible.
        """
        signal: Any = society.signal
        price = np.asarray(signal.search.best, np.float64)
        students = self.students
        demand = seating.asked(students, price)
        error = clearing(price, demand.sum(0), self.capacities)[1]
        taken, final = seating.seated(students, price, self.capacities, self.order)
        found = dict(price=price, demand=demand, clearing_error=error, bound=self.bound, bound_met=error <= self.bound)
        return Outcome(society, values=found | self.valued(taken) | {"final_price": final})

    def valued(self, taken: Bool[np.ndarray, "students courses"]) -> dict[str, Any]:
        """Seats handed out and what they are worth to those who have them."""
        return {"allocation": taken, "utilities": (self.values * taken).sum(1)}

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """Of the seats handed out: `efficiency`, the share of the plan's sum of values (NaN where there is no plan);
        `envy`, the largest (see `measures.fairness`); `ef1_violations`, students who envy beyond one course; `min_share`,
        the least share that anyone has of its favourite bundle's value."""
        taken, utilities = outcome.allocation, outcome.utilities
        try:
            best = float(self.plan().utilities.sum())
            efficiency = float(utilities.sum()) / best if best > 0 else 1.0
        except Refused:
            efficiency = float("nan")
        favourite = (self.values * self.favourites).sum(1)
        share = np.divide(utilities, favourite, out=np.ones(len(favourite)), where=favourite > 0)
        return dict(
            efficiency=efficiency,
            envy=envy(self.worth, taken).largest,
            ef1_violations=float(envy_up_to_one(self.worth, taken).count),
            min_share=float(share.min()),
        )

    @property
    def favourites(self) -> Bool[np.ndarray, "students courses"]:
        """What each would take were everything free."""
        students, m = self.students, self.values.shape[1]
        return best_bundles(students.values, np.zeros(m), students.conflicts, students.limits, students.budgets)

    def worth(self, student: int, bundles: np.ndarray) -> np.ndarray:
        """What bundles [b, courses] without conflicts are worth to a student: its best courses of each, up to its limit."""
        value, limit = self.values[student] * bundles, int(self.limit[student])
        if limit == 0:
            return np.zeros(len(bundles))
        if bundles.sum(1).max() > limit:
            value = np.partition(value, value.shape[1] - limit, axis=1)[:, -limit:]
        return value.sum(1)

    def gap(self, outcome: Outcome) -> float:
        """The clearing error of the approximate equilibrium, in seats."""
        return float(outcome.clearing_error)

    def effect(self, outcome: Outcome) -> float:
        """The largest share of a course's demand that is one student's own, on average over students."""
        demand = np.asarray(outcome.demand, np.float64)
        return float((demand / np.maximum(demand.sum(0), 1)).max(1).mean())

    def gain(self, outcome: Outcome) -> float:
        """The largest share that one student could add to its value with one empty seat, all others keeping theirs.

        Not what a student could gain by misstating its values.
        """
        students, taken = self.students, np.asarray(outcome.allocation)
        empty, free = self.capacities - taken.sum(0), np.zeros(self.values.shape[1])
        better = np.zeros_like(taken)
        for i, (value, limit, budget) in enumerate(
            zip(students.values, students.limits, students.budgets, strict=True)
        ):
            best_with_one_more(value, free, students.conflicts, limit, budget, taken[i], empty, better[i])
        best, own = (students.values * better).sum(1), (students.values * taken).sum(1)
        more = np.divide(best, own, out=np.where(best > 0, np.inf, 1.0), where=own > 0) - 1
        return float(np.where(more > TIE, more, 0.0).max())

    def conserved(self, society: Society) -> dict[str, Any]:
        """Seats handed out beyond a capacity, courses beyond a limit, conflicts within a bundle: none, in every round."""
        taken = self.outcome(society).allocation.astype(np.int64)
        clashes = np.einsum("ij,jk,ik->i", taken, self.excluded.astype(np.int64), taken)
        return {
            "seats beyond capacity": np.maximum(taken.sum(0) - self.capacities, 0),
            "courses beyond the limit": np.maximum(taken.sum(1) - self.limit, 0),
            "conflicts": clashes,
        }

    def scene(self, society: Society) -> Scene:
        """Prices as bars, who sits where as a grid."""
        outcome = self.outcome(society)
        labels = self.courses or tuple(f"course {j}" for j in range(self.values.shape[1]))
        return Scene("courses", (Bars(labels, outcome.price, "price"), Grid(outcome.allocation, "seats")))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        n, m = self.values.shape
        return dict(signal="price", measure="efficiency (sum of values)", population=f"{n:,} students, {m:,} courses")

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Courses":
        """The students `keep` alone, with their budgets, and all seats."""
        kept = np.asarray(keep)
        chosen = np.arange(len(self.values))[kept] if kept.size else np.zeros(0, int)
        if not chosen.size:
            raise Refused("no student would be left: there is nobody to seat")
        names = None if self.names is None else tuple(self.names[i] for i in chosen)
        return self.of(self.values[chosen], self.capacities, self.limit[chosen], self.students.budgets[chosen], names)

    def replicate(self, copies: int) -> "Courses":
        """Each student and each seat `copies` times; budgets that were given are given to each copy, others drawn."""
        names = None if self.names is None else tuple(f"{n} {c + 1}" for c in range(copies) for n in self.names)
        budgets = None if self.budgets is None else np.tile(self.budgets, copies)
        values = np.tile(self.values, (copies, 1))
        return self.of(values, self.capacities * copies, np.tile(self.limit, copies), budgets, names)

    def shocked(self, key: Any, size: float) -> "Courses":
        """Every value multiplied by exp(size x normal), independently."""
        factor = np.exp(size * np.asarray(jax.random.normal(key, self.values.shape), np.float64))
        return self.of(self.values * factor, self.capacities, self.limits, self.budgets, self.names)

    def of(self, values: Any, capacities: Any, limits: Any, budgets: Any, names: Any) -> "Courses":
        """Other facts, the same courses, lots and search."""
        return Courses(
            values, capacities, limits, self.conflicts, budgets, self.spread, self.seed, names, self.courses, self.wave,
            self.waves,
        )  # fmt: skip
