"""Few bits, noise, delay and loss: what is heard is what the channel says, no more and no less."""

import functools as ft

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.channel import Channel, Span, Wiring, check_spans, from_unit, send, spans, spoil, unit
from catallax.core.errors import BadInput, Refused
from catallax.core.record import Record
from catallax.core.run import run
from catallax.core.signal import Signal
from tests.core import societies as so

KEY = jax.random.key(0)
SPANS = {"linear": Span(-2.0, 6.0), "log": Span(0.01, 100.0, "log")}


def inside(scale: str, count: int = 4001) -> jax.Array:
    """Values from end to end of a span, evenly on its scale."""
    return from_unit(jnp.linspace(0, 1, count), SPANS[scale])


def quantised(x, scale: str, bits: int) -> np.ndarray:
    channel, span = Channel(bits=bits), SPANS[scale]
    return np.asarray(cut(x, span.low, span.high, channel.knobs(), span.scale, channel.wiring))


@ft.partial(jax.jit, static_argnames=("scale", "wiring"))
def cut(x, low, high, knobs, scale, wiring):
    return spoil(x, Span(low, high, scale), wiring, knobs, KEY)


@pytest.mark.parametrize("scale", SPANS)
@given(bits=st.integers(1, 32))
def test_a_leaf_of_b_bits_takes_at_most_so_many_values(scale, bits):
    heard = quantised(inside(scale), scale, bits)
    low, high = SPANS[scale][:2]
    assert len(np.unique(heard)) <= 2**bits
    assert heard.min() >= low - 1e-5 * abs(low) and heard.max() <= high * (1 + 1e-5)
    off = np.abs(unit(heard, SPANS[scale]) - np.linspace(0, 1, heard.size))
    assert off.max() <= 0.5 / 2**bits + 1e-5


@pytest.mark.parametrize("scale", SPANS)
@pytest.mark.parametrize("bits", [1, 2, 3])
def test_heard_is_the_centre_of_a_cell_and_all_cells_are_used(scale, bits):
    heard = np.unique(unit(quantised(inside(scale), scale, bits), SPANS[scale]).round(5))
    np.testing.assert_allclose(heard, (np.arange(2**bits) + 0.5) / 2**bits, atol=1e-5)


def test_one_bit_never_hears_an_end():
    """A quarter of the way up is the least that is heard: .1, not .01; 0, not -2."""
    assert quantised(inside("log"), "log", 1).min() == pytest.approx(0.1, rel=1e-4)
    assert quantised(inside("linear"), "linear", 1).min() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("scale", SPANS)
def test_beyond_the_span_its_end_cells_are_heard(scale):
    span = SPANS[scale]
    far = jnp.asarray([-1e30, 0.0, span.low, span.high, 1e30], jnp.float32)
    shares = unit(quantised(far, scale, 2), span)
    np.testing.assert_allclose(np.asarray(shares)[[0, 2, 3, 4]], [0.125, 0.125, 0.875, 0.875], atol=1e-5)


def test_narrow_floats_are_cut_finely_too():
    x = jnp.linspace(-2, 6, 100).astype(jnp.bfloat16)
    heard = spoil(x, SPANS["linear"], Channel(bits=32).wiring, Channel(bits=32).knobs(), KEY)
    assert heard.dtype == jnp.bfloat16 and bool(jnp.isfinite(heard).all())
    assert float(jnp.abs(heard - x).max()) <= 0.04  # a step of bfloat16 at 6


@pytest.mark.parametrize("scale", SPANS)
def test_noise_is_a_share_of_the_span(scale):
    middle = jnp.full(40_000, from_unit(0.5, SPANS[scale]))
    channel = Channel(noise=0.05)
    shares = unit(spoil(middle, SPANS[scale], channel.wiring, channel.knobs(), KEY), SPANS[scale])
    off = np.asarray(shares) - 0.5
    assert abs(off.mean()) < 4 * 0.05 / 200 and abs(off.std() / 0.05 - 1) < 4 / np.sqrt(2 * off.size)
    assert abs((np.abs(off) > 0.05).mean() - 0.3173) < 4 * np.sqrt(0.3173 * 0.6827 / off.size)  # a normal's


def test_noise_is_heard_alike_by_all_and_anew_in_each_round():
    drift = run(so.drift(8), 4, channel=Channel(noise=0.1), record=Record(heard=lambda s: s.agents.heard))
    rows = drift.record["heard"][1:]
    assert (rows == rows[:, :1]).all() and len(np.unique(rows[:, 0])) == 4


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_what_is_heard_is_what_was_public_so_many_rounds_ago(delay):
    clock = Record(clock=lambda s: s.agents.clock, level=lambda s: s.agents.heard)
    table = run(so.drift(4), 8, channel=Channel(delay=delay), record=clock).record
    due = np.maximum(np.arange(8) - delay, 0)  # in round t, the public clock says t
    np.testing.assert_array_equal(table["clock"][1:], np.repeat(due[:, None], 4, 1))
    np.testing.assert_array_equal(table["level"][1:, 0], 0.5**due)


