r"""A run folder to work with in Python: states and data as xarray datasets, scores as a table, pictures as axes.

    run = seisflow.open_run("runs/mine")
    run.posterior("flow", survey=3).saturation.mean("member")
    run.scores.pivot(index="survey", columns="method", values="crps")
    run.plot.plume("flow", survey=3)

Surveys are counted from 1 everywhere here. Nothing is computed but what is asked for, and nothing is written.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas
import xarray

from seisflow.errors import InputError
from seisflow.report.plots import Plots
from seisflow.report.scores import scores_of
from seisflow.runs.datasets import stage_dataset
from seisflow.runs.methods import Methods
from seisflow.runs.reading import RunFolder
from seisflow.study import Study

__all__ = ["Run"]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a run left, finished or not.

    Parameters
    ----------
    source
        Its folder, read.
    """

    source: RunFolder

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.source.folder

    @property
    def study(self) -> Study:
        """The study that was run."""
        return self.source.study

    @property
    def methods(self) -> Methods:
        """The run's methods by name, in order: label, colour, and whether they look at the data."""
        return self.source.methods

    @property
    def surveys(self) -> int:
        """Number of surveys of the study."""
        return self.source.surveys

    @property
    def plot(self) -> Plots:
        """Its pictures, on matplotlib axes."""
        return Plots(self.source)

    def forecast(self, method: str, survey: int) -> xarray.Dataset:
        """Forecast members x_k of a method before the data of a survey, with the parameters that they were advanced with.

        Returns
        -------
        xarray.Dataset
            Fields ``(member, x, z)``, mapped from the disk; that of the first survey is common to all methods.

        Raises
        ------
        InputError
            When the run has no such method or survey, or has not come so far.
        """
        return self._stage(method, survey, "forecast")

    def predicted(self, method: str, survey: int) -> xarray.Dataset:
        """Noise-free data H(x_k) of a method's forecast members.

        Returns
        -------
        xarray.Dataset
            Data fields ``(member, ...)`` with the axes of the data, mapped from the disk.

        Raises
        ------
        InputError
            As :meth:`forecast` does; or the method does not look at data.
        """
        if method in self.methods and not self.methods[method].uses_data:
            informed = [name for name, about in self.methods.items() if about.uses_data]
            remedy = f"it does not look at data; predicted data are there of {', '.join(informed) or 'no method'}"
            raise InputError("method", method, remedy)
        return self._stage(method, survey, "predicted")

    def posterior(self, method: str, survey: int) -> xarray.Dataset:
        """Members x_k of a method given the data up to a survey.

        Returns
        -------
        xarray.Dataset
            Fields ``(member, x, z)``, mapped from the disk.

        Raises
        ------
        InputError
            As :meth:`forecast` does.
        """
        return self._stage(method, survey, "posterior")

    def truth(self, survey: int) -> xarray.Dataset:
        """The true state x_k° of a twin experiment: fields ``(x, z)``.

        Raises
        ------
        InputError
            When the study has no such survey, or its truth is not known, or not yet there.
        """
        remedy = "no truth is known of it: its data come from files, or the run has not come so far"
        return self._one(f"truth/survey_{survey}", survey, remedy)

    def observed(self, survey: int) -> xarray.Dataset:
        """The datum y_k° of a survey: data fields with their own axes.

        Raises
        ------
        InputError
            When the study has no such survey, or it has no data yet.
        """
        return self._one(f"observed/survey_{survey}", survey, "it has no data yet")

    @cached_property
    def scores(self) -> pandas.DataFrame:
        """Every posterior scored: a row a method and survey, a column a score.

        Columns ``method``, ``survey`` (from 1), ``day``, then the scores as in ``summary.json``; NaN for a score that is
        no number. Without a truth there are those that need none: ghost CO2, connected bodies, spread of the pressure. For
        an unfinished run they are computed.
        """
        days = self.study.surveys.days
        rows = [
            {"method": method, "survey": k + 1, "day": days[k], **step}
            for method, steps in scores_of(self.source).items()
            for k, step in enumerate(steps)
        ]
        if not rows:
            return pandas.DataFrame(columns=["method", "survey", "day"])
        table = pandas.DataFrame(rows)
        return table.astype(dict.fromkeys(table.columns[3:], float))

    def _stage(self, method: str, survey: int, what: str) -> xarray.Dataset:
        self.source.check_method(method)
        self.source.check_survey(survey)
        name = self.source.stage_name(method, survey - 1, what)
        if self.source.store.find(name) is None:
            there = ", ".join(n for n in self.source.store.names() if n.endswith(f"/{what}")) or "none yet"
            raise InputError("survey", survey, f"the run has no {what} of {method} at this survey; there are {there}")
        return stage_dataset(self.source.store, name)

    def _one(self, name: str, survey: int, remedy: str) -> xarray.Dataset:
        """A stage of one member, without the axis of the members."""
        self.source.check_survey(survey)
        if self.source.store.find(name) is None:
            raise InputError("survey", survey, remedy)
        return stage_dataset(self.source.store, name).isel(member=0, drop=True)

    def _lines(self) -> list[str]:
        study, done = self.study, self.source.done
        found = [f"{m.label} {done.get(name, 0)}" for name, m in self.methods.items()]
        return [
            f"run of {study.name}, seed {study.seed}, {study.ensemble.members} members, in {self.folder}",
            f"data: {', '.join(self.source.measured)}",
            f"surveys done, of {self.surveys}: {', '.join(found)}",
            "forecast, predicted, posterior (method, survey); truth, observed (survey); scores; plot.plume, .wells, .scores",
        ]

    def __repr__(self) -> str:
        first, *rest = self._lines()
        return "\n    ".join([f"<{first}>", *rest])

    def _repr_html_(self) -> str:
        first, *rest = (html.escape(line) for line in self._lines())
        return f"<p><b>{first}</b><br>{'<br>'.join(rest)}</p>"
