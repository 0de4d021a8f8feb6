"""Five questions that every problem answers, and a sweep over many problems.

compare    who coordinates: silence, a signal, a planner, full information?
frontier   how much must be told: from silence through a few bits to the exact signal and to full information?
lesion     is there a master: what remains when some are removed, at random or the most influential?
shock      does it reorganise when the world changes?
replicate  does influence vanish with numbers?
sweep      and on many problems: the distribution, the worst named
"""

from catallax.core.answer import Answer as Answer
from catallax.questions.compare import compare as compare
from catallax.questions.frontier import frontier as frontier
from catallax.questions.lesion import lesion as lesion
from catallax.questions.replicate import replicate as replicate
from catallax.questions.shock import shock as shock
from catallax.questions.sweep import sweep as sweep

__all__ = ["Answer", "compare", "frontier", "lesion", "replicate", "shock", "sweep"]
