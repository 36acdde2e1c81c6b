r"""What the arrays of a run mean, for those who open them: names of axes, coordinates along them, units.

The words are those of the CF conventions where they have one (``units``, ``long_name``, ``positive`` for depth).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.grid import Grid

__all__ = ["Layout", "study_layout"]

ABOUT: dict[str, dict[str, str]] = {
    "saturation": {"units": "1", "long_name": "CO2 saturation"},
    "pressure": {"units": "Pa", "long_name": "brine pressure"},
    "permeability": {"units": "m2", "long_name": "horizontal permeability"},
    "maximum_saturation": {"units": "1", "long_name": "largest CO2 saturation so far"},
    "image": {"units": "1", "long_name": "seismic image, in units of the noise"},
    "well_saturation": {"units": "1", "long_name": "CO2 saturation along wells"},
    "well_pressure": {"units": "Pa", "long_name": "change of pressure along wells"},
    "x": {"units": "m", "long_name": "distance along the section", "axis": "X"},
    "y": {"units": "m", "long_name": "distance across the section", "axis": "Y"},
    "z": {"units": "m", "long_name": "depth", "positive": "down", "axis": "Z"},
    "member": {"units": "1", "long_name": "ensemble member"},
    "well": {"units": "m", "long_name": "position of the monitoring well along the section"},
}


@dataclass(frozen=True)
class Layout:
    """Names, units and coordinates.

    Parameters
    ----------
    axes
        Field → names of its axes after the member axis.
    coordinates
        Axis → values along it.
    about
        Field or axis → attributes.
    """

    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    coordinates: Mapping[str, NDArray] = field(default_factory=dict)
    about: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: ABOUT)

    def axes_of(self, name: str, axes: int) -> tuple[str, ...]:
        """Names of all axes of a field."""
        named = self.axes.get(name, ())
        return ("member", *(named if len(named) == axes - 1 else (f"axis_{i}" for i in range(1, axes))))

    def attributes_of(self, name: str) -> dict[str, str]:
        """Attributes of a field or an axis."""
        return dict(self.about.get(name, {}))

    def coordinates_of(self, lengths: Mapping[str, int]) -> dict[str, tuple[NDArray, dict[str, Any]]]:
        """Values and attributes of the coordinates of some axes; members are counted from 0."""
        found: dict[str, tuple[NDArray, dict[str, Any]]] = {}
        for axis, length in lengths.items():
            values = np.arange(length) if axis == "member" else self.coordinates.get(axis)
            if values is not None and len(values) == length:
                found[axis] = (np.asarray(values), self.attributes_of(axis))
        return found


def study_layout(grid: Grid, wells: tuple[float, ...] = ()) -> Layout:
    """The layout of a study's fields.

    Parameters
    ----------
    grid
        Of the state.
    wells
        Positions of the monitoring wells along the section [m].
    """
    lateral = ("x",) if grid.ndim == 2 else ("x", "y")
    state = (*lateral, "z")
    fields = ("saturation", "pressure", "permeability", "maximum_saturation", "image")
    axes: dict[str, tuple[str, ...]] = dict.fromkeys(fields, state)
    axes |= {"well_saturation": ("well", "z"), "well_pressure": ("well", "z")}
    coordinates = {name: grid.centres(axis) for axis, name in enumerate(state)}
    return Layout(axes, {**coordinates, "well": np.asarray(wells, float)})
