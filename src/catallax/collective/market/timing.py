"""When does it pay to tell the truth? Risk-neutral traders in turn before a market maker who scores by logarithms.

A moves the price first and last; the others move once each between, and tell the truth, for they have nothing to gain from
what comes after. Who moves the price from r to r' is paid b log(r'_y / r_y) when y happens (Hanson). With z what A's first
price lets the others believe, s its signal, o theirs, A is paid, up to what it has no hold on,

    E log r_1(y)  -  l E log P(y | z, o)                          l = 1; l < 1: it reckons with a share of its own effect

for its last price is everyone's posterior P(y | s, o): what the others gain in between, it loses. The first term wants the
truth, the second that others stay ignorant. Together, with mu what z says of s, they are at best

    phi(mu) = -H_mu(y) + l H_mu(y | o)                            at l = 1: minus the information o still has on y

so A's equilibrium is the concave hull of phi at the prior of s, and its messages are where the hull touches phi:

    signals independent given y    I_mu(y; o) is concave in mu: phi is convex, all is told at once (Chen et al.)
    signals independent            I_mu(y; o) is convex in mu: phi is concave, A keeps silent and waits (truth is no
                                   equilibrium, Chen et al.)
    between these                  A mixes: with some chance it moves the price as if its signal were another (a bluff)

The hull is a linear programme over a lattice of mu, polished by Blahut and Arimoto's steps. Prices off the path are met with
the belief that deters best, which exists for every price (minimax: -log is convex). The certificate is the largest gain, in
units of b, that A has left with any signal at any price of a fine lattice; the others answer with exact posteriors.

Y. Chen, S. Dimitrov, R. Sami, D. Reeves, D. Pennock, R. Hanson, L. Fortnow and R. Gonen, Gaming prediction markets:
equilibrium strategies with a market maker, Algorithmica 58, 2010. S. Dimitrov and R. Sami, Non-myopic strategies in prediction
markets, EC 2008. E. Kamenica and M. Gentzkow, Bayesian persuasion, American Economic Review 101, 2011 (the hull).
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog

from catallax.core.errors import BadInput, Refused

LATTICE = {2: 200, 3: 24, 4: 12}  # parts of the simplex of beliefs about A's signal, by how many signals there are
POLISH = 2000  # rounds of Blahut and Arimoto at most
APART = 1e-9  # prices nearer than this tell no signals apart


class Told(NamedTuple):
    """A's equilibrium. `message` [signals, messages]: the chance of each message by signal; `first` [messages, outcomes]: A's
    first price; `reply` [messages, *others, outcomes]: the price when all others have moved; `gain`: the certificate;
    `truth`: information that the first price has on the outcome, a share of what A's signal has; `paid` [traders]: expected
    payments in units of b, the closing move included."""

    message: np.ndarray
    first: np.ndarray
    reply: np.ndarray
    gain: float
    truth: float
    paid: np.ndarray


def solve(joint: Any, leak: float = 1.0, tolerance: float = 1e-6) -> Told:
    """A's equilibrium; `joint` [outcomes, signals of A, signals of the next, ...]: chances, sum 1; two or three traders.

    Raises `BadInput` for a table that is none, `Refused` where A could not tell from the others' prices what they knew.
    """
    p = checked(joint)
    if not 0 <= leak <= 1:
        raise BadInput(f"leak is {leak!r}: the share of its own effect that A reckons with is from 0 to 1")
    flat = p.reshape(*p.shape[:2], -1)  # [outcomes, own, others]
    game = Game(flat / flat.sum((0, 2), keepdims=True), flat.sum((0, 2)), leak)
    message, belief = polished(game, *hull(game), tolerance)
    first = belief @ game.posterior
    worth = (message * game.pay(first, belief)).sum(1)
    gain = max(
        gain_left(game, worth, tolerance), float((game.pay(first, belief) - worth[:, None])[message > 1e-12].max())
    )
    reply = game.reply(belief)
    reply = reply.reshape(len(belief), p.shape[0], *p.shape[2:])
    check_inferable(p, message)
    reply = np.moveaxis(reply, 1, -1)
    return Told(message, first, reply, max(gain, 0.0), share_told(game, message), payments(p, message, first, reply))


class Game:
    """The facts, given A's signal. `given` [outcomes, own, others]: chances of (y, o) given s; `chance` [own] of s."""

    def __init__(self, given: np.ndarray, chance: np.ndarray, leak: float):
        self.given, self.chance, self.leak = given, chance, leak
        self.posterior = given.sum(2).T  # [own, outcomes]: what A believes

    def reply(self, belief: np.ndarray) -> np.ndarray:
        """P(y | z, o) [messages, outcomes, others] where z makes `belief` [messages, own] of A's signal."""
        both = np.einsum("zs,yso->zyo", belief, self.given)
        total = both.sum(1, keepdims=True)
        return np.where(total > 0, both / np.where(total > 0, total, 1), 1 / both.shape[1])

    def pay(self, price: np.ndarray, belief: np.ndarray) -> np.ndarray:
        """What A of each signal is paid for a first `price` [messages, outcomes] that makes this belief, [own, messages]."""
        late = np.einsum("yso,zyo->sz", self.given, safe_log(self.reply(belief)))
        return self.posterior @ safe_log(price).T - self.leak * late

    def value(self, belief: np.ndarray) -> np.ndarray:
        """phi [messages]."""
        return np.einsum("zs,sz->z", belief, self.pay(belief @ self.posterior, belief))


