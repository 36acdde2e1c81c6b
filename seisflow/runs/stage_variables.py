r"""The arrays of one stage with their names of axes, coordinates, units and labels, as NetCDF and xarray want them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seisflow.storage.stage_attributes import json_ready

__all__ = ["StageVariable", "plain_attributes", "stage_variables"]

INNER = ("fields", "format", "checksum", "checksums")


@dataclass(frozen=True, eq=False)
class StageVariable:
    """One array of a stage: a field, or the coordinates along an axis.

    Parameters
    ----------
    axes
        Names of its axes; a field's first is ``member``.
    array
        The zarr array.
    attributes
        ``units``, ``long_name`` …
    """

    axes: tuple[str, ...]
    array: Any
    attributes: Mapping[str, Any]


def stage_variables(group: Any) -> dict[str, StageVariable]:
    """All arrays of a stage's zarr group by name.

    One name stands for one length, as NetCDF wants it: an axis of another length gets its array's name too.
    """
    lengths: dict[str, int] = {}
    found = {}
    for name, array in group.arrays():
        axes = tuple(
            axis if lengths.setdefault(axis, n) == n else f"{name}_{axis}"
            for axis, n in zip(array.metadata.dimension_names, array.shape, strict=True)
        )
        found[name] = StageVariable(axes, array, dict(array.attrs))
    return found


def plain_attributes(group: Any) -> dict[str, Any]:
    """What a stage says of itself: numbers and texts; the rest (reports of trainings, replaced members) as JSON."""
    return {
        key: value if isinstance(value, int | float | str) else json.dumps(json_ready(value), allow_nan=False)
        for key, value in group.attrs.items()
        if key not in INNER
    }
