"""Price laws: what they conserve, when they rest, and what few bits leave of them."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.channel import Wiring, spoil
from catallax.signals import Posts, Tatonnement
from catallax.signals.price import normalised

SUPPLY = jnp.array([3.0, 0.2, 50.0])


def laws(step=0.5):
    log_price = normalised(jnp.log(jnp.array([1.0, 2.0, 0.1])), SUPPLY)
    step = jnp.asarray(step)
    return [
        Posts(log_price, SUPPLY, step),
        *(Tatonnement(log_price, SUPPLY, step, r) for r in ("multiplicative", "additive")),
    ]


@pytest.mark.parametrize("signal", laws(), ids=["posts", "multiplicative", "additive"])
def test_all_there_is_costs_one(signal):
    wanted = jnp.array([0.1, 5.0, 0.3])
    for _ in range(5):
        assert float(signal.public() @ SUPPLY) == pytest.approx(1, abs=1e-6)
        signal = signal.propagate(wanted)


def test_posts_rest_where_money_is_worth_the_goods():
    signal = laws()[0]
    money = signal.public() * SUPPLY
    assert float(signal.unrest(money)) == pytest.approx(0, abs=1e-6)
    assert np.allclose(signal.propagate(money).public(), signal.public(), rtol=1e-6)
    assert float(signal.unrest(money * jnp.array([1.1, 1, 1]))) > 0.05


@pytest.mark.parametrize("signal", laws()[1:], ids=["multiplicative", "additive"])
def test_tatonnement_raises_what_is_wanted_too_much(signal):
    assert float(signal.unrest(SUPPLY)) == 0
    assert np.allclose(signal.propagate(SUPPLY).public(), signal.public(), rtol=1e-6)
    raised = signal.propagate(SUPPLY * jnp.array([1.2, 1.0, 1.0])).public() / signal.public()
    assert float(raised[0]) > float(raised[1])
    assert float(raised[1]) == pytest.approx(float(raised[2]), rel=1e-5)


def test_a_full_step_of_posts_is_the_clearing_price():
    signal, money = laws(step=1.0)[0], jnp.array([0.2, 0.5, 0.3])
    assert np.allclose(signal.propagate(money).public(), money / SUPPLY, rtol=1e-5)


def test_a_post_without_money_stays_a_number():
    signal = laws()[0].propagate(jnp.array([1.0, 0.0, 0.0]))
    assert np.isfinite(signal.log_price).all()


@given(bits=st.integers(1, 12), price=st.floats(1e-4, 1e4))
def test_a_heard_price_is_positive_and_one_of_few(bits, price):
    signal = laws()[0]
    knobs = tuple(jnp.float32(x) for x in (2.0**bits, 0, 0))
    given_ = jnp.full(3, price) / SUPPLY
    heard = np.asarray(spoil(given_, signal.span(), Wiring(quantised=True), knobs, None))
    assert (heard > 0).all()
    low, high = float(signal.span().low), float(signal.span().high)
    cells = np.log(heard / low) / np.log(high / low) * 2**bits - 0.5
    assert np.allclose(cells, np.round(cells), atol=2e-3 * 2**bits)
    assert (np.round(cells) >= 0).all() and (np.round(cells) < 2**bits).all()
