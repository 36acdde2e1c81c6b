r"""The main job: run a study into a folder.

    truth and data in silico → for every method: the loop of :mod:`seisflow.cycle` → scores → figures → one page

Every stage is committed to the folder as soon as it is finished, and a run of the same study on the same folder takes
finished stages from there. A different study in the same folder is refused.
"""

from __future__ import annotations

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow import __version__, diagnostics, plotting
from seisflow.build import Parts, build, build_analysis
from seisflow.config import Study, load_study
from seisflow.cycle import Step, assimilate
from seisflow.display import Display
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.report.page import write_page
from seisflow.store import Store
from seisflow.twin import Scenario, simulate_truth
from seisflow.units import BAR, MILLIDARCY

__all__ = ["run_study", "score"]

DRY = 0.01
"""Saturation above which a cell counts as part of a plume."""

FIELD_AXES = {
    "saturation": ("x", "z"),
    "pressure": ("x", "z"),
    "permeability": ("x", "z"),
    "image": ("x", "z"),
    "well_saturation": ("well", "z"),
    "well_pressure": ("well", "z"),
}


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "torch", "devito", "zarr")
    found = {"seisflow": __version__, "python": platform.python_version()}
    for package in packages:
        found[package] = version(package)
    return found


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


def score(parts: Parts, truth: Ensemble, samples: Ensemble, plume_region: NDArray[np.bool_]) -> dict[str, float]:
    """All scores of one posterior at one survey.

    Parameters
    ----------
    parts
        The parts of the study (grid, dynamics, fluids).
    truth
        True state, an ensemble of one member.
    samples
        Posterior members.
    plume_region
        Cells over which coverage is counted: elsewhere truth and members are dry and any method is right.
    """
    grid = parts.scenario.prior.grid
    S, S_true = samples["saturation"], truth["saturation"][0]
    p, p_true = samples["pressure"] / BAR, truth["pressure"][0] / BAR
    pore_volume = grid.cell_volume * np.asarray(parts.dynamics.rock.porosity)
    density = parts.dynamics.fluids.co2_density_at
    masses = diagnostics.mass(S, density(samples["pressure"]), pore_volume)
    true_mass = float(diagnostics.mass(truth["saturation"], density(truth["pressure"]), pore_volume)[0])
    return {
        "rmse": diagnostics.rmse(S, S_true),
        "rmse_plume": diagnostics.rmse(S, S_true, plume_region),
        "ssim": diagnostics.ssim(S, S_true, parts.highest_saturation),
        "crps": diagnostics.crps(S, S_true),
        "spread": diagnostics.spread(S),
        "coverage_50": diagnostics.coverage(S, S_true, 0.5, plume_region),
        "coverage_90": diagnostics.coverage(S, S_true, 0.9, plume_region),
        "mass_error": diagnostics.mass_error(masses, true_mass) if true_mass > 0 else 0.0,
        "extent_error_m": diagnostics.extent_error(S, S_true, grid.spacing[0]),
        "pressure_rmse_bar": diagnostics.rmse(p, p_true),
        "pressure_crps_bar": diagnostics.crps(p, p_true),
    }


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
        summary = _summarise(study, parts, truth, runs)
        pictures = _draw(study, parts, truth, observed, runs, summary, folder / "figures", show)
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


def _summarise(study: Study, parts: Parts, truth: list[Ensemble], runs: dict[str, list[Step]]) -> dict[str, Any]:
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for k, true in enumerate(truth):
        reference = runs.get("open_loop", next(iter(runs.values())))[k].forecast.ensemble
        region = (true["saturation"][0] > DRY) | (reference["saturation"] > DRY).any(axis=0)
        for name, steps in runs.items():
            scores[name].append(score(parts, true, steps[k].posterior.ensemble, region))
    stage_seconds = {
        name: {
            "forecast": sum(s.forecast.seconds for s in steps),
            "predicted": sum(s.predicted.seconds for s in steps if s.predicted is not None),
            "posterior": sum(s.posterior.seconds for s in steps),
        }
        for name, steps in runs.items()
    }
    seconds = {
        f"{plotting.LABELS[name]}: {stage}": value
        for name, stages in stage_seconds.items()
        for stage, value in stages.items()
    }
    return {
        "name": study.name,
        "seed": study.seed,
        "members": study.ensemble.members,
        "survey_days": list(study.surveys.days),
        "modalities": list(study.surveys.modalities),
        "scores": scores,
        "stage_seconds": stage_seconds,
        "seconds": seconds,
        "replaced_members": {
            name: [s.forecast.attributes.get("replaced_members", []) for s in steps] for name, steps in runs.items()
        },
        "versions": _versions(),
    }


def _draw(
    study: Study,
    parts: Parts,
    truth: list[Ensemble],
    observed: list[Ensemble],
    runs: dict[str, list[Step]],
    summary: dict[str, Any],
    folder: Path,
    show: Display,
) -> list[tuple[str, str, Path]]:
    """All figures of a run: (heading, caption, file)."""
    scenario: Scenario = parts.scenario
    grid = scenario.prior.grid
    pictures: list[tuple[str, str, Path]] = []
    total = 2 + len(truth) * (2 + len([m for m in runs if m != "open_loop"]))

    def add(figure: Any, heading: str, caption: str, name: str) -> None:
        pictures.append((heading, caption, plotting.save(figure, folder / f"{name}.png")))
        show("figures", len(pictures), total)

    add(plotting.score_figure(summary), "Scores over the surveys", "Scores of every method at every survey.", "scores")
    wells = {
        "injector": (study.injection.x_m, *study.injection.depth_m),
        "monitors": study.wells.x_m if "wells" in study.surveys.modalities else (),
    }
    draws = scenario.draw_permeability(0, np.arange(min(4, scenario.members))) / MILLIDARCY
    true_k = truth[0]["permeability"][0] / MILLIDARCY
    add(
        plotting.geology_figure(grid, parts.velocity, draws, true_k, wells),
        "Geology and prior",
        "Baseline velocity, the true permeability, and what members draw from the prior.",
        "geology",
    )
    learned = next(m for m in ("flow", "enkf", "open_loop") if m in runs)
    for k, day in enumerate(study.surveys.days):
        heading = f"Survey {k + 1}, day {day:g}"
        S = truth[k]["saturation"][0]
        compared = {name: steps[k].posterior.ensemble["saturation"] for name, steps in runs.items()}
        at_survey = {name: summary["scores"][name][k] for name in runs}
        add(
            plotting.comparison_figure(grid, S, compared, at_survey, f"CO2 saturation at {heading.lower()}"),
            heading,
            "Every method beside the truth.",
            f"survey_{k + 1}_comparison",
        )
        for name, steps in runs.items():
            if name == "open_loop":
                continue
            ahead, after = steps[k].forecast.ensemble["saturation"], steps[k].posterior.ensemble["saturation"]
            label = plotting.LABELS[name]
            add(
                plotting.posterior_figure(grid, S, ahead, after, f"{label}: CO2 saturation at {heading.lower()}"),
                heading,
                f"{label}: truth, forecast, posterior, standard deviation, error and samples.",
                f"survey_{k + 1}_{name}",
            )
        predicted = runs[learned][k].predicted
        if predicted is not None:
            add(
                plotting.data_figure(grid, observed[k], predicted.ensemble, S, f"Data at {heading.lower()}"),
                heading,
                "What was observed, beside what the forecast members predict.",
                f"survey_{k + 1}_data",
            )
    return pictures
