r"""Blocks of members as tasks: what is sent to whoever computes, and what comes back.

    forecast   x_k^f = M(x_{k-1}, K),  K ~ p(K)         of some members, K drawn where they are computed
    predict    H(x_k^f)                                  of some members

A member's result depends on its number, the survey, the attempt and the seed only, so any block may be computed
anywhere, in any order. Data travel by reference where they can: a task names the zarr group that holds the states
(:class:`Rows`) and the draft that waits for the results (:class:`~seisflow.storage.draft.Target`); a process that sees these
folders reads and writes there, and sends back only that it has done so. Where it does not see them, the arrays travel
with the task.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble
from seisflow.storage.draft import Description, Draft, Target, describe
from seisflow.storage.recorder import Stage
from seisflow.storage.zarr_files import MemberFile

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["Result", "Rows", "Task", "Work", "perform"]

Progress = Callable[[int, int], None]
Kind = Literal["forecast", "predict"]


@dataclass(frozen=True)
class Rows:
    """An ensemble by reference: the zarr group that holds it.

    Parameters
    ----------
    group
        Its folder.
    checksum
        Of the group: tells it from one of that name on another machine.
    names
        Fields that are wanted.
    time
        Time of the ensemble [s].
    """

    group: str
    checksum: int
    names: tuple[str, ...]
    time: float

    @staticmethod
    def of(stage: Stage, names: tuple[str, ...]) -> Rows | None:
        """The reference of a stage, ``None`` for one in memory."""
        if stage.folder is None:
            return None
        checksum = json.loads((stage.folder / "zarr.json").read_text())["attributes"]["checksum"]
        return Rows(str(stage.folder.absolute()), checksum, names, stage.ensemble.time)

    def take(self, members: tuple[int, ...]) -> Ensemble | None:
        """Some members; ``None`` where this process does not see the group."""
        folder = Path(self.group)
        try:
            if json.loads((folder / "zarr.json").read_text())["attributes"]["checksum"] != self.checksum:
                return None
            return Ensemble({name: _array(folder / name)[list(members)] for name in self.names}, self.time)
        except (OSError, ValueError, KeyError):
            return None


def _array(folder: Path) -> NDArray:
    metadata = json.loads((folder / "zarr.json").read_text())
    return MemberFile(folder, tuple(metadata["shape"]), np.dtype(metadata["data_type"])).open()


@dataclass(frozen=True, eq=False)
class Task:
    """A block of members to compute.

    Parameters
    ----------
    kind
        ``"forecast"`` or ``"predict"``.
    survey
        Index of the survey, from 0.
    members
        Their numbers.
    state
        Their states, or a reference to the ensemble that they are in; one state stands for all of them.
    target
        Where results are to be written; ``None``: they are sent back.
    attempt
        Of a forecast: how often these members have failed.
    """

    kind: Kind
    survey: int
    members: tuple[int, ...]
    state: Ensemble | Rows
    target: Target | None = None
    attempt: int = 0

    def states(self) -> Ensemble | None:
        """The states; ``None`` where this process does not see them, or not the target."""
        if self.target is not None and not self.target.reachable():
            return None
        if isinstance(self.state, Rows):
            return self.state.take(self.members)
        return self.state.members([0] * len(self.members)) if self.state.size == 1 else self.state


@dataclass(frozen=True, eq=False)
class Work:
    """A stage that is computed in blocks: what the tasks of its blocks are made of, in the process that keeps the draft.

    Parameters
    ----------
    kind, survey
        As in :class:`Task`.
    before
        The states to begin with; one state stands for all members.
    names
        Their fields that are wanted.
    draft
        Where the members go.
    """

    kind: Kind
    survey: int
    before: Stage
    names: tuple[str, ...]
    draft: Draft

    @property
    def member_bytes(self) -> int:
        """About what a member takes in memory, states and results [bytes]."""
        arrays = [self.before.ensemble[name] for name in self.names]
        return 3 * sum(array.nbytes // len(array) for array in arrays)

    def task(self, members: Sequence[int], attempt: int = 0, by_reference: bool = False) -> Task:
        """The task of some members."""
        chosen = tuple(int(m) for m in members)
        ensemble = self.before.ensemble.select(self.names)
        whole = chosen == tuple(range(ensemble.size))
        state: Ensemble | Rows | None = Rows.of(self.before, self.names) if by_reference else None
        if state is None:
            state = ensemble if ensemble.size == 1 or whole else ensemble.members(list(chosen))
        target = self.draft.target() if by_reference else None
        return Task(self.kind, self.survey, chosen, state, target, attempt)


@dataclass(frozen=True, eq=False)
class Result:
    """What came of a task.

    Parameters
    ----------
    fields
        Arrays ``(m, ...)`` of its members; ``None`` where they were written at the target, empty where there are none.
    description
        Dtype and shape of a member of every field.
    failed
        Members that failed in the simulator, with the reason.
    unseen
        The process sees neither states nor target: nothing was computed, the task must travel with its arrays.
    """

    fields: Mapping[str, NDArray] | None = None
    description: Description = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)
    unseen: bool = False


def perform(scenario: Scenario, task: Task, progress: Progress | None = None) -> Result:
    """Compute a task here.

    Parameters
    ----------
    scenario
        Prior, dynamics, observation.
    task
        What to compute.
    progress
        Called with (members done, members of the task).
    """
    state = task.states()
    if state is None:
        return Result(unseen=True)
    failed: Mapping[int, str] = {}
    if task.kind == "forecast":
        computed, failed = scenario.forecast_members(state, task.survey, task.members, task.attempt, progress)
    else:
        computed = scenario.observation.predict(state, progress)
    description = describe(computed.fields)
    if task.target is None:
        return Result(dict(computed.fields), description, failed)
    task.target.write(task.members, computed.fields)
    return Result(None, description, failed)
