"""A scene copies its arrays, and refuses what cannot be drawn in one sentence."""

import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.core.scene import Bars, Edges, Grid, Points, Scene, Series


def test_arrays_are_copied_and_of_one_type():
    x = np.arange(3, dtype=np.int32)
    points = Points(x, [0, 1, 2], label=["a", "b", 3])
    x[0] = 99
    assert points.x.dtype == np.float64 and points.x.tolist() == [0, 1, 2]
    assert points.label == ("a", "b", "3")
    edges = Edges([0], [2], [0.5])
    assert edges.start.dtype == np.int64
    assert len(Scene("three", [points, edges]).items) == 2


def test_a_scene_may_be_empty_and_hold_gaps():
    scene = Scene("gaps", (Series([0, 1], [np.nan, 1]), Edges([], []), Grid([[np.nan, 1.0]], "scent")))
    assert np.isnan(scene.items[0].y[0])
    assert scene.items[1].start.shape == (0,)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Points([1, 2], [1]), r"Points\.y has 1 entries and x has 2"),
        (lambda: Points([1], [1], label=["a", "b"]), r"Points\.label has 2 entries"),
        (lambda: Points([1], ["north"]), r"Points\.y holds <U5: give numbers"),
        (lambda: Points([[1]], [1]), r"Points\.x has 2 axes"),
        (lambda: Grid([1, 2]), r"Grid\.values has 1 axes: give 2"),
        (lambda: Bars(["a"], [1, 2]), r"Bars\.values has 2 entries and labels has 1"),
        (lambda: Edges([0.5], [1]), r"Edges\.start holds float64: give whole numbers"),
        (
            lambda: Scene("s", (Points([0], [0]), Edges([0], [1]))),
            "An edge ends at point 1, but the scene has 1",
        ),
        (lambda: Scene("s", (Points([0], [0]), Edges([-1], [0]))), "An edge ends at point -1"),
        (lambda: Scene("s", ("points",)), "A scene holds Points, Edges, Grid, Bars and Series, not str"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(build, words):
    with pytest.raises(BadInput, match=words):
        build()


def test_edges_count_the_points_of_all_clouds():
    clouds = Points([0, 1], [0, 0]), Points([2], [0])
    assert Scene("s", (*clouds, Edges([0], [2]))).items[2].stop[0] == 2
    with pytest.raises(BadInput, match="3 points"):
        Scene("s", (*clouds, Edges([0], [3])))
