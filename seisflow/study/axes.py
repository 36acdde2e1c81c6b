r"""Axes, coordinates and units of everything that a study's run stores: its state, and its data as the observation says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.data import DataField

__all__ = ["data_attributes", "study_axes"]

STATE = {
    "saturation": {"units": "1", "long_name": "CO2 saturation"},
    "pressure": {"units": "Pa", "long_name": "brine pressure"},
    "permeability": {"units": "m2", "long_name": "horizontal permeability"},
    "maximum_saturation": {"units": "1", "long_name": "largest CO2 saturation so far"},
}
METERS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "injected_mass": ((), {"units": "kg", "long_name": "CO2 injected since the member's last analysis"}),
    "well_overpressure": (("injector",), {"units": "Pa", "long_name": "pressure in the well minus that of its cell"}),
}
"""What the flow leaves beside the state: axes, and what is said of it."""
SPACE = {
    "x": {"units": "m", "long_name": "distance along the section", "axis": "X"},
    "y": {"units": "m", "long_name": "distance across the section", "axis": "Y"},
    "z": {"units": "m", "long_name": "depth", "positive": "down", "axis": "Z"},
}


def data_attributes(about: DataField) -> dict[str, Any]:
    """What is stored with a data field: its unit and label, its noise, and what of the state it reads."""
    said: dict[str, Any] = {"units": about.unit, "long_name": about.label}
    if about.noise_std is not None:
        said["noise_std"] = float(about.noise_std)
    return said | ({"quantity": about.quantity} if about.quantity else {})


def study_axes(grid: Grid, data: Mapping[str, DataField]) -> dict[str, Any]:
    """Names of axes, coordinates and attributes of a study's fields, as :class:`seisflow.storage.axes.Axes` takes them.

    Parameters
    ----------
    grid
        Of the state.
    data
        What the observation says of its fields.

    Raises
    ------
    InputError
        When a data field has the name of a state field, or two axes of one name have different coordinates.
    """
    space = ("x", "z") if grid.ndim == 2 else ("x", "y", "z")
    names: dict[str, tuple[str, ...]] = dict.fromkeys(STATE, space)
    coordinates: dict[str, NDArray] = {name: grid.centres(axis) for axis, name in enumerate(space)}
    attributes: dict[str, Mapping[str, Any]] = {**STATE, **{name: SPACE[name] for name in space}}
    for name, (axes, said) in METERS.items():
        names[name], attributes[name] = axes, said
    sizes = dict(zip(space, grid.shape, strict=True))
    for name, about in data.items():
        if name in STATE or name in sizes:
            raise InputError("observation.data", name, "it is a name of the state; call the data field otherwise")
        names[name], attributes[name] = about.axis_names, data_attributes(about)
        for axis in about.axes:
            if axis.name in sizes:
                here = coordinates.get(axis.name)
                same = axis.size == sizes[axis.name] and (here is None) == (axis.coordinates is None)
                if not same or (here is not None and not np.array_equal(here, axis.coordinates)):  # type: ignore[arg-type]
                    raise InputError(
                        f"observation.data[{name!r}].axes", axis.name, "another axis has this name; call it otherwise"
                    )
                continue
            sizes[axis.name] = axis.size
            attributes[axis.name] = {"units": axis.unit, "long_name": axis.label or axis.name}
            if axis.coordinates is not None:
                coordinates[axis.name] = np.asarray(axis.coordinates)
    return {"names": names, "coordinates": coordinates, "attributes": attributes}
