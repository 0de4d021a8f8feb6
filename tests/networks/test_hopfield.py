"""Hopfield networks: capacity, exact energies, fixed points, and the same flips in the kernel as under `run`."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.core.errors import BadInput, Refused
from catallax.core.random import key
from catallax.networks.hopfield import Hopfield
from catallax.networks.memory import asynchronous
from catallax.networks.memory.facts import flipped
from catallax.questions import compare, frontier, shock
from catallax.testing import check_problem

N = 2000
small = settings(max_examples=20)


def signs(*shape, seed=0):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), shape)


@st.composite
def memories(draw, kinds=("classical", "dense")):
    """A memory of up to 9 patterns of 16 neurons, and three states."""
    many, seed = draw(st.integers(1, 9)), draw(st.integers(0, 10**6))
    kind, degree = draw(st.sampled_from(kinds)), draw(st.integers(2, 5))
    return Hopfield(signs(many, 16, seed=seed), kind, degree=degree), signs(3, 16, seed=seed + 1)


def energy_of(memory, state):
    """By the formula, in Python's whole numbers, one pair of neurons or one pattern at a time."""
    x, s = memory.patterns.tolist(), state.tolist()
    if memory.kind == "dense":
        return -sum(max(sum(a * b for a, b in zip(row, s)), 0) ** memory.degree for row in x)
    return -sum(row[i] * row[j] * s[i] * s[j] for row in x for i in range(len(s)) for j in range(i))


# --- capacity ---


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_classical_memory_holds_thirteen_patterns_for_a_hundred_neurons_and_not_twenty(noise):
    assert Hopfield(signs(260, N)).recalled(noise, cues=100) >= 0.9
    assert Hopfield(signs(400, N)).recalled(noise, cues=100) <= 0.1


def test_a_dense_memory_holds_many_more_patterns_than_neurons():
    patterns = signs(500, 100)
    assert Hopfield(patterns).recalled(0.1, cues=100) == 0
    assert Hopfield(patterns, "dense", degree=2).recalled(0.1, cues=100) < 0.1
    assert Hopfield(patterns, "dense", degree=5).recalled(0.1, cues=100) > 0.95


def test_a_modern_memory_finds_one_of_many_more_patterns_in_one_step():
    patterns = signs(8_000, 64)
    memory = Hopfield(patterns, "modern")
    shown = flipped(patterns[:200], 0.1, seed=1)
    assert ((np.sign(memory.step(shown)) == patterns[:200]).mean(1) >= 0.975).mean() > 0.95
    found = memory.recall(shown)
    assert (found.pattern == np.arange(200)).mean() > 0.95 and found.settled.all()


def test_synapses_of_one_bit_hold_less_and_cut_ones_a_little_less():
    patterns = signs(80, 1000)  # load .08: a bit a synapse holds up to about .102 (van Hemmen and Kuehn 1986)
    assert Hopfield(patterns, bits=1).recalled(cues=40) > 0.9
    assert Hopfield(patterns, cut=0.2).recalled(cues=40) > 0.9
    more = signs(120, 1000)
    assert Hopfield(more, bits=1).recalled(cues=40) < 0.5 < Hopfield(more, bits=4).recalled(cues=40)


# --- energy and rest ---


@small
@given(memories())
def test_energies_are_the_formulas_whole_numbers(drawn):
    memory, states = drawn
    assert memory.energy(states).tolist() == [energy_of(memory, s) for s in states]
    assert memory.energy(states[0]) == energy_of(memory, states[0])


@small
@given(memories(), st.integers(0, 2**40))
def test_every_flip_lowers_the_energy_and_recall_is_those_flips(drawn, seed):
    memory, states = drawn
    found = memory.recall(states, seed=seed)
    for k, state in enumerate(states.copy()):
        flips = 1
        for t in range(100):
            flips = 0
            for i in np.asarray(asynchronous.turns_of(key(seed), np.uint32(t), state.size))[0]:
                other = state.copy()
                other[i] = -other[i]
                if energy_of(memory, other) < energy_of(memory, state):
                    state, flips = other, flips + 1
            if not flips:
                break
        assert (found.state[k] == state).all() and found.rounds[k] == t + 1 and not flips


