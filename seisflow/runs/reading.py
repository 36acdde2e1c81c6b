r"""A run folder, read for its report: what is there, finished or not. Nothing is computed and nothing is written.

The first survey's forecast and predicted data are common to all methods (chain ``first``); from the second on every method
has its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.data import DataAxis, DataField
from seisflow.runs.methods import Methods, described, remembered
from seisflow.storage.recorder import Stage
from seisflow.storage.store import Store
from seisflow.study import Study, load_study
from seisflow.study.build import initial_pressure

__all__ = ["RunFolder"]


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run folder.

    Parameters
    ----------
    folder
        The folder.

    Raises
    ------
    InputError
        When the folder holds no run.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not (self.folder / "study.toml").is_file() or not (self.folder / "stages.zarr").is_dir():
            raise InputError("run", str(self.folder), "the folder holds no run (no study.toml and stages.zarr in it)")

    @cached_property
    def study(self) -> Study:
        """The study that was run."""
        return load_study(self.folder / "study.toml")

    @cached_property
    def study_text(self) -> str:
        """Its file."""
        return (self.folder / "study.toml").read_text(encoding="utf-8")

    @cached_property
    def store(self) -> Store:
        """The stages."""
        return Store(self.folder, readonly=True)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds; empty for an unfinished run."""
        path = self.folder / "summary.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    @cached_property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` holds; empty where there is none."""
        path = self.folder / "run.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    @cached_property
    def versions(self) -> list[dict[str, str]]:
        """Versions of every session that worked at the run, oldest first; empty where they are not known."""
        listed = list(self.record.get("versions", []))
        return listed or ([self.summary["versions"]] if "versions" in self.summary else [])

    @cached_property
    def methods(self) -> Methods:
        """The run's methods by name, in order: as the folder remembers them, else those of the study."""
        listed = self.record.get("methods")
        return remembered(listed) if listed else described(self.study.chosen)

    @property
    def own(self) -> dict[str, dict[str, str]]:
        """Parts of the user's own: kind of part → its name → its class (``module.Class``)."""
        return dict(self.record.get("own", {}))

    @property
    def measured(self) -> list[str]:
        """What was measured, in words: the study's modalities, or the labels of an observation of the user's own."""
        if "observation" not in self.own:
            return list(self.study.surveys.modalities)
        return [about.label or name for name, about in self.data.items()] or ["data of the user's own"]

    @property
    def wells(self) -> tuple[float, ...]:
        """Positions of the study's monitoring wells along x [m]; empty where none are logged."""
        logged = "wells" in self.study.surveys.modalities and "observation" not in self.own
        return self.study.wells.x_m if logged else ()

    def sources(self) -> dict[int, list[tuple[str, str]]]:
        """Surveys (from 1) whose data came from files: name and SHA-256 of each."""
        found = {}
        for k in range(1, self.surveys + 1):
            stage = self.store.find(f"observed/survey_{k}")
            if stage is not None and "files" in stage.attributes:
                names = [Path(file).name for file in stage.attributes["files"]]
                found[k] = list(zip(names, stage.attributes["sha256"], strict=True))
        return found

    @property
    def grid(self) -> Grid:
        """The flow grid."""
        return self.study.grid.build()

    @property
    def surveys(self) -> int:
        """Number of surveys of the study."""
        return len(self.study.surveys.days)

    @cached_property
    def initial_pressure(self) -> NDArray[np.float64]:
        """Pressure before injection [Pa]."""
        return initial_pressure(self.study)

    def _ensemble(self, name: str) -> Ensemble | None:
        stage = self.store.find(name)
        return None if stage is None else stage.ensemble

    def truth(self, survey: int) -> Ensemble | None:
        """The true state of a survey (from 0), one member; None where it is not known."""
        return self._ensemble(f"truth/survey_{survey + 1}")

    def observed(self, survey: int) -> Ensemble | None:
        """The data, one member."""
        return self._ensemble(f"observed/survey_{survey + 1}")

    @cached_property
    def data(self) -> dict[str, DataField]:
        """What the data are, as the stored ones say of themselves; empty before there are any."""
        for k in range(self.surveys):
            name = f"observed/survey_{k + 1}"
            if self.store.find(name) is not None:
                return _described(zarr.open_group(self.store.root / name, mode="r"))
        return {}

    def stage_name(self, method: str, survey: int, what: str) -> str:
        """Name of a stage of a method's chain, ``"forecast"``, ``"predicted"`` or ``"posterior"``, at a survey (from 0)."""
        chain = "first" if survey == 0 and what != "posterior" else method
        return f"{chain}/survey_{survey + 1}/{what}"

    def stage(self, method: str, survey: int, what: str) -> Stage | None:
        """A stage of a method's chain: ``"forecast"``, ``"predicted"`` or ``"posterior"``."""
        return self.store.find(self.stage_name(method, survey, what))

    def check_method(self, method: str) -> None:
        """Raise InputError unless the run has a method of this name."""
        if method not in self.methods:
            raise InputError("method", method, f"this run has {', '.join(self.methods)}")

    def check_survey(self, survey: int) -> None:
        """Raise InputError unless the study has a survey of this number, from 1."""
        if not (isinstance(survey, int) and 1 <= survey <= self.surveys):
            raise InputError("survey", survey, f"the study has surveys 1 to {self.surveys}")

    def ensemble(self, method: str, survey: int, what: str) -> Ensemble | None:
        """Its members."""
        stage = self.stage(method, survey, what)
        return None if stage is None else stage.ensemble

    @cached_property
    def done(self) -> dict[str, int]:
        """Surveys with a posterior, by method; methods without any are left out."""
        found: dict[str, int] = {}
        for method in self.methods:
            n = 0
            while (
                n < self.surveys and (self.folder / "stages.zarr" / method / f"survey_{n + 1}" / "posterior").exists()
            ):
                n += 1
            if n:
                found[method] = n
        return found

    @property
    def finished(self) -> bool:
        """Whether every method has every posterior."""
        return all(self.done.get(method, 0) == self.surveys for method in self.methods)


def _described(group: Any) -> dict[str, DataField]:
    """What a stored datum says of its fields, without their positions."""
    arrays, found = dict(group.arrays()), {}
    for name in group.attrs["fields"]:
        axes = []
        for axis, size in zip(arrays[name].metadata.dimension_names[1:], arrays[name].shape[1:], strict=True):
            said = dict(arrays[axis].attrs) if axis in arrays else {}
            coordinates = np.asarray(arrays[axis]) if axis in arrays else None
            axes.append(DataAxis(axis, size, coordinates, said.get("units", ""), said.get("long_name", axis)))
        said = dict(arrays[name].attrs)
        label, noise = said.get("long_name", name), said.get("noise_std")
        found[name] = DataField(
            tuple(axes), said.get("units", ""), label, None, noise, said.get("quantity", ""), arrays[name].dtype
        )
    return found
