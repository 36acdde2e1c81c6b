"""``seisflow doctor``: all that seisflow needs of a machine (:mod:`seisflow.runs.machine`), one part after the other."""

from __future__ import annotations

from collections.abc import Callable

from seisflow.runs import machine
from seisflow.runs.machine import Check
from seisflow.runs.resources import available_memory, cores

__all__ = ["checks", "render"]

GIB = 1024**3
RECOMMENDED_MEMORY = 4.0  # GiB; what the small example may take


def _machine() -> Check:
    memory = available_memory() / GIB
    detail = f"{cores()} cores, {memory:.1f} GiB of memory free"
    if memory < RECOMMENDED_MEMORY:
        return Check(
            "Machine", "warn", detail, f"the small example wants {RECOMMENDED_MEMORY:.0f} GiB; close other programs"
        )
    return Check("Machine", "ok", detail)


CHECKS: dict[str, Callable[[], Check]] = {
    "Python": machine.python,
    "numpy": machine.numpy,
    "torch": machine.torch,
    "zarr": machine.zarr,
    "Devito": machine.devito,
    "C compiler": machine.compiler,
    "Julia": machine.julia,
    "Julia package": machine.julia_package,
    "Machine": _machine,
}


def checks() -> list[Check]:
    """Look at every part; a check that breaks down is a failed check, and the others still run."""
    found = []
    for name, look in CHECKS.items():
        try:
            found.append(look())
        except Exception as problem:
            found.append(
                Check(name, "fail", f"the check broke down: {type(problem).__name__}: {problem}", machine.SET_UP)
            )
    return found


def render(found: list[Check]) -> str:
    """The checks as aligned plain text: a line each, and the remedy under it."""
    width = max((len(check.name) for check in found), default=0)
    lines = []
    for check in found:
        lines.append(f"{check.status:<4}  {check.name:<{width}}  {check.detail}")
        if check.remedy:
            lines.append(f"{'':<4}  {'':<{width}}  -> {check.remedy}")
    return "\n".join(lines)
