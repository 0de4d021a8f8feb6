"""The face of the product: what is drawn is measured, and its words follow from the numbers."""

import math

import numpy as np
import pytest

from catallax.view import figure
from catallax.view.frontier import enough, harm, read, two_pieces

BLUE, VERMILION = "#0b6fb8", "#c8501e"


def line(axes, colour):
    return max((it for it in axes.lines if it.get_color() == colour), key=lambda it: len(it.get_xdata()))


def marked(answer) -> list[str]:
    curve = read(answer.rows)
    points = {x: row["point"] for x, row in zip(curve.x, in_order(answer), strict=True)}
    return [points[curve.x[place]] for place in enough(curve)]


def in_order(answer) -> list[dict]:
    place = {"silence": 0, "bits": 1, "exact": 2, "leak": 3}
    return sorted(answer.rows, key=lambda row: (place[row["kind"]], 0 if row["kind"] == "exact" else row["told"]))


def test_lines_are_the_rows_in_any_order(answers):
    answer = answers.frontier()
    expected = in_order(answer)
    answer.rows.reverse()
    axes = figure(answer).axes[0]
    told = line(axes, BLUE)
    np.testing.assert_array_equal(told.get_ydata(), [row["efficiency"] for row in expected if row["kind"] != "leak"])
    np.testing.assert_allclose(told.get_xdata()[:4], [0, 1, 2, 3])  # silence, then the doublings of bits
    known = line(axes, VERMILION)
    np.testing.assert_array_equal(
        known.get_ydata(), [row["efficiency"] for row in expected if row["kind"] in ("exact", "leak")]
    )
    assert np.asarray(known.get_xdata())[0] == np.asarray(told.get_xdata())[-1]  # the exact signal is leak 0


def test_three_values_and_what_is_enough_are_written(answers, words):
    seen = words(figure(answers.frontier()))
    for words_seen in ("30 %", "100 %", "98.7 %", "full information", "4 bits a price are enough",
                       "better than full information", "20 seeds a point", "8 traders, 4 goods"):  # fmt: skip
        assert words_seen in seen, words_seen


def test_places_have_names_that_do_not_touch(answers):
    answer = answers.frontier()
    for row, told in zip((row for row in answer.rows if row["kind"] == "leak"), (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)):
        row["told"] = told
    axes = figure(answer).axes[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["silence", "1", "2", "4", "8", "16", "32", "exact", "all", "75 %", "50 %", "25 %"]
    assert np.diff(np.sort(axes.get_xticks())).min() >= 0.7


def test_full_information_is_never_called_worse_where_it_is_not(answers, words):
    for answer in (answers.frontier(full=1.0), answers.frontier(full=0.99995)):
        assert harm(read(answer.rows)) == 0
        seen = words(figure(answer))
        assert "better than full information" not in seen and "magnified" not in seen
        assert "within 1 % of the exact" in seen
    # lower on average, but the intervals overlap: not sure enough to say so
    answer = answers.frontier(leak_1={"efficiency": 0.995, "low": 0.985, "high": 1.0})
    assert harm(read(answer.rows)) == 0 and "better than full" not in words(figure(answer))


def test_what_is_enough_holds_from_there_on(answers):
    assert marked(answers.frontier())[0] == "4_bits"
    one_bad = answers.frontier(**{"8_bits": {"efficiency": 0.9}})
    assert marked(one_bad)[0] == "16_bits"
    unmeasured = marked(answers.frontier(exact={"efficiency": math.nan}))
    assert unmeasured[0] == "4_bits" and unmeasured[-1] == "32_bits"
    assert marked(answers.frontier(exact={"efficiency": 0.5}))[0] == "1_bits"
    assert marked(answers.frontier(bits={1: 0.2, 32: 0.3}))[0] == "exact"


def test_better_than_full_information_is_said_only_where_it_is_sure(answers, words):
    assert "better than full information" in words(figure(answers.frontier()))
    for unsure in (answers.frontier(**{"4_bits": {"low": 0.98}}), answers.frontier(full=0.9985)):
        seen = words(figure(unsure))
        assert "4 bits a price are enough" in seen and "within 1 % of the exact" in seen
        assert "better than full information" not in seen


def test_a_band_beyond_what_is_possible_does_not_stretch_the_scale(answers):
    narrow, wide = answers.frontier(), answers.frontier(**{"1_bits": {"low": -0.5, "high": 1.6}})
    assert figure(narrow).axes[0].get_ylim() == figure(wide).axes[0].get_ylim()


@pytest.mark.parametrize("full", [0.5, 0.85, 0.95, 0.987, 0.9, 0.9991, 0.999])
def test_the_magnified_scale_is_named_and_keeps_the_order(answers, words, full):
    drawn = figure(answers.frontier(full=full))
    axes = drawn.axes[0]
    drawn.canvas.draw()
    height = {y: axes.transData.transform((0, y))[1] / axes.bbox.height for y in (0, 0.3, 0.68, 0.92, full, 1)}
    assert [height[y] for y in sorted(height)] == sorted(height.values())
    assert height[1] - height[full] > 0.12  # full information is visibly lower
    assert ("magnified" in words(drawn)) == (full > 0.8)
    low, high = axes.get_ylim()
    assert low <= 0.2 and high > 1


def test_the_two_pieces_are_inverse_to_each_other():
    forward, backward = two_pieces(0.98, 56.0)
    y = np.array([-0.1, 0.0, 0.5, 0.98, 0.985, 1.0, 1.1])
    np.testing.assert_allclose(backward(forward(y)), y, rtol=1e-14)
    assert (np.diff(forward(y)) > 0).all()


def test_a_missing_value_is_a_gap(answers, words):
    answer = answers.frontier(**{"4_bits": {"efficiency": None, "low": math.nan, "high": None}})
    y = np.asarray(line(figure(answer).axes[0], BLUE).get_ydata())
    assert np.isnan(y[3]) and np.isfinite(np.delete(y, 3)).all()
    nothing = answers.frontier(**{row["point"]: {"efficiency": None} for row in answer.rows})
    assert "No value was measured." in words(figure(nothing))


def test_one_seed_has_no_band_and_unsettled_points_are_hollow(answers, words):
    answer = answers.frontier(seeds=1, leak_1={"settled": 0.9})
    drawn = figure(answer)
    axes = drawn.axes[0]
    assert not axes.collections and "band" not in words(drawn) and "1 seed a point" in words(drawn)
    dots = [dot for dot in axes.lines if dot.get_marker() == "o"]
    hollow = [dot for dot in dots if dot.get_markerfacecolor() == "#ffffff"]
    assert len(dots) == len(answer.rows) and len(hollow) == 1
    assert np.asarray(hollow[0].get_ydata())[0] == pytest.approx(0.987)
    assert "hollow: not every run settled" in words(drawn)
    assert len(figure(answers.frontier()).axes[0].collections) == 2  # with seeds, a band for each line


def test_a_frontier_without_leak_or_without_bits_is_drawn(answers, words):
    answer = answers.frontier()
    bits_only = [row for row in answer.rows if row["kind"] != "leak"]
    seen = words(figure(answer.__class__("frontier", "colony", bits_only, "h")))
    assert "bits a signal" in seen and "full information" not in seen
    leak_only = [row for row in answer.rows if row["kind"] in ("exact", "leak")]
    seen = words(figure(answer.__class__("frontier", "colony", leak_only, "h")))
    assert "the exact signal is enough" in seen
