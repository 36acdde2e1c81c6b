r"""The injection well as an instrument: the mass that its meter has counted, and the pressure at its bottom.

    y = ( ln m + ln(1 + σ ε),  ln Δp_bh + e ),      H(x) = ( ln Σ_c C(p_c) S_c,  ln(p(x_w) + Δ_w − p_0(x_w)) )

m is the mass injected so far, C(p) the CO2 that a cell holds at saturation 1 [kg], x_w the well's uppermost perforated cell
and Δ_w the pressure in the well minus that of its cell, which the simulator leaves with every member. So a member is asked
for its CO2 in place, which is what was injected as long as none has left the grid.

A flow meter is off by a factor, and that factor is one of its calibration: ε is drawn once a study, and the mass of an
interval, a difference of two readings, is off by the same factor. The logarithm has the error σ whatever the mass.

Δ_w goes with 1/K of a few cells, so the pressures of members are lognormal over two decades, and one truth in ten lies far
outside a hundred of them. Hence the logarithm, and hence analyses see the reading no farther from the members than they can
explain: at most 3 deviations of members and noise from the mean (an update of a linear filter is without bounds otherwise;
quality control of this kind: Lorenc & Hammon 1988, QJRMS 114, 515–543). The pressure is read at the surveys; what it was
between them is not kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import BlockCovariance, DiagonalCovariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.base import Observation
from seisflow.observation.data import INJECTED, DataAxis, DataField, FileArray, cell_positions, compared
from seisflow.seeds import generator as stream
from seisflow.units import BAR

__all__ = ["Injector"]

MASS, PRESSURE = "log_injected_mass", "log_bottom_hole_pressure"
LEAST_MASS, LEAST_CHANGE = 1.0, 0.5 * BAR
"""Mass [kg] and change of pressure [Pa] whose logarithms stand for all that is smaller."""
FARTHEST = 3.0
"""Deviations of members and noise that a reading of pressure may lie from the members' mean, as analyses see it."""
GIVEN = {MASS: ("injected_mass", "kg"), PRESSURE: ("bottom_hole_pressure", "Pa")}
"""What files may hold in a field's place, and its unit."""


