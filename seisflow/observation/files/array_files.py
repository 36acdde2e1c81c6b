r"""Named arrays from a zarr group or a NetCDF file, with their units: whoever wrote them.

NetCDF needs the extra ``netcdf`` (h5netcdf); only NetCDF 4, which is HDF5, can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError, SeisflowError

__all__ = ["Named", "netcdf", "read_arrays"]


@dataclass(frozen=True, eq=False)
class Named:
    """An array of a file: its values, the names of its axes where it has any, and its unit (``""``: not said)."""

    values: NDArray
    axes: tuple[str, ...]
    units: str


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


def read_arrays(path: Path) -> dict[str, Named]:
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


def _zarr(path: Path) -> dict[str, Named]:
    import zarr

    group, found = zarr.open_group(path, mode="r"), {}
    for name, array in group.arrays():
        axes: Any = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
        found[str(name)] = Named(np.asarray(array), tuple(map(str, axes)), str(array.attrs.get("units", "")))
    return found


def _netcdf(path: Path) -> dict[str, Named]:
    with netcdf().File(path, "r") as file:
        return {
            name: Named(np.asarray(v[...]), tuple(v.dimensions), str(v.attrs.get("units", "")))
            for name, v in file.variables.items()
        }
