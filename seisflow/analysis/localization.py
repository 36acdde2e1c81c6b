r"""Localisation: data act only where they are near.

The taper is the fifth-order function of compact support by Gaspari & Cohn 1999 (QJRMS 125, 723–757, eq. 4.10), close to a
Gaussian and zero beyond 2 c. A *radius* r here is the standard deviation of the Gaussian exp(−d²/2r²) that has the same
curvature at zero, c = √(10/3) r ≈ 1.82 r as in the published tables. At the radius that is exp(−½) = 0.61, and the function
itself 0.63.

* :class:`LocalDomains` gives every point of the state the data around it: R⁻¹ is tapered (LETKF).
* :class:`GridTaper` tapers covariances between gridded fields, ρ ∘ P. On a tensor grid the taper is a product over the axes,
  so it is one small matrix per axis and applying it costs as much as a separable filter; neither the state-by-state nor the
  data-by-data matrix is formed (Houtekamer & Mitchell 2001, Mon. Wea. Rev. 129, 123–137).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import cKDTree

from seisflow.errors import InputError

__all__ = ["GridTaper", "LocalDomains", "gaspari_cohn", "taper"]

HALF_WIDTH = 1.82
"""c over the radius."""
KEPT = 100_000
"""Neighbours that are remembered from one update to the next."""


def gaspari_cohn(z: NDArray) -> NDArray[np.float64]:
    """The function of z = distance/c: 1 at 0, 0 from 2 on."""
    z = np.minimum(np.abs(np.asarray(z, np.float64)), 2.0)
    near = 1 - z**2 * (5 / 3 - z * (5 / 8 + z * (1 / 2 - z / 4)))
    far = 4 - z * (5 - z * (5 / 3 + z * (5 / 8 - z * (1 / 2 - z / 12)))) - 2 / (3 * np.maximum(z, 1.0))
    return np.where(z <= 1, near, np.maximum(far, 0.0))


def taper(distance: NDArray, radius: float) -> NDArray[np.float64]:
    """Taper at a distance; about exp(−½) at the radius."""
    return gaspari_cohn(np.asarray(distance) / (HALF_WIDTH * radius))


def _reach(cutoff: float) -> float:
    """Distance over radius beyond which the taper is below the cut-off."""
    return HALF_WIDTH * float(brentq(lambda z: float(gaspari_cohn(np.array(z))) - cutoff, 0.5, 2.0))


@dataclass(frozen=True, eq=False)
class LocalDomains:
    """The data near each point of the state.

    Parameters
    ----------
    radius
        Distance at which the taper is about exp(−½), in the unit of the positions.
    state_positions
        Field → positions of its values in C order, ``(*shape, k)`` or ``(n, k)``, or ``(n,)`` on a line.
    data_positions
        The same for the fields of the predicted data; a datum whose position is not a number acts everywhere, untapered.
    period
        Length after which space repeats, one number or one per axis; None: not periodic. Positions must lie in [0, period).
    tile
        Edge of the squares whose points share one analysis, that of their centre: 0 is one per position. A tile of two or
        three cells, small beside the radius, makes large states cheap.
    cutoff
        Taper below which a datum is left out.
    """

    radius: float
    state_positions: Mapping[str, NDArray]
    data_positions: Mapping[str, NDArray]
    period: float | Sequence[float] | None = None
    tile: float = 0.0
    cutoff: float = 1e-3
    _trees: dict[tuple[str, ...], _Places] = field(default_factory=dict, init=False, repr=False)
    _near: dict[tuple[object, ...], list[tuple[NDArray, NDArray]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise InputError("radius", self.radius, "give a positive distance")
        if not self.tile >= 0:
            raise InputError("tile", self.tile, "give an edge of 0 or more")
        if not 0 < self.cutoff < 1:
            raise InputError("cutoff", self.cutoff, "give a taper in (0, 1)")

    @cached_property
    def reach(self) -> float:
        """Distance beyond which data are left out."""
        return _reach(self.cutoff) * self.radius

    def groups(self, name: str, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Group of every value of a state field ``(n,)``, and the centres of the groups ``(groups, k)``."""
        if name not in self.state_positions:
            raise InputError("state_positions", sorted(self.state_positions), f"give the positions of {name!r}")
        points = _points(self.state_positions[name])
        if len(points) != int(np.prod(shape)):
            raise InputError("state_positions", points.shape, f"{name!r} has {int(np.prod(shape))} values")
        keys = np.floor(points / self.tile) if self.tile else points
        _, index = np.unique(keys, axis=0, return_inverse=True)
        index = index.reshape(-1)
        counts = np.bincount(index)
        centres = np.stack([np.bincount(index, weights=axis) / counts for axis in points.T], axis=1)
        return index, centres

    def near(self, centres: NDArray, names: tuple[str, ...]) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """For every centre ``(g, k)``: indices of the packed data around it, and their tapers."""
        key = (names, centres.tobytes())
        if key in self._near:
            return self._near[key]
        places = self._places(names)
        found = places.tree.query_ball_point(centres, self.reach)
        size = None if self.period is None else np.broadcast_to(np.asarray(self.period, float), centres.shape[1:])
        result = []
        for centre, listed in zip(centres, found, strict=True):
            index = np.array(sorted(listed), int)
            offset = np.abs(places.tree.data[index] - centre)
            if size is not None:
                offset = np.minimum(offset, size - offset)
            tapers = taper(np.sqrt((offset**2).sum(axis=1)), self.radius)
            everywhere = np.ones(len(places.everywhere))
            result.append(
                (np.concatenate([places.somewhere[index], places.everywhere]), np.concatenate([tapers, everywhere]))
            )
        if sum(len(index) for index, _ in result) <= KEPT:  # small models ask for the same neighbours a thousand times
            self._near.clear()
            self._near[key] = result
        return result

    def data_count(self, names: tuple[str, ...]) -> int:
        """Number of data whose position is given."""
        places = self._places(names)
        return len(places.somewhere) + len(places.everywhere)

    def _places(self, names: tuple[str, ...]) -> _Places:
        missing = [name for name in names if name not in self.data_positions]
        if missing:
            raise InputError("data_positions", sorted(self.data_positions), f"give the positions of {missing}")
        if names not in self._trees:
            points = np.concatenate([_points(self.data_positions[name]) for name in names])
            placed = np.isfinite(points).all(axis=1)
            tree = cKDTree(points[placed], boxsize=self.period)
            self._trees[names] = _Places(tree, np.flatnonzero(placed), np.flatnonzero(~placed))
        return self._trees[names]


