r"""A run, or one stage of it, as one NetCDF 4 file for other programs; needs the extra ``netcdf`` (h5netcdf).

Of a run: a group a stage with the stage's name (``flow/survey_3/posterior``), of one stage: that stage alone in the root.
Arrays have named dimensions, coordinates and CF attributes as in the run folder; attributes that are no numbers or texts
(reports of trainings, members that were replaced) stand as JSON. Members are copied one by one: memory does not grow.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from seisflow.errors import InputError
from seisflow.observation.files.array_files import netcdf
from seisflow.runs.reading import RunFolder
from seisflow.runs.stage_variables import plain_attributes, stage_variables

__all__ = ["export_netcdf"]


def export_netcdf(folder: str | Path, out: str | Path, stage: str | None = None) -> list[str]:
    """Write a NetCDF file.

    Parameters
    ----------
    folder
        The run folder, finished or not.
    out
        The file; it must not exist, and appears when it is complete.
    stage
        One stage instead of all: ``"flow/survey_3/posterior"``.

    Returns
    -------
    list[str]
        Names of the stages that are in it.

    Raises
    ------
    InputError
        When the folder holds no run or no such stage, or the file exists.
    DamagedStageError
        When a stage is not as it was written.
    SeisflowError
        When h5netcdf is missing.
    """
    run, path, library = RunFolder(Path(folder)), Path(out), netcdf()
    known = run.store.names()
    if stage is not None and stage not in known:
        raise InputError("stage", stage, f"the run has {', '.join(known) or 'no stage yet'}")
    if path.exists():
        raise InputError("out", str(path), "it exists, and is left as it is; give another name")
    names = known if stage is None else [stage]
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with library.File(partial, "w") as file:
            said = {"Conventions": "CF-1.8", "title": run.study.name, "source": "seisflow", "study": run.study_text}
            for key, text in said.items():
                file.attrs[key] = text
            for name in names:
                run.store.find(name)  # compares its checksums
                _copy(zarr.open_group(run.store.root / name, mode="r"), file if stage else file.create_group(name))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return names


def _copy(source: Any, target: Any) -> None:
    """One stage: its arrays, coordinates and numbers."""
    for key, value in plain_attributes(source).items():
        target.attrs[key] = value
    variables = stage_variables(source)
    target.dimensions = {axis: n for v in variables.values() for axis, n in zip(v.axes, v.array.shape, strict=True)}
    for name, one in variables.items():
        array = one.array
        chunked = {"chunks": (1, *array.shape[1:]), "compression": "gzip", "compression_opts": 4, "shuffle": True}
        variable = target.create_variable(name, one.axes, array.dtype, **(chunked if array.ndim > 1 else {}))
        for key, value in one.attributes.items():
            variable.attrs[key] = value
        if array.ndim > 1:
            for member in range(array.shape[0]):
                variable[member] = np.asarray(array[member])
        else:
            variable[...] = np.asarray(array[...])
