"""Hopfield networks: neurons that hold patterns between them, and complete one that is shown in part.

    E(s) = - sum_mu F(m_mu),   m_mu = sum_i x_mu,i s_i                              x, s in {-1, +1}
    classical   F(m) = (m^2 - N) / 2        synapses sum_mu x_mu,i x_mu,j; recalls up to about .138 N patterns
    dense       F(m) = max(m, 0)^degree             recalls of the order of N^(degree - 1)
    modern      E(xi) = -log(mean_mu exp(beta x_mu . xi)) / beta + |xi|^2 / 2 + max |x|^2 / 2,  xi real: exponentially many

    xi' = X^T softmax(beta X xi)                    modern: one step of attention with keys and values X, query xi

Energies are in units of the patterns' inner products; those of +-1 are whole numbers. An asynchronous flip never raises
the energy, nor does a synchronous round of neurons that count their own voice in (leak 0), for E is then concave in s.

    silence           nobody hears anything: the cue stays as it is
    signal            everyone hears the overlaps and takes them as given, the own voice among them (synchronous)
    planner           the stored pattern most like the cue, by looking at all: the maximum of likelihood under flips
    full information  each knows its own effect and moves in turn (`recall`): a fixed point is a Nash equilibrium

J. Hopfield, PNAS 79, 1982. D. Amit, H. Gutfreund and H. Sompolinsky, Storing infinite numbers of patterns in a spin-glass
model of neural networks, Physical Review Letters 55, 1985 (.138). D. Krotov and J. Hopfield, NeurIPS 2016 (dense).
H. Ramsauer et al., Hopfield networks is all you need, ICLR 2021 (modern).
"""

import dataclasses
import functools as ft
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.society import Society
from catallax.networks.memory import asynchronous, energy, facts
from catallax.networks.memory.neurons import Attention, Overlaps, Spin, Unit

MOST = 2**24  # whole numbers that float32 holds: what neurons told overlaps in it may add up to
SHOWN = 12  # overlaps in a picture


@dataclasses.dataclass(frozen=True, eq=False)
class Recall:
    """What came to mind, one entry a cue (none of them an axis for a single cue).

    `state` [cues, neurons]; `pattern` [cues]: the stored one that it is most like, and `overlap` [cues]: how much, the
    cosine, in [-1, 1]; `energy` [cues]; `rounds` [cues] that it took; `settled` [cues]: whether the state is a fixed
    point, worked out afresh.
    """

    state: Any
    pattern: Any
    overlap: Any
    energy: Any
    rounds: Any
    settled: Any


