r"""Surveys: where the sources and receivers are, what the sources emit, how long and how often is recorded.

The wave operators fire one experiment per source, so a survey should have few sources and may have many receivers. By
reciprocity the pressure at x_r of a volume source at x_s is that at x_s of one at x_r, so sources and receivers may change
places: :meth:`Survey.exchange`. The constructors for seabed nodes and vertical profiles do it where it saves shots, and
``exchanged`` remembers it for files and plots.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.waves.wavelet import Ricker, Wavelet

__all__ = ["Survey"]

# Nodes that the shortest wavelength needs, by the order of the differences in space.
_POINTS = {4: 5.0, 6: 4.0, 8: 3.0}


@dataclass(frozen=True, eq=False)
class Survey:
    """Geometry, wavelet and recording of a seismic survey.

    Parameters
    ----------
    sources, receivers
        Coordinates [m], ``(n, ndim)``, the last column being depth.
    wavelet
        What every source emits; a number is the peak frequency of a Ricker wavelet [Hz].
    duration
        Length of a record [s], from the start of the source.
    interval
        Sampling interval of the records [s].
    exchanged
        Whether these sources are the field's receivers, and these receivers its shot points.

    Raises
    ------
    InputError
        When a shape or number cannot be used, or the sampling is too coarse for the wavelet.
    """

    sources: NDArray[np.float64]
    receivers: NDArray[np.float64]
    wavelet: Wavelet
    duration: float
    interval: float = 4e-3
    exchanged: bool = False

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
        if not isinstance(self.wavelet, Wavelet):
            object.__setattr__(self, "wavelet", Ricker(float(self.wavelet)))
        for name in ("duration", "interval"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"survey.{name}", getattr(self, name), "give a positive number")
        coarsest = 0.5 / self.wavelet.highest_frequency
        if self.interval > coarsest:
            raise InputError("survey.interval", self.interval, f"sample at {coarsest:.2g} s or finer for this wavelet")
        if self.duration < self.wavelet.start + 2 * self.interval:
            raise InputError(
                "survey.duration", self.duration, f"record longer than the wavelet, {2 * self.wavelet.start:.2g} s"
            )

    # -- usual geometries ---------------------------------------------------------------------------------------------

    @classmethod
    def seabed(
        cls,
        grid: Grid,
        wavelet: Wavelet | float,
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
        nodes = _line(grid, n_sources, source_depth, "n_sources")
        shots = _line(grid, n_receivers, receiver_depth, "n_receivers")
        return cls(nodes, shots, wavelet, duration, interval, exchanged=True)  # type: ignore[arg-type]

    @classmethod
    def surface(
        cls,
        grid: Grid,
        wavelet: Wavelet | float,
        duration: float,
        *,
        n_sources: int = 8,
        n_receivers: int = 200,
        source_depth: float = 10.0,
        receiver_depth: float = 10.0,
        interval: float = 4e-3,
    ) -> Survey:
        """Shots into a fixed line of receivers near the surface of a 2-D section, both spread evenly over it."""
        shots = _line(grid, n_sources, source_depth, "n_sources")
        spread = _line(grid, n_receivers, receiver_depth, "n_receivers")
        return cls(shots, spread, wavelet, duration, interval)  # type: ignore[arg-type]

    @classmethod
    def vertical_profile(
        cls,
        grid: Grid,
        wavelet: Wavelet | float,
        duration: float,
        *,
        well: float,
        depths: Sequence[float],
        n_shots: int = 50,
        shot_depth: float = 10.0,
        interval: float = 4e-3,
    ) -> Survey:
        """A walk-away vertical seismic profile: receivers down a well, shots along the surface of a 2-D section.

        Whichever of the two are fewer are fired, by reciprocity.

        Parameters
        ----------
        well, depths
            Position of the well and depths of its receivers [m].
        n_shots, shot_depth
            Number of shots and their depth [m].
        """
        down = np.column_stack([np.full(len(depths), float(well)), np.asarray(depths, np.float64)])
        shots = _line(grid, n_shots, shot_depth, "n_shots")
        return cls(shots, down, wavelet, duration, interval).economical()  # type: ignore[arg-type]

    def exchange(self) -> Survey:
        """The survey with sources and receivers in each other's places: the same pressure records, by reciprocity."""
        return replace(self, sources=self.receivers, receivers=self.sources, exchanged=not self.exchanged)

    def economical(self) -> Survey:
        """This survey or, if it has fewer receivers than sources, the exchanged one."""
        return self.exchange() if len(self.receivers) < len(self.sources) else self

    # -- properties ---------------------------------------------------------------------------------------------------

    @property
    def n_samples(self) -> int:
        """Number of samples of a record."""
        return round(self.duration / self.interval) + 1

    @property
    def time(self) -> NDArray[np.floating]:
        """Times of the samples [s]."""
        return np.arange(self.n_samples) * self.interval

    # -- whether a grid carries the survey ----------------------------------------------------------------------------

    def check_positions(self, grid: Grid) -> None:
        """Raise :class:`InputError` when a source or receiver lies outside a wave grid."""
        for name in ("sources", "receivers"):
            points = getattr(self, name)
            if points.shape[1] != grid.ndim:
                raise InputError(f"survey.{name}", points.shape, f"the wave grid has {grid.ndim} axes")
            for axis, (low, high) in enumerate(grid.extent):
                outside = points[(points[:, axis] < low) | (points[:, axis] > high)]
                if len(outside):
                    raise InputError(
                        f"survey.{name}",
                        outside[0].tolist(),
                        f"it lies outside the model, whose extent is {grid.extent} m",
                    )

    def too_coarse(self, grid: Grid, slowest: float, space_order: int) -> str | None:
        """What to say of a wave grid that is too coarse for the wavelet at the slowest velocity [m/s]; None: it is not."""
        finest = slowest / (self.wavelet.highest_frequency * _POINTS.get(space_order, 3.0))
        coarse = max(grid.spacing)
        if coarse <= finest * (1 + 1e-9):
            return None
        fitting = self.wavelet.peak_frequency * finest / coarse
        return (
            f"a grid of {coarse:g} m resolves up to {fitting:.3g} Hz at {slowest:.0f} m/s with differences of order "
            f"{space_order}; use a spacing of at most {finest:.3g} m or a lower frequency"
        )

    def warn_if_coarse(self, grid: Grid, velocity: NDArray, space_order: int) -> None:
        """Warn where :meth:`check` would refuse: one who only propagates waves may want them, dispersion and all."""
        coarse = self.too_coarse(grid, float(np.min(velocity)), space_order)
        if coarse is not None:
            warnings.warn(f"survey.peak_frequency: {coarse}", UserWarning, stacklevel=3)

    def check(self, grid: Grid, velocity: NDArray, space_order: int = 8) -> None:
        """Whether a wave grid carries this survey.

        Parameters
        ----------
        grid, velocity
            The wave grid and v_p on it [m/s].
        space_order
            Of the differences in space: it says how many nodes the shortest wavelength needs.

        Raises
        ------
        InputError
            When a point lies outside the grid, or the grid is too coarse for the wavelet.

        Warns
        -----
        UserWarning
            When the record ends before a reflection from the deepest node could return.
        """
        self.check_positions(grid)
        coarse = self.too_coarse(grid, float(np.min(velocity)), space_order)
        if coarse is not None:
            raise InputError("survey.peak_frequency", round(self.wavelet.peak_frequency, 3), coarse)
        column = np.mean(1 / np.asarray(velocity, np.float64), axis=tuple(range(grid.ndim - 1)))
        depth = grid.centres(-1)
        top = min(self.sources[:, -1].mean(), self.receivers[:, -1].mean())
        two_way = self.wavelet.start + sum(
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


def _line(grid: Grid, n: int, depth: float, name: str) -> NDArray[np.float64]:
    """Points at one depth, spread evenly over a 2-D section."""
    if grid.ndim != 2:
        raise InputError("grid.ndim", grid.ndim, "lines are for a 2-D section; give coordinates in 3-D")
    if n < 1:
        raise InputError(name, n, "give at least 1")
    low, high = grid.extent[0]
    return np.column_stack([low + (np.arange(n) + 0.5) * (high - low) / n, np.full(n, float(depth))])
