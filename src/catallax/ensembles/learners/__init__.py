"""Learners as rows of one table: the planner's, ensembles, a network and a market, each asked the same questions."""
