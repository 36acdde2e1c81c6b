r"""Blocks of members as tasks: what is sent to whoever computes, and what comes back.

    forecast   x_k^f = M(x_{k-1}, θ),  θ ~ p(θ)         of some members, θ drawn where they are computed
    predict    H(x_k^f)                                  of some members

A member's result depends on its number, the survey, the attempt and the seed only, so any block may be computed
anywhere, in any order. Data travel by reference where they can: a task names the zarr group that holds the states
(:class:`StoredMembers`) and the partial stage that waits for the results (:class:`~seisflow.storage.partial.Target`); a
process that sees these folders reads and writes there, and sends back only that it has done so. Where it does not see
them, the arrays travel with the task.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.storage.partial import Description, PartialStage, Target, describe
from seisflow.storage.recorder import Stage
from seisflow.storage.zarr_files import MemberFile

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["BlockResult", "BlockTask", "MemberStage", "StoredMembers", "perform"]

Kind = Literal["forecast", "predict"]


@dataclass(frozen=True)
class StoredMembers:
    """Some members of a stored ensemble by reference: the zarr group that holds it.

    Parameters
    ----------
    group
        Its folder.
    checksum
        Of the group: tells it from one of that name on another machine.
    members
        Numbers of the members, in order.
    names
        Fields that are wanted.
    time
        Time of the ensemble [s].
    """

    group: str
    checksum: int
    members: tuple[int, ...]
    names: tuple[str, ...]
    time: float

    @staticmethod
    def of(stage: Stage, members: tuple[int, ...], names: tuple[str, ...]) -> StoredMembers | None:
        """The reference of some members of a stage, ``None`` for one in memory."""
        if stage.folder is None:
            return None
        checksum = json.loads((stage.folder / "zarr.json").read_text())["attributes"]["checksum"]
        return StoredMembers(str(stage.folder.absolute()), checksum, members, names, stage.ensemble.time)

    def read(self) -> Ensemble | None:
        """The members; ``None`` where this process does not see the group."""
        folder = Path(self.group)
        try:
            if json.loads((folder / "zarr.json").read_text())["attributes"]["checksum"] != self.checksum:
                return None
            return Ensemble({name: _array(folder / name)[list(self.members)] for name in self.names}, self.time)
        except (OSError, ValueError, KeyError):
            return None


def _array(folder: Path) -> NDArray:
    metadata = json.loads((folder / "zarr.json").read_text())
    return MemberFile(folder, tuple(metadata["shape"]), np.dtype(metadata["data_type"])).open()


@dataclass(frozen=True, eq=False)
class BlockTask:
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
        The states that they start from, or a reference to them; one state stands for all of them.
    target
        Where results are to be written; ``None``: they are sent back.
    attempt
        Of a forecast: how often these members have failed.
    """

    kind: Kind
    survey: int
    members: tuple[int, ...]
    state: Ensemble | StoredMembers
    target: Target | None = None
    attempt: int = 0

    def states(self) -> Ensemble | None:
        """The states; ``None`` where this process does not see them, or not the target."""
        if self.target is not None and not self.target.reachable():
            return None
        if isinstance(self.state, StoredMembers):
            return self.state.read()
        return self.state.members([0] * len(self.members)) if self.state.size == 1 else self.state


@dataclass(frozen=True, eq=False)
class MemberStage:
    """A stage that is computed member by member: what the tasks of its blocks are made of.

    It stays in the process that keeps the partial stage.

    Parameters
    ----------
    scenario
        Prior, dynamics, observation.
    kind, survey
        As in :class:`BlockTask`.
    before
        The states to begin with; one state stands for all members.
    names
        Their fields that are wanted.
    partial
        Where the members go.
    """

    scenario: Scenario
    kind: Kind
    survey: int
    before: Stage
    names: tuple[str, ...]
    partial: PartialStage

    @property
    def member_bytes(self) -> int:
        """About what a member takes in memory, states and results [bytes]."""
        arrays = [self.before.ensemble[name] for name in self.names]
        return 3 * sum(array.nbytes // len(array) for array in arrays)

    def starts(self, members: Sequence[int], attempt: int = 0) -> tuple[int, ...]:
        """Numbers of the members whose states these members begin with."""
        return self.scenario.starts(self.survey, members, attempt, self.partial.members)

    def task(self, members: Sequence[int], attempt: int = 0, by_reference: bool = False) -> BlockTask:
        """The task of some members."""
        starts = self.starts(members, attempt)
        ensemble = self.before.ensemble.select(self.names)
        state: Ensemble | StoredMembers | None = None
        if by_reference:
            state = StoredMembers.of(self.before, starts, self.names)
        if state is None:
            whole = starts == tuple(range(ensemble.size))
            state = ensemble if ensemble.size == 1 or whole else ensemble.members(list(starts))
        target = self.partial.target() if by_reference else None
        return BlockTask(self.kind, self.survey, tuple(int(m) for m in members), state, target, attempt)


@dataclass(frozen=True, eq=False)
class BlockResult:
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


def perform(scenario: Scenario, task: BlockTask, progress: MemberProgress | None = None) -> BlockResult:
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
        return BlockResult(unseen=True)
    failed: Mapping[int, str] = {}
    if task.kind == "forecast":
        advanced = scenario.forecast_members(state, task.survey, task.members, task.attempt, progress)
        computed = advanced.ensemble
        failed = {task.members[position]: reason for position, reason in advanced.failed.items()}
    else:
        computed = scenario.observation.predict(state, progress)
    description = describe(computed.fields)
    if task.target is None:
        return BlockResult(dict(computed.fields), description, failed)
    task.target.write(task.members, computed.fields)
    return BlockResult(None, description, failed)
