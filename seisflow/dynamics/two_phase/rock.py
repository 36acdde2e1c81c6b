r"""The rock of a flow case, apart from the permeability that every member brings along.

    φ(p) = m φ_0 exp(c_r (p − p_ref)),   K = diag(K_x, a_y K_x, a_z K_x)

with the pore-volume multiplier m and the ratios a_y = K_y/K_x, a_z = K_z/K_x; K_x is the member's permeability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.checks import not_negative, number_or_field, positive, require
from seisflow.dynamics.two_phase.engine import Value
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.units import BAR

__all__ = ["Rock"]

OPEN_AQUIFER = 1e6
"""Pore-volume multiplier of lateral edge cells that stands for an open aquifer (the published choice is also huge)."""

FIELDS = ("porosity", "kv_over_kh", "ky_over_kx", "pore_volume_multiplier")


@dataclass(frozen=True, eq=False)
class Rock:
    """The rock apart from its permeability, which every member brings along.

    Arrays have the grid's shape, ``(nx, nz)`` or ``(nx, ny, nz)``; they are copied and made read-only.

    Parameters
    ----------
    porosity
        φ_0 in (0, 1]: one number, or one per cell.
    kv_over_kh
        a_z = K_z/K_x, vertical over horizontal permeability: one number, or one per cell.
    compressibility
        c_r of the pore space [1/Pa], about ``reference_pressure``.
    lateral_boundary
        ``"open"``: behind the lateral edge cells lies an aquifer that keeps its pressure (their pore volume is
        multiplied by 10⁶); mass is counted there too. ``"closed"``: nothing passes. Top and bottom are closed.
    reference_pressure
        p_ref, at which the porosity is ``porosity`` [Pa].
    ky_over_kx
        a_y = K_y/K_x: one number, or one per cell. Of a section, it matters only to the wells.
    pore_volume_multiplier
        m: one number, or one per cell. It multiplies what a cell holds, not the pore volume by which convergence is
        judged, so that a huge cell hides no error.
    active
        Which cells take part, booleans with the grid's shape; ``None``: all. Inactive cells hold nothing and let
        nothing pass; the other fields may be not-a-number there, the members' permeability too.

    Raises
    ------
    InputError
        When a value in an active cell is out of its range, or shapes disagree.
    """

    porosity: float | NDArray[np.floating] = 0.25
    kv_over_kh: float | NDArray[np.floating] = 0.36
    compressibility: float = 0.0
    lateral_boundary: Literal["open", "closed"] = "open"
    reference_pressure: float = 150 * BAR
    ky_over_kx: float | NDArray[np.floating] = 1.0
    pore_volume_multiplier: float | NDArray[np.floating] = 1.0
    active: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.active is not None:
            object.__setattr__(self, "active", _mask(self.active))
        shape = None if self.active is None else self.active.shape
        for name in FIELDS:
            value = number_or_field(f"rock.{name}", getattr(self, name))
            object.__setattr__(self, name, value)
            if isinstance(value, np.ndarray):
                shape = value.shape if shape is None else shape
                require(
                    value.shape == shape, f"rock.{name}.shape", value.shape, f"another field of the rock has {shape}"
                )
            used = (
                value[self.active] if isinstance(value, np.ndarray) and self.active is not None else np.asarray(value)
            )
            highest = 1.0 if name == "porosity" else np.finfo(float).max
            bad = used[~((used > 0) & (used <= highest))]
            remedy = "give values above 0 and at most 1" if name == "porosity" else "give positive values"
            require(bad.size == 0, f"rock.{name}", float(bad.flat[0]) if bad.size else 0.0, remedy)
        not_negative("rock.compressibility", self.compressibility, " in 1/Pa")
        positive("rock.reference_pressure", self.reference_pressure, " in Pa")
        if self.lateral_boundary not in ("open", "closed"):
            raise InputError("rock.lateral_boundary", self.lateral_boundary, 'give "open" or "closed"')

    @property
    def edge_multiplier(self) -> float:
        """Factor on the pore volume of lateral edge cells."""
        return OPEN_AQUIFER if self.lateral_boundary == "open" else 1.0

    def check(self, grid: Grid) -> None:
        """Raise :class:`InputError` when an array has not the grid's shape."""
        for name in (*FIELDS, "active"):
            shape = np.shape(getattr(self, name))
            require(shape in ((), grid.shape), f"rock.{name}.shape", shape, f"give one number or shape {grid.shape}")

    def capacity(self, grid: Grid, aquifer: bool = True) -> NDArray[np.float64]:
        """Pore volume of every cell at the reference pressure [m³], multipliers included, 0 where inactive.

        ``aquifer``: whether cells at an open side have that of the aquifer behind them.
        """
        edge = np.zeros(grid.shape, bool)
        for axis in range(grid.ndim - 1):
            if axis == 0 or grid.shape[axis] > 1:  # a slab one cell thick has no edges in y
                np.moveaxis(edge, axis, 0)[[0, -1]] = True
        volume = grid.cell_volume * np.asarray(self.porosity) * np.asarray(self.pore_volume_multiplier)
        volume = np.where(edge & aquifer, self.edge_multiplier, 1.0) * volume
        return volume if self.active is None else np.where(self.active, volume, 0.0)

    def arrays(self) -> dict[str, Value]:
        """The part of the engine's inputs that describes the rock; fields are flat, z fastest."""
        fields: dict[str, Value] = {}
        for name in FIELDS:
            value = getattr(self, name)
            fields[name] = value.reshape(-1) if isinstance(value, np.ndarray) else value
        if self.active is not None:
            fields["active"] = self.active.reshape(-1).astype(np.uint8)
        return {
            **fields,
            "rock_compressibility": self.compressibility,
            "rock_reference_pressure": self.reference_pressure,
            "edge_multiplier": self.edge_multiplier,
        }


def _mask(active: object) -> NDArray[np.bool_]:
    array = np.array(active)
    if array.dtype != bool:
        raise InputError("rock.active.dtype", str(array.dtype), "give booleans, or None when every cell is active")
    require(bool(array.any()), "rock.active", "no cell", "leave at least one cell active")
    array.flags.writeable = False
    return array
