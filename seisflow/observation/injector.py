r"""The injection well as an instrument: the mass that its meter has counted, and the pressure at its bottom.

    y = ( ln m + ln(1 + σ ε),  p_bh − p_0 + e ),      H(x) = ( ln Σ_c C(p_c) S_c,  p(x_w) + Δ_w − p_0(x_w) )

m is the mass injected so far, C(p) the CO2 that a cell holds at saturation 1 [kg], x_w the well's uppermost perforated cell
and Δ_w the pressure in the well minus that of its cell, which the simulator leaves with every member. So a member is asked
for its CO2 in place, which is what was injected as long as none has left the grid.

A flow meter is off by a factor, and that factor is one of its calibration: ε is drawn once a study, and the mass of an
interval, a difference of two readings, is off by the same factor. The logarithm has the error σ whatever the mass.
The pressure is read at the surveys; what it was between them is not kept.
"""

from __future__ import annotations

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

__all__ = ["Injector"]

MASS, PRESSURE = "log_injected_mass", "bottom_hole_pressure"
LEAST = 1.0
"""Mass [kg] whose logarithm stands for none."""


class Injector(Observation):
    """Metered mass and bottom-hole pressure.

    Fields ``log_injected_mass`` ``(M,)`` and ``bottom_hole_pressure`` ``(M, wells, 1)`` [Pa].

    The mass has no place: it counts everywhere. The pressure is that at the uppermost perforation, as a change [Pa].

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
    pressure_std
        Standard deviation of the pressure's error [Pa].
    pressure_scale
        Pressure change that becomes 1 in the channels [Pa].
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
        pressure_std: float = 5e4,
        pressure_scale: float = 1e6,
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
        numbers = {"mass_error": mass_error, "pressure_std": pressure_std, "pressure_scale": pressure_scale}
        for name, value in numbers.items():
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"injector.{name}", value, "give a positive number")
        self.mass_error, self.pressure_std, self.pressure_scale = mass_error, pressure_std, pressure_scale

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
                instead=("injected_mass",),
            ),
            PRESSURE: DataField(
                axes,
                unit="Pa",
                label="change of the bottom-hole pressure",
                positions=places,
                noise_std=self.pressure_std,
            ),
        }

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        """CO2 in place and pressure in the wells, of members with ``well_overpressure`` [Pa] beside the state."""
        _require(ensemble, "saturation", "pressure", "well_overpressure")
        S, p = (np.asarray(ensemble[name], np.float64) for name in ("saturation", "pressure"))
        mass = (self.capacity(p) * S).reshape(len(S), -1).sum(axis=1)
        change = (p - self.initial_pressure)[(slice(None), *self._cells)] + ensemble["well_overpressure"]
        return Ensemble({MASS: _logarithm(mass), PRESSURE: change[:, :, None]}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        """The readings; the mass is that of ``injected_mass`` [kg], and its factor is the study's, not the generator's."""
        exact = self.predict(truth)
        _require(truth, "injected_mass")
        factor = 1 + self.mass_error * stream(self.seed, "meter").standard_normal()
        mass = _logarithm(factor * np.asarray(truth["injected_mass"], np.float64))
        error = self.pressure_std * generator.standard_normal(exact[PRESSURE].shape)
        return Ensemble({MASS: mass, PRESSURE: exact[PRESSURE] + error}, exact.time)

    def compare(self, arrays: Mapping[str, FileArray | NDArray]) -> dict[str, NDArray]:
        """The data; the mass may be given in kg as ``injected_mass``."""
        if "injected_mass" not in arrays:
            return super().compare(arrays)
        given = FileArray.of(arrays["injected_mass"])
        if MASS in arrays:
            raise InputError("data", given.source, f"injected_mass and {MASS} are the same datum; give one of the two")
        mass = DataField((), "kg").compare("injected_mass", given)
        if not mass > 0:
            raise InputError("injected_mass", float(mass), "give the mass injected since the start, above 0 kg")
        return compared(self.data, {**arrays, MASS: _logarithm(mass)})

    @property
    def noise(self) -> BlockCovariance:
        gauges = np.full(len(self.perforations), self.pressure_std**2)
        return BlockCovariance((DiagonalCovariance(np.array([self.mass_error**2])), DiagonalCovariance(gauges)))

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        """The scaled pressure change at the wells' uppermost perforations, zero elsewhere: C = 1.

        The mass has no channel: that of every posterior member is met behind the networks
        (:class:`seisflow.analysis.metered.MeteredMass`).
        """
        result = np.zeros((data.size, 1, *self.grid.shape), np.float32)
        result[(slice(None), 0, *self._cells)] = data[PRESSURE][:, :, 0] / self.pressure_scale
        return result


def _require(ensemble: Ensemble, *names: str) -> None:
    for name in names:
        if name not in ensemble:
            raise InputError("ensemble", ensemble.names, f"it lacks {name}; advance it with the dynamics of a well")


def _logarithm(mass: NDArray) -> NDArray[np.float64]:
    return np.log(np.maximum(mass, LEAST))
