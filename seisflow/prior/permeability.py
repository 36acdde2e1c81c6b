r"""The permeability prior p(K), built from a velocity section.

1. The unconformity of a column is the first depth at which v reaches a threshold (3.5 km/s): the top of the reservoir. It is
   the brightest horizon of the baseline seismic, so it is taken as known and does not move.
2. Warp: the layers below it move. v_w(x) = v(x + τ u(x)), where each component of the displacement u is a smooth Gaussian
   field, and τ = 1 − exp(−½ (d/ℓ_τ)²) with the distance d below the unconformity lets the displacement vanish there.
3. Noise: streaks open and close. v' = v_w + σ w, where w is a correlated Gaussian field of unit variance.
4. The published rule (Yin et al. 2023, after the Compass model), v in km/s, K in mD:

       v ≥ 4        K = 3000 exp(v − 4)
       3.5 ≤ v < 4  log-linear from 0.01 to 3000
       v < 3.5      K = 0.01 exp(v − 3.5)

5. A seal of given thickness and permeability (50 m, 1e-3 mD) lies directly above the unconformity.

Warp and average happen on the section's fine cells; the rule on the flow cells, where an average of v in the log-linear
band is a geometric mean of K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.geology.section import Section
from seisflow.grid import Grid, average
from seisflow.prior.base import Prior
from seisflow.prior.gaussian_field import gaussian_field
from seisflow.units import MILLIDARCY

__all__ = ["PermeabilityPrior", "permeability_from_velocity"]


def permeability_from_velocity(velocity: NDArray) -> NDArray[np.float64]:
    """The published rule.

    Parameters
    ----------
    velocity
        P-wave velocity [m/s], any shape.

    Returns
    -------
    NDArray
        Permeability [m²], same shape.
    """
    v = np.asarray(velocity, np.float64) / 1e3
    reservoir = 3000.0 * np.exp(v - 4.0)
    transition = 0.01 * np.exp((v - 3.5) / 0.5 * np.log(3000.0 / 0.01))
    overburden = 0.01 * np.exp(v - 3.5)
    return np.where(v >= 4.0, reservoir, np.where(v >= 3.5, transition, overburden)) * MILLIDARCY


@dataclass(frozen=True, eq=False)
class PermeabilityPrior(Prior):
    """p(K): draws of horizontal permeability on a flow grid, field ``permeability`` [m²].

    Parameters
    ----------
    section
        Velocity section that covers the grid.
    grid
        Flow grid, 2-D (x, z).
    noise_std
        σ of the velocity noise [m/s].
    noise_length
        Its correlation lengths (x, z) [m].
    warp_std
        Standard deviation of the displacement (x, z) [m].
    warp_length
        Its correlation lengths (x, z) [m].
    warp_taper
        Distance ℓ_τ below the unconformity over which the displacement grows to its full size [m].
    unconformity_velocity
        Velocity that marks the top of the reservoir [m/s].
    seal_thickness, seal_permeability
        The seal above it [m], [m²].

    Raises
    ------
    InputError
        When the grid leaves the section or a number is out of range.
    """

    name = "permeability"
    fields = ("permeability",)

    section: Section
    grid: Grid
    noise_std: float = 80.0
    noise_length: tuple[float, float] = (400.0, 40.0)
    warp_std: tuple[float, float] = (60.0, 25.0)
    warp_length: tuple[float, float] = (800.0, 400.0)
    warp_taper: float = 50.0
    unconformity_velocity: float = 3500.0
    seal_thickness: float = 50.0
    seal_permeability: float = 1e-3 * MILLIDARCY

    def __post_init__(self) -> None:
        if self.grid.ndim != 2:
            raise InputError("grid.shape", self.grid.shape, "this prior is built from a 2-D section (x, z)")
        for axis, name in enumerate("xz"):
            (low, high), (first, last) = self.grid.extent[axis], self.section.grid.extent[axis]
            tolerance = 0.5 * self.section.grid.spacing[axis]
            if low < first - tolerance or high > last + tolerance:
                raise InputError(
                    "grid.extent", (low, high), f"along {name} the section only covers {first:g} to {last:g} m"
                )
        for key in ("noise_std", "unconformity_velocity", "seal_thickness", "seal_permeability"):
            if not getattr(self, key) >= 0:
                raise InputError(key, getattr(self, key), "give a number of 0 or more")
        if min(self.warp_std) < 0:
            raise InputError("warp_std", self.warp_std, "give two lengths of 0 or more")

    @property
    def _fine(self) -> Grid:
        """The part of the section under the flow grid, at the section's spacing."""
        shape = [
            max(1, round((high - low) / h))
            for (low, high), h in zip(self.grid.extent, self.section.grid.spacing, strict=True)
        ]
        spacing = [(high - low) / n for (low, high), n in zip(self.grid.extent, shape, strict=True)]
        return Grid(tuple(shape), tuple(spacing), self.grid.origin)

    def velocity(self, generator: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """One draw of the velocity on the flow grid [m/s], and the cells of the seal above its unconformity."""
        fine, source = self._fine, self.section.grid
        points = np.meshgrid(fine.centres(0), fine.centres(1), indexing="ij")
        still = [(points[a] - source.origin[a]) / source.spacing[a] - 0.5 for a in range(2)]
        velocity = map_coordinates(self.section.velocity, still, order=1, mode="nearest")
        reached = velocity >= self.unconformity_velocity
        nowhere = (
            fine.extent[1][1] + self.seal_thickness + self.grid.spacing[1]
        )  # a column without reservoir has no seal
        top = fine.centres(1)[reached.argmax(axis=1)] - 0.5 * fine.spacing[1]
        top = np.where(reached.any(axis=1), top, nowhere)
        below = np.clip(fine.depth - top[:, None], 0.0, None)
        taper = -np.expm1(-0.5 * (below / self.warp_taper) ** 2)
        moved = [
            still[a] + taper * self.warp_std[a] / source.spacing[a] * gaussian_field(fine, self.warp_length, generator)
            for a in range(2)
        ]
        warped = map_coordinates(self.section.velocity, moved, order=1, mode="nearest")
        noise = gaussian_field(self.grid, self.noise_length, generator)
        velocity = average(warped, fine, self.grid) + self.noise_std * noise
        top = average(np.repeat(top[:, None], fine.shape[1], axis=1), fine, self.grid)[:, :1]
        depth = self.grid.depth
        seal = (depth < top) & (depth >= top - self.seal_thickness)
        return velocity, seal

    def realisation(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """One draw of the horizontal permeability [m²], ``grid.shape``."""
        velocity, seal = self.velocity(generator)
        permeability = permeability_from_velocity(velocity)
        permeability[seal] = self.seal_permeability
        return permeability

    def draw(self, generators: Sequence[np.random.Generator]) -> Ensemble:
        return Ensemble({"permeability": np.stack([self.realisation(generator) for generator in generators])})
