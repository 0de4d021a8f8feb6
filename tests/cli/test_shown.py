"""What a terminal shows: not too wide, not too long, and nothing that matters left out unsaid."""

import pytest

from catallax.cli import shown
from catallax.core.answer import Answer


@pytest.fixture
def printed(capsys):
    def call(answer):
        shown.show(answer)
        return capsys.readouterr().out

    return call


def test_long_tables_are_thinned_and_say_so(printed):
    text = printed(Answer("shock", "x", [{"round": k, "efficiency": k / 61} for k in range(61)], "A finding."))
    lines = text.splitlines()
    assert lines[0] == "A finding."
    rounds = [int(line.split()[0]) for line in lines[2:-1]]
    assert rounds[:12] == list(range(12)) and rounds[-1] == 60 and len(rounds) == 24
    assert rounds == sorted(set(rounds))
    assert lines[-1].startswith("24 of 61 rows")


@pytest.mark.parametrize("count", [1, 24, 25, 26, 10_000])
def test_the_rows_chosen_are_different_ones(count):
    rows, said = shown.chosen(Answer("shock", "x", [{"round": k} for k in range(count)], ""))
    numbers = [row["round"] for row in rows]
    assert numbers == sorted(set(numbers)) and numbers[-1] == count - 1
    assert len(rows) == min(count, 24) and bool(said) == (count > 24)


def test_a_sweep_is_a_distribution(printed):
    facts = {"draws": 40, "distribution": {"signal": {"count": 40, "lowest": 0.5, "worst": "draw 3"}}}
    rows = [{"draw": f"draw {k}", "regime": "signal", "status": "settled", "efficiency": 0.9} for k in range(40)]
    text = printed(Answer("sweep", "x", rows, "A finding.", [], facts))
    assert "draw 3" in text and "draw 4\n" not in text and "40 draws" in text


def test_markup_in_names_is_text_and_statuses_are_sentences(printed):
    rows = [{"regime": "signal", "status": "unsettled", "efficiency": 1 - 4e-9, "seconds": 1.234, "digest": "abc"}]
    text = printed(Answer("compare", "x", rows, "Of [bold]goods[/bold]."))
    assert "Of [bold]goods[/bold]." in text
    assert "1 - 4e-09" in text and "1.23" in text and "abc" not in text
    assert "signal: unsettled, did not come to rest within the rounds allowed" in text
