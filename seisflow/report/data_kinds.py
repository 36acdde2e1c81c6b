"""How data are shown: sections and logs are told by their axes, never by the names of their fields."""

from __future__ import annotations

from collections.abc import Mapping

from seisflow.grid import Grid
from seisflow.observation.data import DataField
from seisflow.units import BAR

__all__ = ["display_unit", "logs_of", "sections_of"]


def sections_of(data: Mapping[str, DataField], grid: Grid) -> dict[str, DataField]:
    """The fields among data that lie on a grid's cells."""
    return {name: about for name, about in data.items() if about.axis_names == ("x", "z") and about.shape == grid.shape}


def logs_of(data: Mapping[str, DataField], grid: Grid) -> dict[str, DataField]:
    """The fields among data that are logged along depth at several places."""
    sections = sections_of(data, grid)
    return {
        name: about
        for name, about in data.items()
        if name not in sections and len(about.axes) == 2 and "z" in about.coordinates and about.axis_names[-1] == "z"
    }


def display_unit(unit: str) -> tuple[float, str]:
    """What values are divided by for a reader, and how the unit is written then: pressures in bar."""
    return {"Pa": (BAR, "bar"), "1": (1.0, "–"), "": (1.0, "–")}.get(unit, (1.0, unit))
