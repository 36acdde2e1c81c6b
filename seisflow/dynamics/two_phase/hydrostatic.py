r"""The pressure that stays at rest.

    p_{k+1} − p_k = ½ (ρ_w(p_k) + ρ_w(p_{k+1})) g Δz

is what the discrete flux between two cells of a column takes for equilibrium; the first cell hangs on the atmosphere at
depth 0 by the same rule. With brine of constant density it is the atmosphere plus ρ g z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.fluids import Fluids
from seisflow.grid import Grid
from seisflow.units import ATMOSPHERE, GRAVITY

__all__ = ["hydrostatic_column"]


def hydrostatic_column(grid: Grid, fluids: Fluids) -> NDArray[np.float64]:
    """Brine pressure [Pa] of the cells of a column, from top to bottom, ``(nz,)``; under any density law of the brine."""
    column = np.empty(grid.shape[-1])
    above, height = ATMOSPHERE, grid.origin[-1] + 0.5 * grid.spacing[-1]
    for k in range(column.size):
        head = 0.5 * GRAVITY * height
        upper = float(fluids.brine_density_at(above))
        below = above + 2 * head * upper
        for _ in range(50):  # a contraction with factor ½ c ρ g Δz ≪ 1
            following = above + head * (upper + float(fluids.brine_density_at(below)))
            if abs(following - below) <= np.spacing(following):
                break
            below = following
        column[k] = above = below
        height = grid.spacing[-1]
    return column
