r"""The data of a survey from files, in the place of data made in silico.

A file is SEG-Y (``.sgy``, ``.segy``), NetCDF 4 (``.nc``) or a zarr group (a folder), and holds one or more of

    records                 shot records ``(shot, time, receiver)`` [Pa per unit source], as the field had them, with
                            ``shot_x``, ``shot_depth``, ``receiver_x``, ``receiver_depth`` [m] and ``time`` [s]; in SEG-Y
                            they stand in the trace headers
    image                   a seismic image ``(x, z)`` as this package makes it, in units of the noise
    well_saturation, well_pressure        logs ``(well, z)``: saturation, and change of pressure [Pa]

the last three as in ``RUN/stages.zarr/observed/survey_K`` (a leading axis of one member is dropped). Coordinates ``x``,
``z``, ``well`` are compared where the file has them. Everything is compared with the survey before anything is computed,
and one message names all that differs. Records become an image by :meth:`seisflow.observation.Seismic.from_records`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.base import Observation
from seisflow.observation.files.array_files import Named, read_arrays
from seisflow.observation.files.segy import ShotRecords, read_segy
from seisflow.observation.joint import Joint
from seisflow.observation.seismic.seismic import Seismic
from seisflow.observation.waves.survey import Survey
from seisflow.observation.wells import Wells

__all__ = ["FieldData", "check_records", "fingerprint"]

SEGY = (".sgy", ".segy")
Places = dict[str, tuple[NDArray, float]]
"""Axis → coordinates, and how far off a file's may be [m]."""
NEAR = 1.0
"""Metres by which a source or receiver may lie elsewhere: headers often hold whole metres."""


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        digest.update(str(file.relative_to(path)).encode() if path.is_dir() else b"")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _matched(points: NDArray, expected: NDArray, name: str, faults: list[str]) -> NDArray[np.int64] | None:
    """For every expected point the number of the file's point that lies there; None when one is missing."""
    if len(points) != len(expected):
        faults.append(f"the file has {len(points)} {name}s, the survey {len(expected)}")
        return None
    distance = np.linalg.norm(points[:, None] - expected[None], axis=2)
    order = distance.argmin(axis=0)
    off = distance[order, np.arange(len(expected))] > NEAR
    if off.any() or len(set(order.tolist())) != len(order):
        wrong = int(np.flatnonzero(off)[0]) if off.any() else int(np.flatnonzero(np.bincount(order) > 1)[0])
        here, there = points[order[wrong]], expected[wrong]
        text = [f"x = {p[0]:.2f} m, depth {p[-1]:.2f} m" for p in (there, here)]
        more = f" ({int(off.sum())} {name}s in all)" if off.sum() > 1 else ""
        faults.append(f"the survey has a {name} at {text[0]}, the file's nearest is at {text[1]}{more}")
        return None
    return order


def check_records(found: ShotRecords, survey: Survey, file: str) -> NDArray[np.float32]:
    """Records of a file, in the order of a survey's sources and receivers.

    Parameters
    ----------
    found
        The file's records, as the field had them.
    survey
        What they must be records of; an exchanged survey fires the field's receivers.
    file
        Its name, for messages.

    Returns
    -------
    NDArray
        ``(n_sources, n_samples, n_receivers)`` of the survey.

    Raises
    ------
    InputError
        Geometry, sampling or length differ; the message names everything that does.
    """
    faults: list[str] = []
    axes = [0, 2] if survey.sources.shape[1] == 2 else [0, 1, 2]
    if survey.exchanged:
        found = found.exchange()
    names = ("receiver", "shot") if survey.exchanged else ("shot", "receiver")
    sources = _matched(found.sources[:, axes], survey.sources, names[0], faults)
    receivers = _matched(found.receivers[:, axes], survey.receivers, names[1], faults)
    if abs(found.interval - survey.interval) > 1e-6 * survey.interval:
        faults.append(
            f"the file is sampled every {1e3 * found.interval:g} ms, the survey every {1e3 * survey.interval:g} ms"
        )
    samples = found.records.shape[1]
    if samples != survey.n_samples:
        length, wanted = (samples - 1) * found.interval, (survey.n_samples - 1) * survey.interval
        faults.append(
            f"the file's records have {samples} samples ({length:g} s), the survey's {survey.n_samples} ({wanted:g} s)"
        )
    if not np.isfinite(found.records).all():
        faults.append("some samples are not finite")
    if faults:
        raise InputError("data", file, f"it is not this survey: {'; '.join(faults)}")
    assert sources is not None
    assert receivers is not None
    return found.records[sources][:, :, receivers]


def _shot_records(arrays: dict[str, Named], file: str) -> ShotRecords:
    """Records of a zarr group or a NetCDF file."""
    needed = ("shot_x", "shot_depth", "receiver_x", "receiver_depth", "time")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise InputError("data", file, f"beside records it must hold {', '.join(missing)}")
    values = {name: np.asarray(arrays[name].values, np.float64) for name in needed}
    time, records = values["time"], np.asarray(arrays["records"].values, np.float32)
    shape = (len(values["shot_x"]), len(time), len(values["receiver_x"]))
    if records.shape != shape:
        raise InputError("data", file, f"records have shape {records.shape}, (shot, time, receiver) is {shape}")
    steps = np.diff(time)
    if len(time) < 2 or np.ptp(steps) > 1e-6 * steps[0] or abs(time[0]) > 1e-6 * steps[0]:
        raise InputError("data", file, "time must begin at 0 and go on in equal steps, in seconds")
    points = [
        np.column_stack([values[f"{p}_x"], np.zeros(len(values[f"{p}_x"])), values[f"{p}_depth"]])
        for p in ("shot", "receiver")
    ]
    return ShotRecords(records, points[0], points[1], float(steps.mean()))


