r"""Shot records in SEG-Y files (revision 1, IEEE floats), with their geometry; needs the extra ``segy`` (segyio).

One trace per source and receiver, shot after shot. The trace headers carry field record (shot) and trace numbers, source and
receiver coordinates with a scalar of −100 (centimetres), source depth, and receiver elevation (negative depth) likewise. In
a 2-D survey y is 0. An exchanged survey is written as the field had it: its shots are the survey's receivers.

Reading accepts files whose shots all have the same receivers. What comes back can take the place of simulated records:
:meth:`seisflow.observation.Seismic.from_records`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError, SeisflowError
from seisflow.observation.files.shot_records import ShotRecords
from seisflow.observation.waves.survey import Survey

__all__ = ["read_segy", "write_segy"]

_PER_METRE = 100


def _segyio() -> Any:
    try:
        import segyio
    except ImportError as error:
        raise SeisflowError("SEG-Y files need segyio: pip install 'seisflow[segy]'") from error
    return segyio


def _spatial(points: NDArray) -> NDArray[np.float64]:
    """x, y, depth of points that may have no y."""
    return points if points.shape[1] == 3 else np.insert(points, 1, 0.0, axis=1)


def write_segy(path: str | Path, survey: Survey, records: NDArray) -> Path:
    """Write shot records to a SEG-Y file.

    Parameters
    ----------
    path
        The file; it is replaced only when the new one is complete.
    survey
        Geometry and sampling.
    records
        ``(n_sources, n_samples, n_receivers)``.

    Raises
    ------
    InputError
        When the records do not fit the survey, or their sampling or length does not fit the format's 16 bits.
    SeisflowError
        When segyio is missing.
    """
    segyio, path = _segyio(), Path(path)
    records = np.asarray(records, np.float32)
    expected = (len(survey.sources), survey.n_samples, len(survey.receivers))
    if records.shape != expected:
        raise InputError("records.shape", records.shape, f"the survey has {expected}")
    microseconds = round(survey.interval * 1e6)
    if abs(microseconds - survey.interval * 1e6) > 1e-6 * microseconds or not 0 < microseconds < 2**15:
        raise InputError("survey.interval", survey.interval, "SEG-Y holds whole microseconds up to 32767")
    if survey.n_samples >= 2**15:
        raise InputError("survey.n_samples", survey.n_samples, "SEG-Y holds at most 32767 samples a trace")
    sources, receivers = _spatial(survey.sources), _spatial(survey.receivers)
    if survey.exchanged:
        sources, receivers, records = receivers, sources, records.transpose(2, 1, 0)
    spec = segyio.spec()
    spec.sorting, spec.format = None, 5
    spec.samples = np.arange(survey.n_samples) * survey.interval * 1e3
    spec.tracecount = len(sources) * len(receivers)
    field, partial = segyio.TraceField, path.with_name(path.name + ".partial")
    s_mm, r_mm = (np.round(points * _PER_METRE).astype(int) for points in (sources, receivers))
    with segyio.create(str(partial), spec) as file:
        file.bin.update(_binary(segyio.BinField, microseconds, len(receivers)))
        for s in range(len(sources)):
            for r in range(len(receivers)):
                trace = s * len(receivers) + r
                file.header[trace] = {
                    field.TRACE_SEQUENCE_LINE: trace + 1,
                    field.TRACE_SEQUENCE_FILE: trace + 1,
                    field.FieldRecord: s + 1,
                    field.TraceNumber: r + 1,
                    field.TraceIdentificationCode: 1,
                    field.SourceGroupScalar: -_PER_METRE,
                    field.ElevationScalar: -_PER_METRE,
                    field.SourceX: s_mm[s, 0],
                    field.SourceY: s_mm[s, 1],
                    field.SourceDepth: s_mm[s, 2],
                    field.GroupX: r_mm[r, 0],
                    field.GroupY: r_mm[r, 1],
                    field.ReceiverGroupElevation: -r_mm[r, 2],
                    field.CoordinateUnits: 1,
                    field.TRACE_SAMPLE_COUNT: survey.n_samples,
                    field.TRACE_SAMPLE_INTERVAL: microseconds,
                }
                file.trace[trace] = np.ascontiguousarray(records[s, :, r])
    return partial.replace(path)


def read_segy(path: str | Path) -> ShotRecords:
    """Read shot records from a SEG-Y file.

    Raises
    ------
    InputError
        When the file is missing or not SEG-Y, its shots have different receivers, or a trace is not finite.
    SeisflowError
        When segyio is missing.
    """
    segyio, path = _segyio(), Path(path)
    if not path.is_file():
        raise InputError("path", str(path), "no such file")
    field = segyio.TraceField
    try:
        with segyio.open(str(path), ignore_geometry=True) as file:
            traces = np.array(file.trace.raw[:], np.float32)
            header = {key: np.array(file.attributes(key)[:], float) for key in _geometry(field)}
            interval = float(segyio.dt(file)) * 1e-6
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError("path", str(path), f"segyio cannot read it as SEG-Y: {error}") from error
    if not np.isfinite(traces).all():
        raise InputError("path", str(path), "some samples are not finite; check the sample format of the file")
    across, along = (_factor(header[key]) for key in (field.SourceGroupScalar, field.ElevationScalar))
    sources = np.column_stack(
        [header[field.SourceX] * across, header[field.SourceY] * across, header[field.SourceDepth] * along]
    )
    receivers = np.column_stack(
        [header[field.GroupX] * across, header[field.GroupY] * across, -header[field.ReceiverGroupElevation] * along]
    )
    shots, first = np.unique(header[field.FieldRecord], return_index=True)
    order = np.argsort(first)
    members = [np.flatnonzero(header[field.FieldRecord] == shots[i]) for i in order]
    spread = receivers[members[0]]
    if any(len(m) != len(spread) or not np.allclose(receivers[m], spread, atol=1e-3) for m in members):
        raise InputError("path", str(path), "its shots have different receivers; only fixed spreads can be read")
    records = np.stack([traces[m].T for m in members])
    return ShotRecords(records, sources[[m[0] for m in members]], spread, interval)


def _binary(field: Any, microseconds: int, receivers: int) -> dict[Any, int]:
    """The binary header: revision 1, traces of one length, as recorded, metres."""
    return {
        field.Interval: microseconds,
        field.Traces: receivers,
        field.AuxTraces: 0,
        field.SortingCode: 1,
        field.MeasurementSystem: 1,
        field.SEGYRevision: 1,
        field.TraceFlag: 1,
    }


def _geometry(field: Any) -> list[Any]:
    return [
        field.FieldRecord,
        field.SourceGroupScalar,
        field.ElevationScalar,
        field.SourceX,
        field.SourceY,
        field.SourceDepth,
        field.GroupX,
        field.GroupY,
        field.ReceiverGroupElevation,
    ]


def _factor(scalar: NDArray) -> NDArray[np.float64]:
    """Factor of a header scalar: negative divides, positive multiplies, 0 counts as 1."""
    safe = np.where(scalar == 0, 1.0, scalar)
    return np.where(safe < 0, -1 / safe, safe)
