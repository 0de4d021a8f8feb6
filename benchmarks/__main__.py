"""Run every benchmark and keep what they found: `python -m benchmarks [NAME ...] [--quick] [--device cpu|gpu] [--json]`.

Each benchmark runs in a process of its own, so that no benchmark finds threads, caches or a device left by
another, and one that fails costs one section, not the run. A full run keeps each report in benchmarks/results/
as it comes and writes benchmarks/RESULTS.md of all that are kept, one section a benchmark, each with its own date and
machine; a quick one prints and leaves the kept results alone.
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


def keep(found: dict[str, harness.Report | str]) -> None:
    """Each report in a file of its own, and RESULTS.md of all that are kept."""
    folder = harness.HERE / "results"
    folder.mkdir(exist_ok=True)
    for name, report in found.items():
        (folder / f"{name}.md").write_text(section(name, report), encoding="utf-8")
    kept = [path.read_text(encoding="utf-8") for name in BENCHMARKS if (path := folder / f"{name}.md").is_file()]
    head = "# Results\n\nWritten by `python -m benchmarks`, section by section; do not edit.\n\n"
    (harness.HERE / "RESULTS.md").write_text(head + "\n".join(kept), encoding="utf-8")


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
        if not options.quick:
            keep({name: found[name]})
            harness.say("written: benchmarks/RESULTS.md")
    text = "\n".join(section(name, report) for name, report in found.items())
    if options.json:
        whole = {k: {"failed": r} if isinstance(r, str) else json.loads(r.json()) for k, r in found.items()}
        print(json.dumps(whole, indent=1))
    else:
        print(text)
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