@small
@given(memories())
def test_what_is_settled_no_flip_can_better(drawn):
    memory, states = drawn
    found = memory.recall(states)
    assert found.settled.all() and (found.energy <= memory.energy(states)).all()
    others = np.where(np.eye(16, dtype=bool), -found.state[:, None], found.state[:, None])
    assert (memory.energy(others.reshape(-1, 16)).reshape(3, 16) >= found.energy[:, None]).all()
    cut_short = memory.recall(states, rounds=1)
    assert (cut_short.energy >= found.energy).all() and (cut_short.rounds == 1).all()


def test_unsettled_is_said():
    found = Hopfield(signs(100, 300)).recall(signs(20, 300, seed=1), rounds=1)
    assert not found.settled.any()


@pytest.mark.parametrize("kind", ["classical", "dense"])
def test_a_synchronous_round_of_price_takers_never_raises_the_energy(kind):
    """By concavity; the own voice counts in, so a classical energy has its diagonal, a constant."""
    memory = Hopfield(signs(40, 120), kind)
    for seed in range(5):
        start = dataclasses_cue(memory, signs(120, seed=seed + 1))
        ran = cx.run(start, 40, record=cx.Record(every=1, spin=lambda s: s.agents.spin), tolerance=0.0)
        energies = memory.energy(ran.record["spin"].astype(np.int8))
        assert (np.diff(energies) <= 0).all() and energies[-1] < energies[0]
        assert ran.status == "settled" and memory.gap(ran) == 0


def dataclasses_cue(memory, cue):
    return Hopfield(memory.patterns, memory.kind, cue, degree=memory.degree)


@pytest.mark.parametrize(("neurons", "many"), [(60, 12), (300, 50)])
def test_the_kernel_flips_as_the_core_does_in_random_order(neurons, many):
    memory = Hopfield(signs(many, neurons), cue=signs(neurons, seed=1))
    ran = cx.run(memory.society(1.0), 50, seed=7, tolerance=0.0, activation="random order")
    found = memory.recall(memory.cue, seed=7)
    assert (np.asarray(ran.society.agents.spin) == found.state).all()
    assert ran.rounds == found.rounds > 2
    assert memory.energy(found.state) == found.energy == memory.outcome(ran.society).energy


def test_the_two_kernels_agree_where_the_energies_are_the_same():
    patterns, cues = signs(9, 80), signs(5, 80, seed=1)
    by_synapses = Hopfield(patterns).recall(cues, seed=3)
    square = 4 * np.arange(-80, 81)  # F(m) = m^2
    assert (asynchronous.dense(patterns, square, cues, 100, 3).state == by_synapses.state).all()


def test_tally_is_everyone_responding():
    memory = Hopfield(signs(7, 40), cue=signs(40, seed=2))
    for society in (memory.society(0.4), Hopfield(memory.patterns, "dense").society()):
        view = cx.View(society.signal.public())
        one, actions = jax.vmap(lambda a, v=view: a.respond(v, None), in_axes=(spin_axes(society.agents),))(
            society.agents
        )
        two, summary = society.agents.tally(view, None)
        assert (one.spin == two.spin).all()
        assert (society.signal.listen(actions).overlaps == summary.overlaps).all()
        assert int(summary.flips) == int((two.spin != society.agents.spin).sum())


def spin_axes(agents):
    return jax.tree.map(lambda x: 0 if jnp.ndim(x) else None, agents)


# --- modern ---


