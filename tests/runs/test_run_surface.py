"""A run opened in Python: datasets, scores and pictures are those of the folder, and what is not there is named."""

import shutil

import matplotlib
import numpy as np
import pytest
import xarray

from seisflow import InputError, open_run
from seisflow.report import RunFolder
from seisflow.runs.netcdf import export_netcdf
from tests.report.runs import STUDY, made_run

matplotlib.use("agg")
from matplotlib import pyplot


@pytest.fixture(scope="module")
def run(finished_tiny):
    return open_run(finished_tiny[0])


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """A run whose second method has one survey of three, and whose data came from outside."""
    return open_run(made_run(tmp_path_factory.mktemp("surface") / "run", done={"open_loop": 3, "enkf": 1}, truth=False))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def test_that_its_datasets_are_the_stages_with_names_coordinates_and_units(run, finished_tiny):
    folder = RunFolder(finished_tiny[0])
    posterior = run.posterior("flow", 2)
    assert dict(posterior.sizes) == {"member": 9, "x": 20, "z": 18}
    np.testing.assert_array_equal(posterior.saturation, folder.ensemble("flow", 1, "posterior")["saturation"])
    np.testing.assert_array_equal(posterior.x, run.study.grid.build().centres(0))
    assert posterior.pressure.attrs == {"units": "Pa", "long_name": "brine pressure"}
    assert (posterior.z.attrs["units"], posterior.z.attrs["positive"]) == ("m", "down")
    assert posterior.attrs["time_s"] == 600 * 86400.0
    np.testing.assert_array_equal(run.forecast("flow", 1).permeability, run.forecast("enkf", 1).permeability)
    np.testing.assert_array_equal(run.predicted("enkf", 2).image, folder.ensemble("enkf", 1, "predicted")["image"])
    assert run.truth(1).saturation.dims == ("x", "z")
    datum = run.observed(1)
    assert (datum.image.dims, datum.well_pressure.dims) == (("x", "z"), ("well", "z"))
    assert datum.well_pressure.attrs["units"] == "Pa"


def test_that_a_dataset_copies_nothing_and_cannot_be_written_to(run):
    stage = run.source.ensemble("enkf", 1, "posterior")
    found = run.posterior("enkf", 2)
    assert np.shares_memory(found.saturation.values, stage["saturation"])
    with pytest.raises(ValueError, match="read-only"):
        found.saturation.values[0, 0, 0] = 1.0


@pytest.mark.parametrize("name", ["flow/survey_2/posterior", "observed/survey_1", "enkf/survey_2/predicted"])
def test_that_a_dataset_is_what_the_netcdf_file_of_the_stage_holds(run, name, tmp_path):
    pytest.importorskip("h5netcdf")
    from seisflow.runs.datasets import stage_dataset

    export_netcdf(run.folder, tmp_path / "stage.nc", name)
    ours = stage_dataset(run.source.store, name)
    with xarray.open_dataset(tmp_path / "stage.nc", engine="h5netcdf") as theirs:
        file = theirs.load()
        for of_the_run in ("Conventions", "title", "source", "study"):
            del file.attrs[of_the_run]
        xarray.testing.assert_identical(ours, file)


def test_that_its_scores_are_those_of_the_summary_one_row_a_method_and_survey(run, finished_tiny):
    table = run.scores
    assert list(table.columns[:3]) == ["method", "survey", "day"]
    assert len(table) == 6
    for method, steps in finished_tiny[1]["scores"].items():
        for k, step in enumerate(steps):
            (row,) = table[(table.method == method) & (table.survey == k + 1)].to_dict("records")
            assert row == {"method": method, "survey": k + 1, "day": (300.0, 600.0)[k], **step}
    assert table.pivot(index="survey", columns="method", values="crps").shape == (2, 3)


def test_that_a_run_without_a_truth_has_the_scores_that_need_none(unfinished):
    table = unfinished.scores
    assert table.groupby("method").survey.max().to_dict() == {"open_loop": 3, "enkf": 1}
    assert {"ghost_share", "ghost_members", "bodies", "bodies_forecast", "pressure_spread_ratio_well_1"} <= set(table)
    assert not {"rmse", "crps", "mass_error", "bodies_truth", "pressure_crps_wells_bar"} & set(table)
    assert (table.bodies == 1).all()  # one smooth plume a member


