"""Run a peer in a virtual environment of its own: peers pin versions that contradict ours and each other's.

A peer is a row of the table: its name, the distributions it needs, pinned, and its script in this folder. The
environment is made in .peers/<name> at the repository's root (not in version control) when it is first used,
and again when the pins change. The script imports the peer and the standard library alone; it gets one JSON
object on its command line and prints one JSON object as its last line.

A peer that cannot be installed or does not run raises `Missing`: the benchmark shows the sentence in its row.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent / ".peers"


@dataclasses.dataclass(frozen=True)
class Peer:
    """`name` of the environment, pinned `packages` as pip takes them, `script` in this folder."""

    name: str
    packages: tuple[str, ...]
    script: str


class Missing(Exception):
    """The peer is not at hand; the message is a sentence for its row."""


def ask(peer: Peer, request: Mapping[str, Any], timeout: float = 600.0) -> dict[str, Any]:
    """Run the peer's script on `request` and return its answer; `timeout` in seconds.

    Raises `Missing` where it cannot be installed, fails, takes too long or answers with something else than
    JSON.
    """
    command = [str(environment(peer)), str(HERE / peer.script), json.dumps(request)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=clean)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{peer.name} was stopped after {timeout:.0f} s") from error
    if finished.returncode:
        raise Missing(f"{peer.name} failed: {_last_line(finished.stderr)}")
    try:
        return json.loads(_last_line(finished.stdout, whole=True))
    except json.JSONDecodeError as error:
        raise Missing(f"{peer.name} answered with no JSON: {_last_line(finished.stdout)}") from error


def environment(peer: Peer) -> Path:
    """The peer's interpreter; its environment is made first where there is none, or where it has other
    pins."""
    folder = ROOT / peer.name
    python = folder / "bin" / "python"
    done = folder / "pins.json"  # written last: an environment without it was interrupted
    if done.is_file() and python.exists() and json.loads(done.read_text()) == list(peer.packages):
        return python
    print(f"installing {' '.join(peer.packages)} into {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _install([sys.executable, "-m", "venv", str(folder)], peer)
    _install([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages], peer)
    done.write_text(json.dumps(list(peer.packages)))
    return python


def _install(command: list[str], peer: Peer) -> None:
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{peer.name} could not be installed: {error}") from error
    if finished.returncode:
        raise Missing(f"{peer.name} could not be installed: {_last_line(finished.stderr or finished.stdout)}")


def _last_line(text: str, whole: bool = False) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][: None if whole else 300] if lines else "it said nothing"
