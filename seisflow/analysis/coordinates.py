r"""Any analysis in transformed coordinates u of the state, x = T⁻¹(u), field by field:

    u_i = T(x_i) ,    û = analysis of the u_i with the same data, H(T⁻¹(u)) for an operator ,    x̂_i = T⁻¹(û_i) .

A linear update of a saturation fades a front and leaves its bounds; that of its level set moves the front, and every û is a
possible saturation (:mod:`seisflow.analysis.transform`). Predicted data are those of the members, which T does not change.
Kalman filters in such coordinates: Béal, Brasseur, Brankart, Ourmières & Verron 2010 (Ocean Sci. 6, 247–262).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations
from seisflow.analysis.transform import FieldMap
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["InCoordinates"]


@dataclass(frozen=True, eq=False)
class InCoordinates(Analysis):
    """Runs another analysis on transformed fields.

    Known failure: what is exact for a Gaussian x is not for a Gaussian u, and the other way round; many u mean the same dry
    cell, so a spread of u far from the plume stands for nothing.

    Parameters
    ----------
    analysis
        The analysis; it sees fields of the same names, without bounds.
    maps
        Field → T and T⁻¹; fields that are not named stay as they are.
    name
        Name of its stages. Empty: that of ``analysis``.

    Raises
    ------
    InputError
        From ``update``, when a field of the maps is missing.
    """

    analysis: Analysis
    maps: Mapping[str, FieldMap]
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.analysis.name)

    def resumable(self, folder: Path) -> Analysis:
        return replace(self, analysis=self.analysis.resumable(folder))

    def simulations(self, members: int) -> Simulations:
        return self.analysis.simulations(members)

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        missing = [name for name in self.maps if name not in forecast]
        if missing:
            raise InputError("forecast", forecast.names, f"it lacks {missing}; give those fields or change the maps")
        maps = {name: one.fit(forecast[name]) for name, one in self.maps.items()}

        def lifted(latent: Ensemble) -> Ensemble:
            back = {name: one.inverse(latent[name]).astype(forecast[name].dtype) for name, one in maps.items()}
            return Ensemble({**latent.fields, **back}, latent.time)

        def operator(latent: Ensemble) -> Ensemble:
            return evidence.predict(lifted(latent))

        fields = {name: one.forward(forecast[name]) for name, one in maps.items()}
        latent = Ensemble({**forecast.fields, **fields}, forecast.time)
        inner = evidence if evidence.operator is None else replace(evidence, operator=operator)
        posterior = self.analysis.update(latent, inner, generator, progress)
        return replace(posterior, ensemble=lifted(posterior.ensemble), mean=None)
