"""Scores and calibration: pure functions that never plot."""

from seisflow.diagnostics.plume import extent, extent_error, mass, mass_error
from seisflow.diagnostics.scores import coverage, crps, rmse, spread, ssim

__all__ = ["coverage", "crps", "extent", "extent_error", "mass", "mass_error", "rmse", "spread", "ssim"]
