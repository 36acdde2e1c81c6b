r"""Pictures of a run on matplotlib axes, given or new: a notebook shows them; in a script ``figure.savefig`` keeps them.

They are drawn as on the run's page and in its figures; surveys are counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.diagnostics.plume import PLUME, probability
from seisflow.errors import InputError
from seisflow.report.data_figure import draw_log
from seisflow.report.data_fit import DataFit
from seisflow.report.fields import Fields
from seisflow.report.outlines import LEVELS, level_lines
from seisflow.report.score_figure import SHOWN, draw_score
from seisflow.report.scores import scores_of
from seisflow.report.sections import DEVIATION, ERROR, PROBABILITY, VALUE, plume_window, section
from seisflow.runs.reading import RunFolder

__all__ = ["Plots"]

Shown = Literal["mean", "deviation", "error", "forecast", "truth", "probability"]


@dataclass(frozen=True, eq=False)
class Plots:
    """The pictures of a run.

    Parameters
    ----------
    run
        The run folder.
    """

    run: RunFolder

    def plume(
        self, method: str | None = None, survey: int | None = None, show: Shown = "mean", axes: Any = None
    ) -> Any:
        """The CO2 saturation of a method at a survey, as a section.

        Parameters
        ----------
        method
            Whose; default: the learned flow where it is there, else the last method.
        survey
            From 1; default: the last that the method reached.
        show
            ``"mean"`` or ``"deviation"`` of the posterior, its ``"error"`` (mean − truth), the mean of the ``"forecast"``,
            the ``"truth"``, or the ``"probability"`` of S > 0.05 with outlines at 5, 50 and 95 % and, dashed, the truth's.
        axes
            Where to draw; default: new ones.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            When the run has no such method, survey or truth.
        """
        method, survey = self._place(method, survey)
        field, style, title = self._field(method, survey, show)
        axes = _new_axes(1, (8.0, 4.0))[0] if axes is None else axes
        shown = self.run.ensemble(method, survey - 1, "forecast")
        window = plume_window(self.run.grid, [] if shown is None else [shown["saturation"]])
        where = f"{title}, survey {survey}, day {self.run.study.surveys.days[survey - 1]:g}"
        unit = "S [-]" if show != "probability" else "[-]"
        section(axes.figure, axes, field, self.run.grid, where, window, unit, **style)
        if show == "probability":
            self._outline(axes, field, survey - 1)
        axes.set_xlabel("x [m]", fontsize=8)
        axes.set_ylabel("depth [m]", fontsize=8)
        return axes

    def wells(self, method: str | None = None, survey: int | None = None, axes: Any = None) -> NDArray[np.object_]:
        """Data that are logged along depth: observed, and the range of a method's forecast and posterior.

        Parameters
        ----------
        method, survey
            As :meth:`plume` takes them.
        axes
            One for every log; default: new ones, side by side.

        Returns
        -------
        NDArray of matplotlib.axes.Axes
            One for every field and place.

        Raises
        ------
        InputError
            When the run has no such method or survey, or no data along depth, or another number of axes is given.
        """
        method, survey = self._place(method, survey)
        fit = DataFit(Fields(self.run))
        places = [(name, w) for name, about in fit.log_fields.items() for w in range(about.shape[0])]
        if not places:
            known = ", ".join(self.run.data) or "none yet"
            raise InputError("run", str(self.run.folder), f"it has no data along depth; its data are {known}")
        places.sort(key=lambda place: place[1])
        chosen = _given(axes, len(places), (3.2 * len(places), 4.2))
        observed = self.run.observed(survey - 1)
        members = {what: fit.log_members(method, survey - 1, what) for what in ("forecast", "posterior")}
        for panel, (name, w) in zip(chosen, places, strict=True):
            ranges = {what: logs[name][:, w] for what, logs in members.items() if name in logs}
            draw_log(panel, fit.log_fields[name], w, None if observed is None else observed[name], ranges)
        chosen[0].set_ylabel("depth [m]", fontsize=8)
        chosen[0].legend(fontsize=7)
        return chosen

    def scores(self, *names: str, axes: Any = None) -> NDArray[np.object_]:
        """Scores over the surveys, one line a method.

        Parameters
        ----------
        names
            Of scores, as in ``summary.json``; default: RMSE, CRPS, SSIM and 90 % coverage, which need a truth.
        axes
            One for every score; default: new ones, side by side.

        Returns
        -------
        NDArray of matplotlib.axes.Axes
            One for every score.

        Raises
        ------
        InputError
            When the run has no scores, or none of that name, or another number of axes is given.
        """
        found = scores_of(self.run)
        if not found:
            raise InputError("run", str(self.run.folder), "it has no scores: nothing is analysed yet")
        known = list(next(iter(found.values()))[0])
        keys = names or tuple(SHOWN)
        unknown = [name for name in keys if name not in known]
        if unknown:
            raise InputError("names", ", ".join(unknown), f"choose from {', '.join(known)}")
        chosen = _given(axes, len(keys), (3.2 * len(keys), 3.2))
        for panel, key in zip(chosen, keys, strict=True):
            draw_score(panel, key, list(self.run.study.surveys.days), found, self.run.methods)
        chosen[0].legend(fontsize=8)
        return chosen

    def _place(self, method: str | None, survey: int | None) -> tuple[str, int]:
        """A method and a survey of which there is a posterior."""
        done = self.run.done
        if not done:
            raise InputError("run", str(self.run.folder), "it has no posterior yet")
        if method is None:
            method = "flow" if "flow" in done else list(done)[-1]
        self.run.check_method(method)
        if method not in done:
            raise InputError("method", method, f"this run has posteriors of {', '.join(done)}")
        survey = done[method] if survey is None else survey
        self.run.check_survey(survey)
        if survey > done[method]:
            raise InputError("survey", survey, f"{method} has posteriors of surveys 1 to {done[method]}")
        return method, survey

    def _field(self, method: str, survey: int, show: str) -> tuple[NDArray, dict[str, Any], str]:
        """The field, its style and its title."""
        label, k = self.run.methods[method].label, survey - 1
        value = {"cmap": VALUE, "vmin": 0.0, "vmax": 1 - self.run.study.fluids.brine_residual}
        if show in ("truth", "error"):
            true = self.run.truth(k)
            if true is None:
                raise InputError("show", show, "no truth is known of this run; show mean, deviation or forecast")
            if show == "truth":
                return true["saturation"][0], value, "truth"
            error = self._members(method, k, "posterior").mean(axis=0) - true["saturation"][0]
            limit = float(np.abs(error).max()) or 1.0
            return error, {"cmap": ERROR, "vmin": -limit, "vmax": limit}, f"{label}: mean − truth"
        if show == "mean":
            return self._members(method, k, "posterior").mean(axis=0), value, f"{label}: posterior mean"
        if show == "forecast":
            return self._members(method, k, "forecast").mean(axis=0), value, f"{label}: forecast mean"
        if show == "deviation":
            spread = self._members(method, k, "posterior").std(axis=0, ddof=1)
            style = {"cmap": DEVIATION, "vmin": 0.0, "vmax": float(spread.max()) or 1.0}
            return spread, style, f"{label}: posterior standard deviation"
        if show == "probability":
            share = probability(self._members(method, k, "posterior"))
            return share, {"cmap": PROBABILITY, "vmin": 0.0, "vmax": 1.0}, f"{label}: P(S > {PLUME:g})"
        raise InputError("show", show, "choose mean, deviation, error, forecast, truth or probability")

    def _outline(self, axes: Any, share: NDArray, k: int) -> None:
        """The outlines of a probability, and the truth's."""
        for level, width in zip(LEVELS, (0.8, 1.4, 2.4), strict=True):
            for i, line in enumerate(level_lines(share, level, self.run.grid)):
                axes.plot(*line.T, color="0.1", lw=width, label=f"{level:.0%}" if i == 0 else None)
        true = self.run.truth(k)
        for i, line in enumerate(
            [] if true is None else level_lines(true["saturation"][0] > PLUME, 0.5, self.run.grid)
        ):
            axes.plot(*line.T, color="tab:red", lw=1.8, ls="--", label="truth" if i == 0 else None)
        axes.legend(fontsize=7)

    def _members(self, method: str, k: int, what: str) -> NDArray:
        ensemble = self.run.ensemble(method, k, what)
        if ensemble is None:
            raise InputError("show", what, "the run has no such stage")
        return ensemble["saturation"]


def _new_axes(n: int, size: tuple[float, float]) -> NDArray[np.object_]:
    """New axes side by side, in a figure that a notebook shows."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(1, n, figsize=size, layout="constrained", squeeze=False)
    return np.asarray(axes)[0]


def _given(axes: Any, n: int, size: tuple[float, float]) -> NDArray[np.object_]:
    """The given axes, as many as there are panels, or new ones."""
    if axes is None:
        return _new_axes(n, size)
    given: NDArray[np.object_] = np.ravel(np.asarray(axes, dtype=object))
    if len(given) != n:
        raise InputError("axes", len(given), f"give {n}, one for every panel")
    return given