def test_that_a_run_of_which_nothing_is_done_has_an_empty_table(tmp_path):
    table = open_run(made_run(tmp_path / "run", done={})).scores
    assert list(table.columns) == ["method", "survey", "day"]
    assert table.empty


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda run: run.posterior("ekf", 1), "this run has open_loop, enkf"),
        (lambda run: run.posterior("enkf", 4), "the study has surveys 1 to 3"),
        (lambda run: run.observed(0), "the study has surveys 1 to 3"),
        (
            lambda run: run.posterior("enkf", 2),
            r"no posterior of enkf at this survey; there are enkf/survey_1/posterior, ",
        ),
        (lambda run: run.predicted("open_loop", 1), "it does not look at data; predicted data are there of enkf"),
        (lambda run: run.truth(1), "no truth is known of it"),
        (lambda run: run.plot.plume("enkf", 2), "enkf has posteriors of surveys 1 to 1"),
        (lambda run: run.plot.plume("enkf", 1, show="truth"), "no truth is known of this run"),
        (
            lambda run: run.plot.plume("enkf", 1, show="median"),
            "choose mean, deviation, error, .* or probability",
        ),
        (lambda run: run.plot.scores(), "coverage_90': choose from ghost_share"),
        (lambda run: run.plot.wells("enkf", 1, axes=[1]), "give 2, one for every panel"),
    ],
)
def test_that_what_is_not_there_is_named_with_what_is(unfinished, ask, says):
    with pytest.raises(InputError, match=says):
        ask(unfinished)


def test_that_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="the folder holds no run"):
        open_run(tmp_path)


def test_that_a_plume_is_drawn_on_new_axes_and_on_given_ones(run):
    axes = run.plot.plume()
    np.testing.assert_array_equal(
        axes.images[0].get_array(), run.posterior("flow", 2).saturation.mean("member").values.T
    )
    assert axes.get_title() == "flow: posterior mean, survey 2, day 600"
    _, (left, right) = pyplot.subplots(1, 2)
    assert run.plot.plume("enkf", 1, show="error", axes=left) is left
    error = run.posterior("enkf", 1).saturation.mean("member") - run.truth(1).saturation
    np.testing.assert_array_equal(left.images[0].get_array(), error.values.T)
    assert run.plot.plume(survey=1, show="truth", axes=right) is right
    np.testing.assert_array_equal(right.images[0].get_array(), run.truth(1).saturation.values.T)


def test_that_a_probability_is_drawn_with_its_outlines_and_the_truths(run):
    axes = run.plot.plume("enkf", 2, show="probability")
    share = (run.posterior("enkf", 2).saturation > 0.05).mean("member").values
    np.testing.assert_array_equal(axes.images[0].get_array(), share.T)
    assert [text.get_text() for text in axes.get_legend().texts] == ["5%", "50%", "95%", "truth"]
    assert axes.lines[-1].get_linestyle() == "--"


def test_that_wells_show_the_datum_and_the_ranges_of_forecast_and_posterior(run, tmp_path):
    axes = run.plot.wells("enkf", 2)
    assert len(axes) == 2  # saturation and pressure of one well
    observed = axes[0].lines[0].get_xdata()
    np.testing.assert_array_equal(observed, run.observed(2).well_saturation[0])
    assert [text.get_text() for text in axes[0].get_legend().texts] == [
        "forecast 5–95 %",
        "posterior 5–95 %",
        "observed",
    ]
    assert axes[1].get_xlabel().endswith("[bar]")
    axes[0].figure.savefig(tmp_path / "wells.png")
    assert (tmp_path / "wells.png").stat().st_size > 5000


def test_that_scores_are_drawn_in_the_colours_of_the_methods(run):
    axes = run.plot.scores("rmse", "mass_error")
    assert [panel.get_title() for panel in axes] == ["RMSE of S [-]", "mass_error"]
    for line, method in zip(axes[0].lines, run.methods.values(), strict=True):
        assert (line.get_color(), line.get_label()) == (method.colour, method.label)
    assert len(run.plot.scores()) == 4
    with pytest.raises(InputError, match="choose from rmse, rmse_plume"):
        run.plot.scores("brier")


def test_that_it_says_what_it_holds(run, unfinished):
    for words in ("run of tiny, seed 5, 9 members", "data: seismic, wells", "open loop 2, EnKF 2"):
        assert words in repr(run)
        assert words in run._repr_html_()
    assert "of 3: open loop 3, EnKF 1" in repr(unfinished)


def test_that_a_folder_of_an_older_run_has_the_methods_of_its_study(run, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(run.folder, older)
    (older / "run.json").write_text('{"seed": 5, "members": 9, "versions": []}')
    assert dict(open_run(older).methods) == dict(run.methods)
    assert list(open_run(made_run(tmp_path / "bare")).methods) == list(STUDY.methods)
