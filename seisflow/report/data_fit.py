r"""Observed beside predicted data, for a page: sections as pictures, logs along depth as curves.

What the data are, the stored ones say themselves (:attr:`seisflow.runs.reading.RunFolder.data`): a field on the cells of the
state's grid is a section, one whose last of two axes is depth is a set of logs; others are in the table of misfits alone.

Predicted data are those of the forecast's members, H(x_i), without noise; for logs that read the state itself also those of
the posterior's members, which are columns of their states. How well forecast and datum agree is said by one number each,

    ratio = sqrt( mean (y° − ȳ)² / mean (s² + σ²) ) ,

ȳ and s² mean and variance of the members' data and σ² that of the noise: about 1 where spread and noise explain the
difference, above 1 where they do not. A datum with a ratio above 3 is marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.observation.data import DataField
from seisflow.report.blocks import Block
from seisflow.report.data_kinds import display_unit, logs_of, sections_of
from seisflow.report.fields import Fields
from seisflow.runs.reading import RunFolder

__all__ = ["LARGEST_MISFIT", "DataFit", "too_large"]

LEVELS = (0.05, 0.5, 0.95)
LARGEST_MISFIT = 3.0
"""Ratio above which a datum is marked: no spread and no noise of the study explains three standard deviations of a mean."""
READ = {"saturation": "saturation", "pressure_change": "pressure"}
"""What a datum reads of the state → the quantity of the page."""


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
        informed = [m for m in self.run.done if self.run.methods[m].uses_data]
        return [m for m in informed if self.run.stage(m, 0, "predicted") is not None]

    @property
    def sections(self) -> dict[str, DataField]:
        """Data on the cells of the state's grid."""
        return sections_of(self.run.data, self.run.grid)

    @property
    def log_fields(self) -> dict[str, DataField]:
        """Data along depth at several places."""
        return logs_of(self.run.data, self.run.grid)

    def section_blocks(self) -> Iterator[Block]:
        """``data/FIELD/observed/SURVEY``, ``data/FIELD/METHOD/SURVEY/mean`` and ``…/members``."""
        shown = self.fields.shown
        for name in self.sections:
            for k in range(self.run.surveys):
                observed = self.run.observed(k)
                if observed is None:
                    continue
                yield Block.of(f"data/{name}/observed/{k + 1}", shown(observed[name][0].astype(float)), 16)
                for method in self.informed():
                    predicted = self.run.ensemble(method, k, "predicted")
                    if predicted is not None:
                        values, place = predicted[name], f"data/{name}/{method}/{k + 1}"
                        some = self.fields.shown_members[:: max(1, len(self.fields.shown_members) // 8)]
                        yield Block.of(f"{place}/mean", shown(values.mean(axis=0, dtype=float)), 16)
                        yield Block.of(f"{place}/members", shown(values[some].astype(float)), 8)

    def scales(self, blocks: list[Block]) -> dict[str, tuple[float, float]]:
        """Half the range of every section's symmetric colour scale, and the share of observed amplitudes inside it."""
        found = {}
        for name in self.sections:
            observed = [np.abs(b.restored()).ravel() for b in blocks if b.name.startswith(f"data/{name}/observed/")]
            sizes = np.concatenate(observed) if observed else np.ones(1)
            limit = float(np.quantile(sizes, 0.998)) or 1.0
            found[name] = (limit, float((sizes <= limit).mean()))
        return found

    def log_facts(self) -> dict[str, dict[str, Any]]:
        """Title of the value axis and depths of every field of logs."""
        return {
            name: {
                "title": f"{about.label} [{display_unit(about.unit)[1]}]",
                "depths": np.round(np.asarray(about.axes[-1].coordinates), 2).tolist(),
            }
            for name, about in self.log_fields.items()
        }

    def logs(self) -> dict[str, Any]:
        """Logs by survey, method and field: observed, and quantiles of forecast and posterior over depth."""
        found: dict[str, Any] = {}
        for k in range(self.run.surveys):
            observed = self.run.observed(k)
            if observed is None or not self.log_fields:
                continue
            here: dict[str, Any] = {"observed": {}}
            for name, about in self.log_fields.items():
                here["observed"][name] = _rounded(observed[name][0] / display_unit(about.unit)[0])
            for method in self.run.done:
                here[method] = {what: self._bands(method, k, what) for what in ("forecast", "posterior")}
            found[str(k + 1)] = here
        return found

    def _bands(self, method: str, k: int, what: str) -> dict[str, Any]:
        """Quantiles of the logs of a stage's members, of the fields where they are known."""
        known = self.log_members(method, k, what)
        return {name: _rounded(np.quantile(members, LEVELS, axis=0)) for name, members in known.items()}

    def log_members(self, method: str, k: int, what: str) -> dict[str, NDArray]:
        """Logs of a method's ``"forecast"`` or ``"posterior"`` at a survey (from 0), ``(M, places, depths)`` a field.

        In the unit of the page, without noise; only of the fields whose members are known.
        """
        states, found = self.run.ensemble(method, k, what), dict[str, NDArray]()
        predicted = self.run.ensemble(method, k, "predicted") if what == "forecast" else None
        for name, about in self.log_fields.items():
            if about.quantity in READ and about.axes[0].coordinates is not None and states is not None:
                columns = [
                    self.run.grid.locate((x, self.run.grid.centres(-1)[0]))[0] for x in about.axes[0].coordinates
                ]
                members = self.fields.quantity(READ[about.quantity], states)[:, columns]
            elif predicted is not None and method in self.informed():
                members = predicted[name] / display_unit(about.unit)[0]
            else:
                continue
            found[name] = np.asarray(members)
        return found

    @cached_property
    def misfits(self) -> dict[str, dict[str, dict[str, float]]]:
        """:meth:`agreement` of every method and survey (from 1, as text) that has a posterior."""
        return {m: {str(k + 1): self.agreement(m, k) for k in range(self.run.done[m])} for m in self.informed()}

    def agreement(self, method: str, k: int) -> dict[str, float]:
        """The ratio of every kind of data whose noise is known, of a method's forecast at a survey (from 0)."""
        observed, predicted = self.run.observed(k), self.run.ensemble(method, k, "predicted")
        if observed is None or predicted is None:
            return {}
        found = {}
        for name, about in self.run.data.items():
            if about.noise_std is not None:
                members = predicted[name].astype(float)
                difference = observed[name][0] - members.mean(axis=0)
                expected = members.var(axis=0, ddof=1).mean() + about.noise_std**2
                found[name] = float(np.sqrt((difference**2).mean() / expected))
        return found


def too_large(misfit: float) -> bool:
    """Whether a misfit is to be marked; one that is no number is."""
    return not misfit <= LARGEST_MISFIT


def _rounded(values: NDArray) -> Any:
    return np.round(np.asarray(values), 4).tolist()
