"""The members of an ensemble in one session: each is run until it is done, or known to be at fault.

A worker that dies takes the members that it was at with it. They are run again by the next one; a member that was being
run at two deaths is then run alone, and recorded as failed when the worker dies once more. A member that takes too long
says so itself between two steps (``member_time_limit`` of ``run_case``); one that says nothing for long after that is
ended with its worker.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seisflow.dynamics.julia.session import JuliaSession
from seisflow.dynamics.julia.wire import Value
from seisflow.dynamics.julia.worker import WorkerDiedError
from seisflow.errors import InputError, JuliaError

__all__ = ["BY_MEMBER", "Gathered", "Keep", "run_members", "split"]

Keep = Callable[[int, dict[str, Any], JuliaError | None], None]
"""Takes the number of a member, its outputs, and what it threw."""

BY_MEMBER = ("permeability", "saturation", "pressure", "maximum_saturation", "porosity")
"""Inputs of ``run_case`` that have, or may have, the member as their first axis."""

LIMIT = "member_time_limit"
DEATHS = 3


def split(inputs: Mapping[str, Value], members: int) -> tuple[dict[str, Value], dict[str, np.ndarray]]:
    """Inputs that members share, and those with one row per member."""
    arrays = {key: inputs[key] for key in BY_MEMBER if isinstance(inputs.get(key), np.ndarray)}
    axes = max((np.ndim(array) for array in arrays.values()), default=0)
    rows = {key: np.asarray(array) for key, array in arrays.items() if np.ndim(array) == axes and axes > 0}
    for key, array in rows.items():
        if len(array) != members:
            raise InputError(f"inputs[{key!r}]", array.shape, f"the first axis must have the {members} members")
    if not rows:
        raise InputError("inputs", sorted(inputs), f"one of {', '.join(BY_MEMBER)} must have a row per member")
    return {key: value for key, value in inputs.items() if key not in rows}, rows


def run_members(
    session: JuliaSession,
    function: str,
    shared: Mapping[str, Value],
    rows: Mapping[str, np.ndarray],
    limit: float | None,
    keep: Keep,
) -> None:
    """Run every member; ``keep`` is told as they finish.

    Parameters
    ----------
    session
        Where.
    function
        A function for ensembles (``server.jl`` says what that is), with the outputs of ``run_case``.
    shared, rows
        Its inputs: those of all members, and those with one row per member.
    limit
        Seconds that a member may take.
    keep
        What to do with a member's outputs.

    Raises
    ------
    JuliaError
        Julia threw outside a member, or its worker dies without having begun one.
    """
    waiting = list(range(len(next(iter(rows.values())))))
    shared = dict(shared) if limit is None else {**shared, LIMIT: float(limit)}
    patience = None if limit is None else 2 * limit + 5.0
    deaths: Counter[int] = Counter()
    at_nothing = 0
    while waiting:
        suspects = [m for m in waiting if deaths[m] >= DEATHS - 1]
        batch = suspects[:1] or waiting
        finished, under_way, overdue, problem = _attempt(session, function, shared, rows, batch, patience, keep)
        waiting = [m for m in waiting if m not in finished]
        if problem is None and not overdue:
            continue
        at_nothing = 0 if finished or under_way else at_nothing + 1
        if at_nothing == 2:
            raise JuliaError(f"{function} was tried twice. {problem}")
        if overdue:  # threads wait for each other to collect garbage: one that hangs holds the others up
            deaths.update({m: DEATHS if len(under_way) == 1 else DEATHS - 1 - deaths[m] for m in overdue})
        else:
            deaths.update(under_way)
        for m in [m for m in waiting if deaths[m] >= DEATHS]:
            if overdue:
                reason = f"took longer than the limit of {limit:g} s and did not stop by itself"
            else:
                reason = f"the Julia worker was ended {DEATHS} times at this member. {problem}"
            _record_failure(session, function, shared, rows, m, reason, keep)
            waiting.remove(m)


def _attempt(
    session: JuliaSession,
    function: str,
    shared: Mapping[str, Value],
    rows: Mapping[str, np.ndarray],
    batch: list[int],
    patience: float | None,
    keep: Keep,
) -> tuple[set[int], list[int], list[int], str | None]:
    """Run a batch: members finished, members that were under way when it ended, overdue ones, and why it ended."""
    begun: dict[int, float] = {}
    finished: set[int] = set()
    inputs = {**shared, **{key: _take(array, batch) for key, array in rows.items()}}
    try:
        for kind, place, values in session.stream("ensemble", function, inputs):
            if kind == "begun":
                begun[batch[place]] = time.monotonic()
            elif kind == "member":
                begun.pop(batch[place], None)
                finished.add(batch[place])
                keep(batch[place], values, _thrown(values, batch[place]))
            elif kind == "waiting" and patience is not None:
                overdue = [m for m, since in begun.items() if time.monotonic() - since > patience]
                if overdue:
                    return finished, list(begun), overdue, None
    except WorkerDiedError as problem:
        return finished, list(begun), [], str(problem)
    return finished, [], [], None


def _take(array: np.ndarray, batch: list[int]) -> np.ndarray:
    """Rows of an array; a view, where they are all of it."""
    return array if len(batch) == len(array) else array[batch]


def _thrown(values: dict[str, Any], member: int) -> JuliaError | None:
    """What a member threw, as an exception; it is taken out of the outputs."""
    stack = str(values.pop("stack", ""))
    if not stack:
        return None
    return JuliaError(str(values["reason"]), stack.strip(), member, int(values["steps"][0]) + 1)


def _record_failure(
    session: JuliaSession,
    function: str,
    shared: Mapping[str, Value],
    rows: Mapping[str, np.ndarray],
    member: int,
    reason: str,
    keep: Keep,
) -> None:
    """Let Julia report a member as failed: it is given no time."""
    reason = " ".join(reason.split())

    def keep_as_failed(m: int, values: dict[str, Any], _: JuliaError | None) -> None:
        keep(m, {**values, "reason": reason}, JuliaError(reason, "", m))

    finished, _, _, problem = _attempt(session, function, {**shared, LIMIT: 0.0}, rows, [member], None, keep_as_failed)
    if not finished:
        raise JuliaError(f"Member {member}: {reason}. {problem}", "", member)


class Gathered:
    """Outputs of members, put together in their order as they come, whatever that is.

    An array of the whole is what its pieces give one after the other along the first axis; texts are joined by line ends.
    """

    def __init__(self, members: int) -> None:
        self.members = members
        self.errors: dict[int, JuliaError] = {}
        self.count = 0
        self._guard = threading.Lock()
        self._rows: dict[str, np.ndarray] = {}
        self._pieces: dict[str, dict[int, Any]] = {}

    def keep(self, member: int, outputs: Mapping[str, Any], error: JuliaError | None) -> None:
        """Take a member's outputs; from any thread."""
        with self._guard:
            if error is not None:
                self.errors[member] = error
            for key, value in outputs.items():
                if isinstance(value, np.ndarray) and value.shape[:1] == (1,) and not key.startswith("history_"):
                    if key not in self._rows:
                        self._rows[key] = np.empty((self.members, *value.shape[1:]), value.dtype)
                    self._rows[key][member] = value[0]
                else:  # of another length for each member
                    self._pieces.setdefault(key, {})[member] = value
            self.count += 1

    def result(self) -> dict[str, Any]:
        """The outputs of all."""
        whole: dict[str, Any] = dict(self._rows)
        for key, pieces in self._pieces.items():
            in_order = [pieces[m] for m in range(self.members)]
            joined = all(isinstance(piece, str) for piece in in_order)
            whole[key] = "\n".join(in_order) if joined else np.concatenate([np.atleast_1d(piece) for piece in in_order])
        return whole
