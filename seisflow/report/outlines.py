r"""The map that a page opens with: where CO2 is how probable, and the outlines of the plume.

    P_c = 1/M Σ_i 1[S_{i,c} > 0.05]

the share of the members that have CO2 in cell c. Outlines are the level lines of P at 0.05, 0.5 and 0.95, with P linear
between the centres of cells (marching squares). The truth's outline is the line at one half of its own 0 or 1, drawn by the
same rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

from seisflow.diagnostics.plume import PLUME, probability
from seisflow.grid import Grid
from seisflow.report.blocks import Block
from seisflow.report.fields import OUTERMOST, Fields

__all__ = ["LEVELS", "Outlines", "level_lines"]

LEVELS = (OUTERMOST, 0.5, 0.95)
"""Probabilities whose outlines are drawn."""
TIE = 1e-9
"""Cells of exactly the level are inside."""


def level_lines(values: NDArray, level: float, grid: Grid) -> list[NDArray[np.float64]]:
    """Lines (x, depth) around the cells of a section whose value is a level or more [m], each ``(points, 2)``.

    A line that meets the edge of the grid ends at the centres of the outermost cells.

    Parameters
    ----------
    values
        ``grid.shape``, in 2-D.
    level
        The level.
    grid
        Of the values.
    """
    first, spacing = [grid.centres(axis)[0] for axis in (0, 1)], grid.spacing
    if min(grid.shape) < 2:  # no squares between centres
        return []
    return [np.asarray(line) * spacing + first for line in find_contours(np.asarray(values, float), level - TIE)]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Probability maps and outlines of every posterior of a run.

    Parameters
    ----------
    fields
        The fields of the same page.
    """

    fields: Fields

    def _posteriors(self) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
        """Method, survey (from 0) and P."""
        for method, done in self.fields.run.done.items():
            for k in range(done):
                posterior = self.fields.run.ensemble(method, k, "posterior")
                assert posterior is not None
                yield method, k, probability(posterior["saturation"])

    def blocks(self) -> Iterator[Block]:
        """``probability/METHOD/SURVEY`` (surveys from 1)."""
        for method, k, share in self._posteriors():
            yield Block.of(f"probability/{method}/{k + 1}", self.fields.shown(share), 16)

    def facts(self) -> dict[str, Any]:
        """``METHOD/SURVEY`` → lines by level and sentence; ``truth/SURVEY`` → its lines (surveys from 1)."""
        grid, found = self.fields.run.grid, dict[str, Any]()
        for k in range(self.fields.run.surveys):
            wet = self._true_plume(k)
            if wet is not None:
                found[f"truth/{k + 1}"] = [_packed(line) for line in level_lines(wet, 0.5, grid)]
        for method, k, share in self._posteriors():
            lines = [[_packed(line) for line in level_lines(share, level, grid)] for level in LEVELS]
            found[f"{method}/{k + 1}"] = {"lines": lines, "text": self.sentence(k, share)}
        return found

    def sentence(self, k: int, share: NDArray[np.float64]) -> str:
        """What the outlines of a posterior at a survey (from 0) say."""
        low, _, high = map(_percent, LEVELS)
        if not (share >= LEVELS[0]).any():
            return f"No cell has CO₂ in {low} of the members."
        text = f"Inside the thick line {high} of the members or more have CO₂ (S above {PLUME:g}), at the middle line half "
        text += f"of them, and outside the thin line fewer than {low}"
        wet = self._true_plume(k)
        if wet is None or not wet.any():
            return f"{text}."
        held = _percent(float((share[wet] >= LEVELS[0]).mean()))
        return f"{text}; dashed is the outline of the true plume, {held} of which lies inside the thin line."

    def _true_plume(self, k: int) -> NDArray[np.bool_] | None:
        truth = self.fields.run.truth(k)
        return None if truth is None else truth["saturation"][0] > PLUME


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _packed(line: NDArray[np.float64]) -> list[float]:
    """x and depth in turn [m], to a tenth of a metre."""
    return [float(value) for value in np.round(line.ravel(), 1)]
