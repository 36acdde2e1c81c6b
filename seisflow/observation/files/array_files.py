r"""Named arrays from a zarr group or a NetCDF file, with their units: whoever wrote them.

NetCDF needs the extra ``netcdf`` (h5netcdf); only NetCDF 4, which is HDF5, can be read.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from seisflow.errors import InputError, SeisflowError
from seisflow.observation.data import FileArray

__all__ = ["netcdf", "read_arrays"]

LARGEST = 2**32
"""Bytes of an array of data, at most."""


def netcdf() -> Any:
    """The module h5netcdf.

    Raises
    ------
    SeisflowError
        When it is missing.
    """
    try:
        import h5netcdf
    except ImportError as error:
        raise SeisflowError("NetCDF files need h5netcdf: pip install 'seisflow[netcdf]'") from error
    return h5netcdf


def read_arrays(path: Path) -> dict[str, FileArray]:
    """All arrays of a zarr group (a folder) or of the root of a NetCDF file.

    Raises
    ------
    InputError
        When there is no such file, or it is neither.
    SeisflowError
        For a NetCDF file without h5netcdf.
    """
    if not path.exists():
        raise InputError("data", str(path), "no such file")
    try:
        return _zarr(path) if path.is_dir() else _netcdf(path)
    except SeisflowError:
        raise
    except Exception as error:
        kind = "zarr group" if path.is_dir() else "NetCDF 4 file"
        raise InputError(
            "data", str(path), f"it cannot be read as a {kind} ({type(error).__name__}: {error})"
        ) from error


def _zarr(path: Path) -> dict[str, FileArray]:
    import zarr

    group = zarr.open_group(path, mode="r")
    arrays = {str(name): array for name, array in group.arrays()}
    for name, array in arrays.items():
        _bounded(path, name, array.shape, array.dtype)
        if array.nchunks_initialized < array.nchunks:
            lost = f"{array.nchunks - array.nchunks_initialized} of {array.nchunks} chunks of {name} are missing"
            remedy = "copy it again; chunks of nothing but the fill value are written with write_empty_chunks=True"
            raise InputError("data", str(path), f"{lost} and would be read as {array.fill_value}: {remedy}")
    beside, found = {name: np.asarray(array) for name, array in arrays.items()}, {}
    for name, array in arrays.items():
        axes: Any = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
        unit = str(array.attrs.get("units", ""))
        found[name] = FileArray(beside[name], tuple(map(str, axes)), unit, str(path), beside)
    return found


def _netcdf(path: Path) -> dict[str, FileArray]:
    with netcdf().File(path, "r") as file:
        for name, v in file.variables.items():
            _bounded(path, name, v.shape, v.dtype)
        beside = {name: np.asarray(v[...]) for name, v in file.variables.items()}
        return {
            name: FileArray(beside[name], tuple(v.dimensions), str(v.attrs.get("units", "")), str(path), beside)
            for name, v in file.variables.items()
        }


def _bounded(path: Path, name: str, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse what no datum can be, before a byte is read: a few bytes of a file can ask for any memory."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > LARGEST:
        remedy = f"{name} {shape} takes {size / 1e9:.3g} GB, more than any datum; leave it out of the file"
        raise InputError("data", str(path), remedy)