@dataclass(frozen=True, eq=False)
class _Places:
    """Where data are: a tree of those that have a place, their numbers, and the numbers of those that act everywhere."""

    tree: cKDTree
    somewhere: NDArray[np.int64]
    everywhere: NDArray[np.int64]


def _points(positions: NDArray) -> NDArray[np.float64]:
    array = np.asarray(positions, np.float64)
    return array[:, None] if array.ndim == 1 else array.reshape(-1, array.shape[-1])


@dataclass(frozen=True, eq=False)
class GridTaper:
    """Taper between fields on tensor grids, a product of Gaspari–Cohn functions over the axes.

    Parameters
    ----------
    radius
        Distance at which the taper is about exp(−½), along every axis or one per axis.
    state_axes
        State field → coordinates along each of its axes, ``((nx,), (nz,))``.
    data_axes
        Data field → the same (an image; wells: their x and the depths of their samples), evenly spaced or not; no axes
        for data that act everywhere, untapered.
    period
        Length after which each axis repeats; None: not periodic.
    """

    radius: float | Sequence[float]
    state_axes: Mapping[str, Sequence[NDArray]]
    data_axes: Mapping[str, Sequence[NDArray]]
    period: float | Sequence[float] | None = None
    _kept: dict[tuple[str, str, bool], list[NDArray]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not (np.asarray(self.radius, float) > 0).all():
            raise InputError("radius", self.radius, "give positive distances")

    def matrices(self, target: str, data: str, state: bool) -> list[NDArray[np.float64]]:
        """One matrix ``(target's axis, data's axis)`` per axis, to a state field or to another data field.

        None where one of the two has no axes.
        """
        key = (target, data, state)
        if key not in self._kept:
            to, source = (self.state_axes if state else self.data_axes)[target], self.data_axes[data]
            if not len(to) or not len(source):
                return []
            if len(to) != len(source):
                raise InputError("state_axes", len(to), f"{target!r} and {data!r} must have the same number of axes")
            radii = np.broadcast_to(np.asarray(self.radius, float), (len(to),))
            periods = [None] * len(to) if self.period is None else np.broadcast_to(np.asarray(self.period), (len(to),))
            self._kept[key] = [
                taper(_distance(np.asarray(a, float), np.asarray(b, float), period), radius)
                for a, b, radius, period in zip(to, source, radii, periods, strict=True)
            ]
        return self._kept[key]

    def shape(self, name: str, state: bool) -> tuple[int, ...]:
        """Shape of a field by its axes."""
        axes = self.state_axes if state else self.data_axes
        if name not in axes:
            raise InputError("state_axes" if state else "data_axes", sorted(axes), f"give the axes of {name!r}")
        return tuple(len(axis) for axis in axes[name])


def _distance(a: NDArray, b: NDArray, period: float | None) -> NDArray[np.float64]:
    offset = np.abs(a[:, None] - b[None, :])
    return offset if period is None else np.minimum(offset, period - offset)
