"""Small cases of two-phase flow that the tests share."""

from __future__ import annotations

import numpy as np

from seisflow.dynamics.two_phase.model import Engine, Fluids, Rock, Schedule, TwoPhaseFlow, Well
from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.units import MILLIDARCY

GRID = Grid((12, 10), (50.0, 20.0), (100.0, 1000.0), thickness=100.0)
BOX = Grid((7, 5, 6), (40.0, 60.0, 20.0), (0.0, 0.0, 1000.0))
WELL = Well(370.0, (1120.0, 1160.0))
BOX_WELL = Well((100.0, 190.0), 1090.0)
RATE = 0.01
CO2_DENSITY = 700.0


class Untouched:
    """An engine that must not be reached."""

    def call(self, *_: object) -> dict[str, object]:
        raise AssertionError("wrong input reached the engine")


def model(engine: Engine, grid: Grid = GRID, **parts: object) -> TwoPhaseFlow:
    wells = WELL if grid.ndim == 2 else BOX_WELL
    case = {"rock": Rock(), "fluids": Fluids(), "wells": wells, "schedule": Schedule([0.0], [RATE]), **parts}
    return TwoPhaseFlow(grid, engine=engine, **case)  # type: ignore[arg-type]


def permeability(grid: Grid, members: int = 3, seed: int = 1) -> np.ndarray:
    normal = np.random.default_rng(seed).standard_normal((members, *grid.shape))
    return 100 * MILLIDARCY * np.exp(0.7 * normal)


def start(dynamics: TwoPhaseFlow, members: int = 3, seed: int = 1) -> Ensemble:
    return dynamics.initial_state(members).replace(permeability=permeability(dynamics.grid, members, seed))
