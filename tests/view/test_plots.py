"""Pictures show the rows and nothing else: lines are data, gaps are gaps, hollow means unsettled."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.view import figure, save


def line(axes, colour):
    """The data of the longest line of that colour."""
    return max((it for it in axes.lines if it.get_color() == colour), key=lambda it: len(it.get_xdata()))


def nothing_left(answer):
    """The answer with every number gone but those that name a row."""
    keep = {"regime", "order", "removed", "round", "agents", "copies", "draw", "status"}
    return dataclasses.replace(
        answer, rows=[{k: v if k in keep else np.nan for k, v in row.items()} for row in answer.rows]
    )


@pytest.mark.parametrize("number", range(6))
def test_headline_is_the_title_and_can_be_left_out(answers, words, number):
    answer = answers.everything()[number]
    assert answer.headline in words(figure(answer)).replace("\n", " ")
    assert answer.headline not in words(figure(answer, titled=False)).replace("\n", " ")


@pytest.mark.parametrize("number", range(1, 6))
def test_missing_values_and_missing_rows_do_not_crash(answers, words, number):
    answer = answers.everything()[number]
    assert "No value was measured." in words(figure(nothing_left(answer)))
    assert "No value was measured." in words(figure(dataclasses.replace(answer, rows=[])))
    holed = [dict(row) for row in answer.rows]
    for key in ("efficiency", "unrest", "effect"):
        if key in holed[1]:
            holed[1][key] = None
    figure(dataclasses.replace(answer, rows=holed)).canvas.draw()


def test_unknown_question_is_refused(answers):
    with pytest.raises(BadInput, match="no picture for the question 'why'"):
        figure(dataclasses.replace(answers.compare(), question="why"))


def test_compare_draws_each_value_as_a_bar(answers, words):
    answer = answers.compare()
    answer.rows[3]["status"] = "cycling"
    drawn = figure(answer)
    for axes, key in zip(drawn.axes, ("efficiency", "share_of_optimum", "gini"), strict=True):
        assert [bar.get_width() for bar in axes.patches] == [row[key] for row in answer.rows]
        hollow = [bar.get_facecolor()[:3] == (1, 1, 1) for bar in axes.patches]
        assert hollow == [False, False, False, True]
    assert "0.9871" in words(drawn) and "hollow: not settled" in words(drawn)


def test_compare_says_what_is_not_known(answers, words):
    answer = answers.compare()
    answer.rows[2]["efficiency"] = None
    drawn = figure(answer)
    assert len(drawn.axes[0].patches) == 3 and "not known" in words(drawn)
    for row in answer.rows:
        del row["gini"]
    assert len(figure(answer).axes) == 2  # a measure that nobody has takes no panel


def test_names_are_never_read_as_mathematics(answers, words):
    names = ("$a", "$\\frac{1$", "<script>", "full_information")
    assert "$\\frac{1$" in words(figure(answers.compare(*names)))


def test_lesion_lines_are_the_rows(answers, words):
    answer = answers.lesion()
    axes = figure(answer).axes[0]
    for order, colour in (("random", "#0b6fb8"), ("influential", "#c8501e")):
        rows = [row for row in answer.rows if row["order"] == order]
        drawn = line(axes, colour)
        np.testing.assert_array_equal(drawn.get_xdata(), [row["removed"] for row in rows])
        np.testing.assert_array_equal(drawn.get_ydata(), [row["efficiency"] for row in rows])
    assert len(axes.collections) == 2  # a band each
    single = [row | {"low": row["efficiency"], "high": row["efficiency"], "seeds": 1} for row in answer.rows]
    alone = figure(dataclasses.replace(answer, rows=single))
    assert not alone.axes[0].collections and "band" not in words(alone) and "1 seed a point" in words(alone)


def test_lesion_shows_what_is_left_after_settling_afresh(answers, words):
    answer = answers.lesion()
    for row in answer.rows:
        row["recovered"] = 1 - 0.001 * row["removed"]
    drawn = figure(answer)
    dashed = [it for it in drawn.axes[0].lines if it.is_dashed()]
    expected = [row["recovered"] for row in answer.rows if row["order"] == "random"]
    assert len(dashed) == 2 and np.asarray(dashed[0].get_ydata()).tolist() == expected
    assert "dashed: after settling afresh" in words(drawn)


def test_shock_marks_the_recovery_or_says_that_there_is_none(answers, words):
    answer = answers.shock()
    answer.rows[3]["efficiency"] = np.nan
    answer.rows[5]["unrest"] = 0.0
    drawn = figure(answer)
    upper, lower = drawn.axes
    y = line(upper, "#0b6fb8").get_ydata()
    np.testing.assert_array_equal(y, [row["efficiency"] for row in answer.rows])
    unrest = np.asarray(line(lower, "#c8501e").get_ydata())
    assert np.isnan(unrest[5]) and np.isfinite(np.delete(unrest, 5)).all()  # rest has no logarithm
    assert lower.get_yscale() == "log"
    assert "recovered after 32 rounds" in words(drawn)
    assert "not recovered within these rounds" in words(figure(answers.shock(recovered=None)))


def test_replicate_is_logarithmic_with_a_guide_of_slope_minus_two(answers):
    answer = answers.replicate()
    answer.rows[2]["gain"] = -1e-12
    axes = figure(answer).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    for key, colour in (("inefficiency", "#c8501e"), ("effect", "#0b6fb8"), ("gain", "#1a8a6b")):
        expected = [row[key] if row[key] > 0 else np.nan for row in answer.rows]
        np.testing.assert_array_equal(line(axes, colour).get_ydata(), expected)
    answer.rows[1]["status"] = "unsettled"  # the contest's: it makes only what is lost uncertain
    hollow = [it for it in figure(answer).axes[0].lines if it.get_markerfacecolor() == "#ffffff"]
    assert [it.get_ydata().tolist() for it in hollow] == [[answer.rows[1]["inefficiency"]]]
    guide = line(axes, "#1b1f24")
    slope = np.diff(np.log(guide.get_ydata())) / np.diff(np.log(guide.get_xdata()))
    np.testing.assert_allclose(slope, -2)


def test_sweep_draws_every_draw_and_names_the_worst(answers, words):
    answer = answers.sweep()
    answer.rows[4]["status"] = "unsettled: still moving"
    drawn = figure(answer)
    for dots, regime in zip(drawn.axes[0].collections, ("silence", "signal", "full_information"), strict=True):
        rows = [row for row in answer.rows if row["regime"] == regime]
        np.testing.assert_array_equal(np.asarray(dots.get_offsets())[:, 0], [row["efficiency"] for row in rows])
        worst = min(rows, key=lambda row: row["efficiency"])
        assert f"worst: draw {worst['draw']}," in words(drawn)
        hollow = (dots.get_facecolors()[:, :3] == 1).all(axis=1)
        assert hollow.tolist() == [row["status"] != "settled" for row in rows]


def test_save_writes_a_sharp_picture_whole_or_not_at_all(answers, tmp_path, monkeypatch):
    drawn = figure(answers.compare("名前", "b", "c", "d"))  # a script that the font lacks is no reason to warn
    path = save(drawn, tmp_path / "new" / "compare.png")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG") and int.from_bytes(data[16:20], "big") == 1600
    monkeypatch.setattr(drawn, "savefig", lambda target, **_: (target.write_bytes(b"half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        save(drawn, path)
    assert path.read_bytes() == data and [p.name for p in path.parent.iterdir()] == ["compare.png"]


def test_importing_view_loads_neither_matplotlib_nor_jax_and_drawing_leaves_pyplot_alone():
    program = (
        "import sys, catallax.view as view\n"
        "loaded = sorted({'matplotlib', 'jax', 'pandas'} & set(sys.modules));"
        "assert not loaded, loaded;"
        "from catallax.core.answer import Answer;"
        "view.figure(Answer('compare', 's', [{'regime': 'signal', 'efficiency': 1.0}], 'h'));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
