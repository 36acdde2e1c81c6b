r"""A run on disk: one folder, one zarr v3 group per stage, each committed whole or not at all.

    RUN/study.toml               the study as it was run
    RUN/run.json                 versions, seed, member count
    RUN/stages.zarr/<stage>/     one group a stage, e.g. ``flow/survey_2/posterior``: one array a field, with named
                                 dimensions; numbers of the stage (seconds, reports) are the group's attributes
    RUN/weights/<stage>.safetensors      network weights, where the stage has any

A stage is written beside its final name and renamed into place, so a killed run leaves only whole stages, and the next
``run`` on the same folder goes on behind the last of them. ``xarray.open_zarr(RUN/stages.zarr/<stage>)`` opens one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SeisflowError

__all__ = ["Memory", "Recorder", "Stage", "Store"]


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
    """

    ensemble: Ensemble
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)

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
    def keep(self, name: str, stage: Stage) -> None:
        """Remember a finished stage."""

    def stage(self, name: str, compute: Callable[[], Stage]) -> Stage:
        """The stage of this name: remembered, or computed now, timed and remembered."""
        found = self.find(name)
        if found is not None:
            return found
        begin = time.perf_counter()
        computed = compute()
        attributes = {**computed.attributes, "seconds": time.perf_counter() - begin}
        timed = Stage(computed.ensemble, attributes, computed.weights)
        self.keep(name, timed)
        return timed


class Memory(Recorder):
    """Keeps stages in memory only: for notebooks and tests."""

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}

    def find(self, name: str) -> Stage | None:
        return self.stages.get(name)

    def keep(self, name: str, stage: Stage) -> None:
        self.stages[name] = stage


class Store(Recorder):
    """Keeps stages in a run folder.

    Parameters
    ----------
    folder
        The run folder; made when it does not exist.
    dimensions
        Field name → names of its axes after the member axis (``("x", "z")``); others get ``axis_1`` ….

    Raises
    ------
    InputError
        When the folder cannot be written to.
    """

    def __init__(self, folder: str | Path, dimensions: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.folder = Path(folder)
        self.dimensions = dict(dimensions or {})
        self.root = self.folder / "stages.zarr"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise InputError("out", str(folder), f"the run folder cannot be written to ({error.strerror})") from error

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file of the run folder, beside its name and renamed into place."""
        path = self.folder / name
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
        return path

    def _weights(self, name: str) -> Path:
        return self.folder / "weights" / f"{name}.safetensors"

    def find(self, name: str) -> Stage | None:
        path = self.root / name
        if not path.exists():
            return None
        try:
            group = zarr.open_group(path, mode="r")
            attributes: dict[str, Any] = dict(group.attrs)
            fields = {key: np.asarray(group[key]) for key in attributes["fields"]}
            weights: dict[str, Any] = {}
            if self._weights(name).exists():
                from safetensors.numpy import load_file

                weights = load_file(self._weights(name))
        except Exception as error:
            raise SeisflowError(
                f"stage {name!r} in {path} cannot be read ({type(error).__name__}: {error}). "
                "Delete that folder to have the stage computed again; all others are untouched."
            ) from error
        time_s = float(attributes.pop("time_s"))
        del attributes["fields"]
        return Stage(Ensemble(fields, time_s), attributes, weights)

    def keep(self, name: str, stage: Stage) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.root / f".{uuid.uuid4().hex}"
        try:
            group = zarr.create_group(temporary, zarr_format=3)
            for key, array in stage.ensemble.fields.items():
                axes = self.dimensions.get(key, tuple(f"axis_{i}" for i in range(1, array.ndim)))
                saved = group.create_array(
                    key,
                    shape=array.shape,
                    dtype=array.dtype,
                    chunks=(1, *array.shape[1:]),
                    dimension_names=("member", *axes),
                )
                saved[...] = array
            group.attrs.update(
                {**_json_ready(stage.attributes), "fields": list(stage.ensemble.names), "time_s": stage.ensemble.time}
            )
            if stage.weights:
                from safetensors.numpy import save_file

                # Before the stage: weights without their stage are written again, a stage without its weights would stay.
                self._weights(name).parent.mkdir(parents=True, exist_ok=True)
                half = temporary / "weights"
                save_file({k: np.ascontiguousarray(v) for k, v in stage.weights.items()}, half)
                half.replace(self._weights(name))
            temporary.replace(path)
        except OSError as error:
            raise SeisflowError(
                f"stage {name!r} could not be written to {path} ({error.strerror or error}); "
                "the stages committed before it are safe, and the same command goes on from there."
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _json_ready(value: Any) -> Any:
    """The same value with NumPy numbers and arrays as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_ready(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _json_ready(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    json.dumps(value)
    return value
