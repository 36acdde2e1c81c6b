r"""Localised regression of the state on the data as an analysis: no network, every member keeps its own residual.

The first guess x̂ of :mod:`seisflow.analysis.learned.localized_guess` moves the members of the forecast,

    x̂_i = x̂(y°) + (x_i − x̂_{−i}(y_i)) ,    y_i = h_i + e_i ,

the joint-to-conditional map of a linear model (Spantini, Baptista & Marzouk 2022, SIAM Review 64, 921–953), with residuals
that have the size of errors on new data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.learned.localized_guess import RADII, RIDGES, LocalizedGuess
from seisflow.analysis.learned.tiles import Tiles
from seisflow.analysis.table import MethodTable, Site
from seisflow.analysis.transform import StateTransform
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.data import DataField

__all__ = ["LocalizedRegressionAnalysis", "LocalizedRegressionTable"]

LEAST_MEMBERS = 8


@dataclass(frozen=True, eq=False)
class LocalizedRegressionAnalysis(Analysis):
    """The localised regression as an analysis: every member keeps its own residual.

    Known failure: a linear map of the latents with the spread of the residuals, which does not depend on the datum: two
    modes stay joined, and where the data are unusually good or poor the spread does not know.

    Parameters
    ----------
    axes
        Coordinates of the state's cells along each axis [m].
    data
        Data field → what it is, with its positions.
    transform
        Which fields are inferred, and how they are carried; other fields pass unchanged.
    radii, ridges
        Radii [cells] and γ to choose from.

    Raises
    ------
    InputError
        From ``update``, with fewer than 8 members, or when the data are not those described.
    """

    axes: tuple[NDArray[np.float64], ...]
    data: Mapping[str, DataField]
    transform: StateTransform = field(default_factory=StateTransform)
    radii: tuple[float, ...] = RADII
    ridges: tuple[float, ...] = RIDGES
    name: str = "localized_regression"

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        if forecast.size < LEAST_MEMBERS:
            raise InputError("forecast", f"{forecast.size} members", f"give at least {LEAST_MEMBERS} to leave some out")
        names = evidence.predicted.names
        missing = [name for name in names if name not in self.data]
        if missing:
            raise InputError("data", tuple(self.data), f"say what {missing} are, too")
        fitted = self.transform.fit(forecast)
        state, predicted = fitted.forward(forecast), evidence.predicted.pack()
        tiles = Tiles.of(self.axes, {name: self.data[name] for name in names}, forecast.size)
        guess = LocalizedGuess(
            state, predicted, evidence.noise, tiles, fitted.physical(forecast), generator, self.radii, self.ridges
        )
        noisy = predicted + evidence.noise.sample(forecast.size, generator)
        residual = state - guess(noisy, np.arange(forecast.size))
        moved = guess(evidence.observed.pack(names)) + residual
        return Posterior(fitted.inverse(moved, forecast), guess.described(tuple(self.transform.maps)))


class LocalizedRegressionTable(MethodTable):
    """Localised regression on the level set: a first guess with the residuals of members left out, and no network."""

    name: ClassVar[str] = "localized_regression"
    label: ClassVar[str] = "localised regression"
    colour: ClassVar[str] = "tab:gray"
    least_members: ClassVar[int] = LEAST_MEMBERS

    def build(self, site: Site) -> LocalizedRegressionAnalysis:
        return LocalizedRegressionAnalysis(site.cell_axes, site.data, site.transform, name=self.name)
