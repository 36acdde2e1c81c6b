"""The injection well as an instrument, with the real simulator behind it where it counts."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.dynamics.two_phase.model import Fluids, Rock, Well
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import Injector
from seisflow.observation.data import INJECTED, FileArray
from seisflow.observation.files.field_data import read_files
from seisflow.units import DAY
from tests.dynamics.two_phase.flow_cases import BOX, BOX_WELL, CO2_DENSITY, GRID, RATE, WELL, Untouched, model, start

SECTION = Grid((6, 4), (50.0, 25.0))
INITIAL = 1e7 + 1e4 * SECTION.depth
CELL = (2, 1)


def capacity(pressure: np.ndarray) -> np.ndarray:
    return 1e-3 * np.asarray(pressure)


def injector(**changes) -> Injector:
    keys = {"initial_pressure": INITIAL, "capacity": capacity, "perforations": [CELL], **changes}
    return Injector(SECTION, **keys)


def states(members: int = 3) -> Ensemble:
    stream = np.random.default_rng(1)
    return Ensemble(
        {
            "saturation": stream.uniform(0, 1, (members, *SECTION.shape)),
            "pressure": INITIAL + 1e6 * stream.standard_normal((members, *SECTION.shape)),
            "well_overpressure": stream.uniform(0, 1e6, (members, 1)),
            "injected_mass": stream.uniform(1e5, 1e6, members),
        },
        5.0,
    )


def test_that_a_state_is_asked_for_its_mass_and_for_the_pressure_of_its_well():
    data, state = injector().predict(states()), states()
    assert data.names == ("log_injected_mass", "log_bottom_hole_pressure") == tuple(injector().data)
    mass = sum((1e-3 * state["pressure"] * state["saturation"]).reshape(3, -1).T)
    np.testing.assert_allclose(data["log_injected_mass"], np.log(mass), rtol=1e-14)
    change = state["pressure"][:, 2, 1] - INITIAL[2, 1] + state["well_overpressure"][:, 0]
    expected = np.log(np.maximum(change, 0.5e5))[:, None, None]
    np.testing.assert_allclose(data["log_bottom_hole_pressure"], expected, rtol=1e-14)
    for name, about in injector().data.items():
        assert data[name].shape[1:] == about.shape
    assert data.time == 5.0


@pytest.mark.parametrize(("grid", "well"), [(GRID, WELL), (BOX, BOX_WELL)], ids=["section", "box"])
def test_that_simulated_members_have_the_mass_and_the_pressure_of_the_simulator(grid, well, engine):
    # Closed sides, so that every cell is as it is; compressible rock, so that capacities are those of the pressures.
    flow = model(engine, grid, wells=(well,), rock=Rock(lateral_boundary="closed", compressibility=4.5e-10))
    before = start(flow)
    after, reports = flow.advance_with_report(before, 0.0, 60 * DAY)
    first = well.cells(grid)[0]
    cell = first if grid.ndim == 3 else (first[0], first[2])
    data = Injector(grid, [cell], before["pressure"][0], flow.co2_capacity).predict(after)
    injected = np.array([report.injected_mass for report in reports])
    np.testing.assert_array_equal(after["injected_mass"], injected)
    # The simulator's promise is 1e-9 per step of what the step injects.
    np.testing.assert_allclose(np.exp(data["log_injected_mass"]), injected, rtol=1e-7)
    bottom = np.array([report.bottom_hole_pressure for report in reports])
    found = np.exp(data["log_bottom_hole_pressure"][..., 0]) + before["pressure"][(slice(None), *cell)][:, None]
    np.testing.assert_allclose(found, bottom, rtol=1e-12)
    again = flow.advance(after, 60 * DAY, 90 * DAY).ensemble["injected_mass"]
    np.testing.assert_allclose(again, RATE * CO2_DENSITY * 90 * DAY, rtol=1e-9)  # counted on


def test_that_a_well_that_takes_nothing_is_at_rest_with_its_cell(engine):
    flow = model(engine, wells=Well(370.0, (1120.0, 1160.0), pressure_limit=1e6))  # far below the reservoir's
    after = flow.advance(start(flow), 0.0, 20 * DAY).ensemble
    assert not after["injected_mass"].any()
    assert not after["well_overpressure"].any()


def test_that_cells_at_an_open_side_count_as_they_are():
    flow = model(Untouched(), fluids=Fluids(co2_compressibility=0.0))
    full = flow.co2_capacity(np.full((1, *GRID.shape), 1.5e7))
    np.testing.assert_allclose(full, 0.25 * GRID.cell_volume * 700.0, rtol=1e-14)


def test_that_the_meter_is_off_by_one_factor_for_the_whole_study_and_gauges_by_errors_of_their_own():
    truth, factors, errors = states(1), [], []
    for seed in range(400):
        one = injector(mass_error=0.02, pressure_error=0.2, seed=seed)
        early, late = (one.observe(truth, np.random.default_rng((seed, k))) for k in range(2))
        assert early["log_injected_mass"] == late["log_injected_mass"]
        factors.append(float(np.exp(early["log_injected_mass"][0]) / truth["injected_mass"][0]))
        name = "log_bottom_hole_pressure"
        pressures = [d[name] - one.predict(truth)[name] for d in (early, late)]
        errors.append(np.ravel(pressures))
    # 400 and 800 draws: a deviation is known to 1/√(2n), 3.5 % and 2.5 %; four times that.
    assert np.std(factors) == pytest.approx(0.02, rel=0.14)
    assert np.mean(factors) == pytest.approx(1, abs=4 * 0.02 / 20)
    assert np.std(errors) == pytest.approx(0.2, rel=0.1)
    assert abs(np.corrcoef(np.transpose(errors))[0, 1]) < 4 / 20


def test_that_draws_of_the_noise_have_the_size_that_its_covariance_states():
    truth, draws = states(1), []
    for seed in range(200):
        one = injector(seed=seed)
        exact = one.predict(truth).replace(log_injected_mass=np.log(truth["injected_mass"]))
        draws.append(one.observe(truth, np.random.default_rng(seed)).pack()[0] - exact.pack()[0])
    ratio = (np.array(draws) * one.noise.solve(np.array(draws))).sum(axis=1).mean() / 2
    assert ratio == pytest.approx(1, abs=4 / np.sqrt(200))  # χ² of 2 numbers: half of it has the deviation 1


def test_that_files_give_the_mass_in_kg_and_the_pressure_in_pascal():
    one, change = injector(), np.full((1, 1), 2e5)
    given = FileArray(np.array(7e8), unit="kg", source="meters.nc")
    datum = one.accept({"injected_mass": given, "bottom_hole_pressure": change}, 3.0)
    assert datum["log_injected_mass"] == pytest.approx(np.log(7e8), rel=1e-15)
    np.testing.assert_allclose(datum["log_bottom_hole_pressure"], np.log(2e5), rtol=1e-15)
    same = one.accept(datum.fields, 3.0)
    for name in datum.names:
        np.testing.assert_array_equal(same[name], datum[name])
    for wrong, said in (
        ({"injected_mass": np.array(0.0)}, "above 0 kg"),
        ({"injected_mass": FileArray(np.array(7e5), unit="t")}, "in 't', it must be in 'kg'"),
        ({"injected_mass": np.array(np.nan)}, "not finite"),
        ({"injected_mass": np.array(7e8), "log_injected_mass": np.array(20.0)}, "the same datum"),
        ({"injected_mass": np.array(7e8), "bottom_hole_pressure": FileArray(change, unit="bar")}, "must be in 'Pa'"),
        ({}, r"log_injected_mass \(or injected_mass\)"),
    ):
        with pytest.raises(InputError, match=said):
            one.accept({"bottom_hole_pressure": change, **wrong})


def test_that_a_netcdf_file_holds_one_number_for_the_mass(tmp_path):
    h5netcdf = pytest.importorskip("h5netcdf")
    with h5netcdf.File(tmp_path / "meters.nc", "w") as file:
        file.dimensions = {"injector": 1, "gauge": 1}
        mass = file.create_variable("injected_mass", (), float, data=7e8)
        mass.attrs["units"] = "kg"
        pressure = file.create_variable("bottom_hole_pressure", ("injector", "gauge"), float, data=np.array([[3e5]]))
        pressure.attrs["units"] = "Pa"
    one = injector()
    datum = one.accept(read_files([tmp_path / "meters.nc"], one), 1.0)
    np.testing.assert_allclose(datum.pack(), [[np.log(7e8), np.log(3e5)]], rtol=1e-15)


def test_that_the_mass_has_no_place_and_the_pressure_has_that_of_its_perforation():
    data = injector().data
    assert data["log_injected_mass"].positions is None
    assert data["log_injected_mass"].quantity == INJECTED
    np.testing.assert_allclose(data["log_bottom_hole_pressure"].positions, [[[125.0, 37.5]]])
    assert [len(line) for line in data["log_bottom_hole_pressure"].lattice()] == [1, 1]


def test_that_the_channel_holds_the_pressure_at_the_perforation_and_nothing_else():
    one, data = injector(), injector().predict(states())
    channels = one.channels(data)
    assert channels.shape == (3, 1, *SECTION.shape)
    np.testing.assert_allclose(channels[:, 0, 2, 1], data["log_bottom_hole_pressure"][:, 0, 0] - np.log(1e5), rtol=1e-6)
    channels[:, 0, 2, 1] = 0
    assert not channels.any()


def test_that_wrong_input_is_named():
    state = states()
    with pytest.raises(InputError, match="lacks well_overpressure"):
        injector().predict(state.select(["saturation", "pressure"]))
    with pytest.raises(InputError, match="lacks injected_mass"):
        injector().observe(state.select(["saturation", "pressure", "well_overpressure"]), np.random.default_rng(0))
    for name in ("mass_error", "pressure_error"):
        with pytest.raises(InputError, match=rf"injector\.{name} = -1"):
            injector(**{name: -1.0})
    for cells in ([], [CELL, CELL], [(6, 0)]):
        with pytest.raises(InputError, match="perforations"):
            injector(perforations=cells)
    with pytest.raises(InputError, match=r"initial_pressure\.shape"):
        injector(initial_pressure=np.zeros(3))


def test_that_a_reading_that_no_member_can_explain_counts_as_the_farthest_that_they_can(caplog):
    one = injector(pressure_error=0.2)
    forecast = states(50)
    predicted = one.predict(forecast)
    own = predicted["log_bottom_hole_pressure"]
    reach = 3 * np.sqrt(own.var() + 0.2**2)
    near = predicted.members([3])
    far = near.replace(log_bottom_hole_pressure=own.mean() + np.full((1, 1, 1), 30.0))
    mild, found = one.refer(forecast, near, far)
    np.testing.assert_allclose(found["log_bottom_hole_pressure"], own.mean() + reach, rtol=1e-12)
    for name in near.names:
        np.testing.assert_array_equal(mild[name], near[name])
    assert found["log_injected_mass"] == far["log_injected_mass"]
    assert caplog.text.count("taken for the nearest that they explain") == 1
