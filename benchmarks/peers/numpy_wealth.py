"""The kinetic wealth model in plain numpy: two arrays and no agents; all give at once (synchronous)."""

import numpy as np
from timing import answer


class Economy:
    """All traders: an array."""

    def __init__(self, agents, seed):
        self.random = np.random.default_rng(seed)
        self.wealth = np.ones(agents, np.int32)

    def step(self):
        agents = self.wealth.size
        able = self.wealth > 0
        receivers = self.random.integers(0, agents, np.count_nonzero(able), dtype=np.int32)
        self.wealth -= able
        self.wealth += np.bincount(receivers, minlength=agents).astype(np.int32)


def advance(economy, rounds):
    """Run `rounds` rounds."""
    for _ in range(rounds):
        economy.step()


if __name__ == "__main__":
    answer(Economy, advance, lambda economy: economy.wealth, "numpy")
