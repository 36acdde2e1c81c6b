r"""What a run needs of this machine, looked at before anything is written: programs, disk, memory, time.

    missing     compiler and Devito where there are waves, torch where there are networks, Julia: one line each
    too large   what is still to be written against the free disk; what is held at once against the available memory
    long        an estimate of more than a week is said, and nothing is refused for it

Nothing is looked for that the study does not use, and nothing at all where every method has finished.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seisflow.errors import SeisflowError
from seisflow.runs import machine
from seisflow.runs.estimate import DOCUMENTED, Sizes, duration, estimate, memory_held, sizes
from seisflow.runs.machine import Check
from seisflow.runs.resources import available_memory, cores, free_disk, stored, worded
from seisflow.study import Study
from seisflow.study.build import Parts

__all__ = ["PreflightError", "preflight"]

LONG = 7 * 86400.0
"""Seconds from which the time of a run is told before it starts."""
FORCE = "or start it all the same: --force (in Python, force=True)"


class PreflightError(SeisflowError, RuntimeError):
    """This machine lacks what a run needs; nothing was written.

    Attributes
    ----------
    checks
        What is missing or too small, and what else is worth saying.
    faults
        A line of each, with what to do.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = tuple(checks)
        self.faults = tuple(map(_line, checks))
        super().__init__("\n".join(self.faults))

    def __reduce__(self) -> tuple[type, tuple[tuple[Check, ...]]]:  # it may be raised in another process
        return type(self), (self.checks,)


@dataclass(frozen=True)
class _Plan:
    """What is to be done, where, and by how many."""

    study: Study
    parts: Parts
    folder: Path
    surveys: int
    workers: int
    elsewhere: bool

    @property
    def sizes(self) -> Sizes:
        """Counts up to the last survey that is wanted."""
        return sizes(self.study, self.parts, self.surveys)

    @property
    def finished(self) -> bool:
        """Whether every method has its posterior of every survey."""
        root = self.folder / "stages.zarr"
        return all(
            (root / method / f"survey_{k + 1}" / "posterior" / "zarr.json").is_file()
            for method in (*self.study.methods, *(analysis.name for analysis in self.parts.own.analyses))
            for k in range(self.surveys)
        )


def preflight(
    study: Study,
    parts: Parts,
    folder: Path,
    surveys: int | None = None,
    workers: int | None = None,
    *,
    elsewhere: bool = False,
    repair: bool = False,
    force: bool = False,
) -> None:
    """Refuse a run that cannot come to its end on this machine; nothing is written.

    What is only worth saying goes to the logger ``seisflow`` as a warning, and so does everything where ``force`` is set.

    Parameters
    ----------
    study, parts
        What is to be run, and its objects.
    folder
        The run folder; may be missing.
    surveys
        The last survey that is wanted, from 1; default: all.
    workers
        Processes for waves and threads for flow; default: all cores.
    elsewhere
        Whether other machines compute the members: then neither compiler nor wavefields are looked for here.
    repair
        Whether stages of a finished run may be computed again, which is looked at like any other run.
    force
        Say what is missing, and go on.

    Raises
    ------
    PreflightError
        When something is missing, or does not fit.
    """
    plan = _Plan(study, parts, folder, surveys or len(study.surveys.days), workers or cores(), elsewhere)
    if plan.finished and not repair:
        return
    found = _findings(plan)
    if not force and any(check.status == "fail" for check in found):
        raise PreflightError(found)
    for check in found:
        logging.getLogger("seisflow").warning("%s", _line(check))


def _findings(plan: _Plan) -> list[Check]:
    """All that is missing, does not fit, or is worth saying."""
    found = [*(look() for look in _programs(plan)), _disk(plan), _memory(plan), _time(plan)]
    return [check for check in found if check.status != "ok"]


def _programs(plan: _Plan) -> Iterator[Callable[[], Check]]:
    """The checks of the programs that a study uses."""
    yield lambda: machine.julia(tried=False)
    if plan.sizes.waves and not plan.elsewhere:
        yield machine.devito
        yield machine.compiler
    if any(method.trains_networks for method in (*plan.study.chosen, *plan.parts.own.analyses)):
        yield machine.torch


def _disk(plan: _Plan) -> Check:
    """The arrays that are still to be written, against the free disk."""
    wanted = plan.sizes.disk - sum(stored(plan.folder / name) for name in ("stages.zarr", "drafts"))
    free = free_disk(plan.folder)
    detail = f"the run writes {worded(max(wanted, 0))} more, and {worded(free)} are free at {plan.folder}"
    if wanted <= free:
        return Check("Disk", "ok", detail)
    return Check("Disk", "fail", detail, f"free some space, choose another --out or a smaller study, {FORCE}")


def _memory(plan: _Plan) -> Check:
    """What is held at once, against the available memory."""
    parts = memory_held(plan.study, plan.parts, plan.sizes, plan.workers, plan.elsewhere)
    wanted, available = sum(parts.values()), available_memory()
    listed = ", ".join(f"{worded(size)} {name}" for name, size in parts.items())
    detail = f"the run holds {worded(wanted)} at once ({listed}), and {worded(available)} are available"
    if wanted <= available:
        return Check("Memory", "ok", detail)
    return Check("Memory", "fail", detail, f"take fewer --workers, a smaller ensemble or grid, {FORCE}")


def _time(plan: _Plan) -> Check:
    """About how long a run of this study takes, where that is long."""
    seconds = sum(estimate(plan.study, plan.sizes, DOCUMENTED, plan.workers).values())
    detail = f"the run takes about {duration(seconds)} with {plan.workers} workers in all ({DOCUMENTED.basis})"
    long = seconds > LONG and not plan.elsewhere
    return Check("Time", "warn" if long else "ok", detail, "`seisflow validate` says what takes it" if long else "")


def _line(check: Check) -> str:
    return f"{check.name}: {check.detail}" + (f"; {check.remedy}" if check.remedy else "")
