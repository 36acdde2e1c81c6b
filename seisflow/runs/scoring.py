r"""Scores of a run: every posterior against the truth, survey by survey, method by method; and where the seconds went.

Coverage is counted over the plume region: cells that are wet in the truth or in any member of the reference chain (the open
loop where there is one), because elsewhere every method is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow import diagnostics
from seisflow.assimilation.loop import Step
from seisflow.diagnostics import plume
from seisflow.ensemble import Ensemble
from seisflow.runs.folder import versions
from seisflow.runs.methods import Methods
from seisflow.study import Study
from seisflow.study.build import Parts
from seisflow.units import BAR

__all__ = ["score", "summarise"]


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
    grid = parts.dynamics.grid
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


def summarise(
    study: Study, parts: Parts, truth: list[Ensemble], runs: dict[str, list[Step]], methods: Methods
) -> dict[str, Any]:
    """What ``summary.json`` holds: scores per method and survey, seconds per stage, replaced members, versions."""
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for k, true in enumerate(truth):
        reference = runs.get("open_loop", next(iter(runs.values())))[k].forecast.ensemble
        region = plume.region(true["saturation"][0], reference["saturation"])
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
        f"{methods[name].label}: {stage}": value
        for name, stages in stage_seconds.items()
        for stage, value in stages.items()
    }
    return {
        "name": study.name,
        "seed": study.seed,
        "members": study.ensemble.members,
        "survey_days": list(study.surveys.days),
        "data": list(parts.scenario.observation.data),
        "scores": scores,
        "stage_seconds": stage_seconds,
        "seconds": seconds,
        "replaced_members": {
            name: [s.forecast.attributes.get("replaced_members", []) for s in steps] for name, steps in runs.items()
        },
        "versions": versions(),
    }
