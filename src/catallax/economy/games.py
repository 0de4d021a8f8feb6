"""Games in normal form: a few players, a table of payoffs, and what each is told of the others.

    silence           each plays its best answer to others who play anything, told nothing
    signal            each is told alone what each of its own actions would have earned just now (regret matching)
    planner           the joint action of greatest total payoff
    full information  Nash: everyone knows the whole table and best-responds; of several equilibria, the worst

Regret matching (`regret.py`) knows neither the table nor who else there is, and yet the joint play comes near the
*correlated* equilibria, as if a mediator told everyone what to do. The certificate is the largest average conditional
regret of the joint play counted, in float64, as a share of that player's range of payoffs. It falls like 1 / sqrt(t), so
games come to rest to within a per cent, not 1e-6: `NormalForm.tolerance`.

Payoffs may be costs, so efficiency is (W - W_worst) / (W_best - W_worst), W the total payoff, over joint actions: free of
units and of what is paid anyway. The prices of anarchy and stability are ratios, and are given where signs allow.

S. Hart and A. Mas-Colell, A simple adaptive procedure leading to correlated equilibrium, Econometrica 68, 2000.
E. Koutsoupias and C. Papadimitriou, Worst-case equilibria, STACS 1999 (price of anarchy).
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.run import run
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.society import Society
from catallax.economy.play import nash
from catallax.economy.play.regret import Hindsight, RegretMatcher

MOST = 2**24  # numbers in a table of payoffs


def table(payoffs: Any) -> Any:
    """Payoffs as one array; a pair of matrices (a table for each player) is stacked."""
    if isinstance(payoffs, jax.Array):
        return payoffs
    try:
        return jnp.asarray(np.asarray(payoffs, float))
    except ValueError:
        raise BadInput("NormalForm.payoffs are no table: give each player's payoffs in one same shape") from None


class NormalForm(Problem):
    """A game in normal form.

    **Fields:** `payoffs` [players, a_1, ..., a_n]: what each player earns at each joint action (costs: negative); for
    two players a pair of matrices will do; `names` of the players and `actions` (one tuple a player), for pictures.

    **Raises** `BadInput` where the table does not have one axis a player, or holds what is not a number. Textbook games
    are in `catallax.economy.textbook`.
    """

    payoffs: Float[Array, "players *actions"] = eqx.field(converter=table)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    actions: tuple[tuple[str, ...], ...] | None = eqx.field(static=True, default=None)

    headline: ClassVar[str] = "efficiency"
    tolerance: ClassVar[float] = 0.01  # of average regret

    def __check_init__(self) -> None:
        shape = self.payoffs.shape
        if len(shape) < 2 or len(shape) != shape[0] + 1 or 0 in shape:
            due = "give [players, a_1, ..., a_n], one axis of actions for each player"
            raise BadInput(f"NormalForm.payoffs has shape {shape}: {due}")
        if self.payoffs.size > MOST:
            raise BadInput(f"NormalForm.payoffs holds {self.payoffs.size:,} numbers: give at most {MOST:,}")
        if not np.isfinite(self.worth).all():
            place = np.argwhere(~np.isfinite(self.worth))[0].tolist()
            raise BadInput(f"NormalForm.payoffs{place} is not a finite number: give finite numbers only")
        if self.names is not None and len(self.names) != shape[0]:
            raise BadInput(f"NormalForm.names has {len(self.names)} entries: give one for each of {shape[0]} players")
        if self.actions is not None and tuple(map(len, self.actions)) != shape[1:]:
            raise BadInput(f"NormalForm.actions names {[*map(len, self.actions)]} actions: give {list(shape[1:])}")

    @property
    def worth(self) -> np.ndarray:
        """The payoffs in float64: what judges outcomes."""
        return np.asarray(self.payoffs, np.float64)

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Players who match regrets. Raises `Refused` with a leak: there is no price here, to have an effect on."""
        if not isinstance(leak, (int, float)) or leak != 0:
            raise Refused("a game has no price on which a share of the own effect could be known: leak must be 0")
        players, shape = len(self.payoffs), self.payoffs.shape[1:]
        choices, most = jnp.asarray(shape, jnp.int32), max(shape)
        stride = [int(np.prod(shape[i + 1 :])) for i in range(players)]
        span = nash.ranges(self.worth)
        zero = jnp.zeros(players, jnp.int32)
        agents = RegretMatcher(
            jnp.arange(players, dtype=jnp.int32),
            choices,
            jnp.asarray(span, self.payoffs.dtype),
            jnp.zeros((players, most, most), self.payoffs.dtype),
            zero,
            zero - 1,
        )
        plays, payoffs = jnp.zeros(int(np.prod(shape)), jnp.int32), self.payoffs.reshape(players, -1)
        return Society(agents, Hindsight(zero, plays, payoffs, jnp.asarray(stride, jnp.int32), choices, most))

    def learn(self, rounds: int = 10_000, seed: int = 0, tolerance: float = tolerance) -> Outcome:
        """Regret matching until nobody's average regret is above `tolerance`; the regret counted is the certificate."""
        ran = run(self, rounds, seed, tolerance=tolerance)
        status = ran.status
        if status in (Status.DONE, Status.SETTLED):
            status = Status.SETTLED if ran.regret <= tolerance else Status.UNSETTLED
        return dataclasses.replace(ran, code=CODES.index(status), certificate=ran.regret)

    def silence(self) -> Outcome:
        """Nobody is told anything: each plays its best answer to others who play all actions equally often (ties: evenly)."""
        anything = [np.full(count, 1 / count) for count in self.payoffs.shape[1:]]
        each = nash.answers(self.worth, anything)
        best = [own >= own.max() - nash.TIE * s for own, s in zip(each, nash.ranges(self.worth), strict=True)]
        return self.independent([b / b.sum() for b in best], certificate=0.0)

    def plan(self) -> Outcome:
        """The joint action of greatest total payoff, by looking at all."""
        profile = np.unravel_index(int(np.argmax(self.worth.sum(0))), self.payoffs.shape[1:])
        strategies = [np.eye(n)[a] for a, n in zip(profile, self.payoffs.shape[1:], strict=True)]
        return self.independent(strategies, certificate=0.0)

    def equilibria(self) -> nash.Equilibria:
        """All Nash equilibria of a small game of two, of others those in pure actions, each with its certificate."""
        return nash.equilibria(self.worth)

    def contest(self, leak: float = 1.0) -> Outcome:
        """Nash. Of several equilibria the worst, since nothing that everyone knows rules it out; notes tell of the best.

        Values: `strategies`, `equilibria` (how many were found), `price_of_anarchy` and `price_of_stability` where all
        were, else `price_of_the_equilibrium_found`; NaN where payoffs have signs that allow no ratio.
        """
        if leak != 1:
            raise Refused("a game has no price on which a share of the own effect could be known: leak must be 1")
        listed = self.equilibria()
        if not listed.found:
            raise Refused(f"no equilibrium was found: {listed.note}")
        totals = [self.total(nash.joint(each.strategies)) for each in listed.found]
        worst, best = int(np.argmin(totals)), int(np.argmax(totals))
        optimum = float(self.worth.sum(0).max())
        if listed.complete:
            prices = {
                "price_of_anarchy": price(optimum, totals[worst]),
                "price_of_stability": price(optimum, totals[best]),
            }
        else:
            prices = {"price_of_the_equilibrium_found": price(optimum, totals[worst])}
        known = ", ".join(f"{name.replace('_', ' ')} {ratio:.4g}" for name, ratio in prices.items() if ratio == ratio)
        notes = tuple(n for n in (listed.note, several(totals, worst, best), known and f"{known.capitalize()}.") if n)
        chosen = listed.found[worst]
        values = {"equilibria": len(totals)} | prices
        return self.independent(chosen.strategies, chosen.gain, notes, values)

    def independent(
        self, strategies: Sequence[np.ndarray], certificate: float, notes: tuple[str, ...] = (), values: Any = None
    ) -> Outcome:
        """The outcome in which everyone draws alone."""
        strategies = tuple(strategies)
        values = self.valued(nash.joint(strategies)) | {"strategies": strategies} | (values or {})
        status = Status.SETTLED if certificate <= nash.TIE else Status.UNSETTLED
        return Outcome(code=CODES.index(status), certificate=certificate, values=values, notes=notes)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """The joint play counted so far, what it earned, and the largest regret.

        Where none is counted, what everyone played last (the others, when one has left); NaN where nobody has yet.
        """
        signal: Any = society.signal
        plays = np.asarray(signal.plays, np.float64).reshape(self.payoffs.shape[1:])
        last = np.asarray(society.agents.played)
        if not plays.sum():
            plays[tuple(last)] = 1.0 if (last >= 0).all() else np.nan
        play = plays / plays.sum()
        return Outcome(society, values=self.valued(play) | {"regret": nash.regrets(self.worth, play)})

    def valued(self, play: np.ndarray) -> dict[str, Any]:
        """How often each joint action is played [a_1, ..., a_n], and what each player earns on average [players]."""
        return {"play": play, "utilities": (self.worth * play).reshape(len(self.payoffs), -1).sum(1)}

    def total(self, play: np.ndarray) -> float:
        """The average total payoff."""
        return float((self.worth.sum(0) * play).sum())

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`, 0 at the worst joint action and 1 at the best (1 where all are equal), and the `total` payoff."""
        every, total = self.worth.sum(0), self.total(outcome.play)
        low, high = float(every.min()), float(every.max())
        share = (total - low) / (high - low) if high > low else 1.0 + 0.0 * total
        return dict(efficiency=share, total=total)

    def gap(self, outcome: Outcome) -> float:
        """The largest average conditional regret of the joint play: 0 in a correlated equilibrium."""
        return nash.regrets(self.worth, outcome.play)

    def gain(self, outcome: Outcome) -> float:
        """The largest share of its range that one player could gain on average by playing k whenever it now plays j."""
        return nash.regrets(self.worth, outcome.play)

    def effect(self, outcome: Outcome) -> float:
        """The most that one player can change of what another is told, as a share of the other's range of payoffs."""
        worth, span = self.worth, nash.ranges(self.worth)
        moved = [0.0]
        for told in range(len(worth)):
            for other in range(len(worth)):
                if other != told:
                    moved.append(float(np.ptp(worth[told], axis=other).max() / span[told]))
        return max(moved)

    def scene(self, society: Society) -> Scene:
        """What everyone earned, and for two players how often each pair of actions was played."""
        outcome = self.outcome(society)
        names = self.names or tuple(f"player {i + 1}" for i in range(len(self.payoffs)))
        bars = Bars(names, outcome.utilities, "payoff")
        return Scene("game", (bars, Grid(outcome.play, "how often")) if len(self.payoffs) == 2 else (bars,))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        shape = self.payoffs.shape
        crowd = f"{shape[0]} players, {' x '.join(map(str, shape[1:]))} actions"
        return dict(signal="payoff", measure="efficiency (0: worst joint action)", population=crowd)

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "NormalForm":
        """The game of the players `keep`, the others playing anything, all actions equally often: they hear nothing more."""
        chosen = np.arange(len(self.payoffs))[np.asarray(keep)]
        if len(chosen) < 2:
            raise Refused("fewer than two players would be left: there is no game")
        gone = tuple(1 + i for i in range(len(self.payoffs)) if i not in chosen)
        names = None if self.names is None else tuple(self.names[i] for i in chosen)
        actions = None if self.actions is None else tuple(self.actions[i] for i in chosen)
        return NormalForm(self.worth.mean(axis=gone)[chosen], names, actions)

    def replicate(self, copies: int) -> "NormalForm":
        """Each player `copies` times, matched at random: a copy earns the mean over all ways to draw the others."""
        players, shape = len(self.payoffs), self.payoffs.shape[1:]
        if copies == 1:
            return self
        seats = [i for _ in range(copies) for i in range(players)]
        many = tuple(shape[i] for i in seats)
        size = len(seats) * float(np.prod(np.asarray(many, float)))
        if size > MOST:
            raise Refused(
                f"the table of {len(seats)} players would hold {size:.1e} numbers, above {MOST:,}: take fewer copies"
            )
        worth = np.stack([self.matched(seats, many, place) for place in range(len(seats))])
        names = None if self.names is None else tuple(f"{n} {c + 1}" for c in range(copies) for n in self.names)
        return NormalForm(worth, names, None if self.actions is None else tuple(self.actions[i] for i in seats))

    def matched(self, seats: list[int], many: tuple[int, ...], place: int) -> np.ndarray:
        """What the player at one place earns: the mean over all drawings of one player for every other seat."""
        rivals = [[p for p, s in enumerate(seats) if s == i] for i in range(len(self.payoffs))]
        rivals[seats[place]] = [place]
        total, count = np.zeros(many), 0
        for drawn in itertools.product(*rivals):
            shape = [1] * len(seats)
            for place_of, actions in zip(drawn, self.payoffs.shape[1:], strict=True):
                shape[place_of] = actions
            order = np.argsort(drawn)
            total += np.transpose(self.worth[seats[place]], order).reshape(shape)
            count += 1
        return total / count

    def shocked(self, key: Any, size: float) -> "NormalForm":
        """Every payoff disturbed by `size` x that player's range x normal, independently."""
        span = jnp.asarray(nash.ranges(self.worth), self.payoffs.dtype).reshape(-1, *[1] * len(self.payoffs))
        disturbed = self.payoffs + size * span * jax.random.normal(key, self.payoffs.shape, self.payoffs.dtype)
        return NormalForm(disturbed, self.names, self.actions)


def price(optimum: float, reached: float) -> float:
    """How many times better the optimum is: a ratio of payoffs or of costs; NaN where their signs differ or are 0."""
    if optimum > 0 and reached > 0:
        return optimum / reached
    return reached / optimum if optimum < 0 and reached < 0 else float("nan")


def several(totals: list[float], worst: int, best: int) -> str:
    """What to know of several equilibria."""
    if len(totals) == 1:
        return ""
    if totals[best] - totals[worst] <= nash.TIE * abs(totals[best]):
        return f"All {len(totals)} equilibria found have the total payoff {totals[worst]:.6g}."
    return (
        f"The worst of {len(totals)} equilibria is shown (total payoff {totals[worst]:.6g}); "
        f"the best has {totals[best]:.6g}."
    )