class Injector(Observation):
    """Metered mass and bottom-hole pressure.

    Fields ``log_injected_mass`` ``(M,)``, of kg, and ``log_bottom_hole_pressure`` ``(M, wells, 1)``, of the change [Pa] at
    the uppermost perforation. The mass has no place: it counts everywhere.

    Parameters
    ----------
    grid
        Grid of the state.
    perforations
        Index of the uppermost perforated cell of every well.
    initial_pressure
        Pressure before injection [Pa], of the grid's shape.
    capacity
        Pressures ``(M, *grid.shape)`` [Pa] ↦ CO2 that every cell holds at saturation 1 [kg], the same shape.
    mass_error
        σ, relative standard deviation of the meter's factor.
    pressure_error
        Relative standard deviation of the change of pressure: of the gauge, and of the cells that stand for a well.
    seed
        Of the meter's factor.

    Raises
    ------
    InputError
        When there is no well, two wells share a cell, or a number is not positive.
    """

    def __init__(
        self,
        grid: Grid,
        perforations: Sequence[tuple[int, ...]],
        initial_pressure: NDArray,
        capacity: Callable[[NDArray], NDArray],
        *,
        mass_error: float = 0.01,
        pressure_error: float = 0.3,
        seed: int = 0,
    ) -> None:
        self.grid, self.capacity, self.seed = grid, capacity, seed
        self.perforations = tuple(tuple(map(int, cell)) for cell in perforations)
        inside = all(
            len(cell) == grid.ndim and all(0 <= i < n for i, n in zip(cell, grid.shape, strict=True))
            for cell in self.perforations
        )
        if not self.perforations or len(set(self.perforations)) != len(self.perforations) or not inside:
            remedy = f"give at least one well, each its own cell of the grid {grid.shape}"
            raise InputError("injector.perforations", self.perforations, remedy)
        self._cells = tuple(np.array(self.perforations).T)
        self.initial_pressure = np.asarray(initial_pressure, np.float64)
        if self.initial_pressure.shape != grid.shape:
            raise InputError("initial_pressure.shape", self.initial_pressure.shape, f"it must be {grid.shape}")
        for name, value in (("mass_error", mass_error), ("pressure_error", pressure_error)):
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"injector.{name}", value, "give a positive number")
        self.mass_error, self.pressure_error = mass_error, pressure_error

    @cached_property
    def data(self) -> Mapping[str, DataField]:
        places = cell_positions(self.grid)[self._cells][:, None]
        axes = (
            DataAxis("injector", len(self.perforations), unit="1", label="injection well"),
            DataAxis("gauge", 1, unit="1", label="pressure gauge of the injection well"),
        )
        return {
            MASS: DataField(
                (),
                label="logarithm of the CO2 injected so far in kg",
                noise_std=self.mass_error,
                quantity=INJECTED,
                instead=(GIVEN[MASS][0],),
            ),
            PRESSURE: DataField(
                axes,
                label="logarithm of the change of the bottom-hole pressure in Pa",
                positions=places,
                noise_std=self.pressure_error,
                instead=(GIVEN[PRESSURE][0],),
            ),
        }

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        """CO2 in place and pressure in the wells, of members with ``well_overpressure`` [Pa] beside the state."""
        _require(ensemble, "saturation", "pressure", "well_overpressure")
        S, p = (np.asarray(ensemble[name], np.float64) for name in ("saturation", "pressure"))
        mass = (self.capacity(p) * S).reshape(len(S), -1).sum(axis=1)
        change = (p - self.initial_pressure)[(slice(None), *self._cells)] + ensemble["well_overpressure"]
        return Ensemble({MASS: _log_mass(mass), PRESSURE: _log_change(change[:, :, None])}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        """The readings; the mass is that of ``injected_mass`` [kg], and its factor is the study's, not the generator's."""
        exact = self.predict(truth)
        _require(truth, "injected_mass")
        factor = 1 + self.mass_error * stream(self.seed, "meter").standard_normal()
        mass = _log_mass(factor * np.asarray(truth["injected_mass"], np.float64))
        error = self.pressure_error * generator.standard_normal(exact[PRESSURE].shape)
        return Ensemble({MASS: mass, PRESSURE: exact[PRESSURE] + error}, exact.time)

    def compare(self, arrays: Mapping[str, FileArray | NDArray]) -> dict[str, NDArray]:
        """The data; files may hold ``injected_mass`` [kg] and ``bottom_hole_pressure`` (its change [Pa]) in their place."""
        found = dict(arrays)
        for name, (plain, unit) in GIVEN.items():
            if plain not in arrays:
                continue
            given = FileArray.of(arrays[plain])
            if name in arrays:
                raise InputError("data", given.source, f"{plain} and {name} are the same datum; give one of the two")
            value = DataField(self.data[name].axes, unit).compare(plain, given)
            if plain == "injected_mass" and not value > 0:
                raise InputError(plain, float(value), "give the mass injected since the start, above 0 kg")
            found[name] = (_log_mass if plain == "injected_mass" else _log_change)(value)
        return compared(self.data, found)

    def refer(self, forecast: Ensemble, *data: Ensemble) -> tuple[Ensemble, ...]:
        """Data whose pressures lie no farther from the forecast's than its members and the noise explain."""
        own = self.predict(forecast)[PRESSURE]
        reach = FARTHEST * np.sqrt(own.var(axis=0) + self.pressure_error**2)
        low, high = own.mean(axis=0) - reach, own.mean(axis=0) + reach
        for one in data:
            if one.size == 1 and not np.array_equal(one[PRESSURE], np.clip(one[PRESSURE], low, high)):
                bars = (float(np.exp(v)) / BAR for v in (one[PRESSURE].max(), own.min(), own.max()))
                said = (
                    "the bottom-hole pressure rose by %.3g bar, that of members by %.3g to %.3g: taken for the nearest"
                )
                logging.getLogger("seisflow").warning(f"{said} that they explain", *bars)
        return tuple(one.replace(None, **{PRESSURE: np.clip(one[PRESSURE], low, high)}) for one in data)

    @property
    def noise(self) -> BlockCovariance:
        gauges = np.full(len(self.perforations), self.pressure_error**2)
        return BlockCovariance((DiagonalCovariance(np.array([self.mass_error**2])), DiagonalCovariance(gauges)))

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        """ln(Δp / 1 bar) at the wells' uppermost perforations, zero elsewhere: C = 1.

        The mass has no channel: that of every posterior member is met behind the networks
        (:class:`seisflow.analysis.metered.MeteredMass`).
        """
        result = np.zeros((data.size, 1, *self.grid.shape), np.float32)
        result[(slice(None), 0, *self._cells)] = data[PRESSURE][:, :, 0] - np.log(BAR)
        return result


def _require(ensemble: Ensemble, *names: str) -> None:
    for name in names:
        if name not in ensemble:
            raise InputError("ensemble", ensemble.names, f"it lacks {name}; advance it with the dynamics of a well")


def _log_mass(mass: NDArray) -> NDArray[np.float64]:
    return np.log(np.maximum(mass, LEAST_MASS))


def _log_change(pressure: NDArray) -> NDArray[np.float64]:
    return np.log(np.maximum(pressure, LEAST_CHANGE))
