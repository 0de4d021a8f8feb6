"""Tables, reports and timings of the benchmarks."""

import math
import time

import numpy as np
import pytest

from benchmarks import BENCHMARKS, harness


def report() -> harness.Report:
    rows = [{"engine": "a | b", "speed": 1.25e8, "n": np.int64(10_000)}, {"engine": "c", "off": math.nan, "n": 3}]
    tables = [harness.Table("speeds", rows, ["A note."])]
    return harness.Report("one", "How fast?", tables, {"numpy": "2"}, harness.Options(quick=True), {"cores": "2"})


def test_markdown_has_every_column_and_says_that_it_was_quick():
    lines = report().markdown().splitlines()
    assert "**A quick run: these figures are not to be quoted.**" in lines
    header = next(line for line in lines if line.startswith("| engine"))
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["engine", "speed", "n", "off"]
    assert any("a / b" in line and "1.25e+08" in line and "10,000" in line for line in lines)
    assert len({len(line) for line in lines if line.startswith("|")}) == 1
    assert lines[-1] == "- A note."


def test_report_survives_json():
    again = harness.report_from(report().json())
    assert again.tables[0].rows[0]["speed"] == 1.25e8 and again.tables[0].rows[0]["n"] == 10_000
    assert again.tables[0].rows[1]["off"] is None  # JSON has no NaN
    assert again.options == harness.Options(quick=True)


def test_measure_reports_median_and_extremes():
    timing = harness.measure(lambda: time.sleep(0.002))
    assert len(timing.seconds) == harness.REPEATS
    assert 0.002 <= timing.low <= timing.median <= timing.high
    with pytest.raises(ValueError, match="at least 5"):
        harness.measure(lambda: None, repeats=4)


def test_watch_tells_our_work_from_waiting():
    def share(action) -> float:
        watch = harness.Watch()
        action()
        return watch.read()[0]

    def work() -> None:
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass

    assert share(lambda: time.sleep(0.2)) < 0.3 * max(share(work), 0.1) + 0.1


def test_options_and_usage(capsys):
    assert harness.parse(["--quick", "--device", "gpu"]) == harness.Options(quick=True, device="gpu")
    with pytest.raises(SystemExit) as stop:
        harness.parse(["--device", "abacus"])
    assert stop.value.code == 2
    assert "abacus" in capsys.readouterr().err


def test_every_named_benchmark_is_there():
    places = {name: (harness.HERE / f"{name}.py", harness.HERE / name / "__main__.py") for name in BENCHMARKS}
    missing = [name for name, files in places.items() if not any(file.is_file() for file in files)]
    assert missing == []


def test_what_was_found_is_kept_and_what_failed_is_not(tmp_path):
    path, found = tmp_path / "runs" / "one.json", iter([{"a": 1.5}])
    with pytest.raises(ZeroDivisionError):
        harness.kept(path, lambda: 1 / 0)
    assert not path.exists()
    assert harness.kept(path, lambda: next(found)) == {"a": 1.5}
    assert harness.kept(path, lambda: next(found)) == {"a": 1.5}  # or there would be no next one
    assert [file.name for file in path.parent.iterdir()] == ["one.json"]
