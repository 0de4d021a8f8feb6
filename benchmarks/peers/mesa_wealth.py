"""The kinetic wealth model in Mesa 3: one object an agent, activated one by one in a random order.

Written as Mesa's introductory tutorial has it, but for one thing in Mesa's favour: the tutorial draws the
receiver with `random.choice(model.agents)`, which copies the whole set at every draw
(`AgentSet.__getitem__`); here it is drawn from a list made once.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import mesa
from timing import answer


class Person(mesa.Agent):
    """One trader."""

    def __init__(self, model):
        super().__init__(model)
        self.wealth = 1

    def give(self):
        if self.wealth > 0:
            other = self.random.choice(self.model.people)
            other.wealth += 1
            self.wealth -= 1


class Economy(mesa.Model):
    """All traders, activated in a fresh random order each round."""

    def __init__(self, agents, seed):
        super().__init__(seed=seed)
        self.people = list(Person.create_agents(self, agents))

    def step(self):
        self.agents.shuffle_do("give")


def advance(economy, rounds):
    """Run `rounds` rounds."""
    for _ in range(rounds):
        economy.step()


if __name__ == "__main__":
    answer(Economy, advance, lambda economy: (person.wealth for person in economy.people), "mesa")
