"""A jury: each has seen a little of the truth, and one verdict is made of a vote.

    silence           one juror alone decides (any of them, in the mean)
    signal            all vote as they believe, and the vote is counted: equals, whoever knows more
    planner           all evidence is known, with how good each juror is: log-odds weights (Nitzan and Paroush), by Bayes
    full information  each knows the others and how the verdict is made, and so votes as if the own vote decided (Nash)

An accused is guilty with the chance `prior`. Juror i sees evidence of guilt or of innocence, right with the chance p_i
whichever is true; with the chance `common` it takes, instead, a view that all who take it share. It votes for what it
believes more likely, its evidence taken at face value; the verdict is the majority's (a coin decides a tie), or needs the
share `quota` of the votes cast. Convicting the innocent is harm q = `doubt`, acquitting the guilty 1 - q. A verdict's worth is
`right` = 1 - 2 x the expected harm: at q = 1/2, the chance of being right.

Rounds are ballots on a docket of many cases. Jurors who listen (`sway` > 0) hear how the vote stands and vote again: a vote is
to them worth `sway` times the evidence of an average juror. `sequential`: run with `activation="random order"`, each hears
those who voted before in this round, and votes once: informational cascades (Bikhchandani, Hirshleifer, Welch).

Two equals are better than one only by numbers: Condorcet's theorem, M. de Condorcet 1785; S. Nitzan and J. Paroush, Int.
Economic Review 23, 1982; K. Ladha, The Condorcet jury theorem, free speech, and correlated votes, American J. of Political
Science 36, 1992; T. Feddersen and W. Pesendorfer, American Political Science Review 92, 1998.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from catallax.collective.juries.bayes import Stakes, logit
from catallax.collective.juries.checks import check_jury
from catallax.collective.juries.docket import (
    Facts,
    alone,
    bayes,
    beliefs,
    docket,
    judged,
    planned,
    strategic,
    voted,
)
from catallax.collective.juries.jurors import Juror
from catallax.collective.juries.reading import read_jury
from catallax.collective.juries.strategy import among_equals, gains, in_turn, sincere
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.random import key as make_key
from catallax.core.round import summary_and_actions
from catallax.core.scene import Bars, Scene
from catallax.core.settle import settle
from catallax.core.society import Society
from catallax.io.tables import AnyPath
from catallax.signals.vote import RollCall, Vote


def numbers(values: Any) -> Any:
    """A NumPy array of floats; None stays None. Raises `BadInput` for what is none."""
    try:
        return None if values is None else np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"a jury's competence, weights and abstention are numbers, and {values!r} are none") from None


class Jury(Problem):
    """Voters on one question with two answers.

    **Fields:** `competence` p [voters] in (0, 1): chance that one's own evidence is right; `weights` [voters] >= 0 of their votes
    (None: one each); `abstention` [voters], or one for all, in [0, 1): chance of not voting; `common` in [0, 1): chance of taking
    the common view instead, which is right with the chance `common_right`; `prior`, `doubt` in (0, 1); `quota` in (0, 1]: share of
    the votes cast that convicts (None: a majority); `sway` >= 0; `sequential`; `cases` on the docket, drawn by `seed`; `names`
    [voters]: whole numbers by which they draw (default 0, 1, ...).

    **Raises** `BadInput` where one is impossible.
    """

    competence: Float[np.ndarray, " voters"] = eqx.field(converter=numbers)
    weights: Float[np.ndarray, " voters"] | None = eqx.field(converter=numbers, default=None)
    abstention: Float[np.ndarray, "..."] = eqx.field(converter=numbers, default=0.0)
    common: float = 0.0
    common_right: float = 0.5
    prior: float = 0.5
    doubt: float = 0.5
    quota: float | None = None
    sway: float = 0.0
    sequential: bool = eqx.field(static=True, default=False)
    cases: int = eqx.field(static=True, default=4096)
    seed: int = 0
    names: Int[np.ndarray, " voters"] | None = None

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        check_jury(self)

    @classmethod
    def example(cls) -> "Jury":
        """Eleven who are right between 55 and 80 times in a hundred, and a majority."""
        return cls(np.linspace(0.8, 0.55, 11))

    @classmethod
    def unanimous(cls) -> "Jury":
        """Twelve who are right 8 times in 10, and must all agree to convict (Feddersen and Pesendorfer)."""
        return cls(np.full(12, 0.8), quota=1.0)

    @classmethod
    def read(cls, path: AnyPath) -> "Jury":
        """The jury of a CSV file `[juror,]competence[,weight][,abstention]`. Raises `BadInput` with its line."""
        return cls(**read_jury(path))

    @classmethod
    def drawn(cls, seed: int, voters: int = 11) -> "Jury":
        """A random jury: competences between 0.5 and 0.9."""
        return cls(np.random.default_rng(seed).uniform(0.5, 0.9, voters), seed=seed)

    # --- facts ---

    @property
    def size(self) -> int:
        """How many voters."""
        return len(self.competence)

    @property
    def known(self) -> Int[np.ndarray, " voters"]:
        """The names of the voters."""
        return np.arange(self.size) if self.names is None else np.asarray(self.names)

    @property
    def stake(self) -> Float[np.ndarray, " voters"]:
        """The weights of the votes."""
        return np.ones(self.size) if self.weights is None else self.weights

    @property
    def facts(self) -> Facts:
        """All that verdicts depend on, in plain values."""
        missing = np.broadcast_to(self.abstention, self.size)
        competence, weights, missing = (tuple(x.tolist()) for x in (self.competence, self.stake, missing))
        stakes, quota = Stakes(float(self.prior), float(self.doubt)), None if self.quota is None else float(self.quota)
        common = float(self.common), float(self.common_right)
        names = tuple(self.known.tolist())
        return Facts(competence, weights, missing, common, stakes, quota, names, self.cases, int(self.seed))

    def best_weights(self) -> Float[np.ndarray, " voters"]:
        """The planner's: log p / (1 - p) of each (best where there is no common view)."""
        return logit(self.competence)

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Jurors, and an empty count. `leak` above 0: they reckon with so much of the own effect, and vote as in `contest`."""
        if not 0 <= leak <= 1:
            raise BadInput(f"leak is {leak!r}: the believed share of the own effect must be in [0, 1]")
        if leak:
            return self.voting(strategic(self.facts, *self.strategies(leak)[:2]))
        return self.voting(beliefs(self.facts), self.sway)

    def voting(self, belief: np.ndarray, sway: float = 0.0) -> Society:
        """Jurors of these beliefs [voters, cases]."""
        cases, weights = docket(self.facts), jnp.asarray(self.stake, jnp.float32)
        worth = cast = None
        if sway:
            worth = jnp.float32(sway * logit(np.abs(self.facts.votes.competence - 0.5).mean() + 0.5))
            cast = None if self.sequential else jnp.zeros(belief.shape, jnp.float32)
        stake = jnp.where(jnp.asarray(cases.present), weights[:, None], 0)
        agents = Juror(jnp.asarray(belief, jnp.float32), stake, jnp.asarray(cases.coin), worth, cast)
        kind = RollCall if self.sequential else Vote
        counts = jnp.zeros((self.cases, 2), jnp.float32)
        ids = None if self.names is None else jnp.asarray(self.known, jnp.uint32)
        return Society(agents, kind(counts, weights.sum()), ids)

    def silence(self) -> Outcome:
        """One juror alone, each being as likely to be the one; `best`: the worth of the best one's decisions."""
        belief = beliefs(self.facts)
        convict = np.where(belief == 0, 0.5, belief > 0).mean(0)
        each = alone(self.facts)
        values = self.valued(convict) | dict(expected=float(each.mean()), best=float(each.max()))
        return Outcome(values=values | dict(minds=values["right"]), certificate=0.0)

    def plan(self) -> Outcome:
        """Bayes' verdicts; `expected` is their exact worth, the certificate how much that may be wrong by.

        Of unlike jurors with a common view, too many to be summed over, `expected` is None and the certificate a standard error.
        """
        exact, wrong, _ = planned(self.facts)
        status = Status.SETTLED if wrong <= 1e-3 else Status.UNSETTLED
        expected = float(exact) if np.isfinite(exact) else None
        values = self.valued(bayes(self.facts)) | dict(expected=expected)
        return Outcome(code=CODES.index(status), values=values | dict(minds=values["right"]), certificate=float(wrong))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Strategic votes, of strategies `innocent` and `guilty` [voters]: the chances to convict on such evidence.

        Certificate: at leak 1 the most that anyone could still add to the worth of the verdict.
        """
        if leak == 0:
            return settle(self)
        innocent, guilty, rests = self.strategies(leak)
        rest = settle(self.voting(strategic(self.facts, innocent, guilty)))
        left = float(gains(self.facts.votes, self.facts.stakes, innocent, guilty).max()) if leak == 1 else 0.0
        certificate = max(float(rest.certificate), left)
        status = Status.SETTLED if rests and certificate <= 1e-6 else Status.UNSETTLED
        values = self.outcome(rest.society).values | dict(innocent=innocent, guilty=guilty)
        values["expected"] = self.facts.stakes.worth(*judged(self.facts, innocent, guilty))
        return dataclasses.replace(rest, values=values, code=CODES.index(status), certificate=certificate)

    def strategies(self, leak: float) -> tuple[np.ndarray, np.ndarray, bool]:
        """Equilibrium chances [voters] to convict on evidence of innocence and of guilt, and whether they are at rest."""
        if self.common:
            raise Refused(
                "who reckons with the own effect is taken to have evidence of the own: there is a common view"
            )
        votes, stakes = self.facts.votes, self.facts.stakes
        alike = all(np.ptp(x) == 0 for x in (votes.competence, votes.weights, votes.abstention))
        if alike and votes.competence[0] > 0.5:
            return *among_equals(votes, stakes, leak), True
        return in_turn(votes, stakes, leak)

    def carried(self, old: Society, keep: Any = None) -> Society:
        """The old votes, on the new cases; where some are gone, what those who stay now vote, having heard the old count."""
        moved = super().carried(old, keep)
        if keep is None:
            return moved
        counts = summary_and_actions(moved, make_key(0))[0]
        return dataclasses.replace(moved, signal=moved.signal.propagate(counts))

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Verdicts of the vote as it is heard (default: exactly), see `valued`; `minds`: the share of the votes that is right.

        `expected`: the exact worth, where jurors do not listen and the count is exact; else None.
        """
        signal: Any = society.signal
        whole = bool((self.stake == np.round(self.stake)).all())  # then what is heard means the nearest whole number
        counts = signal.counts if heard is None else np.round(heard) if whole else heard
        convict = self.facts.verdicts(counts)
        expected = None
        if not self.sway and heard is None:
            with contextlib.suppress(Refused):  # a sum over too many outcomes
                expected = self.facts.stakes.worth(*voted(self.facts))
        return Outcome(society, values=self.valued(convict) | dict(expected=expected, minds=self.minds(signal.counts)))

    def minds(self, counts: Any) -> float:
        """The share of the votes [cases, 2] that is right."""
        counts, guilty = np.asarray(counts, np.float64), docket(self.facts).guilty
        cast = counts.sum()
        return float(counts[np.arange(self.cases), guilty.astype(int)].sum() / cast) if cast else 0.0

    def valued(self, convict: np.ndarray) -> dict[str, Any]:
        """`convict` [cases]: the chance of conviction; `right`: the worth of these verdicts."""
        return dict(convict=convict, right=self.facts.right(convict))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: `right` over that of the planner on the same cases. `right` and `minds` are measured on the docket,
        `expected` and `best_alone` (of silence) are exact; the innocent who are convicted, the guilty who are acquitted, as shares.
        """
        best, guilty, convict = planned(self.facts)[2], docket(self.facts).guilty, outcome.convict
        found = dict(efficiency=outcome.right / best, right=outcome.right)
        if outcome.expected is not None:
            found["expected"] = outcome.expected
        if "best" in outcome.values:
            found["best_alone"] = outcome.best
        wrong = dict(innocent_convicted=convict[~guilty], guilty_acquitted=1 - convict[guilty])
        return found | dict(minds=outcome.minds) | {k: float(x.mean()) if x.size else 0.0 for k, x in wrong.items()}

    def effect(self, outcome: Outcome) -> float:
        """The largest share of the vote that is one voter's own."""
        present = self.stake * (1 - np.broadcast_to(self.abstention, self.size))
        return float(present.max() / present.sum())

    def gain(self, outcome: Outcome) -> float:
        """The most that one could add to the worth of the verdict by voting otherwise, the others voting as they believe."""
        if self.sway or self.common:
            raise Refused(
                "the gain of one who votes otherwise is known where votes are independent: no sway, no common view"
            )
        votes, stakes = self.facts.votes, self.facts.stakes
        return float(gains(votes, stakes, *sincere(votes.competence, stakes)).max())

    def watch(self) -> dict[str, Callable[[Any], Any]]:
        """`right`: the share of the majority's verdicts that is right, ties as halves."""
        sign = jnp.where(jnp.asarray(docket(self.facts).guilty), 1.0, -1.0)

        def right(society: Any) -> Any:
            lead = society.signal.counts[..., 1] - society.signal.counts[..., 0]
            return jnp.mean((1 + jnp.sign(lead) * sign) / 2)

        return {"right": right} if self.quota is None else {}

    def scene(self, society: Society) -> Scene:
        """How often each juror is right alone, and how often the verdict is, beside the planner's."""
        found = self.outcome(society)
        names = [f"juror {k}" for k in self.known]
        regimes = ("one juror alone", "verdict", "planner")
        rights = [self.silence().right, found.right, planned(self.facts)[2]]
        return Scene(
            "jury", (Bars(names, self.facts.votes.competence, "chance of being right"), Bars(regimes, rights, "right"))
        )

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        crowd = f"{self.size:,} jurors, {self.cases:,} cases"
        return dict(signal="vote", measure="efficiency (right, of the planner's)", population=crowd)

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Jury":
        """The jurors `keep` alone, on the same cases."""
        chosen = np.arange(self.size)[np.asarray(keep, None if len(keep) else int)]
        if not chosen.size or not self.stake[chosen].any():
            raise Refused("nobody who has a vote would be left")
        weights = None if self.weights is None else self.weights[chosen]
        missing = self.abstention[chosen] if self.abstention.ndim else self.abstention
        facts = dict(competence=self.competence[chosen], weights=weights, abstention=missing, names=self.known[chosen])
        return dataclasses.replace(self, **facts)

    def replicate(self, copies: int) -> "Jury":
        """Each juror `copies` times, each seeing for itself."""
        if self.names is not None:
            raise Refused("jurors who are some of a larger jury cannot be copied: replicate the whole")
        weights = None if self.weights is None else np.tile(self.weights, copies)
        missing = np.tile(self.abstention, copies) if self.abstention.ndim else self.abstention
        return dataclasses.replace(
            self, competence=np.tile(self.competence, copies), weights=weights, abstention=missing
        )

    def shocked(self, key: Any, size: float) -> "Jury":
        """The log-odds of each competence moved by `size` x normal, and new cases."""
        moved, drawn = jax.random.split(key)
        odds = logit(self.competence) + size * np.asarray(jax.random.normal(moved, (self.size,)), np.float64)
        seed = int(jax.random.bits(drawn, dtype=jnp.uint32))
        return dataclasses.replace(self, competence=1 / (1 + np.exp(-odds)), seed=seed)
