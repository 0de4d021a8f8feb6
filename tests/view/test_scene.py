"""Every primitive of a scene is drawn from its numbers."""

import numpy as np
import pytest

from catallax.core.scene import Bars, Edges, Grid, Points, Scene, Series
from catallax.view import draw


def test_points_edges_and_grid_share_one_plane(words):
    grid = Grid(np.arange(6.0).reshape(2, 3), "scent")
    cloud = Points([0, 1, np.nan], [1, 0, 0], size=[1, 4, 2], colour=[0, np.nan, 1], label=["$\\frac{1$", "<b>", "c"])
    drawn = draw(Scene("A plane", (grid, cloud, Edges([0, 1], [1, 0], [1, 2]))))
    (axes,) = drawn.axes
    assert {"A plane", "scent", "$\\frac{1$", "<b>"} <= set(words(drawn).split("\n"))
    np.testing.assert_array_equal(axes.images[0].get_array(), grid.values)
    dots = next(it for it in axes.collections if len(it.get_offsets()) == 3)
    np.testing.assert_array_equal(np.ma.filled(dots.get_offsets(), np.nan)[:2], [[0, 1], [1, 0]])
    assert np.ma.getmaskarray(dots.get_offsets())[2].all()  # no place, no dot
    assert dots.get_sizes()[1] == 4 * dots.get_sizes()[0]
    edges = next(it for it in axes.collections if it is not dots)
    np.testing.assert_array_equal(edges.get_segments()[0], [[0, 1], [1, 0]])
    assert edges.get_linewidths()[1] == 2 * edges.get_linewidths()[0]


def test_bars_and_series_have_panels_of_their_own(words):
    scene = Scene(
        "Prices",
        (
            Bars(["wheat", "iron"], [0.25, np.nan], "price"),
            Bars(["x"], [-1.0]),
            Series([0, 1, 2], [1, np.nan, 3], "Anderson"),
            Series([0, 1], [2, 2], "Newton"),
        ),
    )
    drawn = draw(scene)
    first, second, curves = drawn.axes
    assert [bar.get_width() for bar in first.patches] == [0.25]
    assert [bar.get_width() for bar in second.patches] == [-1]
    np.testing.assert_array_equal(curves.lines[0].get_ydata(), [1, np.nan, 3])
    assert {"wheat", "iron", "price", "not known", "Anderson", "Newton"} <= set(words(drawn).split("\n"))


def test_no_two_of_a_dozen_curves_look_alike():
    drawn = draw(Scene("Prices", [Series([0, 1], [k, k + 1], f"expert {k}") for k in range(12)]))
    looks = [(line.get_color(), line.is_dashed()) for line in drawn.axes[0].lines if len(line.get_xdata()) > 1]
    assert len(looks) == len(set(looks)) == 12


def test_a_crowd_is_rasterised_and_unlabelled(words):
    crowd = Points(np.arange(5000), np.zeros(5000), label=[f"ant {n}" for n in range(5000)])
    drawn = draw(Scene("Ants", (crowd,)))
    assert drawn.axes[0].collections[0].get_rasterized()
    assert "ant 7" not in words(drawn)


@pytest.mark.parametrize("items", [(), (Points([], []),), (Series([], []),), (Bars([], []),), (Grid([[np.nan]]),)])
def test_nothing_to_see_does_not_crash(items, words):
    assert "Nothing yet" in words(draw(Scene("Nothing yet", items)))
