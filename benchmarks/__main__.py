"""Run every benchmark and keep what they found: `python -m benchmarks [NAME ...] [--quick] [--device cpu|gpu] [--json]`.

Each benchmark runs in a process of its own, so that no benchmark finds threads, caches or a device left by
another, and one that fails costs one section, not the run. A full run writes benchmarks/RESULTS.md, one
section a benchmark; a quick one prints it and leaves the kept results alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import IO

from benchmarks import BENCHMARKS, harness


def run_one(name: str, options: harness.Options) -> tuple[harness.Report | str, bool]:
    """What one benchmark found, or the sentence that says why nothing; and whether it ended well."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--device", options.device]
    command += ["--quick"] * options.quick
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=harness.HERE.parent
    ) as process:
        said = ["it said nothing"]
        listener = threading.Thread(target=pass_on, args=(process.stderr, said))
        listener.start()
        answer = process.stdout.read() if process.stdout else ""
        listener.join()
    try:
        return harness.report_from(answer), process.returncode == 0
    except (json.JSONDecodeError, KeyError):
        return f"No figures: {said[-1]}", False


def pass_on(stream: IO[str], said: list[str]) -> None:
    """Progress of a benchmark goes on to our stderr, line by line; the lines that say something are kept."""
    for line in stream:
        print(line, end="", file=sys.stderr, flush=True)
        said.extend([line.strip()] if line.strip() else [])


def section(name: str, found: harness.Report | str) -> str:
    """One section of the results: the report, or why there is none."""
    return f"## {name}\n\n{found}\n" if isinstance(found, str) else found.markdown()


def main() -> int:
    """Run all, keep what was found; the exit code is 1 where a benchmark failed."""
    names = [word for word in sys.argv[1:] if word in BENCHMARKS] or list(BENCHMARKS)
    options = harness.parse(
        [w for w in sys.argv[1:] if w not in BENCHMARKS], "benchmarks of catallax: all, or those named"
    )
    found: dict[str, harness.Report | str] = {}
    well = True
    for name in names:
        harness.say(f"{name}: {BENCHMARKS[name]}")
        found[name], ended_well = run_one(name, options)
        well &= ended_well
    text = "# Results\n\nWritten by `python -m benchmarks`; do not edit.\n\n" + "\n".join(
        section(name, report) for name, report in found.items()
    )
    if options.json:
        whole = {k: {"failed": r} if isinstance(r, str) else json.loads(r.json()) for k, r in found.items()}
        print(json.dumps(whole, indent=1))
    else:
        print(text)
    if not options.quick:
        (harness.HERE / "RESULTS.md").write_text(text, encoding="utf-8")
        harness.say("written: benchmarks/RESULTS.md")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
