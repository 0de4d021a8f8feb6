"""What every command shares: how JAX is set up, how results and sentences are written, how a command ends.

Results go to stdout, everything else to stderr. Exit codes: 0 done or settled, 1 failed or broken, 2 usage or bad
input, 3 unsettled or cycling, 130 interrupted.
"""

import contextlib
import errno
import gc
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from catallax.core.errors import CatallaxError

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "catallax 1"
OK, FAILED, USAGE, UNSETTLED, INTERRUPTED = 0, 1, 2, 3, 130
CODE = {
    "settled": OK,
    "done": OK,
    "stopped": OK,
    "unsettled": UNSETTLED,
    "cycling": UNSETTLED,
    "interrupted": INTERRUPTED,
}
PATIENCE = 15.0  # seconds between lines of progress where there is no terminal


def prepare(floats: int = 64) -> None:
    """JAX in numbers of so many bits, quiet, and with a compile cache that outlives the command."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA's loader of cached code warns about its own flags
    import warnings

    import jax

    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    jax.config.update("jax_enable_x64", floats == 64)
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", cache())
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While modules and kernels are loaded nothing is thrown away, so the collector need not look; nor, until the command has
    ended, through what is there then: that were a fifth of the time.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def cache() -> str | None:
    """Where compiled code is kept: XDG's place for caches. None for a user without a home."""
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return str(home / "catallax" / f"xla-{platform.machine()}")


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Errors on purpose become one sentence on stderr and an exit code; Ctrl-C becomes 130."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a test's stream
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except CatallaxError as error:  # a file, an option, or a regime that the problem has not got
        stop(str(error), USAGE)
    except KeyboardInterrupt:
        stop("interrupted, and nothing was complete", INTERRUPTED)
    except MemoryError:
        stop("there is not enough memory for this", FAILED)
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of our output has gone: nobody is left to be told
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(FAILED) from None
        stop(f"{error.filename or 'the output'} cannot be written or read: {error.strerror or error}", FAILED)
    finally:
        gc.unfreeze()


def stop(sentence: str, code: int) -> NoReturn:
    """One sentence to stderr, and the end."""
    say(f"catallax: {' '.join(sentence.splitlines())}")
    raise typer.Exit(code)


def say(sentence: str) -> None:
    """A message: stderr."""
    with contextlib.suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    from importlib.metadata import version

    import catallax

    others = {name: version(name) for name in ("jax", "jaxlib", "equinox", "numpy", "scipy")}
    return {"catallax": catallax.__version__, **others, "python": platform.python_version()}


def head(command: str, system: str, file: Path | str | None, seed: int) -> dict[str, Any]:
    """What every JSON object begins with."""
    path = None if file is None else str(file)
    return dict(schema=SCHEMA, command=command, system=system, file=path, versions=versions(), seed=seed)


def put_json(result: dict[str, Any]) -> None:
    """Exactly one object on stdout, in ASCII: valid whatever the encoding of the terminal or pipe."""
    from catallax.core.answer import plain

    print(json.dumps(plain(result), indent=2, allow_nan=False))


def worst(codes: list[int]) -> int:
    """The exit code of several parts: broken before interrupted before unsettled."""
    return next((code for code in (FAILED, INTERRUPTED, UNSETTLED) if code in codes), OK)


def console(stderr: bool = False) -> "Console":
    """A terminal's own width, and plenty where there is none; no styles at all under NO_COLOR."""
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    colours = None if os.environ.get("NO_COLOR") else "auto"
    return Console(stderr=stderr, highlight=False, width=None if terminal else 200, color_system=colours)


class Progress:
    """A bar on stderr where there is a terminal, else a line now and then."""

    def __init__(self, words: str):
        self.words, self.bar, self.task = words, None, None
        self.said = time.monotonic()

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            said = TextColumn("{task.fields[said]}", markup=False)
            columns = (TextColumn(self.words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), said)
            self.bar = Progress(*columns, console=console(stderr=True), transient=True, refresh_per_second=4)
            self.task = self.bar.add_task(self.words, total=None, said="")
            self.bar.start()
        return self

    def look(self, done: int, of: int, words: str = "") -> None:
        """So much is done; `words`: what it has come to."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=done, total=of, said=words)
        elif time.monotonic() - self.said > PATIENCE:
            self.said = time.monotonic()
            say(f"{self.words}: {done:,} of {of:,}{', ' * bool(words)}{words}")

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.stop()
