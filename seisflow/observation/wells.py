r"""Wells: saturation and pressure logged along vertical columns, y = (S, p − p_initial) + e with independent errors.

The pressure datum is the change since the initial (hydrostatic) state [Pa]: that is what injection causes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import BlockCovariance, DiagonalCovariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.base import Observation
from seisflow.observation.data import DataAxis, DataField, cell_positions, grid_axes

__all__ = ["Wells"]


class Wells(Observation):
    """Logs of saturation and pressure change, fields ``well_saturation`` and ``well_pressure`` ``(M, n_wells, nz)``.

    Parameters
    ----------
    grid
        Grid of the state.
    positions
        One entry per well: x in 2-D, ``(x, y)`` in 3-D [m]. The well is the column of cells that holds it.
    initial_pressure
        Pressure before injection [Pa], of the grid's shape.
    saturation_std, pressure_std
        Standard deviations of the errors, of saturation and of pressure [Pa].
    pressure_scale
        Pressure change that becomes 1 in the channels [Pa].

    Raises
    ------
    InputError
        When a well lies outside the grid, two wells share a column, or a number is not positive.
    """

    def __init__(
        self,
        grid: Grid,
        positions: Sequence[float | tuple[float, ...]],
        initial_pressure: NDArray,
        *,
        saturation_std: float = 0.02,
        pressure_std: float = 5e4,
        pressure_scale: float = 1e6,
    ) -> None:
        self.grid = grid
        columns, places = [], []
        for position in positions:
            lateral = tuple(float(c) for c in np.atleast_1d(np.asarray(position, float)))
            if len(lateral) != grid.ndim - 1:
                raise InputError("wells.positions", position, f"give {grid.ndim - 1} coordinate(s) in metres per well")
            for value, (low, high) in zip(lateral, grid.extent[:-1], strict=True):
                if not low <= value <= high:
                    raise InputError("wells.positions", position, f"it lies outside the grid, {grid.extent[:-1]} m")
            places.append(lateral)
            columns.append(grid.locate((*lateral, grid.centres(-1)[0]))[:-1])
        if not columns or len(set(columns)) != len(columns):
            raise InputError("wells.positions", tuple(positions), "give at least one well, each in a column of its own")
        self.columns: tuple[tuple[int, ...], ...] = tuple(columns)
        self._places = np.array(places)
        self.initial_pressure = np.array(initial_pressure, np.float64)
        if self.initial_pressure.shape != grid.shape:
            raise InputError("initial_pressure.shape", self.initial_pressure.shape, f"it must be {grid.shape}")
        if not np.isfinite(self.initial_pressure).all():
            raise InputError("initial_pressure", "not finite", "give the pressure before injection in Pa")
        for name, value in (
            ("saturation_std", saturation_std),
            ("pressure_std", pressure_std),
            ("pressure_scale", pressure_scale),
        ):
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"wells.{name}", value, "give a positive number")
        self.saturation_std, self.pressure_std, self.pressure_scale = saturation_std, pressure_std, pressure_scale

    @cached_property
    def data(self) -> Mapping[str, DataField]:
        lateral = tuple(np.array(self.columns).T)
        positions = cell_positions(self.grid)[lateral]
        axis = DataAxis("well", len(self.columns), unit="1", label="monitoring well")
        if self.grid.ndim == 2:
            middle, half = positions[:, 0, 0], 0.5 * self.grid.spacing[0] * (1 + 1e-9)  # anywhere in its column
            within = np.stack([middle - half, middle + half], axis=1)
            text = "position of the monitoring well along the section"
            axis = DataAxis("well", len(self.columns), self._places[:, 0], label=text, within=within)
        axes = (axis, grid_axes(self.grid)[-1])
        return {
            "well_saturation": DataField(
                axes,
                label="CO2 saturation along wells",
                positions=positions,
                noise_std=self.saturation_std,
                quantity="saturation",
            ),
            "well_pressure": DataField(
                axes,
                unit="Pa",
                label="change of pressure along wells",
                positions=positions,
                noise_std=self.pressure_std,
                quantity="pressure_change",
            ),
        }

    def _log(self, fields: NDArray) -> NDArray[np.float64]:
        """The columns of ``(M, *grid.shape)``, as ``(M, n_wells, nz)``."""
        if fields.shape[1:] != self.grid.shape:
            raise InputError("ensemble", fields.shape, f"members must have the grid's shape {self.grid.shape}")
        lateral = tuple(np.array(self.columns).T)
        return fields[(slice(None), *lateral)].astype(np.float64)

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        pressure = self._log(ensemble["pressure"] - self.initial_pressure)
        return Ensemble(
            {"well_saturation": self._log(ensemble["saturation"]), "well_pressure": pressure}, ensemble.time
        )

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        exact = self.predict(truth)
        error = self.noise.sample(truth.size, generator)
        return exact.unpack(exact.pack() + error)

    @property
    def noise(self) -> BlockCovariance:
        size = len(self.columns) * self.grid.shape[-1]
        variances = (self.saturation_std**2, self.pressure_std**2)
        return BlockCovariance(tuple(DiagonalCovariance(np.full(size, v)) for v in variances))

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        """Saturation, scaled pressure change, and a mask that is 1 along the wells; zero elsewhere: C = 3."""
        saturation, pressure = data["well_saturation"], data["well_pressure"] / self.pressure_scale
        result = np.zeros((data.size, 3, *self.grid.shape), np.float32)
        lateral = tuple(np.array(self.columns).T)
        for channel, values in enumerate((saturation, pressure, np.ones_like(saturation))):
            result[:, channel][(slice(None), *lateral)] = values
        return result
