"""Ant colony programs in C and C++ that no registry has, where somebody has built them under .peers/source/.

    acotsp    T. Stuetzle's ACOTSP 1.03 (GPL): a copy of github.com/mastqe/acotsp at ec3792c in .peers/source/acotsp, then
              `make acotsp OPTIM_FLAGS="-O3 -fcommon"` there (newer compilers want the flag)
    faco      R. Skinderowicz's Focused ACO (no licence stated): github.com/RSkinderowicz/FocusedACO at 05b7c1b in
              .peers/source/faco, then `make`

They run as processes of their own and nothing of them is in this repository. They say how long their best tour is after how
many seconds; that is taken at its word. FACO has no limit of time and reports at most once a second: it is stopped when the
seconds are over, and what it won in the last second is not counted.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks import peers

SOURCE = peers.ROOT / "source"
ACOTSP_SAYS = re.compile(r"^best (\d+), iteration: \d+, time ([\d.]+)", re.MULTILINE)
FACO_SAYS = re.compile(r"^best sol cost: \[\d+, ([\d.]+)s\] ([\d.e+]+)", re.MULTILINE)
FACO_BEGINS = re.compile(r"^initial sol cost: ([\d.e+]+)", re.MULTILINE)  # to six digits


def acotsp(file: Path, seconds: float, seed: int, optimum: float) -> tuple[float, float]:
    """Length of its best tour and when it was found, by MAX-MIN Ant System with 3-opt and 25 ants; it stops at the optimum."""
    command = [program("acotsp"), "-i", str(file), "-r", "1", "-s", "1", "-t", str(seconds), "-l", "3", "-m", "25"]
    command += ["--mmas", "--seed", str(seed + 1), "-o", str(int(optimum))]
    found = [(float(length), float(at)) for length, at in ACOTSP_SAYS.findall(said(command, 2 * seconds + 30))]
    if not found:
        raise peers.Missing("ACOTSP said nothing of a tour")
    return min(found)


def faco(file: Path, seconds: float, seed: int, optimum: float) -> tuple[float, float]:
    """Length of its best tour and when it was found, with its own defaults on one thread."""
    command = ["stdbuf", "-oL", program("faco"), "-p", str(file), "--threads", "1", "-i", "100000000"]
    text = said([*command, "--picture", "0", "--seed", str(seed + 1)], seconds)
    found = [(float(length), float(at)) for at, length in FACO_SAYS.findall(text) if float(at) <= seconds]
    found += [(float(length), 0.0) for length in FACO_BEGINS.findall(text)]
    if not found:
        raise peers.Missing("FACO was stopped before it had a tour")
    return min(found)


def program(name: str) -> str:
    """Its path. Raises `Missing` where nobody has built it."""
    file = SOURCE / name / name
    if not file.is_file():
        raise peers.Missing(f"{name} is not built (see benchmarks/peers/programs.py)")
    return str(file)


def said(command: list[str], most: float) -> str:
    """What it prints until it ends or `most` seconds are over. Its files go where nobody looks."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=most, cwd=folder, check=True)
        except subprocess.TimeoutExpired as late:
            return (late.stdout or b"").decode()
        except (OSError, subprocess.CalledProcessError) as error:
            raise peers.Missing(f"{Path(command[0]).name} failed: {error}") from error
    return done.stdout
