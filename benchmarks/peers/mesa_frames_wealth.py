"""The kinetic wealth model in mesa-frames: all agents are one Polars frame, and all give at once.

A rule is a selection, a sample, a group-by and an assignment. `give` is the concise form of the project's own
introductory tutorial (release 0.1.0a0), the one that its documentation recommends.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import polars as pl
from mesa_frames import AgentSetPolars, ModelDF
from timing import answer


class People(AgentSetPolars):
    """All traders: a frame with a row each."""

    def __init__(self, agents, model):
        super().__init__(model)
        self += pl.DataFrame({"unique_id": pl.arange(agents, eager=True), "wealth": pl.ones(agents, eager=True)})

    def step(self):
        self.do("give")

    def give(self):
        self.select(self.wealth > 0)
        receivers = self.agents.sample(n=len(self.active_agents), with_replacement=True)
        self["active", "wealth"] -= 1
        gifts = receivers.group_by("unique_id").len()
        self[gifts, "wealth"] += gifts["len"]


class Economy(ModelDF):
    """The one set of traders."""

    def __init__(self, agents, seed):
        super().__init__(seed)
        pl.set_random_seed(seed)  # the frame's sample draws from Polars' own generator
        self.agents += People(agents, self)

    def step(self):
        self.agents.do("step")


def advance(economy, rounds):
    """Run `rounds` rounds."""
    for _ in range(rounds):
        economy.step()


def wealth(economy):
    """The column of everyone's money."""
    return economy.agents.agents[next(iter(economy.agents.agents))]["wealth"]


if __name__ == "__main__":
    answer(Economy, advance, wealth, "mesa-frames", "polars")
