"""Data of a survey from files: what fits comes back in the survey's order, what does not is named."""

import hashlib

import numpy as np
import pytest
import zarr

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import ShotRecords, Survey, Wells
from seisflow.observation.files.array_files import read_arrays
from seisflow.observation.files.field_data import fingerprint, read_files
from seisflow.observation.files.shot_records import check_records
from seisflow.storage.store import Stage, Store

GRID = Grid((100, 60), (20.0, 20.0), (500.0, 0.0))
SURVEY = Survey.surface(GRID, 10.0, 1.0, n_sources=3, n_receivers=7, source_depth=12.5, receiver_depth=7.25)


def spatial(points):
    return np.insert(points, 1, 0.0, axis=1)


def moved(x, depth):
    return spatial(np.add(SURVEY.receivers, [x, depth]))


def field(survey=SURVEY, **changes):
    """Records as the field would hand them in."""
    shape = (len(survey.sources), survey.n_samples, len(survey.receivers))
    records = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
    given = {"records": records, "sources": spatial(survey.sources), "receivers": spatial(survey.receivers)}
    return ShotRecords(**{**given, "interval": survey.interval, **changes})


def test_that_records_come_back_in_the_surveys_order_whatever_that_of_the_file():
    whole = field()
    shots, spread = [2, 0, 1], [6, 5, 0, 1, 2, 4, 3]
    mixed = ShotRecords(
        whole.records[shots][:, :, spread], whole.sources[shots] + 0.4, whole.receivers[spread], whole.interval
    )
    np.testing.assert_array_equal(check_records(mixed, SURVEY, "f"), whole.records)


def test_that_an_exchanged_survey_takes_records_as_the_field_had_them():
    survey = Survey.seabed(GRID, 10.0, 1.0, n_sources=2, n_receivers=5)
    ours = field(survey)
    np.testing.assert_array_equal(check_records(ours.exchange(), survey, "f"), ours.records)
    with pytest.raises(InputError, match="the file has 2 shots, the survey 5"):
        check_records(ours, survey, "f")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"interval": 0.002}, "sampled every 2 ms, the survey every 4 ms"),
        ({"records": np.zeros((3, 201, 7), "f4")}, r"201 samples \(0.8 s\), the survey's 251 \(1 s\)"),
        ({"sources": spatial(SURVEY.sources)[:2]}, "2 shots, the survey 3"),
        ({"receivers": moved(2.0, 0.0)}, r"a receiver at x = 642.86 m.* x = 644.86 m.*\(7 receivers"),
        ({"receivers": moved(0.0, 5.0)}, "depth 7.25 m, the file's nearest is at .*depth 12.25 m"),
        ({"records": np.full((3, 251, 7), np.nan, "f4")}, "not finite"),
    ],
)  # fmt: skip
def test_that_what_differs_is_named(changes, says):
    with pytest.raises(InputError, match=says) as caught:
        check_records(field(**changes), SURVEY, "line.sgy")
    assert caught.value.argument == "data"
    assert caught.value.value == "line.sgy"


def test_that_everything_that_differs_is_named_at_once():
    wrong = field(interval=0.002, records=np.zeros((3, 100, 6), "f4"), receivers=spatial(SURVEY.receivers)[:6])
    with pytest.raises(InputError, match=r"6 receivers, the survey 7; .* every 2 ms, .*; .* 100 samples"):
        check_records(wrong, SURVEY, "f")


WELL_GRID = Grid((20, 10), (50.0, 25.0), (0.0, 1000.0))
WELLS = Wells(WELL_GRID, (130.0, 420.0), np.full(WELL_GRID.shape, 1e7))


@pytest.fixture
def logs(rng):
    return {"well_saturation": rng.random((1, 2, 10)), "well_pressure": 1e5 * rng.standard_normal((1, 2, 10))}


