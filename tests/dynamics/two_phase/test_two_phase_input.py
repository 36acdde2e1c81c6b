"""What cannot be is refused before the simulator is called, by the name of the argument, its value and a remedy."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.dynamics.two_phase.model import (
    BrooksCorey,
    BrooksCoreyCurves,
    Fluids,
    Rock,
    Schedule,
    Source,
    StepControl,
    TabulatedCapillarity,
    TabulatedCurves,
    TwoPhaseFlow,
    VanGenuchtenCurves,
    Well,
)
from seisflow.errors import InputError
from seisflow.units import DAY
from tests.dynamics.two_phase.flow_cases import BOX, GRID, RATE, WELL, Untouched, model, permeability, start


def case(**parts: object) -> TwoPhaseFlow:
    return model(Untouched(), **parts)  # type: ignore[arg-type]


def holes(*cells: tuple[int, ...]) -> np.ndarray:
    active = np.ones(GRID.shape, bool)
    for cell in cells:
        active[cell] = False
    return active


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Rock(porosity=-0.1), "rock.porosity"),
        (lambda: Rock(porosity=0.0), "rock.porosity"),
        (lambda: Rock(porosity=np.array([[0.2, np.nan]])), "rock.porosity"),
        (lambda: Rock(porosity="a"), "rock.porosity"),  # type: ignore[arg-type]
        (lambda: Rock(kv_over_kh=0.0), "rock.kv_over_kh"),
        (lambda: Rock(ky_over_kx=np.array([[1.0, -1.0]])), "rock.ky_over_kx"),
        (lambda: Rock(pore_volume_multiplier=np.inf), "rock.pore_volume_multiplier"),
        (lambda: Rock(porosity=np.full((2, 2), 0.2), kv_over_kh=np.ones((2, 3))), "rock.kv_over_kh.shape"),
        (lambda: Rock(active=np.zeros((2, 2), bool)), "rock.active"),
        (lambda: Rock(active=np.ones((2, 2))), "rock.active.dtype"),  # type: ignore[arg-type]
        (lambda: Rock(porosity=np.array([[0.2, np.nan]]), active=np.array([[True, True]])), "rock.porosity"),
        (lambda: Rock(lateral_boundary="ajar"), "rock.lateral_boundary"),  # type: ignore[arg-type]
        (lambda: Fluids(co2_density=0.0), "fluids.co2_density"),
        (lambda: Fluids(brine_viscosity=np.nan), "fluids.brine_viscosity"),
        (lambda: Fluids(brine_residual=0.6, co2_residual=0.5), "fluids.brine_residual"),
        (lambda: Fluids(brine_exponent=0.5), "fluids.brine_exponent"),
        (lambda: Fluids(brine_endpoint=1.5), "fluids.brine_endpoint"),
        (lambda: Fluids(brine_density_law="cubic"), "fluids.brine_density_law"),  # type: ignore[arg-type]
        (lambda: Fluids(land_coefficient=0.0), "fluids.land_coefficient"),
        (lambda: Fluids(relative_permeability=BrooksCorey(1e4)), "fluids.relative_permeability"),  # type: ignore[arg-type]
        (lambda: Fluids(capillarity="none"), "fluids.capillarity"),  # type: ignore[arg-type]
        (lambda: BrooksCoreyCurves(0.0), "relative_permeability.pore_size_index"),
        (lambda: VanGenuchtenCurves(1.0), "relative_permeability.m"),
        (lambda: TabulatedCurves([0.0], [1.0], [0.0]), "relative_permeability.saturation"),
        (lambda: TabulatedCurves([0.0, 1.1], [1.0, 0.0], [0.0, 1.0]), "relative_permeability.saturation"),
        (lambda: TabulatedCurves([0.5, 0.1], [1.0, 0.0], [0.0, 1.0]), "relative_permeability.saturation"),
        (lambda: TabulatedCurves([0.0, 1.0], [1.0], [0.0, 1.0]), "relative_permeability.brine.shape"),
        (lambda: TabulatedCurves([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), "relative_permeability.brine"),
        (lambda: TabulatedCurves([0.0, 1.0], [1.0, 0.0], [1.0, 0.0]), "relative_permeability.co2"),
        (lambda: TabulatedCurves([0.0, 1.0], [1.0, 0.0], [0.0, 1.1]), "relative_permeability.co2"),
        (lambda: TabulatedCapillarity([0.0, 1.0], [1e4, np.nan]), "capillarity.pressure"),
        (lambda: TabulatedCapillarity([0.0, 1.0], [1e4, 0.0]), "capillarity.pressure"),
        (lambda: Well(0.0, (20.0, 10.0)), "well.depth"),
        (lambda: Well(0.0, 10.0, radius=0.0), "well.radius"),
        (lambda: Schedule([0.0, 0.0], [1.0, 1.0]), "schedule.times"),
        (lambda: Schedule([0.0, 1.0], [1.0, -1.0]), "schedule.rates"),
        (lambda: Schedule([0.0, 1.0], [1.0, np.nan]), "schedule.rates"),
        (lambda: Schedule([0.0, 1.0], [1.0]), "schedule.rates"),
        (lambda: Source((1, 2), -1.0), "source.co2"),
        (lambda: Source((1, 2), 1.0, brine=np.inf), "source.brine"),
        (lambda: Source((1, 2), [1.0, 2.0]), "source.co2"),
        (lambda: Source((1, 2), 1.0, times=(1.0, 1.0)), "source.times"),
        (lambda: Source((-1, 2), 1.0), "source.cell"),
        (lambda: Source((1.5, 2), 1.0), "source.cell"),  # type: ignore[arg-type]
        (lambda: StepControl(cut=1.5), "steps.cut"),
        (lambda: StepControl(minimum=1e9), "steps.minimum"),
        (lambda: StepControl(ends=(DAY, DAY)), "steps.ends"),
        (lambda: StepControl(ends=()), "steps.ends"),
        (lambda: StepControl(tolerance_residual=(1e-5, 0.0)), "steps.tolerance_residual"),
        (lambda: StepControl(tolerance_mass=(1e-9, 1e-9, 1e-9)), "steps.tolerance_mass"),  # type: ignore[arg-type]
        (lambda: StepControl(solver="lu"), "steps.solver"),  # type: ignore[arg-type]
        (lambda: StepControl(linear_tolerance=2.0), "steps.linear_tolerance"),
        (lambda: case(wells=Well(5000.0, 1100.0)), "well.position"),
        (lambda: case(wells=Well(370.0, 100.0)), "well.position"),
        (lambda: case(wells=Well((1.0, 1.0), 1100.0)), "well.position"),
        (lambda: case(rock=Rock(active=holes((5, 7)))), "well.position"),
        (lambda: case(wells=Well(370.0, 1150.0, radius=20.0)), "well.radius"),
        (lambda: case(wells=[WELL, WELL], schedule=Schedule([0.0], [[RATE, RATE]])), "wells"),
        (lambda: case(wells=[WELL, WELL]), "schedule.rates"),
        (lambda: case(schedule=None), "schedule"),
        (lambda: case(schedule=Schedule([0.0], [np.inf])), "well.pressure_limit"),
        (lambda: case(rock=Rock(np.full((3, 3), 0.2))), "rock.porosity"),
        (lambda: case(rock=Rock(active=np.ones((3, 3), bool))), "rock.active"),
        (lambda: case(sources=Source((12, 0), 1.0)), "source.cell"),
        (lambda: case(sources=Source((1, 0, 1), 1.0)), "source.cell"),
        (lambda: case(rock=Rock(active=holes((2, 2))), sources=Source((2, 2), 1.0)), "source.cell"),
        (lambda: case(grid=BOX, sources=Source((1, 1), 1.0)), "source.cell"),
    ],
)
def test_that_a_wrong_case_is_refused_when_it_is_built(build, argument: str) -> None:
    with pytest.raises(InputError) as error:
        build()
    assert error.value.argument.startswith(argument)
    assert repr(error.value.value) in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("permeability", 0.0),
        ("permeability", np.nan),
        ("permeability", np.inf),
        ("saturation", 0.91),
        ("saturation", -1e-12),
        ("saturation", np.nan),
        ("pressure", np.nan),
    ],
)
def test_that_a_wrong_state_is_refused_before_the_engine_is_called(name: str, value: float) -> None:
    dynamics = case()
    state = start(dynamics)
    array = state[name].copy()
    array[1, 2, 3] = value
    wrong = state.replace(**{name: array})
    with pytest.raises(InputError, match=r"\[1, 2, 3\]") as error:
        dynamics.advance(wrong, 0.0, DAY)
    assert name in error.value.argument
    with pytest.raises(InputError, match=r"\[1, 2, 3\]") as error:
        dynamics.forward(wrong["permeability"], [DAY], start=wrong)
    assert name in error.value.argument


def test_that_the_highest_saturation_is_where_brine_stops_flowing() -> None:
    tight = StepControl(tolerance_residual=1e-10)
    table = TabulatedCurves([0.0, 0.6, 0.8, 1.0], [1.0, 0.1, 0.0, 0.0], [0.0, 0.3, 0.6, 1.0])
    for fluids, highest in ((Fluids(brine_compressibility=0.0), 0.9), (Fluids(relative_permeability=table), 0.8)):
        dynamics = case(fluids=fluids, steps=tight)
        state = start(dynamics)
        above = state.replace(saturation=np.full_like(state["saturation"], highest + 1e-3))
        with pytest.raises(InputError, match=rf"1 - S_wr = {highest:g}"):
            dynamics.advance(above, 0.0, DAY)
        at_most = state.replace(saturation=np.full_like(state["saturation"], highest))
        with pytest.raises(AssertionError, match="reached the engine"):
            dynamics.advance(at_most, 0.0, DAY)


def test_that_wrong_shapes_missing_fields_and_times_are_refused() -> None:
    dynamics = case()
    state = start(dynamics)
    with pytest.raises(InputError, match="permeability"):
        dynamics.advance(dynamics.initial_state(3), 0.0, DAY)
    with pytest.raises(InputError, match=r"pressure.*shape"):
        dynamics.advance(state.replace(pressure=state["pressure"][:, :-1]), 0.0, DAY)
    for stop in (DAY, 0.5 * DAY, np.nan, np.inf):
        with pytest.raises(InputError, match="stop"):
            dynamics.advance(state, DAY, stop)


@pytest.mark.parametrize("times", [[], [0.0, DAY], [-DAY], [DAY, DAY], [2 * DAY, DAY], [np.nan], [np.inf], "soon"])
def test_that_report_times_must_increase_and_follow_the_start(times) -> None:
    with pytest.raises(InputError) as error:
        case().forward(permeability(GRID), times)
    assert error.value.argument == "times"


def test_that_forward_refuses_arrays_that_do_not_fit() -> None:
    dynamics = case()
    with pytest.raises(InputError, match=r"permeability.shape = \(12, 10\)"):
        dynamics.forward(permeability(GRID)[0], [DAY])
    with pytest.raises(InputError, match=r"permeability.shape = \(3, 7, 5, 6\)"):
        dynamics.forward(permeability(BOX), [DAY])
    with pytest.raises(InputError, match=r"start.size = 2"):
        dynamics.forward(permeability(GRID), [DAY], start=dynamics.initial_state(2))
    late = dynamics.initial_state(3).replace(time=DAY)
    with pytest.raises(InputError, match="after the start"):
        dynamics.forward(permeability(GRID), [DAY], start=late)


def test_that_value_objects_keep_their_own_read_only_copies() -> None:
    porosity, rates = np.full((2, 2), 0.2), np.array([1.0])
    rock, schedule = Rock(porosity), Schedule([0.0], rates)
    porosity[:], rates[:] = -1.0, -1.0
    assert np.all(np.asarray(rock.porosity) == 0.2)
    assert np.all(np.asarray(schedule.rates) == 1.0)
    with pytest.raises(ValueError, match="read-only"):
        rock.porosity[0, 0] = -1.0  # type: ignore[index]


def test_that_injected_cells_are_those_of_wells_and_of_sources_of_co2():
    flat = case(sources=[Source((2, 3), co2=1.0), Source((0, 0), co2=0.0, brine=1.0)])
    assert np.argwhere(flat.injected).tolist() == [[2, 3], [5, 6], [5, 7]]  # centres at 1130 and 1150 m
    box = model(Untouched(), grid=BOX)  # type: ignore[arg-type]
    assert np.argwhere(box.injected).tolist() == [[2, 3, 4]]
