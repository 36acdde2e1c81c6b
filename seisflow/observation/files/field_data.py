r"""The data of a survey from files, in the place of data made in silico.

A file is SEG-Y (``.sgy``, ``.segy``), NetCDF 4 (``.nc``) or a zarr group (a folder), and holds arrays by the names of the
observation's data fields, as in ``RUN/stages.zarr/observed/survey_K`` (a leading axis of one member is dropped), or what a
field can be made from. Of a study's own observations these are

    records                 shot records ``(shot, time, receiver)`` [Pa per unit source], as the field had them, with
                            ``shot_x``, ``shot_depth``, ``receiver_x``, ``receiver_depth`` [m] and ``time`` [s]; in SEG-Y
                            they stand in the trace headers
    image                   a seismic image ``(x, z)`` as this package makes it, in units of the noise
    well_saturation, well_pressure        logs ``(well, z)``: saturation, and change of pressure [Pa]
    injected_mass           CO2 injected since the start [kg], one number
    bottom_hole_pressure    change of pressure in the injection well ``(1, 1)`` [Pa]

Coordinates ``x``, ``z``, ``well`` are compared where the file has them. Everything is compared with the survey before
anything is computed. Records become an image by :meth:`seisflow.observation.Seismic.from_records`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from seisflow.errors import InputError
from seisflow.observation.base import Observation
from seisflow.observation.data import FileArray, missing
from seisflow.observation.files.array_files import read_arrays
from seisflow.observation.files.segy import read_segy

__all__ = ["fingerprint", "read_files"]

SEGY = (".sgy", ".segy")


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        digest.update(str(file.relative_to(path)).encode() if path.is_dir() else b"")
        with file.open("rb") as opened:
            while piece := opened.read(2**20):
                digest.update(piece)
    return digest.hexdigest()


def _read(path: Path) -> dict[str, FileArray]:
    """The arrays of one file by name."""
    if path.suffix.lower() in SEGY:
        return {"records": read_segy(path).array(str(path))}
    return read_arrays(path)


def read_files(files: Sequence[Path], observation: Observation) -> dict[str, FileArray]:
    """The arrays of a survey's files that the observation takes, compared with it; nothing is computed yet.

    Parameters
    ----------
    files
        The files of one survey.
    observation
        What is measured: :meth:`~seisflow.observation.base.Observation.accept` makes the datum of what is returned.

    Raises
    ------
    InputError
        A file does not fit the survey, two hold the same data, or data are missing; the message says which.
    SeisflowError
        The reader of a format is not installed.
    """
    taken = [name for field, about in observation.data.items() for name in (*about.instead, field)]
    found: dict[str, FileArray] = {}
    for path in files:
        arrays = _read(path)
        useful = [name for name in taken if name in arrays]
        if not useful:
            raise InputError("data", str(path), f"it holds none of {', '.join(taken)}, but {', '.join(arrays)}")
        for name in useful:
            if name in found:
                raise InputError("data", str(path), f"another file holds {name} already")
            found[name] = arrays[name]
    lacking = missing(observation.data, found)
    if lacking:
        listed = ", ".join(map(str, files)) or "no file"
        raise InputError("data", listed, f"the survey also measures {', '.join(lacking)}; name a file for each")
    observation.compare(found)
    return found