def test_a_step_is_attention():
    rng = np.random.default_rng(0)
    held, shown = rng.normal(size=(50, 16)), rng.normal(size=(7, 16))
    memory = Hopfield(held, "modern", beta=0.25)
    with jax.enable_x64(True):
        query, keys = jnp.asarray(shown)[:, None], jnp.asarray(held)[:, None]
        library = np.asarray(jax.nn.dot_product_attention(query, keys, keys, scale=0.25)[:, 0])  # softmax in float32
        said = np.asarray(jax.nn.softmax(0.25 * jnp.asarray(shown) @ held.T) @ held)
    np.testing.assert_allclose(memory.step(shown), said, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(memory.step(shown), library, rtol=1e-5, atol=1e-6)
    ran = cx.run(Hopfield(held, "modern", shown[0], beta=0.25), 1)
    np.testing.assert_allclose(ran.state, said[0], rtol=1e-4, atol=1e-5)


@small
@given(st.integers(0, 10**6), st.floats(0.1, 5.0))
def test_a_step_never_raises_a_modern_energy(seed, beta):
    rng = np.random.default_rng(seed)
    memory = Hopfield(rng.normal(size=(6, 5)), "modern", beta=beta)
    state = rng.normal(size=(4, 5))
    before = memory.energy(state)
    for _ in range(5):
        state = memory.step(state)
        after = memory.energy(state)
        assert (after <= before + 1e-12).all() and (after >= -1e-12).all()
        before = after


def test_a_modern_memory_settles_and_says_so():
    memory = Hopfield(np.random.default_rng(0).normal(size=(8, 12)), "modern")
    settled = cx.settle(memory)
    found = memory.recall(memory.cue)
    assert settled.status == "settled" and found.settled
    np.testing.assert_allclose(settled.state, found.state, atol=1e-4)
    assert found.overlap == pytest.approx(1.0, abs=1e-2)


# --- the laws and the questions ---


@pytest.mark.parametrize("kind", ["classical", "dense", "modern"])
def test_it_keeps_the_laws(kind):
    patterns = signs(5, 40)
    bad = [
        partial(Hopfield, patterns[0]),
        partial(Hopfield, patterns * np.inf),
        partial(Hopfield, patterns, "spiking"),
        partial(Hopfield, patterns, kind, signs(41)),
    ]
    held = check_problem(Hopfield(patterns, kind), bad=bad)
    assert {"locality", "honest bits", "conservation"} <= set(held)


def test_the_planner_knows_which_pattern_is_nearest():
    memory = Hopfield(signs(400, 100), cue=flipped(signs(400, 100)[7:8], 0.2)[0])
    assert memory.target == 7 and memory.plan().overlap == 1 and memory.silence().overlap == pytest.approx(0.6)
    assert memory.contest().overlap < 0.6  # four patterns a neuron: what it knows of others is no help


def test_who_knows_its_own_effect_rests_at_nash():
    memory = Hopfield(signs(30, 200), cue=signs(200, seed=5))
    assert memory.contest().status == "settled" and memory.gain(memory.contest()) == 0
    half = memory.contest(0.5)
    assert half.status == "settled" and (memory._gains(half.state[None], 0.5) <= 0).all()


def test_the_own_effect_halves_with_each_doubling():
    memory = Hopfield(signs(10, 100))
    one, two = (memory.replicate(k) for k in (1, 2))
    assert one.effect(one.plan()) == pytest.approx(2 * two.effect(two.plan()))
    assert two.patterns.shape == (10, 200)


def test_half_the_neurons_remember():
    memory = Hopfield(signs(10, 200))
    keep = np.arange(200) % 2 == 0
    rest = cx.run(memory, 50, tolerance=0.0)
    left = memory.restrict(keep)
    carried = left.carried(rest.society, keep)
    assert (np.asarray(carried.agents.spin) == rest.state[keep]).all()
    assert (left.conserved(carried)["overlaps misheard"] == 0).all()
    assert cx.run(left, 50, tolerance=0.0).overlap > 0.95
    with pytest.raises(Refused, match="no neurons would be left"):
        memory.restrict(keep & False)


def test_a_struck_state_comes_back():
    answer = shock(Hopfield(signs(10, 200)), size=0.25, rounds=12)
    assert answer.rows[0]["efficiency"] == pytest.approx(0.5)
    assert answer.rows[-1]["efficiency"] > 0.98 and answer.rows[-1]["unrest"] == 0


def test_a_few_bits_an_overlap_are_enough():
    memory = Hopfield(signs(30, 300))
    rows = {r["point"]: r["efficiency"] for r in frontier(memory, bits=(1, 8), leaks=(1.0,), seeds=2).rows}
    assert rows["1 bit"] < rows["silence"] < rows["8 bits"] and rows["leak 1"] > 0.98
    told = {r["regime"]: float(r["efficiency"]) for r in compare(memory).rows}
    assert told["planner"] == 1.0 and told["signal"] > 0.98 > told["silence"]


def test_what_it_looks_like():
    memory = Hopfield(signs(3, 10), "classical")
    scene = memory.scene(memory.society())
    assert scene.items[0].values.shape == (3, 4) and np.isnan(scene.items[0].values).sum() == 2
    assert len(scene.items[1].labels) == 3


# --- what is refused ---


def test_noise_is_exact():
    cues = signs(6, 50)
    assert ((flipped(cues, 0.1, 3) != cues).sum(1) == 5).all()
    with pytest.raises(BadInput, match="noise is 1.5"):
        flipped(cues, 1.5)


def test_synapses():
    patterns = signs(20, 60)
    plain = Hopfield(patterns).synapses
    held = patterns.astype(int)
    assert (plain + 20 * np.eye(60) == held.T @ held).all()
    for bits in (1, 3):
        few = Hopfield(patterns, bits=bits).synapses
        off = few[~np.eye(60, dtype=bool)]
        assert (few == few.T).all() and not np.diag(few).any() and (off % 2 == 1).all()
        assert len(np.unique(off)) == 2**bits and (np.diff(off[np.argsort(plain[~np.eye(60, dtype=bool)])]) >= 0).all()
    gone = Hopfield(patterns, cut=0.5).synapses == 0
    assert (gone == gone.T).all() and abs(gone[plain != 0].mean() - 0.5) < 0.05


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: Hopfield([[1, -1], [1, 0]]), r"Hopfield.patterns\[1, 1\] is 0: give \+1 or -1"),
        (lambda x: Hopfield([[1.0, np.nan]]), r"Hopfield.patterns\[0, 1\] is not a finite number"),
        (lambda x: Hopfield(np.zeros((0, 3))), r"has shape \(0, 3\)"),
        (lambda x: Hopfield("abc"), "no table of numbers"),
        (lambda x: Hopfield(x > 0), r"is True: give \+1 or -1|is False: give \+1 or -1"),
        (lambda x: Hopfield(x, "dense", degree=1), "degree is 1"),
        (lambda x: Hopfield(x, "dense", degree=60), "would not be exact in 64 bits"),
        (lambda x: Hopfield(x, "modern", beta=0.0), "beta is 0.0"),
        (lambda x: Hopfield(x, bits=9), "bits is 9"),
        (lambda x: Hopfield(x, cut=1.0), "cut is 1.0"),
        (lambda x: Hopfield(x, "dense", bits=2), "a dense memory has none"),
        (lambda x: Hopfield(x, target=3), "target is 3"),
        (lambda x: Hopfield(x).recall(x[:, :5]), "cue has 5 entries a row: give one for each of 8 neurons"),
        (lambda x: Hopfield(x).recall(x * 2), r"cue\[0, 0\] is -?2"),
        (lambda x: Hopfield(x).recall([np.nan] * 8), "not a finite number"),
    ],
)
def test_bad_input_is_said_in_a_sentence(make, said):
    with pytest.raises(BadInput, match=said) as caught:
        make(signs(3, 8))
    assert "\n" not in str(caught.value)


def test_what_has_no_meaning_is_refused():
    x = signs(3, 8)
    for ask, said in [
        (lambda: Hopfield(x, "dense").society(0.5), "leak must be 0"),
        (lambda: Hopfield(x, bits=2).society(), "leave out bits and cut"),
        (lambda: Hopfield(x).step(x[0]), "ask for recall"),
        (lambda: Hopfield(x, "dense").synapses, "no synapses"),
        (lambda: Hopfield(x, "modern").contest(), "nothing to contest"),
        (lambda: Hopfield(x, "dense").contest(0.5), "leak must be 1"),
        (lambda: Hopfield(x, "dense").effect(Hopfield(x).plan()), "no sum"),
    ]:
        with pytest.raises(Refused, match=said):
            ask()


def test_a_single_cue_has_no_axis_for_cues():
    memory = Hopfield(signs(3, 40))
    one, many = memory.recall(memory.cue), memory.recall(memory.cue[None])
    for field in dataclasses.fields(one):
        assert np.shape(getattr(one, field.name)) == np.shape(getattr(many, field.name))[1:]
    assert one.pattern == 0 and one.overlap == 1 and bool(one.settled)
