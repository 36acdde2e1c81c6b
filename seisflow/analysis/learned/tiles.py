r"""Tiles of a grid, and how near data are to them: what a localised regression computes with.

A datum j counts in tile t by its taper ρ_tj = Π_a ρ(|s_ta − s_ja| / r_a), the Gaspari–Cohn function along every axis a
(:mod:`seisflow.analysis.localization`). For data on a grid the sum over them is one small matrix along every axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.localization import taper
from seisflow.ensemble import Ensemble
from seisflow.observation.data import DataAxis, DataField

__all__ = ["Tiles"]

LARGEST = 2**26
"""Numbers in the matrices of all tiles, at most."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles of a grid, and how near the data are to them.

    Parameters
    ----------
    axes
        Coordinates of the cells along each axis [m].
    data
        What the data are, in the order in which they are packed.
    size
        Cells of a tile along each axis.
    """

    axes: tuple[NDArray[np.float64], ...]
    data: Mapping[str, DataField]
    size: int = 2

    @classmethod
    def of(cls, axes: tuple[NDArray[np.float64], ...], data: Mapping[str, DataField], members: int) -> Tiles:
        """Tiles of 2 cells along each axis; larger ones where matrices of the members' size in all of them are too many."""
        tiles = cls(axes, data)
        while np.prod(tiles.shape) * members**2 > LARGEST and max(tiles.shape) > 1:
            tiles = cls(axes, data, 2 * tiles.size)
        return tiles

    @classmethod
    def whole(cls, shape: tuple[int, ...], data: Ensemble) -> Tiles:
        """One tile of a grid of this shape, for data without places."""
        axes = tuple(np.arange(n, dtype=float) for n in shape)
        fields = {
            name: DataField(tuple(DataAxis(f"{name} {a}", n) for a, n in enumerate(data[name].shape[1:])))
            for name in data.names
        }
        return cls(axes, fields, max(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of tiles along each axis; the last may be smaller."""
        return tuple(-(-len(axis) // self.size) for axis in self.axes)

    @property
    def centres(self) -> list[NDArray[np.float64]]:
        """Coordinates of the tiles along each axis [m]."""
        return [
            np.array([axis[i : i + self.size].mean() for i in range(0, len(axis), self.size)]) for axis in self.axes
        ]

    def some(self, most: int) -> NDArray[np.int64]:
        """Numbers of at most so many tiles, spread evenly over the grid."""
        index = np.indices(self.shape)
        step = -(-index[0].size // most)
        weights = np.array([1, *(step // 2 + 1 for _ in self.shape[1:])]).reshape(-1, *[1] * len(self.shape))
        return np.flatnonzero((index * weights).sum(axis=0) % step == 0)[:most]

    def near(self, radius: float) -> list[Callable[[NDArray], NDArray]]:
        """For every data field, values ``(n, *shape)`` ↦ their sums tapered around each tile ``(n, tiles)``.

        Parameters
        ----------
        radius
            In cells, along each axis.
        """
        lengths = [radius * abs(axis[1] - axis[0]) if len(axis) > 1 else np.inf for axis in self.axes]
        return [self._around(about, lengths) for about in self.data.values()]

    def _around(self, about: DataField, lengths: Sequence[float]) -> Callable[[NDArray], NDArray]:
        lines, n_tiles = about.lattice(), int(np.prod(self.shape))
        if lines is not None:
            factors = [
                taper(np.abs(np.subtract.outer(centres, line)), length).astype(np.float32)
                for centres, line, length in zip(self.centres, lines, lengths, strict=True)
            ]
            return lambda values: _filtered(values, factors).reshape(len(values), -1)
        if about.positions is None:
            return lambda values: np.repeat(values.reshape(len(values), -1).sum(axis=1)[:, None], n_tiles, axis=1)
        tiles = np.stack(np.meshgrid(*self.centres, indexing="ij"), axis=-1).reshape(-1, len(lengths))
        places = np.reshape(about.positions, (-1, len(lengths)))
        weights = np.ones((len(tiles), len(places)), np.float32)
        for a, length in enumerate(lengths):
            weights *= taper(np.abs(np.subtract.outer(tiles[:, a], places[:, a])), length).astype(np.float32)
        return lambda values: values.reshape(len(values), -1) @ weights.T

    def cut(self, fields: NDArray) -> NDArray:
        """Fields ``(M, C, *shape)`` as ``(tiles, M, C, cells of a tile)``; a tile at the end repeats its last cells."""
        short = [n * self.size - len(axis) for n, axis in zip(self.shape, self.axes, strict=True)]
        padded = np.pad(fields, ((0, 0), (0, 0), *((0, s) for s in short)), mode="edge")
        split = [length for n in self.shape for length in (n, self.size)]
        tiled = padded.reshape(*fields.shape[:2], *split)
        tile_axes, cell_axes = range(2, 2 + len(split), 2), range(3, 3 + len(split), 2)
        ordered = tiled.transpose(*tile_axes, 0, 1, *cell_axes)
        return ordered.reshape(int(np.prod(self.shape)), *fields.shape[:2], -1)

    def joined(self, tiled: NDArray) -> NDArray:
        """The inverse of :meth:`cut`."""
        d, (_, M, C, _) = len(self.shape), tiled.shape
        split = tiled.reshape(*self.shape, M, C, *[self.size] * d)
        order = [d, d + 1, *(axis for a in range(d) for axis in (a, d + 2 + a))]
        whole = split.transpose(*order).reshape(M, C, *(n * self.size for n in self.shape))
        return whole[(slice(None), slice(None), *(slice(len(axis)) for axis in self.axes))]


def _filtered(values: NDArray, factors: Sequence[NDArray]) -> NDArray:
    for axis, factor in enumerate(factors, start=1):
        values = np.moveaxis(np.tensordot(values, factor, ([axis], [1])), -1, axis)
    return values
