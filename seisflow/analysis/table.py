r"""What a method says of itself in a study: its name, its keys, and how it is built where it will work.

Every method that a study file can ask for ends its module with a table of this kind. The fields of the table are the
method's keys in the file, with their ranges and meaning; :mod:`seisflow.analysis.methods` lists the tables, one line each.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seisflow.analysis.adjustments import Inflation
from seisflow.analysis.base import Analysis, Simulations, packed_memory
from seisflow.analysis.coordinates import InCoordinates
from seisflow.analysis.inflated_noise import InflatedNoise
from seisflow.analysis.static_covariance import Background
from seisflow.analysis.transform import NormalScore, StateTransform
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.data import DataField
from seisflow.tables import Table

__all__ = ["Factor", "InflatedTable", "InformedTable", "MethodTable", "Site", "TransformedTable"]

Factor = Annotated[float, Field(ge=1, allow_inf_nan=False)]


@dataclass(frozen=True, eq=False)
class Site:
    """Where an analysis will work: what methods need to know of a study beside the forecast and the data.

    Parameters
    ----------
    fields
        Fields of the state that an analysis may move.
    bounds
        Field → (lowest, highest) physical value.
    cells
        Positions of the state's cells ``(*grid.shape, ndim)`` [m].
    data
        Data field → what it is: positions, axes, units (:attr:`seisflow.observation.base.Observation.data`).
    channels
        Data ensemble → condition channels on the state's grid ``(M, C, *grid.shape)``.
    transform
        Coordinates in which networks see the state.
    climatology
        (members, factor) ↦ the prior covariance of the state at every survey, from an open loop of that size.
    """

    fields: tuple[str, ...]
    bounds: Mapping[str, tuple[float, float]]
    cells: NDArray[np.float64]
    data: Mapping[str, DataField]
    channels: Callable[[Ensemble], NDArray]
    transform: StateTransform
    climatology: Callable[[int, float], Background]

    def positions(self) -> dict[str, NDArray]:
        """Data field → positions of its values ``(*shape, ndim)`` [m]; ``(n, ndim)``, not-a-number, without place."""
        nowhere = np.full(self.cells.shape[-1], np.nan)
        return {
            name: np.broadcast_to(nowhere, (int(np.prod(about.shape)), nowhere.size))
            if about.positions is None
            else np.asarray(about.positions)
            for name, about in self.data.items()
        }

    def axes(self, method: str) -> dict[str, tuple[NDArray, ...]]:
        """Data field → coordinates along each axis [m], where its values lie on a grid; no axes for data without place.

        Raises
        ------
        InputError
            When they have other places, for a method that cannot do without.
        """
        found = {name: () if about.positions is None else about.lattice() for name, about in self.data.items()}
        scattered = [name for name, lines in found.items() if lines is None]
        if scattered:
            remedy = (
                f"{', '.join(scattered)} has no positions on a grid, which this method needs; choose another: letkf"
            )
            raise InputError("methods", method, remedy)
        return {name: lines for name, lines in found.items() if lines is not None}

    @property
    def cell_axes(self) -> tuple[NDArray, ...]:
        """Coordinates of the state's cells along each axis [m]."""
        ndim = self.cells.shape[-1]
        return tuple(self.cells[(*(0,) * k, slice(None), *(0,) * (ndim - k - 1), k)] for k in range(ndim))


class MethodTable(Table):
    """A method of a study: its keys are the fields of its table.

    Attributes
    ----------
    name
        By which study files, run folders and tables call it.
    label, colour
        How readers see it: in words, and in figures (any colour that matplotlib knows).
    uses_data
        Whether it looks at the data.
    moves_state
        Whether its members are states that no simulator made, so that their mass needs care.
    trains_networks
        Whether it needs torch.
    least_members
        The smallest ensemble that it can work with.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    colour: ClassVar[str]
    uses_data: ClassVar[bool] = True
    moves_state: ClassVar[bool] = True
    trains_networks: ClassVar[bool] = False
    least_members: ClassVar[int] = 2

    @abstractmethod
    def build(self, site: Site) -> Analysis:
        """The analysis of these keys, with the table's name."""

    def simulations(self, members: int) -> Simulations:
        """What it simulates and trains itself at every survey, beside the forecast and its predicted data."""
        return Simulations()

    def memory(self, members: int, state: int, data: int) -> int:
        """Bytes that an update takes beside what it is given, about; for the check before a run.

        Parameters
        ----------
        members
            Number of members.
        state, data
            Numbers in the fields of one state that are moved, and in one datum.
        """
        return packed_memory(members, state, data) if self.uses_data else 0


class InformedTable(MethodTable):
    """A method that is told the covariance R of the data's noise."""

    noise_inflation: Factor = 1.0
    """Factor on R that the update reckons with, for what an ensemble cannot match; the data keep R."""

    def build(self, site: Site) -> Analysis:
        analysis = self.analysis(site)
        return InflatedNoise(analysis, self.noise_inflation) if self.noise_inflation > 1 else analysis

    @abstractmethod
    def analysis(self, site: Site) -> Analysis:
        """The analysis for R as it is given to it."""


class InflatedTable(InformedTable):
    """A method of the Kalman kind, whose anomalies can be inflated."""

    inflation: Factor = 1.0
    """Factor on the analysis anomalies."""

    def common(self, site: Site) -> dict[str, Any]:
        """Fields, inflation, bounds and name, as all of these methods take them."""
        adjustments = (Inflation(self.inflation),)
        return {"fields": site.fields, "adjustments": adjustments, "bounds": site.bounds, "name": self.name}


class TransformedTable(InflatedTable):
    """A method of the Kalman kind that can work in other coordinates of the state."""

    transform: Literal["none", "level_set", "normal_score"] = "none"
    """Coordinates of the update: the fields, the level set of the saturation and the change of pressure, or these made
    Gaussian cell by cell (``"normal_score"``)."""

    def build(self, site: Site) -> Analysis:
        if self.transform == "none":
            return super().build(site)
        maps = dict(site.transform.maps)
        if self.transform == "normal_score":
            maps = {name: NormalScore(inner) for name, inner in maps.items()}
        return InCoordinates(super().build(replace(site, bounds={})), maps)
