r"""Cartesian grids of cells, and moving fields between them.

A field on a :class:`Grid` has the grid's shape: ``(x, z)`` in 2-D or ``(x, y, z)`` in 3-D, C-ordered, cell-centred,
with z pointing down. The centre of cell i along an axis with origin o and spacing h lies at o + (i + ½) h.

Two ways of moving a field f from one grid to another, both separable over the axes:

* ``average`` : f_target = Σ |target cell ∩ source cell| f_source / |target cell|. It preserves integrals when it
  coarsens, and constants always. For permeability inputs, images, volumes.
* ``interpolate`` : linear between cell centres, constant beyond the outermost centres. For smooth fields going to a
  finer grid (saturation to wave nodes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from seisflow.errors import InputError

__all__ = ["Grid", "average", "interpolate"]


@dataclass(frozen=True)
class Grid:
    """A regular Cartesian grid of cells.

    Parameters
    ----------
    shape
        Number of cells, ``(nx, nz)`` or ``(nx, ny, nz)``.
    spacing
        Size of a cell along each axis [m].
    origin
        Coordinates of the outer corner of the first cell [m]; the last one is a depth. Default: zeros.
    thickness
        Extent in y of a 2-D grid [m]; ignored in 3-D.

    Raises
    ------
    InputError
        When lengths disagree or a size is not positive.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...] = ()
    thickness: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "spacing", tuple(float(h) for h in self.spacing))
        object.__setattr__(self, "origin", tuple(float(o) for o in self.origin) or (0.0,) * len(self.shape))
        if len(self.shape) not in (2, 3):
            raise InputError("grid.shape", self.shape, "give two (x, z) or three (x, y, z) numbers of cells")
        if min(self.shape) < 1:
            raise InputError("grid.shape", self.shape, "every number of cells must be at least 1")
        if len(self.spacing) != len(self.shape) or not all(np.isfinite(h) and h > 0 for h in self.spacing):
            raise InputError("grid.spacing", self.spacing, f"give {len(self.shape)} positive lengths in metres")
        if len(self.origin) != len(self.shape) or not all(np.isfinite(self.origin)):
            raise InputError("grid.origin", self.origin, f"give {len(self.shape)} coordinates in metres")
        if not (np.isfinite(self.thickness) and self.thickness > 0):
            raise InputError("grid.thickness", self.thickness, "give a positive length in metres")

    @property
    def ndim(self) -> int:
        """Number of axes, 2 or 3."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape))

    @property
    def cell_volume(self) -> float:
        """Volume of one cell [m³]; in 2-D the thickness is the third length."""
        return float(np.prod(self.spacing)) * (self.thickness if self.ndim == 2 else 1.0)

    @property
    def extent(self) -> tuple[tuple[float, float], ...]:
        """Outer coordinates (low, high) of every axis [m]."""
        return tuple((o, o + n * h) for o, n, h in zip(self.origin, self.shape, self.spacing, strict=True))

    def centres(self, axis: int) -> NDArray[np.floating]:
        """Coordinates of the cell centres along one axis [m], shape ``(shape[axis],)``."""
        return self.origin[axis] + (np.arange(self.shape[axis]) + 0.5) * self.spacing[axis]

    @property
    def depth(self) -> NDArray[np.floating]:
        """Depth of every cell centre [m], with the grid's shape."""
        return np.broadcast_to(self.centres(-1), self.shape)

    def locate(self, point: tuple[float, ...]) -> tuple[int, ...]:
        """Index of the cell that holds a point [m]; :class:`InputError` when it lies outside."""
        index = []
        for value, (low, high), h, n in zip(point, self.extent, self.spacing, self.shape, strict=True):
            if not low <= value <= high:
                raise InputError("point", point, f"it lies outside the grid, whose extent is {self.extent} m")
            index.append(min(int((value - low) / h), n - 1))
        return tuple(index)


def _apply_along(weights: list[NDArray], field: NDArray) -> NDArray:
    """Multiply the trailing axes of ``field`` by one matrix each.

    Sparse, which they are; and so that no bit depends on the threads of BLAS or on how many fields come at once.
    """
    first = field.ndim - len(weights)
    for offset, matrix in enumerate(weights):
        front = np.moveaxis(field, first + offset, 0)
        product = csr_array(matrix) @ front.reshape(len(front), -1)
        field = np.moveaxis(product.reshape(len(matrix), *front.shape[1:]), 0, first + offset)
    return np.ascontiguousarray(field)


def _check_field(field: NDArray, source: Grid, target: Grid) -> None:
    if field.shape[field.ndim - source.ndim :] != source.shape:
        raise InputError("field.shape", field.shape, f"its last axes must be the source grid's {source.shape}")
    if source.ndim != target.ndim:
        raise InputError("target.ndim", target.ndim, f"the source grid has {source.ndim} axes")


def average(field: NDArray, source: Grid, target: Grid) -> NDArray:
    """Average a field over the cells of another grid, by overlap.

    Target cells (or parts of them) outside the source take the value of the nearest source cell.

    Parameters
    ----------
    field
        ``(..., *source.shape)``.
    source, target
        The grid of ``field``, and the grid wanted.

    Returns
    -------
    NDArray
        ``(..., *target.shape)``, float64 (float32 stays float32).
    """
    field = np.asarray(field)
    _check_field(field, source, target)
    matrices = []
    for axis in range(source.ndim):
        edges = source.origin[axis] + np.arange(source.shape[axis] + 1) * source.spacing[axis]
        edges[0], edges[-1] = -np.inf, np.inf
        low = target.origin[axis] + np.arange(target.shape[axis]) * target.spacing[axis]
        high = low + target.spacing[axis]
        overlap = np.minimum(high[:, None], edges[None, 1:]) - np.maximum(low[:, None], edges[None, :-1])
        matrices.append(np.clip(overlap, 0.0, None) / target.spacing[axis])
    result = _apply_along(matrices, field)
    return result.astype(field.dtype) if field.dtype == np.float32 else result


def interpolate(field: NDArray, source: Grid, target: Grid) -> NDArray:
    """Interpolate a field linearly between cell centres onto another grid.

    Parameters and result as in :func:`average`. Values never leave the range of the input, and a field that is zero in
    a neighbourhood stays exactly zero there.
    """
    field = np.asarray(field)
    _check_field(field, source, target)
    matrices = []
    for axis in range(source.ndim):
        n = source.shape[axis]
        position = np.clip((target.centres(axis) - source.origin[axis]) / source.spacing[axis] - 0.5, 0, n - 1)
        left = np.minimum(position.astype(int), max(n - 2, 0))
        fraction = position - left
        matrix = np.zeros((target.shape[axis], n))
        rows = np.arange(target.shape[axis])
        matrix[rows, left] += 1 - fraction
        matrix[rows, np.minimum(left + 1, n - 1)] += fraction
        matrices.append(matrix)
    result = _apply_along(matrices, field)
    return result.astype(field.dtype) if field.dtype == np.float32 else result
