r"""Surveys: where the sources and receivers are, what the sources emit, how long and how often is recorded.

The source emits a Ricker wavelet of peak frequency f, delayed so that it starts from (numerically) zero:

    r(t) = (1 − 2a) exp(−a),   a = (π f (t − t₀))²,   t₀ = 1.25 / f.

Its spectrum |r̂(ν)| ∝ (ν/f)² exp(−(ν/f)²) has fallen to 3 % of its peak at 2.5 f, which counts here as its highest
frequency.

An :class:`Encoding` replaces the S single shots by E ≤ S supershots, in which several sources fire together with random
signs ±1 and random delays τ:  d_e(t) = Σ_s w_es d_s(t − τ_es)  (Romero et al. 2000, Geophysics 65, 426-436; Krebs et
al. 2009, Geophysics 74, WCC177-WCC188). It is a fixed linear map of the records, the same for every member and for the
field data. Every source fires once, and those of one supershot are as far apart as the line allows, so that only crosstalk
between distant sources enters the image.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.seeds import generator

__all__ = ["Encoding", "Survey"]

_HIGHEST = 2.5  # highest frequency that counts, in peak frequencies
_START = 1.25  # delay of the wavelet's peak, in periods of the peak frequency: r(0) is 6e-6 of the peak


@dataclass(frozen=True, eq=False)
class Survey:
    """Geometry, wavelet and recording of a seismic survey.

    Parameters
    ----------
    sources, receivers
        Coordinates [m], ``(n, ndim)``, the last column being depth.
    peak_frequency
        Peak frequency f of the Ricker wavelet [Hz].
    duration
        Length of a record [s], from the start of the source.
    interval
        Sampling interval of the records [s].

    Raises
    ------
    InputError
        When a shape or number cannot be used, or the sampling is too coarse for the wavelet.
    """

    sources: NDArray[np.float64]
    receivers: NDArray[np.float64]
    peak_frequency: float
    duration: float
    interval: float = 4e-3

    def __post_init__(self) -> None:
        for name in ("sources", "receivers"):
            points = np.array(getattr(self, name), np.float64)
            points.setflags(write=False)
            object.__setattr__(self, name, points)
            if points.ndim != 2 or len(points) < 1 or points.shape[1] not in (2, 3) or not np.isfinite(points).all():
                raise InputError(f"survey.{name}", points.shape, "give finite coordinates in metres, one point a row")
        if self.sources.shape[1] != self.receivers.shape[1]:
            raise InputError(
                "survey.receivers", self.receivers.shape, "sources and receivers need equal numbers of axes"
            )
        for name in ("peak_frequency", "duration", "interval"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"survey.{name}", getattr(self, name), "give a positive number")
        coarsest = 0.5 / self.highest_frequency
        if self.interval > coarsest:
            raise InputError("survey.interval", self.interval, f"sample at {coarsest:.2g} s or finer for this wavelet")
        if self.duration < self.start + 2 * self.interval:
            raise InputError(
                "survey.duration", self.duration, f"record longer than the wavelet, {2 * self.start:.2g} s"
            )

    @classmethod
    def seabed(
        cls,
        grid: Grid,
        peak_frequency: float,
        duration: float,
        *,
        n_sources: int = 8,
        n_receivers: int = 200,
        source_depth: float = 210.0,
        receiver_depth: float = 10.0,
        interval: float = 4e-3,
    ) -> Survey:
        """Seabed nodes under a line of shots: by reciprocity the few nodes are fired, the many shot points record.

        The nodes are spread evenly over the 2-D section, half a node distance from its ends; so are the shot points.

        Parameters
        ----------
        grid
            The wave grid: a 2-D section.
        n_sources, source_depth
            Number of seabed nodes, and their depth [m].
        n_receivers, receiver_depth
            Number of shot points near the surface, and their depth [m].
        """
        if grid.ndim != 2:
            raise InputError("grid.ndim", grid.ndim, "the seabed survey is for a 2-D section; give coordinates in 3-D")
        lines = []
        for name, n, depth in (("sources", n_sources, source_depth), ("receivers", n_receivers, receiver_depth)):
            if n < 1:
                raise InputError(f"n_{name}", n, "give at least 1")
            low, high = grid.extent[0]
            lines.append(np.column_stack([low + (np.arange(n) + 0.5) * (high - low) / n, np.full(n, depth)]))
        return cls(lines[0], lines[1], peak_frequency, duration, interval)

    @property
    def n_samples(self) -> int:
        """Number of samples of a record."""
        return round(self.duration / self.interval) + 1

    @property
    def start(self) -> float:
        """Time t₀ of the wavelet's peak [s]."""
        return _START / self.peak_frequency

    @property
    def highest_frequency(self) -> float:
        """Highest frequency of the wavelet that counts [Hz]."""
        return _HIGHEST * self.peak_frequency

    def wavelet(self, time: NDArray) -> NDArray[np.float64]:
        """The source's Ricker wavelet r(t), peak 1, at times [s]."""
        a = (np.pi * self.peak_frequency * (np.asarray(time, np.float64) - self.start)) ** 2
        return (1 - 2 * a) * np.exp(-a)

    def check(self, grid: Grid, velocity: NDArray, points_per_wavelength: float = 3.0) -> None:
        """Whether a wave grid carries this survey.

        Parameters
        ----------
        grid, velocity
            The wave grid and v_p on it [m/s].
        points_per_wavelength
            Nodes that the shortest wavelength needs (3 for space order 8).

        Raises
        ------
        InputError
            When a point lies outside the grid, or the grid is too coarse for the wavelet.

        Warns
        -----
        UserWarning
            When the record ends before a reflection from the deepest node could return.
        """
        for name in ("sources", "receivers"):
            for axis, (low, high) in enumerate(grid.extent):
                # Outermost half cells lie beyond the outermost nodes, but inside the absorbing layer's continuation.
                points = getattr(self, name)
                outside = points[(points[:, axis] < low) | (points[:, axis] > high)]
                if len(outside):
                    raise InputError(
                        f"survey.{name}",
                        outside[0].tolist(),
                        f"it lies outside the model, whose extent is {grid.extent} m",
                    )
        slowest = float(np.min(velocity))
        finest = slowest / (self.highest_frequency * points_per_wavelength)
        if max(grid.spacing) > finest * (1 + 1e-9):
            fitting = slowest / (max(grid.spacing) * points_per_wavelength * _HIGHEST)
            raise InputError(
                "survey.peak_frequency",
                self.peak_frequency,
                f"a grid of {max(grid.spacing):g} m resolves up to {fitting:.3g} Hz at {slowest:.0f} m/s; "
                f"use a spacing of at most {finest:.3g} m or a lower frequency",
            )
        column = np.mean(1 / np.asarray(velocity, np.float64), axis=tuple(range(grid.ndim - 1)))
        depth = grid.centres(-1)
        top = min(self.sources[:, -1].mean(), self.receivers[:, -1].mean())
        two_way = self.start + sum(
            float(column[depth >= points[:, -1].mean()].sum()) * grid.spacing[-1]
            for points in (self.sources, self.receivers)
        )
        if self.duration < two_way:
            warnings.warn(
                f"survey.duration = {self.duration:g} s: a reflection from the model's bottom ({grid.extent[-1][1]:g} m) "
                f"returns to {top:g} m only after {two_way:.2f} s; the deepest part will not be imaged.",
                UserWarning,
                stacklevel=2,
            )


