"""How the labels of a crowd are worked out: names as numbers, sparse votes, the models."""
