"""A run as NetCDF: every array as it is in the run folder, for readers that know nothing of seisflow."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from seisflow.cli import app
from seisflow.ensemble import Ensemble
from seisflow.observation.files.array_files import read_arrays
from seisflow.storage.store import Stage, Store
from tests.report.runs import STUDY, axes_of, made_run

h5netcdf = pytest.importorskip("h5netcdf")
pytest.importorskip("h5py")


def cli(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = made_run(tmp_path_factory.mktemp("export") / "run", done={"open_loop": 1, "enkf": 2})
    fields = {"saturation": np.random.default_rng(1).random((3, 40, 30))}
    about = {"seconds": 2.5, "statistics": {"loss": [3.0, 1.0]}}
    Store(run, axes_of(STUDY)).keep("extra/survey_1/posterior", Stage(Ensemble(fields, 8.64e6), about))
    return run


def test_that_every_array_of_a_run_is_in_the_file_with_its_axes_and_units(folder, tmp_path):
    result = cli("export", folder, tmp_path / "run.nc")
    assert result.exit_code == 0, result.output
    store = Store(folder, readonly=True)
    with h5netcdf.File(tmp_path / "run.nc", "r") as file:
        assert file.attrs["study"] == STUDY.to_toml()
        for name in store.names():
            group, ensemble = file[name], store.find(name).ensemble
            for key in ensemble.names:
                np.testing.assert_array_equal(group[key][...], ensemble[key])
                assert group[key].dtype == ensemble[key].dtype
                assert group[key].dimensions[0] == "member"
        group = file["extra/survey_1/posterior"]
        assert group["saturation"].dimensions == ("member", "x", "z")
        assert group["saturation"].attrs["units"] == "1"
        np.testing.assert_array_equal(group["z"][...], STUDY.grid.build().centres(1))
        assert group["z"].attrs["positive"] == "down"
        assert (group.attrs["time_s"], group.attrs["seconds"]) == (8.64e6, 2.5)
        assert json.loads(group.attrs["statistics"]) == {"loss": [3.0, 1.0]}


def test_that_xarray_opens_a_stage_with_named_dimensions(folder, tmp_path):
    xarray = pytest.importorskip("xarray")
    cli("export", folder, tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc", group="extra/survey_1/posterior", engine="h5netcdf") as data:
        assert dict(data.sizes) == {"member": 3, "x": 40, "z": 30}
        assert float(data.x[0]) == STUDY.grid.build().centres(0)[0]


def test_that_one_stage_is_a_plain_file_which_can_serve_as_data(folder, tmp_path):
    result = cli("export", folder, tmp_path / "datum.nc", "--stage", "observed/survey_2")
    assert result.exit_code == 0, result.output
    arrays = read_arrays(tmp_path / "datum.nc")
    observed = Store(folder, readonly=True).find("observed/survey_2").ensemble
    for key in observed.names:
        np.testing.assert_array_equal(arrays[key].values, observed[key])


def test_that_an_existing_file_an_unknown_stage_and_another_folder_are_refused(folder, tmp_path):
    (tmp_path / "mine.nc").write_text("years of work")
    assert "left as it is" in cli("export", folder, tmp_path / "mine.nc").output
    assert (tmp_path / "mine.nc").read_text() == "years of work"
    unknown = cli("export", folder, tmp_path / "a.nc", "--stage", "flow/survey_9/posterior")
    assert "the run has enkf/survey_1/posterior" in unknown.output
    assert "holds no run" in cli("export", tmp_path, tmp_path / "b.nc").output
    assert [p.name for p in tmp_path.iterdir()] == ["mine.nc"]


def test_that_a_file_half_written_does_not_appear(folder, tmp_path, monkeypatch):
    from seisflow.runs import netcdf as module

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(module, "_copy", fail)
    with pytest.raises(OSError, match="disk full"):
        module.export_netcdf(folder, tmp_path / "run.nc")
    assert list(tmp_path.iterdir()) == []
