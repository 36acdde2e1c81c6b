"""Scores and calibration: pure functions that never plot."""

from seisflow.diagnostics.calibration import (
    bootstrap_interval,
    effective_size,
    energy_score,
    rank_histogram,
    rank_test,
    ranks,
    spread_skill,
    spread_skill_curve,
)
from seisflow.diagnostics.connectivity import bodies, ghost_share, ghosts
from seisflow.diagnostics.plume import extent, extent_error, front_width, mass, mass_error, probability
from seisflow.diagnostics.scores import coverage, crps, largest_spread_ratio, rmse, spread, spread_ratio, ssim

__all__ = [
    "bodies",
    "bootstrap_interval",
    "coverage",
    "crps",
    "effective_size",
    "energy_score",
    "extent",
    "extent_error",
    "front_width",
    "ghost_share",
    "ghosts",
    "largest_spread_ratio",
    "mass",
    "mass_error",
    "probability",
    "rank_histogram",
    "rank_test",
    "ranks",
    "rmse",
    "spread",
    "spread_ratio",
    "spread_skill",
    "spread_skill_curve",
    "ssim",
]
