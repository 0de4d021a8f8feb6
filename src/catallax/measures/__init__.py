"""Measures of outcomes: pure functions of what came about, whoever brought it about."""
