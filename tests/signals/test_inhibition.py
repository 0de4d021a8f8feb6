"""Lateral inhibition: the residual as a signal, and the gap that it knows by itself."""

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.agent import View
from catallax.core.random import key as make_key
from catallax.core.round import Setting, State, exact_knobs, one_round
from catallax.networks.sparse.atoms import Atoms
from catallax.networks.sparse.certificate import bounds
from catallax.networks.sparse.problem import Neuron, example
from catallax.signals.inhibition import Inhibition, Said

SMALL = example(neurons=20, samples=6, side=4)


def after(society, rounds):
    for _ in range(rounds):
        state, unrest = one_round(State(society), 0, make_key(0), Setting(), exact_knobs())
        society, last = state.society, unrest
    return society, float(last)


def test_the_residual_is_what_nobody_explains():
    society, _ = after(SMALL.society(), 3)
    codes = np.asarray(society.agents.threshold(society.agents.membrane)).T
    expected = np.asarray(SMALL.patches) - codes @ np.asarray(SMALL.dictionary)
    np.testing.assert_allclose(np.asarray(society.signal.public()), expected, atol=1e-6)


def test_its_unrest_is_the_gap_of_the_worst_sample():
    """The signal hears of a round the cost and the matches of the codes that made its residual."""
    before, _ = after(SMALL.society(), 40)
    _, unrest = after(before, 1)
    codes = SMALL.outcome(before).codes
    found = bounds(np.asarray(SMALL.patches), codes, Atoms(SMALL.dictionary), SMALL.penalty)
    assert unrest > 1e-4
    np.testing.assert_allclose(unrest, found.gap.max(), rtol=1e-3)


def test_all_at_once_is_one_by_one():
    """`tally` is `listen(vmap(respond))`, and the same neurons after it."""
    society, _ = after(SMALL.society(), 5)
    view = society.signal.public()
    own = jax.vmap(lambda m, d: respond(m, d, society.agents, view))(society.agents.membrane, society.agents.atom)
    neurons, summary = society.agents.tally(View(view), None)
    np.testing.assert_allclose(neurons.membrane, own[0], atol=1e-6)
    said = society.signal.listen(own[1])
    for one, other in zip(summary, said, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def respond(membrane, atom, shared, view):
    neuron = Neuron(membrane, atom, shared.penalty, shared.rate)
    moved, said = neuron.respond(View(view), None)
    return moved.membrane, said


def test_a_neuron_hears_no_others_and_not_itself():
    """From the sample alone, the first step is rate * match: no self-inhibition, no inhibition by the silent."""
    society, _ = after(SMALL.society(), 1)
    match = np.asarray(SMALL.patches) @ np.asarray(SMALL.dictionary).T
    rate = float(society.agents.rate)
    np.testing.assert_allclose(np.asarray(society.agents.membrane).T, rate * match, atol=1e-6)


def test_blank_samples_are_at_rest():
    signal = Inhibition(jnp.zeros((2, 3)), jnp.zeros((2, 3)))
    assert float(signal.unrest(Said(jnp.zeros((2, 3)), jnp.zeros(2), jnp.zeros(2)))) == 0


def test_its_span_holds_every_pixel_at_the_start():
    span = SMALL.society().signal.span()
    assert float(span.low) <= float(jnp.min(SMALL.patches)) and float(span.high) >= float(jnp.max(SMALL.patches))