def _field(
    arrays: dict[str, Named], name: str, shape: tuple[int, ...], places: Places, units: str, file: str
) -> NDArray:
    """One array without its member axis, compared with what it must be."""
    found, faults = arrays[name], []
    values = found.values
    if values.ndim == len(shape) + 1 and values.shape[0] == 1:
        values = values[0]
    if values.shape != shape:
        faults.append(f"{name} has shape {values.shape}, the survey's is {shape}")
    elif not np.isfinite(values).all():
        faults.append(f"{name} has {int((~np.isfinite(values)).sum())} values that are not finite")
    if found.units and found.units != units:
        faults.append(f"{name} is in {found.units!r}, it must be in {units!r}")
    for axis, (expected, near) in places.items():
        given = arrays.get(axis)
        if given is None or given.values.shape != expected.shape or not np.issubdtype(given.values.dtype, np.number):
            continue
        off = np.abs(given.values - expected)
        if not off.max() <= near:
            i = int(off.argmax())
            faults.append(f"{axis}[{i}] is {given.values[i]:g} m in the file, {expected[i]:g} m in the study")
    if faults:
        raise InputError("data", file, f"it does not fit this survey: {'; '.join(faults)}")
    return values


@dataclass(frozen=True, eq=False)
class FieldData:
    """What the files of one survey hold, read and compared; nothing is computed yet.

    Parameters
    ----------
    fields
        Data that need no more work, by name.
    records
        Shot records in the survey's order, or None.
    """

    fields: dict[str, NDArray]
    records: NDArray[np.float32] | None

    @staticmethod
    def read(files: Sequence[Path], observation: Observation) -> FieldData:
        """Read the files of one survey, and compare them with what is observed.

        Raises
        ------
        InputError
            A file does not fit the survey, two hold the same data, or data are missing; the message says which.
        SeisflowError
            The reader of a format is not installed.
        """
        parts = observation.parts if isinstance(observation, Joint) else (observation,)
        seismic = next((p for p in parts if isinstance(p, Seismic)), None)
        wells = next((p for p in parts if isinstance(p, Wells)), None)
        fields: dict[str, NDArray] = {}
        records: NDArray[np.float32] | None = None
        for path in files:
            arrays: dict[str, Named] = {}
            found: ShotRecords | None = None
            if path.suffix.lower() in SEGY:
                found = read_segy(path)
            else:
                arrays = read_arrays(path)
                found = _shot_records(arrays, str(path)) if "records" in arrays else None
            if found is not None:
                if seismic is None or records is not None or "image" in fields:
                    why = "this study has no seismic" if seismic is None else "another file holds the seismic already"
                    raise InputError("data", str(path), why)
                records = check_records(found, seismic.survey, str(path))
            known = _expected(seismic, wells)
            useful = [name for name in known if name in arrays]
            if found is None and not useful:
                raise InputError("data", str(path), f"it holds none of records, {', '.join(known)}")
            for name in useful:
                if name in fields or (name == "image" and records is not None):
                    raise InputError("data", str(path), f"another file holds {name} already")
                fields[name] = _field(arrays, name, *known[name], str(path))
        missing = [
            n for n in _expected(seismic, wells) if n not in fields and not (n == "image" and records is not None)
        ]
        if missing:
            names = ["image (or records)" if name == "image" else name for name in missing]
            listed = ", ".join(map(str, files)) or "no file"
            raise InputError("data", listed, f"the survey also measures {', '.join(names)}; name a file for each")
        return FieldData(fields, records)

    def datum(self, observation: Observation, time: float) -> Ensemble:
        """The datum y° of a survey, one member, in the order of the observation's fields; records become an image."""
        parts = observation.parts if isinstance(observation, Joint) else (observation,)
        fields: dict[str, NDArray] = {}
        for part in parts:
            if isinstance(part, Seismic):
                image = self.fields.get("image")
                fields["image"] = (
                    np.asarray(image, np.float32)[None]
                    if image is not None
                    else part.from_records(self.records, time)["image"]  # type: ignore[arg-type]
                )
            else:
                for name in ("well_saturation", "well_pressure"):
                    fields[name] = np.asarray(self.fields[name], np.float64)[None]
        return Ensemble(fields, time)


def _expected(seismic: Seismic | None, wells: Wells | None) -> dict[str, tuple[tuple[int, ...], Places, str]]:
    """Shape, coordinates and unit of every array that an observation consists of."""
    found: dict[str, tuple[tuple[int, ...], Places, str]] = {}
    if seismic is not None:
        grid = seismic.flow_grid
        near = tuple(0.25 * h for h in grid.spacing)
        found["image"] = (grid.shape, {"x": (grid.centres(0), near[0]), "z": (grid.centres(-1), near[-1])}, "1")
    if wells is not None:
        grid = wells.grid
        columns = np.array([column[0] for column in wells.columns])
        places: Places = {
            "z": (grid.centres(-1), 0.25 * grid.spacing[-1]),
            "well": (grid.centres(0)[columns], 0.5 * grid.spacing[0] * (1 + 1e-9)),  # anywhere in its column
        }
        shape = (len(columns), grid.shape[-1])
        found["well_saturation"] = (shape, places, "1")
        found["well_pressure"] = (shape, places, "Pa")
    return found
