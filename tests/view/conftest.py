"""Fake answers for every test of pictures, and the words of a figure."""

import importlib.util
from pathlib import Path

import matplotlib.text
import pytest


@pytest.fixture(scope="session")
def answers():
    """The module beside this file (tests are no package)."""
    spec = importlib.util.spec_from_file_location("view_answers", Path(__file__).with_name("answers.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def words():
    """All visible text of a figure in one string."""

    def gather(figure) -> str:
        figure.canvas.draw()
        return "\n".join(t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_visible())

    return gather
