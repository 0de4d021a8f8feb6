"""The law that benchmark rows are checked against, against the model itself, agent by agent."""

import numpy as np
import pytest

from benchmarks import kinetic


def play(order: str, agents: int, rounds: int, seed: int) -> np.ndarray:
    """The model in its plainest form; the receiver may be the giver, which among many is no matter."""
    random, wealth = np.random.default_rng(seed), np.ones(agents, int)
    for _ in range(rounds):
        if order == "synchronous":
            givers = wealth > 0
            wealth += np.bincount(random.integers(agents, size=givers.sum()), minlength=agents) - givers
            continue
        for who, other in zip(random.permutation(agents), random.integers(agents, size=agents)):
            if wealth[who]:
                wealth[who] -= 1
                wealth[other] += 1
    return wealth


@pytest.mark.parametrize("order", kinetic.ORDERS)
@pytest.mark.parametrize("rounds", [1, 2, 3, 12])
def test_law_is_that_of_the_model(order, rounds):
    agents = 40_000
    wealth = play(order, agents, rounds, seed=rounds)
    expected = kinetic.law(rounds, order)
    found = np.bincount(wealth, minlength=kinetic.LARGEST) / agents
    error = np.sqrt(expected * (1 - expected) / agents) + 3 / agents
    assert (abs(found - expected) < 5 * error).all()
    variance, error = kinetic.variance(rounds, order, agents)
    assert abs(wealth.var() - variance) < 5 * error


@pytest.mark.parametrize(("order", "rest"), [("synchronous", 4 / 3), ("sequential", 1.68756)])
def test_law_keeps_money_and_comes_to_rest(order, rest):
    p = kinetic.law(10_000, order)
    assert p.sum() == pytest.approx(1, abs=1e-9)
    assert p @ np.arange(p.size) == pytest.approx(1, abs=1e-9)
    assert kinetic.variance(10_000, order, 1)[0] == pytest.approx(rest, abs=1e-5)


def test_unknown_order_is_refused():
    with pytest.raises(ValueError, match="synchronous, sequential"):
        kinetic.law(1, "alphabetical")
