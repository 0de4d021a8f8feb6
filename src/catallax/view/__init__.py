"""Pictures and pages: Answers and Scenes in, figures and files out. Knows no system and needs no JAX.

Matplotlib is imported when the first picture is drawn.
"""

from .plots import figure as figure
from .report import report as report
from .scene import draw as draw
from .style import save as save

__all__ = ["draw", "figure", "report", "save"]
