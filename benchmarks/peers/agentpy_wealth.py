"""The kinetic wealth model in AgentPy: one object an agent, activated one by one in a random order.

AgentPy's own example draws the receiver with `model.agents.random()`, which builds an iterator object at
every draw; here it is drawn by the model's generator from the same list, in AgentPy's favour.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import agentpy as ap
from timing import answer


class Person(ap.Agent):
    """One trader."""

    def setup(self):
        self.wealth = 1

    def give(self):
        if self.wealth > 0:
            other = self.model.random.choice(self.model.people)
            other.wealth += 1
            self.wealth -= 1


class Economy(ap.Model):
    """All traders, activated in a fresh random order each round."""

    def setup(self):
        self.agents = ap.AgentList(self, self.p.agents, Person)
        self.people = list(self.agents)

    def step(self):
        self.agents.shuffle()
        self.agents.give()


def build(agents, seed):
    """A model of `agents` people with one unit each."""
    economy = Economy({"agents": agents, "seed": seed})
    economy.sim_setup()
    return economy


def advance(economy, rounds):
    """Run `rounds` rounds."""
    for _ in range(rounds):
        economy.sim_step()


if __name__ == "__main__":
    answer(build, advance, lambda economy: (person.wealth for person in economy.people), "agentpy")
