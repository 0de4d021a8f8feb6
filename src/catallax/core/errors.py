"""What can go wrong, as a tree; every message is one sentence that says what to do.

CatallaxError
  BadInput      a fact is missing or impossible: which field, which row, what rule (also a ValueError)
  Refused       a regime, switch or method that has no meaning for this problem, and why
  Damaged       a checkpoint that is truncated, foreign or of another problem
"""


class CatallaxError(Exception):
    """The root of every error that catallax raises on purpose."""


class BadInput(CatallaxError, ValueError):
    """A fact is missing or impossible: the sentence names the field, the row and the rule."""


class Refused(CatallaxError):
    """What was asked for has no meaning here: the sentence says why."""


class Damaged(CatallaxError):
    """A checkpoint that cannot be used: the sentence says what is wrong with it."""