def test_bits_hold_from_the_first_round_on_a_delayed_wire():
    heard = run(so.drift(2), 6, channel=Channel(bits=2, delay=2), record=Record(level=lambda s: s.agents.heard)).record
    assert set(heard["level"][1:, 0]) <= {0.125, 0.375, 0.625, 0.875}
    np.testing.assert_array_equal(heard["level"][1:, 0], np.float32([0.875, 0.875, 0.875, 0.625, 0.375, 0.125]))


@pytest.mark.parametrize("activation", ["synchronous", 0.5, "random order"])
def test_a_lost_message_leaves_its_agent_idle(activation):
    agents, loss = 4096, 0.3
    after = run(so.queue(agents), 1, seed=5, channel=Channel(loss=loss), activation=activation).society
    idle = float((after.agents.turn == -1).mean())
    chance = 1 - (1 - loss) * (0.5 if activation == 0.5 else 1)
    assert abs(idle - chance) < 4 * np.sqrt(chance * (1 - chance) / agents)


def test_heard_at_the_end_is_what_the_next_round_would_hear():
    outcome = run(so.drift(2), 2, channel=Channel(bits=2, delay=1))
    assert float(outcome.heard[0]) == 0.625 and int(outcome.heard[1]) == 1  # of round 1: level 1/2
    assert run(so.drift(2), 2).heard is None


def test_whole_numbers_travel_exactly():
    channel = Channel(bits=1, noise=0.5)
    heard, _ = send(so.drift(2, 0.3).signal, None, channel.wiring, channel.knobs(), KEY, 0)
    assert heard[1] == 0 and heard[1].dtype == jnp.int32 and float(heard[0]) in (0.25, 0.75)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bits": 0}, r"Channel\.bits is 0: give a whole number from 1 to 32"),
        ({"bits": 33}, "from 1 to 32"),
        ({"bits": True}, "from 1 to 32"),
        ({"noise": -0.1}, r"Channel\.noise is -0\.1"),
        ({"noise": float("nan")}, r"Channel\.noise is nan"),
        ({"noise": float("inf")}, r"Channel\.noise is inf"),
        ({"delay": -1}, r"Channel\.delay is -1"),
        ({"loss": 1.0}, r"Channel\.loss is 1\.0: give a chance of at least 0 and below 1"),
        ({"loss": -0.1}, r"Channel\.loss is -0\.1"),
    ],
)
def test_impossible_channels_are_refused(values, said):
    with pytest.raises(BadInput, match=said):
        Channel(**values)


def test_one_executable_serves_every_number_of_bits():
    assert Channel(bits=3, noise=0.1).wiring == Channel(bits=9, noise=0.2).wiring
    assert Channel().wiring == Wiring()


class Spanned(Signal):
    """A signal that says what it is told to say of its span."""

    level: jax.Array
    given: object

    def public(self):
        return self.level

    def propagate(self, summary):
        return self

    def span(self):
        return self.given


def test_a_signal_without_a_span_cannot_be_cut():
    with pytest.raises(Refused, match="Spanned gives no span for each of its 1 public float leaves.*define span"):
        spans(Spanned(jnp.zeros(2), None), jnp.zeros(2))
    flock = so.flock(4)
    with pytest.raises(Refused, match="NoSpan gives no span for each of its 2 public float leaves"):
        run(so.Society(flock.agents, NoSpan(jnp.float32(1), jnp.float32(0))), 1, channel=Channel(bits=3))


class NoSpan(so.Heading):
    def span(self):
        return None


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (Span(1.0, 1.0), "low must be below high"),
        (Span(0.0, np.inf), "both finite"),
        (Span(0.0, 1.0, "log"), "low must be above 0"),
        (Span(0.0, 1.0, "cubic"), "on the scale 'cubic': give 'linear' or 'log'"),
    ],
)
def test_a_span_that_is_none_is_refused(span, said):
    with pytest.raises(BadInput, match=said):
        check_spans(Spanned(jnp.zeros(2), span))


def test_a_plain_tuple_is_a_span():
    assert spans(Spanned(jnp.zeros(2), (0.0, 1.0, "log")), jnp.zeros(2)) == [Span(0.0, 1.0, "log")]
