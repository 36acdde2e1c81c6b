r"""What data are: the meaning of a datum's numbers, and arrays from elsewhere that are compared with it.

An observation describes each of its fields by a :class:`DataField` (:attr:`seisflow.observation.base.Observation.data`).
Whoever stores, draws, localises or reads data asks that description; nobody needs the names of the fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid

__all__ = [
    "INJECTED",
    "DataAxis",
    "DataField",
    "FileArray",
    "Quantity",
    "cell_positions",
    "compared",
    "grid_axes",
    "missing",
]

Quantity = str
"""What of the state a datum reads at its positions: ``"saturation"``, ``"pressure_change"``, or ``""``: something else;
or, as a whole, :data:`INJECTED`."""

INJECTED: Quantity = "log_injected_mass"
"""The quantity of a datum that is the logarithm of the mass of CO2 injected so far [kg]: members are driven by it."""


@dataclass(frozen=True, eq=False)
class DataAxis:
    """One axis of a data field.

    Parameters
    ----------
    name
        Name of the axis; axes of one name are one axis, with the same coordinates.
    size
        Number of values along it.
    coordinates
        Coordinates of these values, ``(size,)``, or None where they are only counted.
    unit, label
        Unit of the coordinates, and what they are, in words.
    within
        Lowest and highest coordinate that a file may give for each value, ``(size, 2)``; None: files are not compared.

    Raises
    ------
    InputError
        When the arrays do not have the size of the axis.
    """

    name: str
    size: int
    coordinates: NDArray | None = None
    unit: str = "m"
    label: str = ""
    within: NDArray | None = None

    def __post_init__(self) -> None:
        for name, shape in (("coordinates", (self.size,)), ("within", (self.size, 2))):
            given = getattr(self, name)
            if given is not None and np.shape(given) != shape:
                raise InputError(f"{self.name}.{name}", np.shape(given), f"give {shape}, the size of the axis")

    def faults(self, given: NDArray) -> list[str]:
        """What is wrong with the coordinates that a file gives; arrays of another kind or length say nothing."""
        if self.within is None or self.coordinates is None or given.shape != (self.size,):
            return []
        if not np.issubdtype(given.dtype, np.number):
            return []
        low, high = np.asarray(self.within).T
        off = np.where(np.isfinite(given), np.maximum(low - given, given - high), np.inf)
        if not off.max() > 0:
            return []
        i, unit = int(off.argmax()), self.unit
        return [f"{self.name}[{i}] is {given[i]:g} {unit} in the file, {self.coordinates[i]:g} {unit} in the study"]


@dataclass(frozen=True, eq=False)
class DataField:
    """What one field of the data is.

    Parameters
    ----------
    axes
        Axes of one member's array, in order.
    unit
        Unit of the values, as CF writes it: ``"1"``, ``"Pa"``.
    label
        What the values are, in words.
    positions
        Where every value belongs, ``(*shape, ndim)`` [m], in the state's coordinates; None where a datum has no place.
    noise_std
        Standard deviation of the noise (root mean square over the field), in the field's unit; None: not known.
    quantity
        What of the state the datum reads at its positions (:data:`Quantity`).
    dtype
        Type of the stored numbers.
    instead
        Names of arrays that files may hold in its place: the observation makes the field from them.

    Raises
    ------
    InputError
        When the positions do not fit the axes, or the noise has no size.
    """

    axes: tuple[DataAxis, ...]
    unit: str = "1"
    label: str = ""
    positions: NDArray | None = None
    noise_std: float | None = None
    quantity: Quantity = ""
    dtype: DTypeLike = np.float64
    instead: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.positions is not None and np.shape(self.positions)[:-1] != self.shape:
            raise InputError("positions.shape", np.shape(self.positions), f"give {(*self.shape, 'ndim')}")
        if self.noise_std is not None and not (np.isfinite(self.noise_std) and self.noise_std > 0):
            raise InputError("noise_std", self.noise_std, "give a positive number, or None where it is not known")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one member's array."""
        return tuple(axis.size for axis in self.axes)

    @property
    def axis_names(self) -> tuple[str, ...]:
        """Names of the axes, in order."""
        return tuple(axis.name for axis in self.axes)

    @property
    def coordinates(self) -> dict[str, NDArray]:
        """Axis → coordinates along it, of those that have any."""
        return {axis.name: axis.coordinates for axis in self.axes if axis.coordinates is not None}

    @property
    def nbytes(self) -> int:
        """Bytes of one member's array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def lattice(self) -> tuple[NDArray, ...] | None:
        """Positions along each axis, where those of all values are their grid; None where they are not."""
        points = self.positions
        if points is None or points.ndim - 1 != points.shape[-1]:
            return None
        lines, ndim = [], points.shape[-1]
        for axis in range(ndim):
            line = np.moveaxis(points[..., axis], axis, 0).reshape(points.shape[axis], -1)[:, 0]
            shape = [-1 if a == axis else 1 for a in range(ndim)]
            if not np.array_equal(points[..., axis], np.broadcast_to(line.reshape(shape), points.shape[:-1])):
                return None
            lines.append(line)
        return tuple(lines)

    def compare(self, name: str, given: FileArray | NDArray) -> NDArray:
        """An array from elsewhere as one member's array, compared with what it must be.

        Parameters
        ----------
        name
            Name of the field.
        given
            The array, with or without a leading axis of one member.

        Raises
        ------
        InputError
            When shape, unit or coordinates differ, or a value is not finite; the message names all that differs.
        """
        found, faults = FileArray.of(given), []
        values = found.values
        if values.ndim == len(self.shape) + 1 and values.shape[0] == 1:
            values = values[0]
        if values.shape != self.shape:
            faults.append(f"{name} has shape {values.shape}, the survey's is {self.shape}")
        elif not np.isfinite(values).all():
            faults.append(f"{name} has {int((~np.isfinite(values)).sum())} values that are not finite")
        if found.unit and found.unit != self.unit:
            faults.append(f"{name} is in {found.unit!r}, it must be in {self.unit!r}")
        for axis in self.axes:
            if axis.name in found.beside:
                faults += axis.faults(found.beside[axis.name])
        if faults:
            raise InputError("data", found.source, f"it does not fit this survey: {'; '.join(faults)}")
        return values


@dataclass(frozen=True, eq=False)
class FileArray:
    """An array of a file.

    Parameters
    ----------
    values
        Its values.
    axes
        Names of its axes, where the file says them.
    unit
        Its unit; ``""``: the file does not say.
    source
        The file, for messages.
    beside
        The arrays of the same file by name, coordinates among them.
    """

    values: NDArray
    axes: tuple[str, ...] = ()
    unit: str = ""
    source: str = "an array"
    beside: Mapping[str, NDArray] = field(default_factory=dict)

    @classmethod
    def of(cls, given: FileArray | NDArray) -> FileArray:
        """The array itself, or a plain one of which no more is known."""
        return given if isinstance(given, FileArray) else cls(np.asarray(given))


def missing(data: Mapping[str, DataField], names: Mapping[str, object]) -> list[str]:
    """Fields that are not among some names, nor anything that may stand in their place; in words."""
    return [
        " (or ".join((name, ", ".join(about.instead))) + ")" if about.instead else name
        for name, about in data.items()
        if not any(one in names for one in (name, *about.instead))
    ]


def compared(data: Mapping[str, DataField], arrays: Mapping[str, FileArray | NDArray]) -> dict[str, NDArray]:
    """Arrays of all fields of an observation, each as one member's array.

    Raises
    ------
    InputError
        When a field is missing, or an array does not fit it.
    """
    lacking = missing(data, arrays)
    if lacking:
        raise InputError("data", ", ".join(arrays) or "nothing", f"{', '.join(lacking)} must be among them")
    return {name: about.compare(name, arrays[name]) for name, about in data.items()}


def grid_axes(grid: Grid) -> tuple[DataAxis, ...]:
    """The axes ``x``, (``y``,) ``z`` of data on a grid's cells; a file may be off by a quarter of a cell."""
    names = ("x", "z") if grid.ndim == 2 else ("x", "y", "z")
    axes = []
    for i, name in enumerate(names):
        centres, near = grid.centres(i), 0.25 * grid.spacing[i]
        axes.append(DataAxis(name, grid.shape[i], centres, within=np.stack([centres - near, centres + near], axis=1)))
    return tuple(axes)


def cell_positions(grid: Grid) -> NDArray[np.float64]:
    """Centres of all cells of a grid [m], ``(*grid.shape, ndim)``."""
    return np.stack(np.meshgrid(*(grid.centres(i) for i in range(grid.ndim)), indexing="ij"), axis=-1)
