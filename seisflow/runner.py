r"""The main job: run a study into a folder.

    truth and data in silico → for every method: the loop of :mod:`seisflow.cycle` → scores → figures → one page

Every stage is committed to the folder as soon as it is finished, and a run of the same study on the same folder takes
finished stages from there. A different study in the same folder is refused.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from seisflow import plotting
from seisflow.build import build
from seisflow.build_analysis import build_analysis
from seisflow.config import Study, load_study
from seisflow.cycle import Step, assimilate
from seisflow.display import Display
from seisflow.errors import InputError
from seisflow.report.figures import draw
from seisflow.report.page import write_page
from seisflow.scoring import summarise
from seisflow.store import Store
from seisflow.twin import Scenario, simulate_truth

__all__ = ["run_study"]

FIELD_AXES = {
    "saturation": ("x", "z"),
    "pressure": ("x", "z"),
    "permeability": ("x", "z"),
    "image": ("x", "z"),
    "well_saturation": ("well", "z"),
    "well_pressure": ("well", "z"),
}


def _open(study: Study, folder: Path) -> Store:
    """The store of a run folder, new or of the same study."""
    existing = folder / "study.toml"
    if existing.exists():
        before, now = load_study(existing).model_dump(), study.model_dump()
        before["geology"].pop("section"), now["geology"].pop("section")
        if before != now:
            raise InputError(
                "out", str(folder), f"it holds a run of another study ({_difference(before, now)}); choose another"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise InputError("out", str(folder), "the folder is not empty and holds no run; choose another")
    store = Store(folder, FIELD_AXES)
    store.write_text("study.toml", study.to_toml())
    return store


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    for key, value in now.items():
        if before.get(key) != value:
            if isinstance(value, dict):
                return f"{key}.{_difference(before.get(key, {}), value)}"
            return f"{key} was {before.get(key)!r}, now {value!r}"
    return "keys differ"


def run_study(
    study: Study, out: str | Path, display: Display | None = None, workers: int | None = None
) -> dict[str, Any]:
    """Run a study, or go on with it.

    Parameters
    ----------
    study
        What to run.
    out
        Run folder: ``stages.zarr``, ``summary.json``, ``figures/``, ``index.html``, ``study.toml``.
    display
        Shows the progress.
    workers
        Processes for the waves and threads for the flow; default: all cores.

    Returns
    -------
    dict
        What ``summary.json`` holds: scores per method and survey, seconds, versions.

    Raises
    ------
    InputError
        For a study that cannot be run or a folder of another run, before any work.
    SimulationError, JuliaError, TrainingError
        When an engine fails for good. All stages finished before are kept.
    """
    begin = time.perf_counter()
    folder = Path(out)
    show = display or Display(quiet=True)
    with build(study, workers) as parts:
        store = _open(study, folder)
        scenario = parts.scenario
        truth, observed = simulate_truth(scenario, store, show)
        noise_seconds = _prepare_noise(scenario, store, study.methods, show)
        runs: dict[str, list[Step]] = {}
        for method in study.methods:
            show.section(plotting.LABELS[method])
            runs[method] = assimilate(scenario, observed, build_analysis(study, method, parts), store, show)
        show.section("")
        summary = summarise(study, parts, truth, runs)
        pictures = draw(study, parts, truth, observed, runs, summary, folder / "figures", show)
    summary["seconds"]["noise covariance"] = noise_seconds
    summary["seconds"]["in all"] = time.perf_counter() - begin
    write_page(folder / "index.html", summary, pictures, study.to_toml())
    store.write_text("summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def _prepare_noise(scenario: Scenario, store: Store, methods: tuple[str, ...], show: Display) -> float:
    """Compute the noise covariance, which all surveys share, where an analysis is still to come; the seconds it took."""
    last = f"survey_{scenario.surveys}/posterior"
    if all(method == "open_loop" or store.find(f"{method}/{last}") is not None for method in methods):
        return 0.0
    begin = time.perf_counter()
    show("noise covariance", 0, 1)
    _ = scenario.observation.noise
    show("noise covariance", 1, 1)
    return time.perf_counter() - begin
