"""`check_problem` must catch what it is there to catch: each law is broken once on purpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.core.channel import Span
from catallax.testing import check_gradient, check_problem


class Leaning(cx.Agent):
    """Leans towards the mean of all."""

    place: jax.Array

    def respond(self, view, key):
        place = self.place + 0.5 * (view.public - self.place)
        return Leaning(place), place


class Mean(cx.Signal):
    """The mean of all places."""

    mean: jax.Array
    count: jax.Array

    def public(self):
        return self.mean

    def propagate(self, summary):
        return Mean(summary / self.count, self.count)

    def unrest(self, summary):
        return jnp.abs(summary / self.count - self.mean)

    def span(self):
        return Span(-1.0, 1.0)


class Flock(cx.Problem):
    """A flock whose mean place stays where it is."""

    places: jax.Array

    def society(self, leak=0.0):
        return cx.Society(Leaning(self.places), Mean(self.places.mean(), jnp.asarray(float(self.places.size))))

    def outcome(self, society, heard=None):
        return cx.Outcome(society, values={"places": society.agents.place})

    def welfare(self, outcome):
        return {"efficiency": 1.0}

    def conserved(self, society):
        return {"mean": society.agents.place.mean()}


@pytest.fixture
def flock() -> Flock:
    return Flock(jnp.linspace(-1, 1, 7))


def test_an_honest_problem_passes(flock):
    assert check_problem(flock) == ["locality", "honest bits", "conservation", "reproducibility", "certificate"]


def test_locality_is_caught(flock):
    class Queueing(Mean):
        """Hands everyone the place of whoever stands first in the stack."""

        def local(self, agents):
            return jnp.broadcast_to(agents.place[0], agents.place.shape)

    class Following(Leaning):
        def respond(self, view, key):
            return Following(self.place + view.local), self.place

    class Crooked(Flock):
        def society(self, leak=0.0):
            return cx.Society(Following(self.places), Queueing(self.places.mean(), jnp.asarray(7.0)))

    with pytest.raises(AssertionError, match="locality"):
        check_problem(Crooked(flock.places))


def test_lost_conservation_is_caught(flock):
    class Drifting(Flock):
        def conserved(self, society):
            return {"spread": society.agents.place.std()}

    with pytest.raises(AssertionError, match="conservation: spread"):
        check_problem(Drifting(flock.places))


def test_a_leaf_outside_its_span_is_caught(flock):
    class Narrow(Mean):
        def span(self):
            return Span(0.5, 0.5)

    class Wrong(Flock):
        def society(self, leak=0.0):
            return cx.Society(Leaning(self.places), Narrow(self.places.mean(), jnp.asarray(7.0)))

    with pytest.raises(AssertionError, match="honest bits"):
        check_problem(Wrong(flock.places))


def test_a_flattering_certificate_is_caught(flock):
    calls = []

    class Flattering(Flock):
        def gap(self, outcome):
            calls.append(1)
            return 0.0 if len(calls) == 1 else 0.5

    with pytest.raises(AssertionError, match="certificate"):
        check_problem(Flattering(flock.places))


def test_accepted_nonsense_is_caught(flock):
    with pytest.raises(AssertionError, match="bad input"):
        check_problem(flock, bad=[lambda: Flock(jnp.ones(3))])


def test_a_wrong_gradient_is_caught():
    @jax.custom_vjp
    def wrong(x):
        return (x**2).sum()

    wrong.defvjp(lambda x: (wrong(x), x), lambda x, g: (g * x,))
    with pytest.raises(AssertionError, match="gradients"):
        check_gradient(wrong, jnp.asarray(np.array([1.0, 2.0])), step=1e-2, tolerance=1e-2)
    check_gradient(lambda x: (x**2).sum(), jnp.asarray(np.array([1.0, 2.0])), step=1e-2, tolerance=1e-2)