def test_that_data_of_another_run_are_taken_bit_for_bit(logs, tmp_path):
    layout = {"well_saturation": ("well", "z"), "well_pressure": ("well", "z")}
    Store(tmp_path / "run", layout).keep("observed/survey_2", Stage(Ensemble(logs, 5.0)))
    file = tmp_path / "run" / "stages.zarr" / "observed" / "survey_2"
    datum = WELLS.accept(read_files([file], WELLS), 7.0)
    assert datum.time == 7.0
    for name, values in logs.items():
        np.testing.assert_array_equal(datum[name], values)
    before = fingerprint(file)
    (file / "note.txt").write_text("x")
    assert fingerprint(file) != before
    before = fingerprint(file)
    (file / "note.txt").write_text("y")
    assert fingerprint(file) != before
    assert fingerprint(file / "note.txt") == hashlib.sha256(b"y").hexdigest()


def written(folder, arrays, units=None):
    group = zarr.create_group(folder, zarr_format=3)
    for name, values in arrays.items():
        array = group.create_array(name, shape=values.shape, dtype=values.dtype)
        array[...] = values
        if units and name in units:
            array.attrs["units"] = units[name]
    return folder


def test_that_the_same_data_come_from_netcdf(logs, tmp_path):
    h5netcdf = pytest.importorskip("h5netcdf")
    pytest.importorskip("h5py")
    with h5netcdf.File(tmp_path / "logs.nc", "w") as file:
        file.dimensions = {"well": 2, "z": 10}
        for name, values in logs.items():
            file.create_variable(name, ("well", "z"), float)[...] = values[0]
        file.create_variable("z", ("z",), float)[...] = WELL_GRID.centres(1)
    datum = WELLS.accept(read_files([tmp_path / "logs.nc"], WELLS))
    for name, values in logs.items():
        np.testing.assert_array_equal(datum[name], values)
    (tmp_path / "text.nc").write_text("no NetCDF")
    with pytest.raises(InputError, match="cannot be read as a NetCDF 4 file"):
        read_files([tmp_path / "text.nc"], WELLS)


@pytest.mark.parametrize(
    ("change", "units", "says"),
    [
        ({"well_pressure": np.ones((2, 9))}, {}, r"well_pressure has shape \(2, 9\), the survey's is \(2, 10\)"),
        ({"well_saturation": np.full((2, 10), np.nan)}, {}, "20 values that are not finite"),
        ({}, {"well_pressure": "bar"}, "well_pressure is in 'bar', it must be in 'Pa'"),
        ({"z": WELL_GRID.centres(1) + 50.0}, {}, r"z\[0\] is 1062.5 m in the file, 1012.5 m in the study"),
        ({"well": np.array([130.0, 520.0])}, {}, r"well\[1\] is 520 m in the file, 420 m in the study"),
    ],
)
def test_that_arrays_of_another_survey_are_refused(change, units, says, logs, tmp_path):
    file = written(tmp_path / "logs", {**{n: v[0] for n, v in logs.items()}, **change}, units)
    with pytest.raises(InputError, match=says):
        read_files([file], WELLS)


def test_that_missing_doubled_and_foreign_data_are_named(logs, tmp_path):
    saturation = written(tmp_path / "s", {"well_saturation": logs["well_saturation"]})
    with pytest.raises(InputError, match="also measures well_pressure; name a file"):
        read_files([saturation], WELLS)
    with pytest.raises(InputError, match="another file holds well_saturation already"):
        read_files([saturation, saturation], WELLS)
    with pytest.raises(InputError, match="holds none of well_saturation, well_pressure, but gravity"):
        read_files([written(tmp_path / "o", {"gravity": np.ones(3)})], WELLS)
    with pytest.raises(InputError, match="no such file"):
        read_files([tmp_path / "none.nc"], WELLS)
    records = {"records": np.ones((1, 2, 1), "f4"), "time": np.array([0.0, 1.0])}
    with pytest.raises(InputError, match="must hold shot_x, shot_depth, receiver_x, receiver_depth"):
        ShotRecords.of(read_arrays(written(tmp_path / "r", records))["records"])
    places = dict.fromkeys(("shot_x", "shot_depth", "receiver_x", "receiver_depth"), np.ones(1))
    with pytest.raises(InputError, match=r"holds none of well_saturation, well_pressure, but .*records"):
        read_files([written(tmp_path / "q", {**records, **places})], WELLS)
