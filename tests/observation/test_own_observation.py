"""An observation of one's own, with fields that nobody knows: from files through localisation and storage to the report."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import zarr

from seisflow.analysis.base import Evidence
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation import DataAxis, DataField, Joint, Observation, Wells
from seisflow.observation.data import cell_positions, grid_axes
from seisflow.report import RunFolder, write_report
from seisflow.runs.folder import open_store
from seisflow.runs.netcdf import export_netcdf
from seisflow.runs.survey_data import gather
from seisflow.study import Study
from seisflow.study.build import build, build_analysis

STUDY = {
    "name": "own",
    "seed": 2,
    "methods": ["enkf"],
    "grid": {"shape": [12, 10], "spacing_m": [250.0, 150.0]},
    "surveys": {"days": [100.0], "modalities": ["wells"]},
    "ensemble": {"members": 9},
    "letkf": {"radius_m": [100.0, 100.0]},
    "localized_enkf": {"radius_m": [100.0, 100.0]},
}
STATIONS = (4, 7)
HOLES = (2, 7)


class Own(Observation):
    """Resistivity of every cell, temperature logged in holes, and gravity at stations on the seabed."""

    def __init__(self, grid, stations=True):
        self.grid, self.stations = grid, stations

    @property
    def data(self) -> Mapping[str, DataField]:
        cells, x = cell_positions(self.grid), self.grid.centres(0)
        hole = DataAxis("hole", len(HOLES), x[list(HOLES)], label="position of the hole")
        found = {
            "resistivity": DataField(grid_axes(self.grid), "ohm m", "electrical resistivity", cells, 0.1),
            "temperature": DataField(
                (hole, grid_axes(self.grid)[-1]), "K", "cooling along holes", cells[list(HOLES)], 0.2
            ),
        }
        if self.stations:
            seabed = np.stack([x[list(STATIONS)], np.zeros(2)], axis=1)
            found["gravity"] = DataField((DataAxis("station", 2),), "m s-2", "change of gravity", seabed, 1e-8)
        return found

    def predict(self, ensemble, progress=None):
        S = ensemble["saturation"]
        fields = {
            "resistivity": 10 * S,
            "temperature": -S[:, list(HOLES)],
            "gravity": -1e-7 * S.sum(axis=2)[:, STATIONS],
        }
        return Ensemble({name: fields[name] for name in self.data}, ensemble.time)

    def observe(self, truth, generator):
        exact = self.predict(truth)
        return exact.unpack(exact.pack() + self.noise.sample(truth.size, generator))

    @property
    def noise(self):
        return DiagonalCovariance(
            np.concatenate([np.full(f.shape, f.noise_std**2).ravel() for f in self.data.values()])
        )

    def channels(self, data):
        return np.asarray(data["resistivity"], np.float32)[:, None]


def states(grid, members, seed):
    """Plumes of different sizes."""
    x, z = grid.centres(0)[:, None] - 1900.0, grid.centres(1)[None] - 1100.0
    radii = 300 + 500 * np.random.default_rng(seed).random(members)
    S = np.stack([np.clip(0.8 - np.hypot(x, z) / radius, 0, None) for radius in radii])
    return Ensemble({"saturation": S, "pressure": 1e7 + 1e6 * S, "permeability": np.ones_like(S)}, 100 * 86400.0)


def with_own(parts, stations=True):
    own = Own(parts.scenario.prior.grid, stations)
    return replace(parts, scenario=replace(parts.scenario, observation=own))


@pytest.fixture(scope="module")
def parts():
    with build(Study.from_dict(STUDY), workers=1) as built:
        yield with_own(built)


@pytest.fixture(scope="module")
def written(parts, tmp_path_factory):
    """Files of the survey, and the datum that they hold."""
    folder, own = tmp_path_factory.mktemp("files"), parts.scenario.observation
    truth = states(own.grid, 1, 0)
    datum = own.observe(truth, np.random.default_rng(1))
    files = []
    for name in datum.names:
        group = zarr.create_group(folder / name, zarr_format=3)
        group.create_array(name, data=datum[name]).attrs["units"] = own.data[name].unit
        group.create_array("z", data=own.grid.centres(1))
        files.append(folder / name)
    return files, datum


@pytest.fixture(scope="module")
def run(parts, written, tmp_path_factory):
    """A run folder whose datum came from the files."""
    files, _ = written
    study = Study.from_dict({**STUDY, "surveys": {**STUDY["surveys"], "data": [[str(f) for f in files]]}})
    folder, scenario = tmp_path_factory.mktemp("runs") / "run", parts.scenario
    store = open_store(study, folder, scenario.observation.data)
    _, observed = gather(study, scenario, store, {1: files})
    forecast = states(scenario.prior.grid, 9, 3)
    ahead = store.stage("first/survey_1/forecast", lambda: _stage(forecast))
    predicted = store.stage("first/survey_1/predicted", lambda: _stage(scenario.observation.predict(ahead.ensemble)))
    posterior = _update(study, parts, "enkf", forecast, predicted.ensemble, observed[0])
    store.stage("enkf/survey_1/posterior", lambda: _stage(posterior))
    return folder


def _stage(ensemble):
    from seisflow.storage.recorder import Stage

    return Stage(ensemble)


def _update(study, parts, method, forecast, predicted, datum):
    analysis, generator = build_analysis(study, method, parts), np.random.default_rng(0)
    state = forecast.select(["saturation", "pressure"])
    evidence = Evidence(predicted, datum, parts.scenario.observation.noise)
    return analysis.update(state, evidence, generator).ensemble


def test_that_its_files_become_the_datum_bit_for_bit(written, run):
    _, datum = written
    observed = RunFolder(run).observed(0)
    assert observed.names == datum.names
    assert observed.time == 100 * 86400.0
    for name in datum.names:
        np.testing.assert_array_equal(observed[name], datum[name])


def test_that_what_does_not_fit_it_is_named(parts, written):
    own, (_, datum) = parts.scenario.observation, written
    arrays = {name: datum[name] for name in datum.names}
    np.testing.assert_array_equal(own.accept(arrays, 3.0)["gravity"], datum["gravity"])
    with pytest.raises(InputError, match=r"gravity has shape \(3,\), the survey's is \(2,\)") as caught:
        own.accept({**arrays, "gravity": np.zeros(3)})
    assert caught.value.argument == "data"
    with pytest.raises(InputError, match="temperature has 1 values that are not finite"):
        own.accept({**arrays, "temperature": np.where(np.arange(20).reshape(2, 10) == 7, np.nan, 1.0)})
    with pytest.raises(InputError, match="resistivity, temperature must be among them"):
        own.accept({"gravity": datum["gravity"]})


@pytest.mark.parametrize("method", ["letkf", "localized_enkf"])
def test_that_localisation_takes_the_positions_from_it(parts, written, method):
    study, grid, (_, datum) = Study.from_dict(STUDY), parts.scenario.prior.grid, written
    # Only the logs tell something; the holes are at columns 2 and 7, and the taper of 100 m is zero beyond 364 m.
    chosen = with_own(parts, stations=False)
    only, forecast = chosen.scenario.observation, states(grid, 9, 3)
    predicted = only.predict(forecast)
    silent = predicted.replace(resistivity=np.zeros_like(predicted["resistivity"]))
    told = datum.select(list(only.data)).replace(resistivity=np.zeros((1, *grid.shape)))
    found = _update(study, chosen, method, forecast, silent, told)
    moved = np.abs(found["pressure"] - forecast["pressure"]).max(axis=(0, 2)) > 0
    near = np.abs(grid.centres(0)[:, None] - grid.centres(0)[list(HOLES)]).min(axis=1) < 364
    assert moved.any()
    assert forecast["pressure"].std(axis=0).max(axis=1)[~near].max() > 0  # there would be something to move
    assert not moved[~near].any()


def test_that_a_field_off_any_grid_is_named_by_the_method_that_needs_one_and_taken_by_the_other(parts):
    study = Study.from_dict(STUDY)
    with pytest.raises(InputError, match="gravity has no positions on a grid"):
        build_analysis(study, "localized_enkf", parts)
    assert build_analysis(study, "letkf", parts).name == "letkf"


def test_that_its_arrays_are_stored_with_their_axes_coordinates_and_units(parts, run):
    group = zarr.open_group(run / "stages.zarr" / "observed" / "survey_1", mode="r")
    assert group["temperature"].metadata.dimension_names == ("member", "hole", "z")
    assert group["gravity"].metadata.dimension_names == ("member", "station")
    assert (group["resistivity"].attrs["units"], group["hole"].attrs["units"]) == ("ohm m", "m")
    np.testing.assert_array_equal(group["hole"], parts.scenario.prior.grid.centres(0)[list(HOLES)])
    stored, own = RunFolder(run).data, parts.scenario.observation.data
    assert list(stored) == list(own)
    for name, about in own.items():
        for what in ("axis_names", "shape", "unit", "label", "noise_std"):
            assert getattr(stored[name], what) == getattr(about, what), (name, what)


def test_that_it_is_exported_with_the_same_names(run, tmp_path):
    h5netcdf = pytest.importorskip("h5netcdf")
    pytest.importorskip("h5py")
    export_netcdf(run, tmp_path / "datum.nc", "observed/survey_1")
    with h5netcdf.File(tmp_path / "datum.nc", "r") as file:
        assert file["temperature"].dimensions == ("member", "hole", "z")
        assert file["gravity"].attrs["long_name"] == "change of gravity"
        np.testing.assert_array_equal(file["gravity"][...], RunFolder(run).observed(0)["gravity"])


def test_that_the_report_draws_its_section_and_logs_and_counts_every_misfit(run, tmp_path):
    files = {path.name for path in write_report(run, out=tmp_path)}
    assert {"index.html", "survey_1_data.png"} <= files
    page = (tmp_path / "index.html").read_text()
    for part in (
        '<h3>Electrical resistivity [ohm m] <span class="misfit" data-misfit="resistivity"></span></h3>',
        'data-panel="resistivity/observed"',
        'data-block="data/resistivity/enkf/1/mean"',
        'data-log="temperature" data-column="1"',
        "cooling along holes [K]",
        "Hole at 2175 m",
    ):
        assert part in page, part
    facts = json.loads(page.split('id="run">')[1].split("</script>")[0])
    bands = facts["logs"]["1"]["enkf"]
    assert np.shape(bands["forecast"]["temperature"]) == (3, 2, 10)  # quantiles, holes, depths
    assert bands["posterior"] == {}  # nobody but the observation knows what the posterior's would be
    row = page[page.index("Misfit of the forecast over") :]
    for name in ("resistivity", "temperature", "gravity"):
        assert f"<th scope=col>{name}</th>" in row, name


def test_that_it_stands_beside_others_and_names_must_differ(parts, written):
    own, grid = parts.scenario.observation, parts.scenario.prior.grid
    wells = Wells(grid, [1900.0], np.full(grid.shape, 1e7))
    joint, (_, datum) = Joint([own, wells]), written
    assert list(joint.data) == [*own.data, *wells.data]
    logs = wells.predict(states(grid, 1, 0))
    arrays = {name: array[0] for one in (datum, logs) for name, array in one.fields.items()}
    assert joint.accept(arrays, 1.0).names == tuple(joint.data)
    assert joint.work(5) == ()
    with pytest.raises(InputError, match="different names"):
        Joint([own, own])
