r"""The figures of a run, as PNG files with a heading and a caption each, in the order of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seisflow import plotting
from seisflow.build import Parts
from seisflow.config import Study
from seisflow.cycle import Step
from seisflow.display import Display
from seisflow.ensemble import Ensemble
from seisflow.twin import Scenario
from seisflow.units import MILLIDARCY

__all__ = ["draw"]


def draw(
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
