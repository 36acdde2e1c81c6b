r"""What the arrays of a run mean, for those who open them: names of axes, coordinates along them, units.

The words are those of the CF conventions where they have one (``units``, ``long_name``, ``positive`` for depth).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axes"]

MEMBER = {"units": "1", "long_name": "ensemble member"}


@dataclass(frozen=True)
class Axes:
    """Names, units and coordinates of the axes of stored fields.

    Parameters
    ----------
    names
        Field → names of its axes after the member axis.
    coordinates
        Axis → values along it.
    attributes
        Field or axis → what else is said of it: ``units``, ``long_name`` …
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    coordinates: Mapping[str, NDArray] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def names_of(self, name: str, axes: int) -> tuple[str, ...]:
        """Names of all axes of a field."""
        named = self.names.get(name, ())
        return ("member", *(named if len(named) == axes - 1 else (f"axis_{i}" for i in range(1, axes))))

    def attributes_of(self, name: str) -> dict[str, Any]:
        """Attributes of a field or an axis."""
        return dict(self.attributes.get(name, MEMBER if name == "member" else {}))

    def coordinates_of(self, lengths: Mapping[str, int]) -> dict[str, tuple[NDArray, dict[str, Any]]]:
        """Values and attributes of the coordinates of some axes; members are counted from 0."""
        found: dict[str, tuple[NDArray, dict[str, Any]]] = {}
        for axis, length in lengths.items():
            values = np.arange(length) if axis == "member" else self.coordinates.get(axis)
            if values is not None and len(values) == length:
                found[axis] = (np.asarray(values), self.attributes_of(axis))
        return found