def safe_log(x: np.ndarray) -> np.ndarray:
    """log x, very low where x is 0."""
    return np.log(np.maximum(x, 1e-300))


def lattice(signals: int) -> np.ndarray:
    """Beliefs of all signals in whole parts, [points, signals]."""
    parts = LATTICE[signals]
    cuts = itertools.combinations(range(parts + signals - 1), signals - 1)
    ends = np.array([(-1, *c, parts + signals - 1) for c in cuts])
    return (np.diff(ends, axis=1) - 1) / parts


def hull(game: Game) -> tuple[np.ndarray, np.ndarray]:
    """Messages [own, messages] and beliefs on which the concave hull of phi rests."""
    at = lattice(len(game.chance))
    found = linprog(-game.value(at), A_eq=at.T, b_eq=game.chance, bounds=(0, None), method="highs")
    used = np.flatnonzero(found.x > 1e-9)
    message = (at[used] * found.x[used, None]).T
    return message / message.sum(1, keepdims=True), at[used]


def polished(game: Game, message: np.ndarray, belief: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """The same off the lattice: message z with chances ~ sigma(z | s) exp(pay), until nobody gains from another message."""
    for _ in range(POLISH):
        joint = message * game.chance[:, None]
        belief = (joint / joint.sum(0)).T
        pay = game.pay(belief @ game.posterior, belief)
        left = np.where(message > 1e-12, pay, -np.inf).max(1) - (message * pay).sum(1)
        if left.max() <= tolerance / 10:
            break
        grown = message * np.exp(pay - pay.max(1, keepdims=True))
        message = grown / grown.sum(1, keepdims=True)
        kept = (message * game.chance[:, None]).sum(0) > 1e-12
        message = message[:, kept] / message[:, kept].sum(1, keepdims=True)
    joint = message * game.chance[:, None]
    return message, (joint / joint.sum(0)).T


def gain_left(game: Game, worth: np.ndarray, tolerance: float) -> float:
    """The most that A of any signal gains at any price, each price met with the belief that deters best.

    That belief maximises sum_s mu_s (pay_s - worth_s), whose derivative by mu_s is pay_s - worth_s (the rest is a posterior's,
    at its best): mu ~ mu exp(pace (pay - worth)), which never falls at a pace of 1 and is quickened as long as it rises.
    """
    price = lattice(len(worth)) @ game.posterior
    belief = np.full((len(price), len(worth)), 1 / len(worth))
    least, pace, reached = np.full(len(price), np.inf), np.ones((len(price), 1)), np.full((len(price), 1), -np.inf)
    kept, more = belief, belief
    for _ in range(POLISH):
        tried = (game.pay(price, belief) - worth[:, None]).T
        value = (belief * tried).sum(1, keepdims=True)
        rose = (value >= reached - 1e-15) | (pace <= 1)
        kept, more = np.where(rose, belief, kept), np.where(rose, tried, more)
        reached, pace = np.where(rose, value, reached), np.where(rose, 1.5 * pace, np.maximum(pace / 4, 1))
        least = np.minimum(least, more.max(1))
        if least.max() <= tolerance / 10:
            break
        belief = kept * np.exp(np.maximum(pace * (more - more.max(1, keepdims=True)), -50))
        belief = np.maximum(belief / belief.sum(1, keepdims=True), 1e-300)
    return float(least.max())


def share_told(game: Game, message: np.ndarray) -> float:
    """I(y; first price) / I(y; A's signal); NaN where the signal says nothing."""
    joint = message * game.chance[:, None]
    prior = game.chance @ game.posterior
    told = information(joint.sum(0), (joint / joint.sum(0)).T @ game.posterior, prior)
    known = information(game.chance, game.posterior, prior)
    return told / known if known > 1e-15 else float("nan")


def information(chance: np.ndarray, posterior: np.ndarray, prior: np.ndarray) -> float:
    """sum_z P(z) KL(P(y | z), P(y)), nats."""
    return float(np.sum(chance[:, None] * posterior * (safe_log(posterior) - safe_log(prior))))


def payments(p: np.ndarray, message: np.ndarray, first: np.ndarray, reply: np.ndarray) -> np.ndarray:
    """Expected payments in units of b: A for both its moves, the others for theirs."""
    prior, last = p.sum(tuple(range(1, p.ndim))), safe_log(p / p.sum(0))
    weight = np.einsum("ys...,sz->zys...", p, message)  # of (z, y, s, others)
    moves = [safe_log(first)]
    for k in range(2, p.ndim):  # what is believed when this one has moved: the signals of those after it summed out
        both = weight.sum((2, *range(k + 2, p.ndim + 1)), keepdims=True)
        moves.append(safe_log(both / both.sum(1, keepdims=True)))
    moves[0] = moves[0].reshape(len(first), -1, *[1] * (p.ndim - 1))
    paid = [np.sum(weight * (b - a)) for a, b in itertools.pairwise(moves)]
    own = np.sum(weight * (moves[0] - safe_log(prior).reshape(1, -1, *[1] * (p.ndim - 1))))
    return np.array([own + np.sum(weight * (last[None] - moves[-1])), *paid])


def checked(joint: Any) -> np.ndarray:
    """The table in float64. `BadInput` where it is none."""
    p = np.asarray(joint, np.float64)
    if p.ndim not in (3, 4) or p.shape[0] < 2 or not 2 <= p.shape[1] <= max(LATTICE):
        due = f"give [outcomes, signals, signals(, signals)], 2 to {max(LATTICE)} signals of the first trader"
        raise BadInput(f"joint is {list(p.shape)}: {due}, for two or three traders")
    if not (np.isfinite(p) & (p >= 0)).all() or abs(p.sum() - 1) > 1e-9:
        raise BadInput(f"joint sums to {p.sum():.6g}: give chances of at least 0 that sum to 1 over all of it")
    for axis in range(p.ndim):
        if not (p.sum(tuple(a for a in range(p.ndim) if a != axis)) > 0).all():
            raise BadInput(f"joint has a row of axis {axis} that never occurs: leave it out")
    return p


def check_inferable(p: np.ndarray, message: np.ndarray) -> None:
    """Refused where A, seeing every price, cannot tell some signals of the others apart that would matter to it."""
    for k in range(2, p.ndim):
        seen = np.einsum(
            "ys...,sz->zy...", p.sum(tuple(range(k + 1, p.ndim))), message
        )  # [messages, y, others up to k]
        price = seen / np.maximum(seen.sum(1, keepdims=True), 1e-300)
        rows = np.moveaxis(price, 1, -1)  # [..., signals of k, y]
        for a, b in itertools.combinations(range(p.shape[k]), 2):
            there = (np.moveaxis(seen, 1, -1).sum(-1)[..., [a, b]] > 0).all(-1)
            if (np.abs(rows[..., a, :] - rows[..., b, :]).max(-1)[there] < APART).any():
                raise Refused(
                    f"trader {k - 1} moves the price to the same place with its signals {a} and {b}, so nobody learns which "
                    "it had: the game is solved for signals that prices tell apart"
                )
