"""A medium as the time step of :mod:`seisflow.observation.waves.propagator` sees it, and a background wavefield in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.observation.waves.differences import laplacian
from seisflow.observation.waves.layout import KeptSteps, WaveLayout

__all__ = ["Kept", "Medium"]


@dataclass(frozen=True, eq=False)
class Medium:
    """Coefficients of the time step in one medium, on the padded grid (made by :meth:`Propagator.medium`).

    Parameters
    ----------
    alpha, beta
        α and β of the time step.
    root
        √ρ.
    potential, density
        q, and ρ [kg/m³], on the model's grid.
    """

    alpha: NDArray
    beta: NDArray
    root: NDArray
    potential: NDArray[np.float64]
    density: NDArray[np.float64]

    @classmethod
    def of(
        cls, layout: WaveLayout, velocity: NDArray, density: NDArray, dt: float, stiffness: float, fastest: float
    ) -> Medium:
        """The coefficients of a medium, continued by its edge values into the layer.

        Parameters
        ----------
        layout
            Sizes.
        velocity, density
            v_p [m/s] and ρ [kg/m³] on the model's grid.
        dt, stiffness, fastest
            Δt [s], the largest eigenvalue of −L [1/m²], and the velocity for which they were chosen [m/s].

        Raises
        ------
        InputError
            When a value is not positive, or too fast for the time step.
        """
        padded = []
        for name, values in (("velocity", velocity), ("density", density)):
            array = np.asarray(values, np.float64)
            if array.shape != layout.model:
                raise InputError(f"{name}.shape", array.shape, f"it must be the wave grid's {layout.model}")
            bad = array[~(np.isfinite(array) & (array > 0))]
            if bad.size:
                raise InputError(name, float(bad[0]), "every value must be finite and positive")
            padded.append(np.pad(array, layout.pads, mode="edge"))
        v, rho = padded
        root_b = 1 / np.sqrt(rho)
        potential = laplacian(root_b, layout.spacing, layout.order) / root_b
        if (dt**2 * v**2 * (stiffness + np.maximum(potential, 0))).max() > 4:
            raise InputError("velocity", float(v.max()), f"the time step is for at most {fastest:.0f} m/s")
        alpha = dt**2 * v**2
        beta = 2 - alpha * potential
        alpha, beta, root = (a.astype(layout.dtype) for a in (alpha, beta, np.sqrt(rho)))
        return cls(alpha, beta, root, potential[layout.inner], rho[layout.inner])


@dataclass(frozen=True, eq=False)
class Kept:
    """A background wavefield (or its second time derivative), kept every few steps, with the medium it runs in."""

    medium: Medium
    store: KeptSteps
    factor: float

    @property
    def nbytes(self) -> int:
        """Memory of the kept steps."""
        return self.store.nbytes
