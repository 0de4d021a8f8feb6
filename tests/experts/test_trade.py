"""Trade of inputs: the theorem (nobody loses), the accounts, and what happens where bids are only beliefs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.experts import trade_inputs


@st.composite
def economies(draw):
    inputs, experts = draw(st.integers(1, 15)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    loss = rng.normal(size=(inputs, experts))
    loss = np.round(loss) if draw(st.booleans()) else loss
    return loss, rng.integers(0, experts, inputs), rng.normal(size=inputs), draw(st.booleans())


@given(economies())
def test_with_known_losses_nobody_loses_and_trade_moves_what_it_says(economy):
    loss, owner, baseline, opt_out = economy
    found = trade_inputs(loss, owner, baseline=baseline, opt_out=opt_out)
    assert not found.losers.size
    worth = np.column_stack([baseline[:, None] - loss, np.zeros(len(loss))])  # column -1: nobody
    realised = worth[np.arange(len(loss)), found.worker].sum()
    own = worth[np.arange(len(loss)), owner]
    before = np.maximum(own, 0).sum() if opt_out else own.sum()
    assert found.traded.sum() == pytest.approx(realised, abs=1e-9)  # payments cancel
    assert found.autarky.sum() == pytest.approx(before, abs=1e-9)
    assert np.allclose(found.compensation, 0, atol=1e-8)
    assert found.profit.sum() == pytest.approx(realised - before, abs=1e-9)
    assert (
        np.bincount(found.worker[found.worker >= 0], minlength=loss.shape[1])
        <= np.bincount(owner, minlength=loss.shape[1])
    ).all()


def test_two_specialists_with_each_others_inputs_gain_all_there_is():
    loss = np.array([[0.0, 1], [0, 1], [1, 0], [1, 0]])
    found = trade_inputs(loss, [1, 1, 0, 0])
    assert found.worker.tolist() == [0, 0, 1, 1] and found.pareto
    assert found.profit.sum() == 4 and found.autarky.tolist() == [-2, -2]
    assert not trade_inputs(loss, [0, 0, 1, 1]).pareto  # who has what it does best has nothing to gain


def test_a_price_that_everybody_can_check():
    """Expert 0 saves 3, 2, 1 on three inputs of expert 1, and has room for one: it buys the first, at a price from 2 to 3."""
    loss = np.array([[0.0, 3], [0, 2], [0, 1], [5, 5]])
    found = trade_inputs(loss, [1, 1, 1, 0], capacity=[1, 3])
    assert found.worker.tolist() == [0, 1, 1, 1]
    assert 2 <= found.capacity_prices[0] - found.capacity_prices[1] <= 3
    assert found.profit.sum() == pytest.approx(3)


def test_wrong_beliefs_make_losers_whom_winners_can_or_cannot_make_whole():
    loss = np.array([[0.0, 1], [0, 1], [1, 0], [1, 0]])
    misled = trade_inputs(loss, [0, 0, 1, 1], believed=1 - loss)
    assert misled.profit.sum() == -4 and misled.losers.size and np.isnan(misled.compensation).all()
    rng = np.random.default_rng(0)
    loss = rng.normal(size=(60, 4))
    noisy = trade_inputs(
        loss, rng.integers(0, 4, 60), believed=loss + rng.normal(size=(60, 4)) * np.array([0, 0, 0, 8])
    )
    assert noisy.losers.tolist() == [3] and noisy.profit.sum() > 0 and not noisy.pareto
    after = noisy.profit + noisy.compensation
    assert noisy.compensation.sum() == pytest.approx(0, abs=1e-9) and (after > -1e-9).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(loss=np.full((3, 2), np.nan)), r"loss\[0, 0\] is nan"),
        (dict(loss=np.ones(3)), r"loss has shape \[3\]: give \[inputs, experts\]"),
        (dict(owner=[0, 1]), r"owner has shape \[2\]"),
        (dict(owner=[0, 1, 2]), r"owner\[2\] is 2: give the number of an expert, 0 to 1"),
        (dict(capacity=[0, 3]), r"capacity\[0\] is 0 and expert 0 owns 2 inputs"),
        (dict(believed=np.ones((2, 2))), r"believed has shape \[2, 2\]: give \[3, 2\]"),
        (dict(baseline=[1, 2]), r"baseline has shape \[2\]"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(change, sentence):
    with pytest.raises(BadInput, match=sentence):
        trade_inputs(**{**dict(loss=np.ones((3, 2)), owner=[0, 1, 0]), **change})
