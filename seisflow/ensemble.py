r"""Ensembles: named arrays with a leading member axis, for states and for data alike.

A state ensemble at survey k holds ``saturation`` and ``pressure`` of shape ``(M, *grid.shape)``; a data ensemble holds
one array per modality, ``(M, *shape)``. ``pack`` lays chosen fields side by side as the ``(M, D)`` matrix in which
filters are written, and ``unpack`` is its inverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["Ensemble"]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Named arrays that share their first axis, the members.

    Parameters
    ----------
    fields
        Name → array ``(M, ...)``. The arrays are kept as they are, not copied: treat them as read-only.
    time
        Time of the ensemble [s] since the start of the study.

    Raises
    ------
    InputError
        When there is no field or the member axes differ in length.
    """

    fields: Mapping[str, NDArray]
    time: float = 0.0

    def __post_init__(self) -> None:
        arrays = {name: np.asarray(array) for name, array in self.fields.items()}
        object.__setattr__(self, "fields", MappingProxyType(arrays))
        sizes = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
        if not sizes or len(set(sizes.values())) != 1:
            raise InputError("fields", sizes, "give at least one array, all with the same number of members first")

    def __reduce__(self) -> tuple[type, tuple[dict[str, NDArray], float]]:  # a mapping proxy does not travel
        return Ensemble, (dict(self.fields), self.time)

    def __getitem__(self, name: str) -> NDArray:
        return self.fields[name]

    def __contains__(self, name: object) -> bool:
        return name in self.fields

    def __len__(self) -> int:
        return self.size

    @property
    def size(self) -> int:
        """Number of members M."""
        return int(next(iter(self.fields.values())).shape[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return tuple(self.fields)

    def replace(self, time: float | None = None, **fields: NDArray) -> Ensemble:
        """A new ensemble with some fields (or the time) changed or added."""
        return Ensemble({**self.fields, **fields}, self.time if time is None else time)

    def select(self, names: Iterable[str]) -> Ensemble:
        """A new ensemble with only the named fields."""
        return Ensemble({name: self.fields[name] for name in names}, self.time)

    def members(self, index: slice | NDArray | list[int]) -> Ensemble:
        """A new ensemble with only some members."""
        return Ensemble({name: array[index] for name, array in self.fields.items()}, self.time)

    def clipped(self, bounds: Mapping[str, tuple[float, float]]) -> Ensemble:
        """A new ensemble whose named fields are put back between (lowest, highest)."""
        return self.replace(**{name: np.clip(self.fields[name], *limits) for name, limits in bounds.items()})

    def mean(self) -> Ensemble:
        """The ensemble mean, as an ensemble of one member."""
        return Ensemble({name: array.mean(axis=0, keepdims=True) for name, array in self.fields.items()}, self.time)

    def pack(self, names: Iterable[str] | None = None) -> NDArray[np.float64]:
        """The fields side by side as ``(M, D)`` float64, in the order of ``names`` (default: all)."""
        chosen = self.names if names is None else tuple(names)
        return np.concatenate([np.asarray(self.fields[n], np.float64).reshape(self.size, -1) for n in chosen], axis=1)

    def unpack(self, matrix: NDArray, names: Iterable[str] | None = None) -> Ensemble:
        """The inverse of :meth:`pack`: a new ensemble with the named fields taken from ``matrix`` ``(M', D)``.

        Shapes and dtypes of the fields are those of ``self``; the number of members may differ only when all fields are
        given.
        """
        chosen = self.names if names is None else tuple(names)
        widths = [int(np.prod(self.fields[n].shape[1:])) for n in chosen]
        if matrix.ndim != 2 or matrix.shape[1] != sum(widths):
            raise InputError("matrix.shape", matrix.shape, f"it must be (members, {sum(widths)})")
        parts = np.split(matrix, np.cumsum(widths)[:-1], axis=1)
        new = {
            n: part.reshape(matrix.shape[0], *self.fields[n].shape[1:]).astype(self.fields[n].dtype)
            for n, part in zip(chosen, parts, strict=True)
        }
        return Ensemble({n: new.get(n, self.fields[n]) for n in self.names}, self.time)

    @staticmethod
    def concatenate(parts: Iterable[Ensemble]) -> Ensemble:
        """Join ensembles with the same fields along the member axis; the time is the first one's."""
        listed = list(parts)
        names = listed[0].names
        return Ensemble({n: np.concatenate([p[n] for p in listed]) for n in names}, listed[0].time)
