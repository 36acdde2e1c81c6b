r"""The main job: run a study into a folder.

    truth and data in silico, or data from files → for every method: the loop of :mod:`seisflow.assimilation.loop` →
    scores → report

Every stage is committed to the folder as soon as it is finished, members of a stage under way as soon as their block
is; a run of the same study on the same folder goes on from there, and ends with the same arrays. A different study in
the same folder is refused, and so is a second run beside the first.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from seisflow.assimilation.cluster import cluster
from seisflow.assimilation.executors import ExecutorWorkers, LocalWorkers, Workers
from seisflow.assimilation.loop import Step, assimilate
from seisflow.assimilation.scenario import Scenario
from seisflow.report import write_report
from seisflow.runs.folder import locked, open_run
from seisflow.runs.preflight import preflight
from seisflow.runs.progress import ProgressDisplay, progress_shown
from seisflow.runs.scoring import summarise
from seisflow.runs.survey_data import gather, last_survey, planned_files
from seisflow.storage.errors import explained
from seisflow.storage.stage_attributes import json_ready
from seisflow.storage.store import Store
from seisflow.study import Study
from seisflow.study.build import build, build_analysis

__all__ = ["run_study"]


def run_study(
    study: Study,
    out: str | Path,
    display: ProgressDisplay | bool = True,
    workers: int | None = None,
    *,
    executor: Executor | None = None,
    scheduler: str | None = None,
    repair: bool = False,
    until_survey: int | None = None,
    data: Mapping[int, Sequence[str | Path]] | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Run a study, or go on with it.

    Parameters
    ----------
    study
        What to run.
    out
        Run folder: ``stages.zarr``, ``summary.json``, ``figures/``, ``index.html``, ``study.toml``.
    display
        How far the run has come, on standard error: bars in a terminal and in a notebook (there with ipywidgets),
        elsewhere, as in a batch job or under pytest, a plain line with a clock whenever a part of the work ends.
        False: nothing is shown. An open :class:`~seisflow.runs.progress.ProgressDisplay`: what its caller chose.
    workers
        Processes for the waves and threads for the flow; default: all cores.
    executor
        Computes the members instead of this process; not shut down here.
    scheduler
        Address of a ``dask.distributed`` scheduler (``"tcp://host:8786"``), whose workers compute the members.
    repair
        Compute damaged stages again instead of raising.
    until_survey
        Stop behind this survey (from 1); a later call goes on.
    data
        Survey (from 1) → files that hold its data, beside those that the study names (:mod:`seisflow.runs.survey_data`).
    force
        Start even where this machine lacks a program, disk or memory (:mod:`seisflow.runs.preflight`).

    Returns
    -------
    dict
        What ``summary.json`` holds: scores per method and survey, number of surveys done, seconds, versions. A score that
        is no finite number is None there, and null in the file.

    Raises
    ------
    InputError
        For a study that cannot be run, a folder of another run, or one that another process works in, before any work.
    PreflightError
        When this machine lacks what the run needs, before any folder is made.
    SimulationError, JuliaError, TrainingError
        When an engine fails for good. All stages finished before are kept, and the members of the one under way.
    StorageError, DamagedStageError
        When the folder cannot take a stage, or a committed one is not as it was written.
    """
    begin = time.perf_counter()
    folder, files = Path(out), planned_files(study, data)
    with ExitStack() as stack:
        show = stack.enter_context(progress_shown(display))
        computing: Workers
        if scheduler is not None:
            computing = stack.enter_context(cluster(scheduler))
        else:
            cores = workers or len(os.sched_getaffinity(0))
            computing = ExecutorWorkers(executor) if executor is not None else LocalWorkers(cores)
        parts = stack.enter_context(build(study, workers, computing.executor))
        surveys, elsewhere = last_survey(study, files, folder, until_survey), computing.executor is not None
        preflight(study, parts, folder, surveys, workers, elsewhere=elsewhere, repair=repair, force=force)
        stack.enter_context(locked(folder))
        store = open_run(study, folder, parts.scenario.observation.data, repair)
        scenario = parts.scenario
        truth, observed = gather(study, scenario, store, files, until_survey, show)
        noise_seconds = _prepare_noise(scenario, store, study.methods, len(observed), show)
        runs: dict[str, list[Step]] = {}
        for table in study.chosen:
            show.section(table.label)
            analysis = build_analysis(study, table.name, parts)
            runs[table.name] = assimilate(scenario, observed, analysis, store, show, computing)
        show.section("")
        summary = summarise(study, parts, truth, runs)
        summary["surveys"] = len(observed)
        summary["seconds"]["noise covariance"] = noise_seconds
        summary["seconds"]["in all"] = time.perf_counter() - begin
        summary = json_ready(summary)
        store.write_text("summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")
        with explained("the report", folder / "index.html"):
            write_report(folder, show, figures="few")
        store.finish()
    return summary


def _prepare_noise(
    scenario: Scenario, store: Store, methods: tuple[str, ...], surveys: int, show: ProgressDisplay
) -> float:
    """Compute the noise covariance, which all surveys share, where an analysis is still to come; the seconds it took."""
    last = f"survey_{surveys}/posterior"
    if all(method == "open_loop" or store.find(f"{method}/{last}") is not None for method in methods):
        return 0.0
    begin = time.perf_counter()
    show("noise covariance", 0, 1)
    _ = scenario.observation.noise
    show("noise covariance", 1, 1)
    return time.perf_counter() - begin
