r"""Scores of a run: every posterior against the truth, survey by survey, method by method; and where the seconds went.

Coverage is counted over the plume region: cells that are wet in the truth or in any member of the reference chain (the open
loop where there is one), because elsewhere every method is right.

What a posterior must be whatever the truth is, is scored without one:

* ghost CO2 (:mod:`seisflow.diagnostics.connectivity`): its reachable cells are those that a member of the same survey's
  forecast wets and those into which CO2 is injected;
* connected bodies, beside those of the forecast;
* spread of the pressure after the data over that before them, at the wells where it is logged and over the whole field.

A well is a place of a datum that is logged along depth and reads the change of pressure. CRPS and spread are the same for a
pressure and for its change, because what is subtracted is known.
"""

from __future__ import annotations

from collections.abc import Iterator
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

__all__ = ["plausibility", "score", "summarise"]

GAUGE = 0.01
"""Spread of pressure that counts as knowing it [bar]: below it, no gauge tells members apart."""


def score(
    parts: Parts, truth: Ensemble, forecast: Ensemble, samples: Ensemble, plume_region: NDArray[np.bool_]
) -> dict[str, float]:
    """All scores of one posterior at one survey.

    Parameters
    ----------
    parts
        The parts of the study (grid, dynamics, fluids).
    truth
        True state, an ensemble of one member.
    forecast
        Members before the data of this survey.
    samples
        Posterior members.
    plume_region
        Cells over which coverage is counted: elsewhere truth and members are dry and any method is right.
    """
    grid = parts.dynamics.grid
    S, S_true = samples["saturation"], truth["saturation"][0]
    p, p_true = samples["pressure"] / BAR, truth["pressure"][0] / BAR
    masses = _cell_masses(parts, samples).reshape(len(S), -1).sum(axis=1)
    true_mass = float(_cell_masses(parts, truth).sum())
    at_wells = [diagnostics.crps(p, p_true, cells) for cells in _wells(parts)]
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
        **_by_well("pressure_crps_{}_bar", at_wells),
        "bodies_truth": float(diagnostics.bodies(truth["saturation"])[0]),
        **plausibility(parts, forecast, samples),
    }


def plausibility(parts: Parts, forecast: Ensemble, samples: Ensemble) -> dict[str, float]:
    """The scores of one posterior at one survey that need no truth.

    Parameters
    ----------
    parts, forecast, samples
        As :func:`score` takes them.

    Returns
    -------
    dict
        ``ghost_share`` and ``ghost_share_largest`` of a member's CO2 mass, mean and largest over the members;
        ``ghost_members``, share of members that have ghosts; ``bodies`` and ``bodies_forecast``, means over the members;
        ``pressure_spread_ratio`` over the whole field and ``…_largest`` of a cell; ``…_wells`` and ``…_well_1`` …
        where pressure is logged.
    """
    S, S_forecast = samples["saturation"], forecast["saturation"]
    reachable = (S_forecast > plume.DRY).any(axis=0) | parts.dynamics.injected
    ghosts = diagnostics.ghosts(S, reachable)
    shares = diagnostics.ghost_share(_cell_masses(parts, samples), ghosts)
    after, before = samples["pressure"] / BAR, forecast["pressure"] / BAR
    at_wells = [diagnostics.spread_ratio(after, before, cells) for cells in _wells(parts)]
    return {
        "ghost_share": float(shares.mean()),
        "ghost_share_largest": float(shares.max()),
        "ghost_members": float(ghosts.reshape(len(S), -1).any(axis=1).mean()),
        "bodies": float(diagnostics.bodies(S).mean()),
        "bodies_forecast": float(diagnostics.bodies(S_forecast).mean()),
        "pressure_spread_ratio": diagnostics.spread_ratio(after, before),
        "pressure_spread_ratio_largest": diagnostics.largest_spread_ratio(after, before, GAUGE),
        **_by_well("pressure_spread_ratio_{}", at_wells),
    }


def _cell_masses(parts: Parts, state: Ensemble) -> NDArray[np.float64]:
    """Mass of CO2 of every cell [kg], ``(M, *shape)``."""
    pore_volume = parts.dynamics.grid.cell_volume * np.asarray(parts.dynamics.rock.porosity)
    return state["saturation"] * parts.dynamics.fluids.co2_density_at(state["pressure"]) * pore_volume


def _wells(parts: Parts) -> Iterator[NDArray[np.bool_]]:
    """The cells of every place where pressure is logged, masks of the grid's shape."""
    grid = parts.dynamics.grid
    for about in parts.scenario.observation.data.values():
        if about.quantity != "pressure_change" or len(about.axes) != 2 or about.shape == grid.shape:
            continue
        for well in () if about.positions is None else about.positions:
            mask = np.zeros(grid.shape, bool)
            for point in well:
                mask[grid.locate(tuple(map(float, point)))] = True
            yield mask


def _by_well(name: str, values: list[float]) -> dict[str, float]:
    """The mean over the wells, and well by well; nothing where none is logged."""
    if not values:
        return {}
    single = {name.format(f"well_{w + 1}"): value for w, value in enumerate(values)}
    return {name.format("wells"): float(np.mean(values)), **single}


def summarise(
    study: Study, parts: Parts, truth: list[Ensemble], runs: dict[str, list[Step]], methods: Methods
) -> dict[str, Any]:
    """What ``summary.json`` holds: scores per method and survey, seconds per stage, replaced members, versions.

    Without a truth (an empty list) the scores are those that need none.
    """
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for name, steps in runs.items():
        for k, step in enumerate(steps):
            members = step.forecast.ensemble, step.posterior.ensemble
            if not truth:
                scores[name].append(plausibility(parts, *members))
                continue
            reference = runs.get("open_loop", next(iter(runs.values())))[k].forecast.ensemble
            region = plume.region(truth[k]["saturation"][0], reference["saturation"])
            scores[name].append(score(parts, truth[k], *members, region))
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
