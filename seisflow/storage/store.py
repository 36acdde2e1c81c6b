r"""A run on disk: one folder, one zarr v3 group per stage, each committed whole or not at all.

    RUN/study.toml               the study as it was run
    RUN/run.json                 versions, seed, member count
    RUN/stages.zarr/<stage>/     one group a stage, e.g. ``flow/survey_2/posterior``: one array a field, with named
                                 dimensions, coordinates and units; its numbers (seconds, reports) are attributes
    RUN/weights/<stage>.safetensors      network weights, where the stage has any
    RUN/drafts/                  stages under way (:mod:`seisflow.storage.partial`)

A stage is written in ``drafts``, brought to the disk, and renamed into place: a killed run leaves whole stages and
partial ones, and the next one goes on behind the last member. ``xarray.open_zarr(RUN/stages.zarr/<stage>)`` opens one stage,
``xarray.open_datatree(RUN/stages.zarr, engine="zarr")`` all of them.

Every member of every field has a checksum, and so have all small files of a stage; they are compared when a run reads a
stage for the first time. The arrays of a stage are mapped from the disk: an ensemble takes memory only where it is used.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SeisflowError
from seisflow.storage.axes import Axes
from seisflow.storage.errors import DamagedStageError, explained
from seisflow.storage.partial import PartialStage, StoredPartialStage
from seisflow.storage.recorder import MemoryRecorder, Recorder, Stage
from seisflow.storage.stage_attributes import checksum, json_ready, read_attributes, verify_texts
from seisflow.storage.zarr_files import (
    MemberFile,
    array_metadata,
    group_metadata,
    sync_folder,
    sync_tree,
    write_array,
    write_file,
)

__all__ = ["MemoryRecorder", "Recorder", "Stage", "Store"]

FORMAT = 1


class Store(Recorder):
    """Keeps stages in a run folder.

    Parameters
    ----------
    folder
        The run folder; made when it does not exist.
    axes
        Names, units and coordinates of the fields' axes; a mapping of field → names of its axes after the member axis does
        too. Others get ``axis_1`` ….
    readonly
        Only read: the folder may lie on a disk that cannot be written to.
    repair
        Move damaged stages to ``RUN/damaged`` and compute them again, instead of raising.

    Raises
    ------
    InputError
        When the folder cannot be written to, or, for reading, is not there.
    """

    def __init__(
        self,
        folder: str | Path,
        axes: Axes | Mapping[str, tuple[str, ...]] | None = None,
        *,
        readonly: bool = False,
        repair: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.axes = axes if isinstance(axes, Axes) else Axes(dict(axes or {}))
        self.root = self.folder / "stages.zarr"
        self.readonly, self.repair = readonly, repair
        self._known: dict[str, Stage] = {}
        if readonly:
            if not self.root.is_dir():
                raise InputError("run", str(folder), "the folder holds no run (no stages.zarr in it)")
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
            self.describe({})
        except OSError as error:
            raise InputError("out", str(folder), f"the run folder cannot be written to ({error.strerror})") from error

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Say what the run is, in the attributes of the root group; what is said already stays."""
        path = self.root / "zarr.json"
        try:
            before = json.loads(path.read_text())["attributes"]
        except (OSError, ValueError, KeyError):
            before = None
        if before is None or {**before, **attributes} != before:
            write_file(path, group_metadata({**(before or {}), **json_ready(attributes)}))

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file of the run folder, beside its name and renamed into place."""
        path = self.folder / name
        with explained(name, path):
            write_file(path, text.encode())
        return path

    # -- reading ----------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Names of all finished stages."""
        groups = (path.parent for path in self.root.rglob("zarr.json"))
        return sorted(str(g.relative_to(self.root)) for g in groups if "fields" in read_attributes(g))

    def find(self, name: str) -> Stage | None:
        path = self.root / name
        if name in self._known and path.is_dir():
            return self._known[name]
        if not path.exists():
            return None
        try:
            self._known[name] = self._read(name, verify=True)
        except DamagedStageError:
            if not self.repair or self.readonly:
                raise
            self._set_aside(name)
            return None
        return self._known[name]

    def _read(self, name: str, verify: bool, weights: Mapping[str, Any] | None = None) -> Stage:
        """A stage, its arrays mapped.

        Raises
        ------
        DamagedStageError
            A file is missing, truncated, unreadable, or differs from what was written.
        """
        path = self.root / name
        try:
            attributes = dict(json.loads((path / "zarr.json").read_text())["attributes"])
            if attributes.get("format") != FORMAT:
                raise SeisflowError(
                    f"stage {name!r} in {path} was written by another version of seisflow; choose another run folder."
                )
            fields = {}
            if verify:
                verify_texts(path, attributes, self._weights(name))
            for key in attributes["fields"]:
                metadata = json.loads((path / key / "zarr.json").read_text())
                file = MemberFile(path / key, tuple(metadata["shape"]), np.dtype(metadata["data_type"]))
                wrong = file.faults() if verify else []
                if wrong:
                    raise ValueError(f"field {key!r}, member {wrong[0]}: the numbers do not fit their checksum")
                fields[key] = file.open()
            if weights is None:
                weights = {}
                if self._weights(name).exists():
                    from safetensors.numpy import load_file

                    weights = load_file(self._weights(name))
        except SeisflowError:
            raise
        except Exception as error:
            raise DamagedStageError(name, path, error) from error
        time_s = float(attributes["time_s"])
        inner = ("format", "fields", "time_s", "checksums", "checksum")
        kept = {key: value for key, value in attributes.items() if key not in inner}
        return Stage(Ensemble(fields, time_s), kept, weights, path)

    def _set_aside(self, name: str) -> None:
        with explained(f"stage {name!r}", self.root / name):
            aside = self.folder / "damaged" / f"{name}-{uuid.uuid4().hex[:8]}"
            aside.parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).rename(aside)
            if self._weights(name).exists():
                self._weights(name).replace(aside.with_suffix(".safetensors"))

    def _weights(self, name: str) -> Path:
        return self.folder / "weights" / f"{name}.safetensors"

    # -- writing ----------------------------------------------------------------------------------------------------

    def begin(self, name: str, members: int) -> StoredPartialStage:
        return StoredPartialStage(self.folder / "drafts" / name, members, f"stage {name!r}")

    def scratch(self, name: str) -> Path:
        return self.folder / "drafts" / f"{name}.scratch"

    def keep(self, name: str, stage: Stage) -> Stage:
        with explained(f"stage {name!r}", self.root / name):
            label = f"stage {name!r}"
            partial = StoredPartialStage(self.folder / "drafts" / name, stage.ensemble.size, label, journaled=False)
            partial.write(range(stage.ensemble.size), stage.ensemble.fields)
            return self._commit(name, partial, stage.ensemble.time, stage.attributes, stage.weights)

    def commit(self, name: str, partial: PartialStage, time: float, attributes: Mapping[str, Any]) -> Stage:
        assert isinstance(partial, StoredPartialStage)
        assert partial.done == set(range(partial.members)), name
        with explained(f"stage {name!r}", self.root / name):
            return self._commit(name, partial, time, attributes, {})

    def _commit(
        self,
        name: str,
        partial: StoredPartialStage,
        time: float,
        attributes: Mapping[str, Any],
        weights: Mapping[str, Any],
    ) -> Stage:
        arrays: dict[str, Any] = {}
        for key, file in partial.files.items():
            axes = self.axes.names_of(key, len(file.shape))
            arrays[key] = array_metadata(file.shape, file.dtype, axes, self.axes.attributes_of(key))
            (partial.folder / key / "zarr.json").write_text(json.dumps(arrays[key]))
        used = {axis: n for m in arrays.values() for axis, n in zip(m["dimension_names"], m["shape"], strict=True)}
        for axis, (values, about) in self.axes.coordinates_of(used).items():
            arrays[axis] = write_array(partial.folder / axis, values, (axis,), about)
        texts = [
            p for p in partial.folder.rglob("*") if p.is_file() and p not in {f.path for f in partial.files.values()}
        ]
        checksums = {
            str(p.relative_to(partial.folder)): zlib.crc32(p.read_bytes())
            for p in texts
            if p.name != "zarr.json" or p.parent != partial.folder
        }
        if weights:
            checksums["weights"] = self._write_weights(name, weights)
        said = {
            **json_ready(attributes),
            "format": FORMAT,
            "fields": list(partial.files),
            "time_s": float(time),
            "checksums": checksums,
        }
        (partial.folder / "zarr.json").write_bytes(group_metadata({**said, "checksum": checksum(said)}, arrays))
        sync_tree(partial.folder)
        path = self.root / name
        self._parents(path)
        partial.folder.rename(path)
        sync_folder(path.parent)
        partial.journal.unlink(missing_ok=True)
        shutil.rmtree(self.scratch(name), ignore_errors=True)
        logging.getLogger("seisflow").info("kept %s (%.1f s)", name, attributes.get("seconds", 0.0))
        self._known[name] = self._read(name, verify=False, weights=weights)
        return self._known[name]

    def _write_weights(self, name: str, weights: Mapping[str, Any]) -> int:
        """Before the stage: weights without their stage are written again, a stage without its weights would stay."""
        from safetensors.numpy import save

        data = save({key: np.ascontiguousarray(value) for key, value in weights.items()})
        write_file(self._weights(name), data)
        return zlib.crc32(data)

    def _parents(self, path: Path) -> None:
        """The groups between the root and a stage."""
        for parent in reversed(path.relative_to(self.root).parents[:-1]):
            if not (self.root / parent / "zarr.json").exists():
                write_file(self.root / parent / "zarr.json", group_metadata({}))

    def finish(self) -> None:
        """Remove what is left of partial stages that no stage needs any more."""
        shutil.rmtree(self.folder / "drafts", ignore_errors=True)
