"""Few bits where no channel passes: a problem that cuts what reaches each agent alone."""

import jax.numpy as jnp
import pytest

import catallax as cx
from catallax.colony.foraging import Foraging
from catallax.core.channel import spans
from catallax.core.errors import Refused
from catallax.questions.frontier import frontier, reached, through, told_bits

SMALL = Foraging(
    8, (15, 15), nest=(7.5, 7.5), nest_radius=2.0, food=((12.5, 7.5),), food_radius=1.5, units=1, rounds=40
)


class Silent(cx.Signal):
    """Says whole numbers alone."""

    heard: jnp.ndarray

    def public(self):
        return self.heard

    def propagate(self, summary):
        return self


def test_bits_of_a_smell_are_the_problems_own_and_travel_through_no_channel():
    problem, channel = through(SMALL, 3)
    assert channel is None and isinstance(problem, Foraging) and problem.bits == 3
    whole = told_bits(SMALL, "exact", 32.0)
    few = told_bits(SMALL, "bits", 3.0)
    assert few is not None and whole is not None and 0 < few < whole
    outcome = reached(SMALL, "bits", 3.0, 0, 20, 0.0)
    alone = cx.run(SMALL.quantised(3), 20, 0, tolerance=0.0)
    assert outcome.digest() == alone.digest()


def test_more_bits_than_a_smell_is_cut_to_are_a_gap_with_its_reason():
    answer = frontier(SMALL, bits=(2, 24), leaks=(), seeds=1, rounds=10)
    rows = {row["point"]: row for row in answer.rows}
    assert rows["2 bits"]["seeds"] == 1 and rows["24 bits"]["seeds"] == 0 and rows["24 bits"]["bits"] is None
    assert any(note.startswith("24 bits: above 16 bits") for note in answer.notes)


def test_a_signal_of_whole_numbers_cannot_be_cut():
    signal = Silent(jnp.arange(3))
    with pytest.raises(Refused, match="no public number with a fraction"):
        spans(signal, signal.public())
