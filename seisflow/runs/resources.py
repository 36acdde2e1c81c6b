"""What room this machine has: cores, memory, disk."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_memory", "cores", "free_disk", "stored", "worded"]

CGROUPS = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> float:
    """Memory [bytes] that new work may take: of the machine, or of the job or container where that is less."""
    free = _machine_memory()
    for folder in _groups():
        free = min(free, _group_memory(folder))
    return free


def _machine_memory() -> float:
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:  # no Linux
        pass
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _groups() -> Iterator[Path]:
    """Folders of the control groups that hold this process, each with all above it; version 2, and 1 of memory."""
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = CGROUPS / controllers
        inner = top / path.lstrip("/")
        yield top  # within a container the path may be that of its host
        while inner != top:
            yield inner
            inner = inner.parent


def _group_memory(folder: Path) -> float:
    """Memory that a group has left, with what the kernel would give back of its cached files; ∞ without a limit."""
    version_1 = (folder / "memory.limit_in_bytes").exists()
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if version_1 else ("memory.max", "memory.current")
    try:
        limit, used = ((folder / name).read_text().strip() for name in names)
        if limit == "max":
            return math.inf
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        numbers = {name: float(value) for name, value in lines}
    except (OSError, ValueError):  # not there, or not in this form
        return math.inf
    prefix = "total_" if version_1 else ""
    cached = numbers.get(f"{prefix}inactive_file", 0.0) + numbers.get(f"{prefix}active_file", 0.0)
    return max(0.0, float(limit) - float(used) + cached)


def free_disk(folder: Path) -> int:
    """Free bytes where a folder is, or would be made: those of its nearest parent that is there."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def stored(folder: Path) -> int:
    """Bytes that the files of a folder take on the disk; space that is reserved and not yet written counts as well."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())


def worded(size: float) -> str:
    """A number of bytes for people."""
    for factor, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= factor:
            return f"{size / factor:.3g} {name}"
    return f"{size / 1e3:.3g} kB"
