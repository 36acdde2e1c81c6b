"""A medium as the time step of :mod:`seisflow.observation.wave` sees it, and a background wavefield in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.observation.layout import Store

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


@dataclass(frozen=True, eq=False)
class Kept:
    """A background wavefield (or its second time derivative), kept every few steps, with the medium it runs in."""

    medium: Medium
    store: Store
    factor: float

    @property
    def nbytes(self) -> int:
        """Memory of the kept steps."""
        return self.store.nbytes
