r"""The fields that a page shows: mean, standard deviation and members of every posterior, beside the truth.

Mean and standard deviation are those of all members. Members are shown one by one, all of them where they fit the page and
else evenly chosen ones; sections of more than 256 cells along an axis are averaged to at most as many for display. Both are
said on the page. Scores never come from what is shown here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.diagnostics.plume import probability
from seisflow.ensemble import Ensemble
from seisflow.grid import Grid, average
from seisflow.report.blocks import Block
from seisflow.report.sections import plume_window
from seisflow.runs.reading import RunFolder
from seisflow.units import BAR

__all__ = ["QUANTITIES", "Fields"]

MOST_CELLS = 256
"""Cells along an axis that are shown; more are averaged."""
MOST_BYTES = 48e6
"""Bytes of members before compression; above it, members are left out."""
OUTERMOST = 0.05
"""Probability of the outermost outline."""

QUANTITIES = {
    "saturation": {"label": "CO₂ saturation", "unit": "", "digits": 3},
    "pressure": {"label": "pressure change", "unit": "bar", "digits": 2},
}


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of a run for its page.

    Parameters
    ----------
    run
        The run folder.
    """

    run: RunFolder

    @cached_property
    def grid(self) -> Grid:
        """The grid of what is shown."""
        grid = self.run.grid
        shape = tuple(math.ceil(n / math.ceil(n / MOST_CELLS)) for n in grid.shape)
        spacing = tuple((high - low) / n for (low, high), n in zip(grid.extent, shape, strict=True))
        return Grid(shape, spacing, grid.origin, grid.thickness)

    @cached_property
    def shown_members(self) -> NDArray[np.int64]:
        """Numbers of the members that are shown, from 0."""
        members = self.run.study.ensemble.members
        one = sum(self.run.done.values()) * len(QUANTITIES) * self.grid.size
        n = int(np.clip(MOST_BYTES // max(one, 1), 4, members)) if members > 4 else members
        return np.unique(np.linspace(0, members - 1, n).round().astype(int))

    def quantity(self, name: str, ensemble: Ensemble) -> NDArray:
        """A quantity of a state ensemble ``(M, *shape)``, in the unit of the page, on the flow grid."""
        if name == "saturation":
            return ensemble["saturation"]
        return (ensemble["pressure"] - self.run.initial_pressure) / BAR

    def shown(self, values: NDArray) -> NDArray:
        """Values on the flow grid ``(…, *shape)`` on the grid of what is shown."""
        return values if self.grid.shape == self.run.grid.shape else average(values, self.run.grid, self.grid)

    def blocks(self) -> Iterator[Block]:
        """All blocks: ``QUANTITY/truth/SURVEY``, ``QUANTITY/METHOD/SURVEY/mean`` … (surveys from 1)."""
        for name in QUANTITIES:
            for k in range(self.run.surveys):
                truth = self.run.truth(k)
                if truth is not None:
                    yield Block.of(f"{name}/truth/{k + 1}", self.shown(self.quantity(name, truth)[0]), 16)
            for method, done in self.run.done.items():
                for k in range(done):
                    yield from self._step(name, method, k)

    def _step(self, name: str, method: str, k: int) -> Iterator[Block]:
        place = f"{name}/{method}/{k + 1}"
        posterior = self.run.ensemble(method, k, "posterior")
        assert posterior is not None
        values = self.quantity(name, posterior)
        yield Block.of(f"{place}/mean", self.shown(values.mean(axis=0)), 16)
        yield Block.of(f"{place}/deviation", self.shown(values.std(axis=0, ddof=1)), 16)
        yield Block.of(f"{place}/members", self.shown(values[self.shown_members]), 8)
        forecast = self.run.ensemble(method, k, "forecast")
        if forecast is not None:
            yield Block.of(f"{place}/forecast", self.shown(self.quantity(name, forecast).mean(axis=0)), 16)

    def scales(self, blocks: list[Block]) -> dict[str, Any]:
        """Colour scales of every quantity, common to all surveys, methods and panels.

        Saturation has its physical range. Other values have that of truth and means, which members may exceed: ``beyond``
        says whether any does, and the page marks it. Deviations begin at 0, errors are symmetric about it; none is clipped.
        """
        found: dict[str, Any] = {}
        for name in QUANTITIES:
            own = {b.name: b for b in blocks if b.name.startswith(f"{name}/")}
            fields = [b.range for n, b in own.items() if not n.endswith(("/deviation", "/members"))]
            members = [b.range for n, b in own.items() if n.endswith("/members")]
            deviations = [b.range[1] for n, b in own.items() if n.endswith("/deviation")]
            low, high = min([0.0, *(r[0] for r in fields)]), max([1e-9, *(r[1] for r in fields)])
            if name == "saturation":
                low, high = 0.0, 1 - self.run.study.fluids.brine_residual
            error = max([1e-9, *self._errors(own, name)])
            found[name] = {
                "value": [low, high],
                "deviation": [0.0, max([*deviations, 1e-9])],
                "error": [-error, error],
                "beyond": [any(r[0] < low - 1e-9 for r in members), any(r[1] > high + 1e-9 for r in members)],
            }
        return found

    def _errors(self, own: dict[str, Block], name: str) -> Iterator[float]:
        """Largest error of every mean."""
        for key, block in own.items():
            truth = own.get(f"{name}/truth/{key.split('/')[2]}")
            if key.endswith("/mean") and truth is not None:
                yield float(np.abs(block.restored() - truth.restored()).max())

    def window(self) -> tuple[float, float]:
        """Depths that hold all CO2 of truth and forecasts, and the outlines of all posteriors, with a margin [m].

        A thin plume is not lost in the overburden, and CO2 that an analysis has put elsewhere is not cut off.
        """
        return plume_window(self.run.grid, self._saturations())

    def _saturations(self) -> Iterator[NDArray]:
        for k in range(self.run.surveys):
            for ensemble in (self.run.truth(k), *(self.run.ensemble(m, k, "forecast") for m in self.run.done)):
                if ensemble is not None:
                    yield ensemble["saturation"]
            for method, done in self.run.done.items():
                posterior = self.run.ensemble(method, k, "posterior") if k < done else None
                if posterior is not None:
                    yield (probability(posterior["saturation"]) >= OUTERMOST).astype(float)