@dataclass(frozen=True, eq=False)
class Encoding:
    """Which sources fire in which experiment, with which weight and delay.

    Parameters
    ----------
    weights
        Weight w of every source in every experiment, ``(n_experiments, n_sources)``.
    shifts
        Delay of every source in every experiment, in samples of the records, ``(n_experiments, n_sources)``, 0 or more.
    """

    weights: NDArray[np.float64]
    shifts: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.asarray(self.weights, np.float64))
        object.__setattr__(self, "shifts", np.asarray(self.shifts, np.int64))
        if self.weights.ndim != 2 or self.weights.shape != self.shifts.shape or not np.isfinite(self.weights).all():
            raise InputError(
                "encoding.weights", self.weights.shape, "give finite (experiments, sources), as for shifts"
            )
        if (self.shifts < 0).any():
            raise InputError("encoding.shifts", int(self.shifts.min()), "delays are 0 samples or more")

    @classmethod
    def plain(cls, n_sources: int) -> Encoding:
        """Every source alone: one experiment per source."""
        return cls(np.eye(n_sources), np.zeros((n_sources, n_sources), int))

    @classmethod
    def random(cls, n_sources: int, n_experiments: int, longest: int, seed: int = 0) -> Encoding:
        """Supershots: the sources are dealt in turn, with random signs and delays up to ``longest`` samples.

        Source s fires in experiment s mod ``n_experiments``; sources should be listed along their line.
        """
        if not 1 <= n_experiments <= n_sources:
            raise InputError("encoded_shots", n_experiments, f"give 1 to {n_sources}, the number of sources")
        if longest < 0:
            raise InputError("longest_delay", longest, "give 0 samples or more")
        stream = generator(seed, "source encoding")
        weights = np.zeros((n_experiments, n_sources))
        shifts = np.zeros((n_experiments, n_sources), np.int64)
        dealt = np.arange(n_sources) % n_experiments, np.arange(n_sources)
        weights[dealt] = stream.choice([-1.0, 1.0], size=n_sources)
        shifts[dealt] = stream.integers(0, longest + 1, size=n_sources)
        return cls(weights, shifts)

    @property
    def n_experiments(self) -> int:
        """Number of experiments E."""
        return len(self.weights)

    def apply(self, records: NDArray) -> NDArray:
        """Encode single-shot records ``(..., n_sources, n_samples, n_receivers)``.

        Returns
        -------
        NDArray
            ``(..., n_experiments, n_samples, n_receivers)``, of the same dtype: what a delay pushes beyond the end of
            the record is lost, so records should be longer than needed by the longest delay.
        """
        *lead, n_sources, n_samples, n_receivers = records.shape
        if n_sources != self.weights.shape[1]:
            raise InputError("records.shape", records.shape, f"the encoding is for {self.weights.shape[1]} sources")
        result = np.zeros((*lead, self.n_experiments, n_samples, n_receivers), records.dtype)
        for e, s in zip(*np.nonzero(self.weights), strict=True):
            first = min(int(self.shifts[e, s]), n_samples)
            part = records[..., s, : n_samples - first, :]
            result[..., e, first:, :] += records.dtype.type(self.weights[e, s]) * part
        return result