class Hopfield(Problem):
    """A memory of `patterns`, and the `cue` that the five questions show it.

    **Fields:** `patterns` [patterns, neurons], +1 or -1 (modern: any numbers); `kind`: classical, dense or modern; `cue`
    [neurons]: None for the first pattern with a tenth of its entries flipped (modern: the first pattern itself); `degree`
    of a dense energy; `beta` of a modern one, in 1 / inner product; `bits` a synapse and share `cut` of synapses, of a
    classical memory that is recalled by them; `target`: the pattern that the cue is of (None: the one most like it);
    `struck`: entries of a settled state that a shock turns (set by `shocked`).

    **Raises** `BadInput` for entries that are not +-1 or no numbers, and a cue of another width.
    """

    patterns: np.ndarray
    kind: str = eqx.field(static=True)
    cue: np.ndarray
    degree: int = eqx.field(static=True)
    beta: float = eqx.field(static=True)
    bits: int | None = eqx.field(static=True)
    cut: float = eqx.field(static=True)
    target: int = eqx.field(static=True)
    struck: np.ndarray | None

    headline: ClassVar[str] = "efficiency"
    patience: ClassVar[int] = 1000

    def __init__(
        self,
        patterns: Any,
        kind: str = "classical",
        cue: Any = None,
        *,
        degree: int = 3,
        beta: float = 1.0,
        bits: int | None = None,
        cut: float = 0.0,
        target: int | None = None,
        struck: np.ndarray | None = None,
    ):
        self.patterns, self.kind = facts.patterns_of(patterns, kind), kind
        facts.check_numbers(self.patterns, kind, degree, beta, bits, cut)
        self.degree, self.beta, self.bits, self.cut = degree, float(beta), bits, float(cut)
        if cue is None:
            shown = self.patterns[:1]
            self.cue = shown[0] if kind == "modern" else facts.flipped(shown, 0.1, 0)[0]
        else:
            self.cue = facts.cues_of(cue, self.patterns, "Hopfield.cue")[0]
        if target is not None and not 0 <= target < len(self.patterns):
            raise BadInput(f"Hopfield.target is {target}: give the number of one of {len(self.patterns)} patterns")
        self.target = self.nearest(self.cue) if target is None else int(target)
        self.struck = struck

    # --- what it is for ---

    def recall(self, cue: Any, *, rounds: int = 1000, seed: int = 0) -> Recall:
        """What each cue brings to mind: `cue` [neurons], or many [cues, neurons].

        Spins take turns in a fresh random order each round, the same for all cues, until none flips; a modern memory
        takes steps until none moves it by more than rounding. Raises `BadInput` for cues of another width or alphabet.
        """
        cues = facts.cues_of(cue, self.patterns)
        if self.kind == "modern":
            state, taken, rest = energy.attended(self.patterns, cues, self.beta, rounds)
        else:
            found = self._in_turn(cues, rounds, seed)
            state, taken, rest = found.state, found.rounds, self._gains(found.state).max(1) <= 0
        alike = energy.cosines(self.patterns, state)
        pattern = alike.argmax(1)
        overlap = alike[np.arange(len(alike)), pattern]
        fields = (state, pattern, overlap, self.energy(state), taken, rest)
        return Recall(*(x if np.ndim(cue) == 2 else x[0] for x in fields))

    def recalled(
        self, noise: float = 0.0, at_least: float = 0.95, *, cues: int | None = None, rounds: int = 1000, seed: int = 0
    ) -> float:
        """The share of (the first `cues`) patterns that are at rest at an overlap of `at_least` with themselves.

        Each is started from itself with a share `noise` of its entries flipped (modern: normal noise of so many
        standard deviations of the patterns' entries added).
        """
        shown = self.patterns[:cues]
        found = self.recall(self.disturbed(shown, noise, seed), rounds=rounds, seed=seed)
        own = energy.cosine(shown, found.state)
        return float(np.mean(found.settled & (own >= at_least)))

    def disturbed(self, cues: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
        """Cues [cues, neurons] with a share `noise` of their entries flipped, exactly (modern: normal noise added)."""
        if self.kind == "modern":
            return cues + noise * self.patterns.std() * np.random.default_rng(seed).normal(size=cues.shape)
        return facts.flipped(cues, noise, seed)

    def energy(self, state: Any) -> Any:
        """The energy of states [neurons] or [states, neurons]: whole numbers, but for a modern memory."""
        states = facts.cues_of(state, self.patterns, "state")
        if self.kind == "modern":
            found = energy.modern(self.patterns, states, self.beta)
        elif self.kind == "dense":
            found = -(np.maximum(energy.overlaps(self.patterns, states), 0) ** self.degree).sum(1)
        else:
            found = -(states * self.heard(states)).sum(1) // 2
        return found if np.ndim(state) == 2 else found[0]

    def step(self, state: Any) -> Any:
        """One step of a modern memory, X^T softmax(beta X xi): states [neurons] or [states, neurons]."""
        if self.kind != "modern":
            raise Refused(f"a {self.kind} memory moves neuron by neuron: ask for recall(), or run its society")
        states = facts.cues_of(state, self.patterns, "state")
        found = energy.step(self.patterns, states, self.beta)
        return found if np.ndim(state) == 2 else found[0]

    def nearest(self, state: np.ndarray) -> int:
        """The number of the stored pattern that is most like a state."""
        return int(energy.cosines(self.patterns, state[None])[0].argmax())

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Neurons told overlaps, at the cue. Spins may know a share `leak` of their own effect (classical alone).

        With leak 0 a synchronous round never raises the energy; with leak 1 it is run in random order (`recall` is the
        same, fused). Refused for synapses of few bits or that are cut, which no overlap stands for.
        """
        return self._at(self.cue, leak)

    def _at(self, state: np.ndarray, leak: float = 0.0) -> Society:
        many, neurons = self.patterns.shape
        if leak and self.kind != "classical":
            raise Refused(f"neurons of a {self.kind} memory take overlaps as given: leak must be 0")
        if self.bits is not None or self.cut:
            raise Refused("overlaps stand for all synapses, exact and uncut: leave out bits and cut, or use recall()")
        if self.kind == "modern":
            stored = jnp.asarray(self.patterns.T)
            overlaps = jnp.asarray(self.patterns @ state, stored.dtype)
            units = Unit(jnp.asarray(state, stored.dtype), stored)
            return Society(units, Attention(overlaps, jnp.asarray(self.beta, stored.dtype)))
        if many * neurons >= MOST and jnp.result_type(float) == np.float32:
            raise Refused("sums over patterns and neurons would not be exact in float32: set jax_enable_x64")
        size = jnp.asarray(float(neurons))
        stored = jnp.asarray(np.ascontiguousarray(self.patterns.T))
        knows = jnp.asarray(float(leak))
        spins = Spin(jnp.asarray(state, jnp.int8), stored, knows, size, self.kind == "classical", self.degree)
        overlaps = energy.overlaps(self.patterns, state[None])[0]
        return Society(spins, Overlaps(jnp.asarray(overlaps, jnp.int32), size))

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`state` [neurons], the `pattern` it is most like, its `overlap` with the one sought, its `energy`."""
        return Outcome(society, values=self._values(state_of(society)))

    def _values(self, state: np.ndarray) -> dict[str, Any]:
        state = state.astype(self.patterns.dtype)
        overlap = float(energy.cosine(self.patterns[self.target][None], state[None])[0])
        return dict(state=state, pattern=self.nearest(state), overlap=overlap, energy=self.energy(state))

    def gap(self, outcome: Outcome) -> float:
        """What one neuron could gain at most, a share of the mean field; modern: the largest move of one more step."""
        if self.kind == "modern":
            return float(np.abs(self.step(outcome.state) - outcome.state).max())
        return self._gain(outcome.state, own=1.0)

    def silence(self) -> Outcome:
        """Nobody is told anything: the cue stays as it is."""
        return Outcome(values=self._values(self.cue), certificate=0.0)

    def plan(self) -> Outcome:
        """The stored pattern most like the cue, found by looking at all of them."""
        return Outcome(values=self._values(self.patterns[self.nearest(self.cue)]), certificate=0.0)

    def contest(self, leak: float = 1.0, seed: int = 0) -> Outcome:
        """Each knows (a share `leak` of) its own effect and moves in turn; certificate: the largest gain left to one."""
        if self.kind == "modern":
            raise Refused("a unit of a modern memory says a mean of what it hears: there is nothing to contest")
        if self.kind == "dense" and leak != 1:
            raise Refused(
                "neurons of a dense memory know all of their own effect, or take overlaps as given: leak must be 1"
            )
        found = self._in_turn(self.cue[None], self.patience, seed, 1 - leak)
        state, rounds = found.state[0], int(found.rounds[0])
        gain = self._gain(state, 1 - leak)
        status = Status.SETTLED if gain == 0 else Status.UNSETTLED
        values = self._values(state)
        return Outcome(code=CODES.index(status), rounds=rounds, unrest=gain, certificate=gain, values=values)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: the overlap with the pattern sought; energy."""
        return dict(efficiency=outcome.overlap, energy=float(outcome.energy))

    def effect(self, outcome: Outcome) -> float:
        """A neuron's own voice, a share of what it hears, on average: P / mean |field| (classical)."""
        if self.kind != "classical":
            raise Refused(f"what a neuron of a {self.kind} memory hears is no sum in which its own voice could be told")
        heard = self.heard(outcome.state[None]) + len(self.patterns) * outcome.state
        return len(self.patterns) / float(np.abs(heard).mean())

    def gain(self, outcome: Outcome) -> float:
        """What one neuron could gain at most by flipping, a share of the mean field."""
        if self.kind == "modern":
            raise Refused("a unit of a modern memory says a mean, it has no other action to gain by")
        return self._gain(outcome.state)

    # --- the facts disturbed ---

    def carried(self, old: Society, keep: Any = None) -> Society:
        """The neurons as they were (those struck by a shock turned), hearing how things stand."""
        state = state_of(old) if keep is None else state_of(old)[keep]
        if self.struck is not None:
            state = state + self.struck if self.kind == "modern" else state * self.struck
        return self._at(state)

    def conserved(self, society: Society) -> dict[str, Any]:
        """Overlaps told less those that the spins make: nothing."""
        if self.kind == "modern":
            return {}
        made = energy.overlaps(self.patterns, state_of(society)[None])[0]
        return {"overlaps misheard": np.asarray(society.signal.public(), np.float64) - made}

    def restrict(self, keep: Any) -> "Hopfield":
        """The memory of the neurons `keep` alone."""
        left = self.patterns[:, keep]
        if not left.shape[1]:
            raise Refused("no neurons would be left: there is nobody to remember")
        return self._like(left, self.cue[keep])

    def replicate(self, copies: int) -> "Hopfield":
        """Each neuron `copies` times: as many patterns, on more neurons."""
        return self._like(np.tile(self.patterns, copies), np.tile(self.cue, copies))

    def shocked(self, key: Any, size: float) -> "Hopfield":
        """A share `size` of the cue's entries turned, and as many of a state that is carried over (modern: noise added)."""
        shape = self.cue.shape
        if self.kind == "modern":
            struck = size * self.patterns.std() * np.asarray(jax.random.normal(key, shape), np.float64)
            return self._like(self.patterns, self.cue + struck, struck)
        rank = np.argsort(np.asarray(jax.random.uniform(key, shape)), kind="stable")
        struck = np.ones(shape, np.int8)
        struck[rank[: round(size * shape[0])]] = -1
        return self._like(self.patterns, self.cue * struck, struck)

    def scene(self, society: Society) -> Scene:
        """The state as a field of a near-square shape, and its overlaps with the patterns most like it."""
        state = self.outcome(society).state.astype(float)
        columns = int(np.ceil(np.sqrt(state.size)))
        field = np.full(-(-state.size // columns) * columns, np.nan)
        field[: state.size] = state
        alike = energy.cosines(self.patterns, state[None])[0]
        best = np.argsort(-alike, kind="stable")[:SHOWN]
        bars = Bars([f"pattern {k}" for k in best], alike[best], "overlap")
        return Scene(f"{self.kind.capitalize()} memory", (Grid(field.reshape(-1, columns)[::-1], "state"), bars))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        many, neurons = self.patterns.shape
        held = f"{neurons:,} neurons, {many:,} patterns"
        return dict(signal="pattern overlap", measure="overlap with the pattern sought", population=held)

    # --- what these rest on ---

    def _like(self, patterns: np.ndarray, cue: np.ndarray, struck: np.ndarray | None = None) -> "Hopfield":
        more: dict[str, Any] = dict(degree=self.degree, beta=self.beta, bits=self.bits, cut=self.cut)
        return Hopfield(patterns, self.kind, cue, target=self.target, struck=struck, **more)

    def _in_turn(self, cues: np.ndarray, rounds: int, seed: int, own: float = 0.0) -> asynchronous.Found:
        if self.kind == "classical":
            taken = own * len(self.patterns)
            return asynchronous.classical(self.synapses, self.heard(cues), cues, taken, rounds, seed)
        return asynchronous.dense(self.patterns, energy.steps(self.patterns.shape[1], self.degree), cues, rounds, seed)

    @ft.cached_property
    def synapses(self) -> np.ndarray:
        """Hebb's synapses [neurons, neurons], int16: 2 N^2 bytes, made when first asked for (classical alone)."""
        if self.kind != "classical":
            raise Refused(f"a {self.kind} memory has no synapses between neurons: it holds patterns")
        return asynchronous.hebbian(self.patterns, self.bits, self.cut, seed=0)

    def heard(self, states: np.ndarray) -> np.ndarray:
        """What each spin hears of the others [states, neurons]; whole numbers, int64. Half the energy of its flip."""
        if self.kind == "dense":
            return energy.dense_fields(self.patterns, states, self.degree)
        if self.bits is None and not self.cut:
            made = energy.overlaps(self.patterns, states).astype(np.float64) @ self.patterns
            return np.rint(made).astype(np.int64) - len(self.patterns) * states.astype(np.int64)
        return np.rint(asynchronous.fields_of(self.synapses, states)).astype(np.int64)

    def _gains(self, states: np.ndarray, own: float = 0.0) -> np.ndarray:
        """What each spin would gain by flipping [states, neurons], in energy / 2, negative for a loss.

        `own`: the share of its own voice that it takes for the others' (dense: all or none).
        """
        if self.kind == "dense":
            return -states * (energy.slopes if own else energy.dense_fields)(self.patterns, states, self.degree)
        return -states * self.heard(states) - own * len(self.patterns)

    def _gain(self, state: np.ndarray, own: float = 0.0) -> float:
        mean = float(np.abs(self.heard(state[None])).mean())
        return max(float(self._gains(state[None], own).max()), 0.0) / max(mean, 1.0)


def state_of(society: Society) -> np.ndarray:
    """What the neurons say [neurons]."""
    return np.asarray(society.agents.value if isinstance(society.agents, Unit) else society.agents.spin)
