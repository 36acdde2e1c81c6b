"""The sessions of a process, kept warm between calls, for whatever executor brings the calls here.

:func:`run_chunk` is what an engine submits: to its own threads, to a process pool, or to another machine. It borrows an
idle session of the engine, or starts one, so that a process has as many workers as it has calls at a time.

The sessions that an engine has in another process of its machine end when the engine's process does: a thread waits, in
the kernel, for the lock that the engine holds.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisflow.dynamics.julia.members import Keep, run_members
from seisflow.dynamics.julia.session import JuliaSession, Settings
from seisflow.dynamics.julia.wire import Value
from seisflow.errors import JuliaError

__all__ = ["Job", "Owner", "borrow", "end_sessions", "give_back", "run_chunk", "session_pids"]

Finished = list[tuple[int, dict[str, Any], JuliaError | None]]


@dataclass(frozen=True)
class Owner:
    """An engine, as other processes know it.

    Attributes
    ----------
    token
        Its name; differs between engines.
    machine
        The machine (its boot) that it runs on.
    pid
        Its process.
    lock
        A file that it keeps locked as long as it lives, or nothing.
    """

    token: str
    machine: str
    pid: int
    lock: Path | None = None


@dataclass(frozen=True)
class Job:
    """What the chunks of an ensemble have in common."""

    owner: Owner
    settings: Settings
    function: str
    shared: Mapping[str, Value]
    limit: float | None


class _Sessions:
    """The sessions of one engine in this process."""

    def __init__(self) -> None:
        self.all: list[JuliaSession] = []
        self.idle: list[JuliaSession] = []


_sessions: dict[str, _Sessions] = {}
_guard = threading.RLock()


def machine() -> str:
    """A name of this machine that changes when it is started anew."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # no Linux
        return ""


def borrow(owner: Owner, settings: Settings) -> JuliaSession:
    """An idle session of the engine, warm if there is one."""
    with _guard:
        if owner.token not in _sessions:
            _sessions[owner.token] = _Sessions()
            if owner.pid != os.getpid() and owner.machine == machine() and owner.lock and owner.lock.exists():
                threading.Thread(target=_follow, args=(owner,), name="seisflow-owner", daemon=True).start()
        ours = _sessions[owner.token]
        if ours.idle:
            return ours.idle.pop()
        session = JuliaSession(settings, next((s.launch for s in ours.all if s.launch), None))
        ours.all.append(session)
        return session


def give_back(owner: Owner, session: JuliaSession) -> None:
    """The session is idle."""
    with _guard:
        ours = _sessions.get(owner.token)
        if ours is not None and session in ours.all:
            ours.idle.append(session)
            return
    session.close()  # ended meanwhile


def end_sessions(owner: Owner) -> None:
    """End the engine's workers in this process, whatever they do."""
    with _guard:
        ours = _sessions.pop(owner.token, None)
    for session in ours.all if ours else ():
        if session in ours.idle:  # type: ignore[union-attr]
            session.close()
        else:
            session.end()


def session_pids(owner: Owner) -> list[int]:
    """Process numbers of the engine's workers in this process."""
    with _guard:
        ours = _sessions.get(owner.token)
        return [session.pid for session in ours.all if session.pid is not None] if ours else []


def run_chunk(job: Job, members: Sequence[int], rows: Mapping[str, np.ndarray], keep: Keep | None = None) -> Finished:
    """Run some members of an ensemble here.

    Parameters
    ----------
    job
        What they have in common.
    members, rows
        Their numbers, and their inputs.
    keep
        Takes what comes back, one by one; ``None``: it is returned.
    """
    finished: Finished = []

    def tell(place: int, outputs: dict[str, Any], error: JuliaError | None) -> None:
        if error is not None:
            error = JuliaError(error.message, error.stack, members[place], error.step)
        if keep is None:
            finished.append((members[place], outputs, error))
        else:
            keep(members[place], outputs, error)

    session = borrow(job.owner, job.settings)
    try:
        run_members(session, job.function, job.shared, rows, job.limit, tell)
    finally:
        give_back(job.owner, session)
    return finished


def _follow(owner: Owner) -> None:
    """Wait until the owner lets go of its lock, and end its workers here."""
    assert owner.lock is not None
    try:
        with owner.lock.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
    finally:
        end_sessions(owner)


def _forget() -> None:
    """A forked child has none of its parent's sessions."""
    global _guard
    _guard = threading.RLock()
    for ours in _sessions.values():
        for session in ours.all:
            session.abandon()
    _sessions.clear()


os.register_at_fork(after_in_child=_forget)
