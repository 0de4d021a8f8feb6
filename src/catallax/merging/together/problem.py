"""Members that train one model together, each on rows of its own, as a problem.

    silence             each trains alone, as many steps, on its own rows
    signal              all hear the merged model (or their neighbours' mean), in so many bits
    planner             all rows in one place: the gradient of all, exactly, at every step; those who lie are left out
    full information    none: a member's own effect on the model is known to it, and to use it is to lie

Headline: the score on rows held out, of the merged model; where members keep models of their own (silence, gossip), the mean
of theirs. Rest: the model moves by less than a hundredth of its length a round; steps of one size may not come to it, which is
no fault.

What leaves with a member is its rows. What they have taught the others stays: later updates were taken at models that it had
moved, so that its updates cannot be subtracted.
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.carry import carried
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.run import run
from catallax.core.scene import Bars, Edges, Points, Scene
from catallax.core.society import Society
from catallax.merging.together import facts as known
from catallax.merging.together.attacks import liars
from catallax.merging.together.choices import (
    METHODS,
    PEER,
    aggregate_of,
    among,
    check,
    mixing_of,
    outer_of,
    renaming,
    shares_of,
    way_of,
)
from catallax.merging.together.facts import Facts, Settings
from catallax.merging.together.member import Member
from catallax.merging.together.messages import message_bits
from catallax.merging.together.readings import disagreement, loss, messages, read_off, score, scores
from catallax.merging.together.signals import Gathered, Judge, Merged, Neighbours, Tally


class Together(Problem):
    """Members that train one model together.

    **Arguments:**

    - `model`: an Equinox module (or any pytree of arrays), from which all start; a list of them, one a member (gossip).
    - `datasets`: (X [rows, ...], y [rows, ...]) of each member; `held`: rows to be judged on (None: all members' own).
    - `loss`: "cross-entropy" (labels), "squared" (numbers), or (model, X, y) -> a loss a row (or one mean). `objectives`: one a
      member, in its place. `score`: (model, X, y) -> number, higher is better (None: accuracy of labels, R^2 of numbers).
    - `method`: "fedavg"; "diloco" (inner AdamW, outer Nesterov); "gossip" on a `graph`; "synchronous" (a gradient every step);
      "alone". `rounds`, `local_steps` of each, `batch` rows a step (None: all).
    - `optimiser`, `rate` of local steps: "sgd", "adam", "adamw" or Optax; `outer`: an Optax optimiser of the merged model.
    - `participation`: the chance that a member takes part in a round; `lost`: the chance that it is cut off in it.
    - `aggregate`: a name of `AGGREGATES`, or (updates [members, numbers], weights [members], beta) -> (update, shares);
      `faulty`: beta, the share of members that it reckons may lie. `byzantine`: who lies, see `attacks`.
    - `graph`: "ring", "torus", "expander", "star", "complete", a symmetric matrix, a NetworkX graph, or mixing weights (floats).
    - `weights`: "rows", "equal" or one a member; `max_influence`: the most that one may have of them.
    - `bits` of each number that is told, updates and model alike (None: exactly); `proximal`: FedProx's mu.

    **Raises** `BadInput`, one sentence that names the row or the setting.
    """

    facts: Facts = eqx.field(static=True)

    tolerance: ClassVar[float] = 1e-2

    def __init__(
        self,
        model: Any,
        datasets: Any = None,
        *,
        held: Any = None,
        loss: Any = "cross-entropy",
        objectives: Any = None,
        score: Any = None,
        method: str = "fedavg",
        rounds: int = 50,
        local_steps: int = 10,
        batch: int | None = 32,
        optimiser: Any = None,
        rate: Any = None,
        outer: Any = None,
        participation: Any = 1.0,
        lost: Any = 0.0,
        aggregate: Any = "mean",
        faulty: Any = 0.25,
        byzantine: Any = None,
        graph: Any = "ring",
        weights: Any = "rows",
        max_influence: Any = None,
        bits: int | None = None,
        proximal: Any = 0.0,
        consensus: Any = None,
        seed: int = 0,
    ):
        if isinstance(model, Facts):
            self.facts = model
            return
        if method not in METHODS:
            raise BadInput(f"method is {method!r}: give one of {', '.join(METHODS)}")
        members = len(datasets) if isinstance(datasets, (list, tuple)) else 0
        losses = known.losses_of(loss, objectives, members)
        form, table = known.table_of(model, datasets, held, losses)
        judged, name = known.judge_of(score, table)
        usual = ("adamw", 1e-3) if method == "diloco" else ("sgd", 0.1)
        settings = Settings(
            form=form,
            losses=losses,
            score=judged,
            score_name=name,
            method=method,
            rounds=known.whole("rounds", rounds, 0),
            steps=known.whole("local_steps", local_steps, 0 if method in PEER else 1),
            batch=None if batch is None else known.whole("batch", batch, 1),
            optimiser=known.optimiser_of(optimiser, rate, usual),
            outer=outer,
            participation=known.number("participation", participation, 0, 1, open_low=True, open_high=False),
            lost=known.number("lost", lost, 0, 1),
            aggregate=aggregate,
            faulty=known.number("faulty", faulty, 0, 0.5),
            byzantine=liars(byzantine, members),
            graph=graph,
            weights=weights,
            most=max_influence,
            bits=known.narrow(bits),
            proximal=known.number("proximal", proximal, 0, np.inf),
            consensus=None if consensus is None else known.number("consensus", consensus, 0, 1, True, False),
            seed=seed,
        )
        self.facts = Facts(table, settings)
        check(self.facts)

    # --- what it is ---

    @property
    def headline(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What members are judged by."""
        return self.facts.settings.score_name

    @property
    def patience(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The rounds of training: of synchronous training one a step."""
        set_ = self.facts.settings
        return set_.rounds * (max(1, set_.steps) if set_.method == "synchronous" else 1)

    def by(self, **changed: Any) -> "Together":
        """The same rows under other settings, by the names of `facts.Settings`: method, bits, aggregate, graph, ..."""
        unknown = [name for name in changed if name not in Settings._fields]
        if unknown:
            raise BadInput(f"there is no setting {unknown[0]!r}: give one of {', '.join(Settings._fields)}")
        if "bits" in changed:
            changed["bits"] = known.narrow(changed["bits"])
        found = Facts(self.facts.table, self.facts.settings._replace(**changed))
        found.found |= {name: self.facts.found[name] for name in ("stacked",) if name in self.facts.found}
        check(found)
        return Together(found)

    def shares(self) -> np.ndarray:
        """Each member's share in what is merged [members], sum 1, capped; of neighbours what `graph` makes of them."""
        return self.facts.once("shares", lambda: shares_of(self.facts))

    def mixing(self) -> np.ndarray:
        """How much each hears of whom [members, members]: of a graph, or of nobody but itself."""
        return self.facts.once("mixing", lambda: mixing_of(self.facts))

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Members who have heard nothing yet. Raises `Refused` with a leak."""
        if leak != 0:
            self.contest()
        start = jnp.asarray(self.facts.table.start)
        return Society(self.members(start), self.signal(start))

    def members(self, start: Any) -> Member:
        """All members, stacked."""
        facts, set_ = self.facts, self.facts.settings
        count, way = facts.members, way_of(facts)
        own = start if start.ndim == 2 else jnp.tile(start, (count, 1))
        x, y = facts.stacked()
        few = set_.bits is not None
        owed = (own if way.says == "model" else jnp.zeros_like(own)) if few else None
        objectives = None
        if len(set_.losses) > 1:
            objectives = jnp.asarray([way.losses.index(loss) for loss in set_.losses], jnp.int32)
        lies = None
        if set_.byzantine:
            how = {i: way.attacks.index(attack) + 1 for i, attack in set_.byzantine.items()}
            lies = jnp.asarray([how.get(i, 0) for i in range(count)], jnp.int32)
        reach = set_.participation * (1 - set_.lost)
        scale = count if way.says == "row" else 1  # equal weights are whole numbers: a half is then a half
        return Member(
            own=own,
            memory=jax.vmap(lambda v: way.optimiser.init(way.form.params(v)))(own),
            x=x,
            y=y,
            rows=jnp.asarray(facts.table.rows, jnp.int32),
            weight=jnp.asarray(self.shares() * scale, own.dtype),
            links=jnp.asarray(self.links(), jnp.int32),
            behind=jnp.ones(count, jnp.int32),
            counted=jnp.zeros(count, own.dtype),
            owed=owed,
            objective=objectives,
            lie=lies,
            reach=None if reach >= 1 else jnp.asarray(reach, own.dtype),
            way=way,
        )

    def links(self) -> np.ndarray:
        """How many each message goes to [members]."""
        if self.facts.settings.method not in PEER:
            return np.ones(self.facts.members, int)
        heard = self.mixing() > 0
        return heard.sum(0) - np.diag(heard)

    def signal(self, start: Any) -> Any:
        """What members hear at first."""
        facts, set_ = self.facts, self.facts.settings
        table, few, count = facts.table, set_.bits is not None, facts.members
        judge = Judge(jnp.asarray(table.held_x), jnp.asarray(table.held_y), set_.score, set_.form)
        tally, robust = Tally.new(start.dtype), aggregate_of(set_.aggregate)
        if set_.method in PEER:
            copies = start if start.ndim == 2 else jnp.tile(start, (count, 1))
            mixed = jnp.asarray(self.mixing(), start.dtype)
            own = None if set_.aggregate == "mean" or set_.method == "alone" else robust
            return Neighbours(copies, mixed, tally, judge, own, set_.faulty, set_.bits)
        outer = outer_of(set_)
        owed = jnp.zeros_like(start) if few else None
        given = (start, outer.init(set_.form.params(start)), owed, tally, judge, outer, set_.bits)
        if set_.aggregate == "mean":
            return Merged(*given)
        return Gathered(*given, jnp.full(count, 1 / count, start.dtype), robust, set_.faulty)

    def silence(self) -> Outcome:
        """Each alone."""
        return self.by(method="alone", bits=None, participation=1.0, lost=0.0).trained()

    def plan(self) -> Outcome:
        """All rows in one place, as many steps. No optimum, and it has no certificate."""
        exact = dict(bits=None, participation=1.0, lost=0.0, aggregate="mean", proximal=0.0, outer=None)
        honest = self.honest()
        table, settings = honest.facts.table, honest.facts.settings
        if table.start.ndim == 2:  # there is one model, and it starts where the first member would have
            honest = Together(Facts(table._replace(start=table.start[0]), settings))
        outcome = honest.by(method="synchronous", **exact).trained()
        note = "the gradient of all rows at every step: the most that can be told, and no optimum"
        return dataclasses.replace(outcome, notes=(*outcome.notes, note))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Refused: who knows its own share in the mean can make the merged model its own, by lying."""
        raise Refused(
            "a member that reckons with its own share of the merged model would send its update as many times over: that "
            "is to lie (byzantine), and to be met by a robust aggregate"
        )

    def honest(self) -> "Together":
        """Those alone who do not lie."""
        lie = self.facts.settings.byzantine
        return self.restrict([i for i in range(self.facts.members) if i not in lie]) if lie else self

    def trained(self, seed: int | None = None) -> Outcome:
        """All rounds."""
        return run(self, self.patience, self.facts.settings.seed if seed is None else seed)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`model`, `score` (and under its name), `loss`, `disagreement`, `bits` sent so far, `influence` and `shares` [members]."""
        return Outcome(society, values=valued(self, society, heard))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """The score, the last round's mean loss, and bits sent, up and down, to a member and round."""
        return {self.headline: float(outcome.score), "loss": float(outcome.loss), "bits_sent": float(outcome.bits)}

    def effect(self, outcome: Outcome) -> float:
        """The most influential member's share of what was merged."""
        return float(np.max(outcome.influence))

    def gain(self, outcome: Outcome) -> float:
        """Refused: see `contest`."""
        return float(self.contest().certificate)

    # --- other problems made of this one ---

    def quantised(self, bits: int) -> "Together":  # pyright: ignore[reportIncompatibleVariableOverride]
        """The same, each number told in so many bits."""
        return self.by(bits=bits)

    def restrict(self, keep: Any) -> "Together":
        """Members `keep` alone: the others take their rows with them. Raises `Refused` where nobody is left."""
        keep = np.asarray(keep)
        keep = np.flatnonzero(keep) if keep.dtype == bool else keep
        if not keep.size:
            raise Refused("nobody is left to train")
        return self.chosen([int(i) for i in keep])

    def replicate(self, copies: int) -> "Together":
        """Each member `copies` times, with the same rows; a graph by name grows."""
        if copies > 1 and self.facts.settings.method in PEER and not isinstance(self.facts.settings.graph, str):
            raise Refused("a graph of one's own says nothing of more members: give a graph by name")
        every = list(range(self.facts.members)) * copies
        return self.chosen(every)

    def chosen(self, keep: list[int]) -> "Together":
        """Members of these numbers, in this order."""
        table, set_ = self.facts.table, self.facts.settings
        start = table.start if table.start.ndim == 1 else table.start[np.asarray(keep)]
        kept = table._replace(x=tuple(table.x[i] for i in keep), y=tuple(table.y[i] for i in keep), start=start)
        lie = {place: set_.byzantine[i] for place, i in enumerate(keep) if i in set_.byzantine}
        losses = set_.losses if len(set_.losses) == 1 else tuple(set_.losses[i] for i in keep)
        weights = set_.weights if isinstance(set_.weights, str) else np.asarray(set_.weights, float)[np.asarray(keep)]
        most = None if set_.most is None else max(set_.most, 1 / len(keep))
        graph = set_.graph if len(keep) > self.facts.members else among(self.facts, keep)
        changed = set_._replace(byzantine=lie, losses=losses, weights=weights, most=most, graph=graph)
        found = Facts(kept, changed)
        check(found)
        return Together(found)

    def shocked(self, key: Any, size: float, what: str = "member") -> "Together":
        """A share `size` of the classes change names in the rows of one member, drawn by `key` ("member"), or in everybody's and in
        those held out ("all"). Targets that are numbers change their sign in a share of the rows."""
        if what not in ("member", "all"):
            raise BadInput(f"what is {what!r}: the rows of one member change, or of all")
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
        table = self.facts.table
        who = int(random.integers(self.facts.members))
        change = renaming(random, table, size)
        y = tuple(change(own) if what == "all" or i == who else own for i, own in enumerate(table.y))
        held_y = change(table.held_y) if what == "all" else table.held_y
        return Together(Facts(table._replace(y=y, held_y=held_y), self.facts.settings))

    def carried(self, old: Society, keep: Any = None) -> Society:
        """This problem's society with the models of `old`."""
        if keep is not None and isinstance(old.signal, (Neighbours, Gathered)):
            old = dataclasses.replace(old, signal=old.signal.of(keep))
        return carried(self.society(), old, keep)

    # --- what there is to look at ---

    def watch(self) -> dict[str, Any]:
        """The mean loss of the last round, the score, how far members' models lie apart, and messages sent and read."""
        return dict(loss=loss, score=score, disagreement=disagreement, messages=messages)

    def words(self) -> dict[str, str]:
        set_ = self.facts.settings
        measure = {"accuracy": "accuracy on rows held out", "r2": "R² on rows held out"}.get(self.headline, "score")
        size = f"{self.facts.members} members, a model of {set_.form.numbers:,} numbers"
        return dict(signal="merged weight", measure=measure, population=size)

    def scene(self, society: Society) -> Scene:
        """Each member's influence and own score, and the graph of neighbours."""
        names = [f"member {i}" for i in range(self.facts.members)]
        own = np.asarray(scores(society))
        influence = np.asarray(society.agents.influence())
        items: list[Any] = [Bars(names, own, f"{self.headline} of its own model"), Bars(names, influence, "influence")]
        if self.facts.settings.method in PEER:
            turn = 2 * np.pi * np.arange(len(names)) / len(names)
            edges = np.argwhere(np.triu(self.mixing(), 1) > 0)
            items = [Points(np.cos(turn), np.sin(turn), influence, own), Edges(edges[:, 0], edges[:, 1]), *items]
        return Scene(f"Trained together: {self.facts.settings.method}", items)


def valued(problem: Together, society: Society, heard: Any) -> dict[str, Any]:
    """What a society's state means."""
    set_, tally = problem.facts.settings, society.signal.tally  # pyright: ignore[reportAttributeAccessIssue]
    vector, judged, apart, cost, influence = read_off(society, heard)
    sent = int(tally.sent) + int(tally.heard)
    return {
        "model": set_.form.model(set_.form.params(vector)),
        "score": float(judged),
        problem.headline: float(judged),
        "loss": float(cost),
        "disagreement": float(apart),
        "bits": sent * message_bits(set_.form.sizes, set_.bits, 8 * vector.dtype.itemsize),
        "messages": sent,
        "refused": int(tally.refused),
        "influence": np.asarray(influence, float),
        "shares": problem.shares(),
    }
