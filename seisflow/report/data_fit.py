r"""Observed beside predicted data, for a page: images and well logs.

Predicted data are those of the forecast's members, H(x_i), without noise; for wells also those of the posterior's members,
which are columns of their states. How well forecast and datum agree is said by one number each,

    ratio = sqrt( mean (y° − ȳ)² / mean (s² + σ²) ) ,

ȳ and s² mean and variance of the members' data and σ² that of the noise: about 1 where spread and noise explain the
difference, above 1 where they do not. Images are in units of their noise, so there σ² is 1 in the mean over the section.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.report.blocks import Block
from seisflow.report.fields import Fields
from seisflow.runs.reading import RunFolder
from seisflow.units import BAR

__all__ = ["DataFit"]

LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class DataFit:
    """Observed and predicted data of a run for its page.

    Parameters
    ----------
    fields
        The fields of the same page, whose grid and members are used.
    """

    fields: Fields

    @property
    def run(self) -> RunFolder:
        """The run folder."""
        return self.fields.run

    def informed(self) -> list[str]:
        """Methods that have predicted data."""
        return [m for m in self.run.done if self.run.stage(m, 0, "predicted") is not None and m != "open_loop"]

    def image_blocks(self) -> Iterator[Block]:
        """``image/observed/SURVEY``, ``image/METHOD/SURVEY/mean`` and ``…/members``."""
        shown = self.fields._shown
        for k in range(self.run.surveys):
            observed = self.run.observed(k)
            if observed is None or "image" not in observed:
                continue
            yield Block.of(f"image/observed/{k + 1}", shown(observed["image"][0].astype(float)), 16)
            for method in self.informed():
                predicted = self.run.ensemble(method, k, "predicted")
                if predicted is not None:
                    images = predicted["image"]
                    some = self.fields.shown_members[:: max(1, len(self.fields.shown_members) // 8)]
                    yield Block.of(f"image/{method}/{k + 1}/mean", shown(images.mean(axis=0, dtype=float)), 16)
                    yield Block.of(f"image/{method}/{k + 1}/members", shown(images[some].astype(float)), 8)

    def image_scale(self, blocks: list[Block]) -> tuple[float, float]:
        """Half the range of the images' symmetric colour scale, and the share of observed amplitudes inside it."""
        observed = [np.abs(b.restored()).ravel() for b in blocks if b.name.startswith("image/observed/")]
        if not observed:
            return 1.0, 1.0
        sizes = np.concatenate(observed)
        limit = float(np.quantile(sizes, 0.998)) or 1.0
        return limit, float((sizes <= limit).mean())

    def _columns(self) -> NDArray[np.int64]:
        grid = self.run.grid
        return np.array([grid.locate((x, grid.centres(-1)[0]))[0] for x in self.run.study.wells.x_m])

    def logs(self) -> dict[str, Any]:
        """Well logs by survey and method: observed, and quantiles of forecast and posterior over depth."""
        found: dict[str, Any] = {}
        for k in range(self.run.surveys):
            observed = self.run.observed(k)
            if observed is None or "well_saturation" not in observed:
                continue
            here: dict[str, Any] = {"observed": _logs(observed["well_saturation"][0], observed["well_pressure"][0])}
            for method in self.run.done:
                here[method] = {}
                for what in ("forecast", "posterior"):
                    states = self.run.ensemble(method, k, what)
                    if states is not None:
                        columns = self._columns()
                        saturation = states["saturation"][:, columns]
                        change = states["pressure"][:, columns] - self.run.initial_pressure[columns]
                        here[method][what] = _logs(saturation, change, LEVELS)
            found[str(k + 1)] = here
        return found

    def agreement(self, method: str, k: int) -> dict[str, float]:
        """The ratio of every kind of data, of a method's forecast at a survey (from 0)."""
        observed, predicted = self.run.observed(k), self.run.ensemble(method, k, "predicted")
        if observed is None or predicted is None:
            return {}
        wells = self.run.study.wells
        noise = {"image": 1.0, "well_saturation": wells.saturation_std, "well_pressure": wells.pressure_std_bar * BAR}
        found = {}
        for name in observed.names:
            members = predicted[name].astype(float)
            difference = observed[name][0] - members.mean(axis=0)
            expected = members.var(axis=0, ddof=1).mean() + noise[name] ** 2
            found[name] = float(np.sqrt((difference**2).mean() / expected))
        return found


def _logs(saturation: NDArray, change: NDArray, levels: tuple[float, ...] | None = None) -> dict[str, Any]:
    """Saturation and pressure change [bar] along every well: one log, or quantiles over the members."""
    found = {}
    for name, values in (("saturation", saturation), ("pressure", change / BAR)):
        shown = values if levels is None else np.quantile(values, levels, axis=0)
        found[name] = np.round(shown, 4).tolist()
    return found
