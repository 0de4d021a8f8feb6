"""Walkers on a lattice of pheromone: how they walk, slime mould, foraging ants, and the networks that veins are."""
