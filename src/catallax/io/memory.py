"""How much memory may be taken, and how much that is in words."""

import math
import os
from pathlib import Path


def free_memory() -> float:
    """Bytes that can be taken now; infinite where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
        return min(free, _free_in_container())
    except (OSError, ValueError, StopIteration):
        pass
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _free_in_container() -> float:
    """What a control group leaves (Linux, version 2): often less than the machine has."""
    group = Path("/sys/fs/cgroup")
    try:
        ceiling, used = (float((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return ceiling - used + float(counts.get("inactive_file", 0))  # cached files give way
    except (OSError, ValueError):  # no such group, or the word "max"
        return math.inf


def in_bytes(amount: int | float) -> str:
    """An amount of memory in words."""
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"
