"""A flow case in the words of ``TwoPhaseFlow.run_case`` (``julia/src/case.jl``), once its parts are seen to fit together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seisflow.dynamics.two_phase.checks import require
from seisflow.dynamics.two_phase.engine import Value
from seisflow.dynamics.two_phase.fluids import Fluids
from seisflow.dynamics.two_phase.rock import Rock
from seisflow.dynamics.two_phase.stepping import StepControl
from seisflow.dynamics.two_phase.wells import Cell, Schedule, Source, Well, equivalent_radius
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.units import GRAVITY

__all__ = ["describe_case", "index_in"]


def describe_case(
    grid: Grid,
    rock: Rock,
    fluids: Fluids,
    wells: Sequence[Well],
    schedule: Schedule | None,
    steps: StepControl,
    sources: Sequence[Source],
) -> dict[str, Value]:
    """Inputs of ``run_case`` that do not change between calls.

    Raises
    ------
    InputError
        When parts do not fit together.
    """
    rock.check(grid)
    shape, flat = grid.shape, grid.ndim == 2
    return {
        "shape": np.array((shape[0], 1, shape[1]) if flat else shape, np.int64),
        "spacing": np.array((grid.spacing[0], grid.thickness, grid.spacing[1]) if flat else grid.spacing, float),
        "top": grid.origin[-1],
        "gravity": GRAVITY,
        **rock.arrays(),
        **fluids.arrays(),
        **steps.arrays(),
        **_describe_wells(grid, rock, wells, schedule),
        **_describe_sources(grid, rock, sources),
    }


def _describe_wells(grid: Grid, rock: Rock, wells: Sequence[Well], schedule: Schedule | None) -> dict[str, Value]:
    if not wells:
        return {}
    if schedule is None:
        raise InputError("schedule", None, f"give a Schedule with the rates of the {len(wells)} wells")
    times, rates = np.asarray(schedule.times), np.asarray(schedule.rates)
    require(
        rates.shape[1] == len(wells),
        "schedule.rates.shape",
        rates.shape,
        f"give one column of rates for each of the {len(wells)} wells",
    )
    cells = [well.cells(grid) for well in wells]
    for w, well in enumerate(wells):
        for cell in cells[w]:
            _require_active(grid, rock, cell, "well.position, well.depth", (well.position, well.depth))
            widest = equivalent_radius(grid, _value_at(rock.ky_over_kx, grid, cell)) * math.exp(well.skin)
            remedy = f"with skin {well.skin:g} it must be below {widest:.3g} m in cells of this size"
            require(well.radius < widest, "well.radius", well.radius, remedy)
        if well.pressure_limit is None and np.isinf(rates[:, w]).any():
            remedy = f"well {w} has the rate inf: give it a pressure_limit in Pa, or a finite rate"
            raise InputError("well.pressure_limit", None, remedy)
    taken = [cell for of_well in cells for cell in of_well]
    require(len(set(taken)) == len(taken), "wells", taken, "two wells share a cell: move one, or refine the grid")
    limits = [math.inf if well.pressure_limit is None else well.pressure_limit for well in wells]
    return {
        "well_cells": np.array(taken, np.int64),
        "well_of_cell": np.array([w for w, of_well in enumerate(cells) for _ in of_well], np.int64),
        "well_radius": np.array([well.radius for well in wells], float),
        "well_skin": np.array([well.skin for well in wells], float),
        "well_pressure_limit": np.array(limits, float),
        "schedule_times": times,
        "schedule_rates": rates,
    }


def _describe_sources(grid: Grid, rock: Rock, sources: Sequence[Source]) -> dict[str, Value]:
    """Sources on common times; those in one cell are added up."""
    if not sources:
        return {}
    times = np.unique(np.concatenate([np.asarray(source.times) for source in sources]))
    rates: dict[Cell, np.ndarray] = {}
    for source in sources:
        cell = source.cell_in(grid)
        _require_active(grid, rock, cell, "source.cell", source.cell)
        rates[cell] = rates.get(cell, 0.0) + np.stack(source.rates_at(times))
    co2, brine = np.stack(list(rates.values()), axis=-1)
    return {
        "source_cells": np.array(list(rates), np.int64),
        "source_times": times,
        "source_co2": np.ascontiguousarray(co2),
        "source_brine": np.ascontiguousarray(brine),
    }


def _require_active(grid: Grid, rock: Rock, cell: Cell, argument: str, value: object) -> None:
    if rock.active is not None:
        remedy = f"cell {cell} is inactive (rock.active): move it, or make the cell active"
        require(bool(rock.active[index_in(grid, cell)]), argument, value, remedy)


def _value_at(field: float | np.ndarray, grid: Grid, cell: Cell) -> float:
    return float(field[index_in(grid, cell)]) if isinstance(field, np.ndarray) else float(field)


def index_in(grid: Grid, cell: Cell) -> tuple[int, ...]:
    """A cell (ix, iy, iz) as the index into a field of the grid's shape."""
    return cell if grid.ndim == 3 else (cell[0], cell[2])
