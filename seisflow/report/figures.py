r"""The figures of a run as PNG files, from what the run folder holds.

scores.png                        scores over the surveys
geology.png                       baseline velocity, true permeability, prior draws
survey_K_comparison.png           every method beside the truth
survey_K_METHOD.png               forecast, posterior, deviation, error, samples of one method
survey_K_data.png                 observed beside predicted data
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from seisflow.analysis.base import Progress
from seisflow.errors import InputError
from seisflow.geology.section import load_section
from seisflow.grid import average
from seisflow.report.data_figure import data_figure
from seisflow.report.geology_figure import geology_figure
from seisflow.report.posterior_figures import comparison_figure, posterior_figure
from seisflow.report.score_figure import score_figure
from seisflow.report.scores import against_truth, scores_of
from seisflow.report.sections import save
from seisflow.runs.reading import RunFolder
from seisflow.units import MILLIDARCY

__all__ = ["draw"]


def draw(run: RunFolder, folder: Path, show: Progress | None = None, dpi: int = 110, few: bool = False) -> list[Path]:
    """Draw the figures that a run has the numbers for.

    Parameters
    ----------
    run
        The run folder.
    folder
        Where the PNG files go.
    show
        Called as ``show("figures", done, total)``.
    dpi
        Dots per inch: 110 for a screen, 300 for print.
    few
        Only the scores and the comparisons: what a run draws by itself.

    Returns
    -------
    list[Path]
        The files.
    """
    study, scores = run.study, scores_of(run)
    tasks: list[tuple[str, Callable[[], Any]]] = []
    if against_truth(scores):
        summary = {"survey_days": study.surveys.days, "scores": scores}
        tasks.append(("scores", partial(score_figure, summary, run.methods)))
    if run.done and not few:
        tasks.append(("geology", partial(_geology, run)))
    for k in range(max(run.done.values(), default=0)):
        at_survey = {m: steps[k] for m, steps in scores.items() if len(steps) > k}
        tasks.append((f"survey_{k + 1}_comparison", partial(_comparison, run, k, at_survey)))
        if few:
            continue
        for method in run.done:
            if run.methods[method].uses_data:
                tasks.append((f"survey_{k + 1}_{method}", partial(_posterior, run, k, method)))
        tasks.append((f"survey_{k + 1}_data", partial(_data, run, k)))
    files = []
    for i, (name, make) in enumerate(tasks):
        figure = make()
        if figure is not None:
            files.append(save(figure, folder / f"{name}.png", dpi))
        if show is not None:
            show("figures", i + 1, len(tasks))
    return files


def _title(run: RunFolder, k: int) -> str:
    return f"survey {k + 1}, day {run.study.surveys.days[k]:g}"


def _true_saturation(run: RunFolder, k: int) -> Any:
    truth = run.truth(k)
    return None if truth is None else truth["saturation"][0]


def _geology(run: RunFolder) -> Any:
    study, truth = run.study, run.truth(0)
    try:
        section = load_section(study.geology.section)
    except InputError:  # the run was moved away from its section
        return None
    first = run.ensemble(next(iter(run.done)), 0, "forecast")
    assert first is not None
    wells = {
        "injector": (study.injection.x_m, *study.injection.depth_m),
        "monitors": run.wells,
    }
    return geology_figure(
        run.grid,
        average(section.velocity, section.grid, run.grid),
        first["permeability"][:4] / MILLIDARCY,
        None if truth is None else truth["permeability"][0] / MILLIDARCY,
        wells,
    )


def _comparison(run: RunFolder, k: int, scores: dict[str, dict[str, float | None]]) -> Any:
    found = {m: run.ensemble(m, k, "posterior") for m in run.done}
    compared = {m: e["saturation"] for m, e in found.items() if e is not None}
    title = f"CO2 saturation at {_title(run, k)}"
    return comparison_figure(run.grid, _true_saturation(run, k), compared, scores, title, run.methods)


def _posterior(run: RunFolder, k: int, method: str) -> Any:
    ahead, after = run.ensemble(method, k, "forecast"), run.ensemble(method, k, "posterior")
    if ahead is None or after is None:
        return None
    title = f"{run.methods[method].label}: CO2 saturation at {_title(run, k)}"
    S = _true_saturation(run, k)
    return posterior_figure(run.grid, S, ahead["saturation"], after["saturation"], title)


def _data(run: RunFolder, k: int) -> Any:
    informed = [m for m in ("flow", *run.done) if m in run.done and run.methods[m].uses_data]
    predicted = next((e for m in informed if (e := run.ensemble(m, k, "predicted")) is not None), None)
    observed = run.observed(k)
    if predicted is None or observed is None:
        return None
    return data_figure(run.grid, run.data, observed, predicted, _true_saturation(run, k), f"Data at {_title(run, k)}")
