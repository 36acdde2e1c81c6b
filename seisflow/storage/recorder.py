r"""Finished stages, remembered, so that none is computed twice: the contract, and a recorder in memory.

A stage is computed in one piece (:meth:`Recorder.stage`: an analysis) or member by member (:meth:`Recorder.fill`: a
forecast, predicted data), where every group of members counts as soon as it is there.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seisflow.ensemble import Ensemble
from seisflow.storage.partial import PartialStage, PartialStageInMemory

__all__ = ["MemoryRecorder", "Recorder", "Stage"]


@dataclass(frozen=True, eq=False)
class Stage:
    """What a stage computed.

    Parameters
    ----------
    ensemble
        Its arrays.
    attributes
        Its numbers: JSON-ready.
    weights
        Network weights by name, or empty.
    folder
        The zarr group that holds it, or ``None``; its arrays are mapped from there, read-only.
    """

    ensemble: Ensemble
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock time the stage took [s]."""
        return float(self.attributes.get("seconds", 0.0))


class Recorder(ABC):
    """Remembers finished stages, so that none is computed twice."""

    @abstractmethod
    def find(self, name: str) -> Stage | None:
        """The finished stage of this name, or ``None``."""

    @abstractmethod
    def keep(self, name: str, stage: Stage) -> Stage:
        """Remember a finished stage; returns it as it is remembered."""

    @abstractmethod
    def begin(self, name: str, members: int) -> PartialStage:
        """The stage under way of this name, with the members that an earlier run left."""

    @abstractmethod
    def commit(self, name: str, partial: PartialStage, time: float, attributes: Mapping[str, Any]) -> Stage:
        """Remember a partial stage whose members are all there, as a finished stage at a time [s]."""

    def scratch(self, name: str) -> Path | None:
        """A folder for what the stage of this name needs to go on after an interruption; it goes when the stage is kept."""
        return None

    def stage(self, name: str, compute: Callable[[], Stage]) -> Stage:
        """The stage of this name: remembered, or computed now, timed and remembered."""
        found = self.find(name)
        if found is not None:
            return found
        begin = time.perf_counter()
        computed = compute()
        attributes = {**computed.attributes, "seconds": time.perf_counter() - begin}
        return self.keep(name, Stage(computed.ensemble, attributes, computed.weights))

    def fill(self, name: str, members: int, time: float, compute: Callable[[PartialStage], Mapping[str, Any]]) -> Stage:
        """The stage of this name: remembered, or filled member by member now, timed and remembered.

        Parameters
        ----------
        name
            Of the stage.
        members
            How many it has.
        time
            Of its ensemble [s].
        compute
            Adds the members that the partial stage lacks; returns the attributes of the stage.
        """
        found = self.find(name)
        if found is not None:
            return found
        partial = self.begin(name, members)
        attributes = compute(partial)
        return self.commit(name, partial, time, {**attributes, "seconds": partial.seconds})


class MemoryRecorder(Recorder):
    """Keeps stages in memory only: for notebooks and tests."""

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self.partial: dict[str, PartialStage] = {}

    def find(self, name: str) -> Stage | None:
        return self.stages.get(name)

    def keep(self, name: str, stage: Stage) -> Stage:
        self.stages[name] = stage
        return stage

    def begin(self, name: str, members: int) -> PartialStage:
        return self.partial.setdefault(name, PartialStageInMemory(members))

    def commit(self, name: str, partial: PartialStage, time: float, attributes: Mapping[str, Any]) -> Stage:
        self.partial.pop(name, None)
        return self.keep(name, Stage(Ensemble(partial.fields(), time), attributes))
