"""Small models of the tests of waves and images."""

import numpy as np

from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.observation import Imaging, Seismic, Survey

SMALL = Grid((60, 50), (16.0, 16.0))


def layered(grid):
    """A small layered model with jumps of velocity and density."""
    z = grid.depth / grid.extent[-1][1]
    velocity = np.where(z < 0.35, 1500.0, np.where(z < 0.65, 2200.0, 3000.0))
    return velocity, np.where(z < 0.35, 1000.0, np.where(z < 0.65, 2000.0, 2300.0))


def small_survey(grid, duration=0.8):
    return Survey.seabed(grid, 12.0, duration, n_sources=3, n_receivers=20, source_depth=170.0)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


WAVES = Grid((60, 50), (20.0, 20.0))
FLOW = Grid((20, 12), (60.0, 50.0), (0.0, 400.0))
VELOCITY = np.where(WAVES.depth < 300, 1800.0, np.where(WAVES.depth < 600, 2500.0, 3900.0))
DENSITY = np.where(WAVES.depth < 300, 1600.0, np.where(WAVES.depth < 600, 2100.0, 2500.0))
SURVEY = Survey.seabed(WAVES, 10.0, 1.2, n_sources=4, n_receivers=24, source_depth=150.0)


def build(**options):
    options = {"imaging": Imaging(mute_depth=200.0), "noise_images": 4, "snr": 20.0, **options}
    return Seismic(FLOW, WAVES, VELOCITY, DENSITY, 0.25, SURVEY, **options)


def plumes():
    """No CO2, a plume under the interface at 600 m, the same plume displaced: ``(3, 20, 12)``."""
    saturation = np.zeros((3, *FLOW.shape))
    saturation[1, 7:12, 4:6] = 0.5
    saturation[2, 10:15, 4:6] = 0.5
    return Ensemble({"saturation": saturation})
