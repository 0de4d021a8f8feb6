"""Start-up, streams and exit codes."""

import json
import re
import subprocess
import sys

import pytest
import typer

from catallax.cli import session
from catallax.core.errors import BadInput, Damaged, Refused

HEAVY = ("jax", "jaxlib", "numpy", "scipy", "sklearn", "matplotlib", "numba", "equinox")


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nsys.argv = ['catallax', '--help']\nfrom catallax.cli.app import main\n"
        f"try:\n    main()\nexcept SystemExit as end:\n    print('LOADED', [m for m in {HEAVY} if m in sys.modules], end.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "LOADED [] 0" in done.stdout
    for verb in ("list", "run", "resume", "compare", "frontier", "lesion", "shock", "replicate", "report", "cite"):
        assert re.search(rf"\b{verb}\b", done.stdout), verb


def test_help_takes_half_a_second(start):
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start("--help")
    assert "compare" in process.communicate(timeout=60)[0] and process.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    assert spent < 0.5 * 2  # CPU seconds; twice, for machines that do other things


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("a sentence"), 2),
        (Damaged("a sentence"), 2),
        (Refused("a sentence"), 2),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 1),
        (OSError(28, "No space left on device", "x.csv"), 1),
        (ValueError("a bug"), None),
    ],
)
def test_errors_on_purpose_are_a_sentence_and_a_code(error, code, capsys):
    ends = typer.Exit if code is not None else ValueError  # a bug keeps its traceback
    with pytest.raises(ends) as end, session.ending():
        raise error
    if code is not None:
        assert end.value.exit_code == code
        said = capsys.readouterr().err
        assert said.startswith("catallax: ") and said.count("\n") == 1


def test_worst_code_wins():
    assert session.worst([0, 3, 1, 130]) == 1
    assert session.worst([0, 3, 130]) == 130
    assert session.worst([3, 0]) == 3
    assert session.worst([0]) == session.worst([]) == 0


def test_json_is_ascii_and_has_no_nan(capsys):
    session.put_json({"name": "Käse", "share": float("nan"), "bound": float("inf")})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"name": "Käse", "share": None, "bound": None}


def test_a_closed_pipe_is_not_an_error_to_read_about(start):
    process = start("cite")
    process.stdout.close()  # before anything is written
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    with session.Progress("rounds") as progress:
        progress.look(1, 20)
        monkeypatch.setattr(session, "PATIENCE", -1.0)
        progress.look(2000, 20_000)
        progress.look(3000, 20_000, "length 21,282")
    captured = capsys.readouterr()
    assert captured.err == "rounds: 2,000 of 20,000\nrounds: 3,000 of 20,000, length 21,282\n"
    assert captured.out == ""


def test_progress_on_a_terminal_has_the_words_beside_the_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    with session.Progress("seconds") as progress:
        progress.look(2, 10, "length 21,282 [bold]")
        progress.bar.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert re.search(r"seconds .* 2/10 .*length 21,282 \[bold\]", shown)


def test_no_color_takes_every_style_away(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert session.console().color_system is not None or not session.console().is_terminal
    monkeypatch.setenv("NO_COLOR", "1")
    assert session.console().color_system is None


def test_the_cache_lies_where_caches_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert str(session.cache()).startswith(f"{tmp_path}/catallax/xla-")


def test_usage_is_two(catallax):
    for words in (
        ["nonsense"],
        ["compare"],
        ["compare", "exchange", "--seed", "-1"],
        ["run", "exchange", "--leak", "nan"],
        [],
    ):
        assert catallax(*words).exit_code == 2, words
    assert catallax("--version").stdout.startswith("catallax ")
