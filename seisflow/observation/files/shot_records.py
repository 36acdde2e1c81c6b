r"""Shot records with their geometry, from whatever file, and their comparison with a survey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.observation.data import FileArray
from seisflow.observation.waves.survey import Survey
from seisflow.observation.waves.wavelet import Wavelet

__all__ = ["ShotRecords", "check_records"]

NEAR = 1.0
"""Metres by which a source or receiver may lie elsewhere: headers often hold whole metres."""


@dataclass(frozen=True, eq=False)
class ShotRecords:
    """Records with their geometry.

    Parameters
    ----------
    records
        ``(n_sources, n_samples, n_receivers)``, float32.
    sources, receivers
        Coordinates x, y, depth [m], ``(n, 3)``.
    interval
        Sampling interval [s].
    """

    records: NDArray[np.float32]
    sources: NDArray[np.float64]
    receivers: NDArray[np.float64]
    interval: float

    def survey(self, wavelet: Wavelet | float, ndim: int = 2) -> Survey:
        """The survey of these records; a 2-D one leaves y out."""
        axes = [0, 2] if ndim == 2 else [0, 1, 2]
        duration = (self.records.shape[1] - 1) * self.interval
        return Survey(self.sources[:, axes], self.receivers[:, axes], wavelet, duration, self.interval)  # type: ignore[arg-type]

    def exchange(self) -> ShotRecords:
        """The records with sources and receivers in each other's places, by reciprocity."""
        return ShotRecords(self.records.transpose(2, 1, 0), self.receivers, self.sources, self.interval)

    def array(self, source: str) -> FileArray:
        """The records as an array of a file, with their geometry and times beside them."""
        beside: dict[str, NDArray] = {"time": np.arange(self.records.shape[1]) * self.interval}
        for name, points in (("shot", self.sources), ("receiver", self.receivers)):
            beside |= {f"{name}_{axis}": points[:, i] for i, axis in enumerate(("x", "y", "depth"))}
        return FileArray(self.records, ("shot", "time", "receiver"), "", source, beside)

    @classmethod
    def of(cls, array: FileArray) -> ShotRecords:
        """Records of an array ``(shot, time, receiver)`` that has their geometry and times beside it.

        These are ``shot_x``, ``shot_depth``, ``receiver_x``, ``receiver_depth`` [m] and ``time`` [s]; ``shot_y`` and
        ``receiver_y``, where they are, in 3-D.

        Raises
        ------
        InputError
            When one is missing, or they do not fit the records.
        """
        needed = ("shot_x", "shot_depth", "receiver_x", "receiver_depth", "time")
        missing = [name for name in needed if name not in array.beside]
        if missing:
            raise InputError("data", array.source, f"beside records it must hold {', '.join(missing)}")
        values = {name: np.asarray(array.beside[name], np.float64) for name in needed}
        time, records = values["time"], np.asarray(array.values, np.float32)
        shape = (len(values["shot_x"]), len(time), len(values["receiver_x"]))
        if records.shape != shape:
            text = f"records have shape {records.shape}, (shot, time, receiver) is {shape}"
            raise InputError("data", array.source, text)
        steps = np.diff(time)
        if len(time) < 2 or np.ptp(steps) > 1e-6 * steps[0] or abs(time[0]) > 1e-6 * steps[0]:
            raise InputError("data", array.source, "time must begin at 0 and go on in equal steps, in seconds")
        points = [
            np.column_stack([values[f"{p}_x"], array.beside.get(f"{p}_y", np.zeros(n)), values[f"{p}_depth"]])
            for p, n in (("shot", shape[0]), ("receiver", shape[2]))
        ]
        return cls(records, points[0], points[1], float(steps.mean()))


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
