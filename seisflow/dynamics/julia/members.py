"""The members of an ensemble in one session: each is run until it is done, or known to be at fault.

A worker that dies takes the members that it was at with it. They are run again by the next one; a member that was being
run at two deaths is then run alone, and recorded as failed when the worker dies once more. A member that takes too long
says so itself between two steps (``member_time_limit`` of ``run_case``); one that says nothing for long after that is
ended with its worker.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seisflow.dynamics.julia.session import JuliaSession
from seisflow.dynamics.julia.wire import Value
from seisflow.dynamics.julia.worker import WorkerDiedError
from seisflow.errors import InputError, JuliaError

__all__ = ["BY_MEMBER", "Gathered", "Keep", "Suspicion", "run_members", "split"]

Keep = Callable[[int, dict[str, Any], JuliaError | None], None]
"""Takes the number of a member, its outputs, and what it threw."""

BY_MEMBER = ("permeability", "saturation", "pressure", "maximum_saturation", "porosity")
"""Inputs of ``run_case`` that have, or may have, the member as their first axis."""

LIMIT = "member_time_limit"
DEATHS = 3
"""Workers that may die at a member before it is given up."""


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


class Suspicion:
    """What is held against members.

    waiting      it is run with the others
    suspect      workers died twice while they were at it, or it hung while others ran: it is run alone
    given up     a worker died once more, or it hung while nothing else ran: it is recorded as failed
    """

    def __init__(self) -> None:
        self.suspects: set[int] = set()
        self.given_up: set[int] = set()
        self._deaths: Counter[int] = Counter()

    def blame(self, members: Sequence[int], *, certain: bool) -> None:
        """Suspect members, or give them up when nobody else can be at fault."""
        (self.given_up if certain else self.suspects).update(members)

    def blame_for_death(self, members: Sequence[int]) -> None:
        """A worker died while it was at these members: each may be innocent until it is run alone."""
        for member in members:
            self._deaths[member] += 1
            if member in self.suspects:
                self.blame([member], certain=True)
            elif self._deaths[member] == DEATHS - 1:
                self.blame([member], certain=False)


@dataclass(frozen=True)
class _Attempt:
    """How far a batch came: members finished, members under way when it ended, overdue ones, and why it ended."""

    finished: set[int]
    under_way: list[int] = field(default_factory=list)
    overdue: list[int] = field(default_factory=list)
    problem: str | None = None

    @property
    def whole(self) -> bool:
        return self.problem is None and not self.overdue


@dataclass(frozen=True)
class _Call:
    """What the attempts at an ensemble have in common; as :func:`run_members` takes it."""

    session: JuliaSession
    function: str
    shared: Mapping[str, Value]
    rows: Mapping[str, np.ndarray]
    keep: Keep
    tell: Callable[[], None]


def run_members(
    session: JuliaSession,
    function: str,
    shared: Mapping[str, Value],
    rows: Mapping[str, np.ndarray],
    limit: float | None,
    keep: Keep,
    tell: Callable[[], None] = lambda: None,
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
    tell
        Called when a member begins or is finished, and about five times a second in between.

    Raises
    ------
    JuliaError
        Julia threw outside a member, or its worker dies without having begun one.
    """
    shared = dict(shared) if limit is None else {**shared, LIMIT: float(limit)}
    call = _Call(session, function, shared, rows, keep, tell)
    waiting = list(range(len(next(iter(rows.values())))))
    suspicion = Suspicion()
    at_nothing = 0
    while waiting:
        alone = [m for m in waiting if m in suspicion.suspects][:1]
        attempt = _attempt(call, alone or waiting, None if limit is None else 2 * limit + 5.0)
        waiting = [m for m in waiting if m not in attempt.finished]
        if attempt.whole:
            continue
        at_nothing = 0 if attempt.finished or attempt.under_way else at_nothing + 1
        if at_nothing == 2:
            raise JuliaError(f"{function} was tried twice. {attempt.problem}")
        if attempt.overdue:  # threads wait for each other to collect garbage: one that hangs holds the others up
            suspicion.blame(attempt.overdue, certain=len(attempt.under_way) == 1)
            reason = f"took longer than the limit of {limit:g} s and did not stop by itself"
        else:
            suspicion.blame_for_death(attempt.under_way)
            reason = f"the Julia worker was ended {DEATHS} times at this member. {attempt.problem}"
        for m in [m for m in waiting if m in suspicion.given_up]:
            _record_failure(call, m, reason)
            waiting.remove(m)


def _attempt(call: _Call, batch: list[int], patience: float | None) -> _Attempt:
    """Run a batch, as far as it comes."""
    begun: dict[int, float] = {}
    finished: set[int] = set()
    inputs = {**call.shared, **{key: _take(array, batch) for key, array in call.rows.items()}}
    try:
        with closing(call.session.stream("ensemble", call.function, inputs)) as events:
            for kind, place, values in events:
                if kind == "begun":
                    begun[batch[place]] = time.monotonic()
                elif kind == "member":
                    begun.pop(batch[place], None)
                    finished.add(batch[place])
                    call.keep(batch[place], values, _thrown(values, batch[place]))
                elif kind == "waiting" and patience is not None:
                    overdue = [m for m, since in begun.items() if time.monotonic() - since > patience]
                    if overdue:
                        return _Attempt(finished, list(begun), overdue)
                call.tell()
    except WorkerDiedError as problem:
        return _Attempt(finished, list(begun), problem=str(problem))
    return _Attempt(finished)


def _take(array: np.ndarray, batch: list[int]) -> np.ndarray:
    """Rows of an array; a view, where they are all of it."""
    return array if len(batch) == len(array) else array[batch]


def _thrown(values: dict[str, Any], member: int) -> JuliaError | None:
    """What a member threw, as an exception; it is taken out of the outputs."""
    stack = str(values.pop("stack", ""))
    if not stack:
        return None
    return JuliaError(str(values["reason"]), stack.strip(), member, int(values["steps"][0]) + 1)


def _record_failure(call: _Call, member: int, reason: str) -> None:
    """Let Julia report a member as failed: it is given no time."""
    reason = " ".join(reason.split())

    def keep_as_failed(m: int, values: dict[str, Any], _: JuliaError | None) -> None:
        call.keep(m, {**values, "reason": reason}, JuliaError(reason, "", m))

    attempt = _attempt(replace(call, shared={**call.shared, LIMIT: 0.0}, keep=keep_as_failed), [member], None)
    if not attempt.finished:
        raise JuliaError(f"Member {member}: {reason}. {attempt.problem}", "", member)


class Gathered:
    """Outputs of members, put together in their order as they come, whatever that is.

    An array of the whole is what its pieces give one after the other along the first axis; texts are joined by line ends.
    """

    def __init__(self, members: int) -> None:
        self.members = members
        self.errors: dict[int, JuliaError] = {}
        self.count = 0
        self._rows: dict[str, np.ndarray] = {}
        self._pieces: dict[str, dict[int, Any]] = {}

    def keep(self, member: int, outputs: Mapping[str, Any], error: JuliaError | None) -> None:
        """Take a member's outputs."""
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
