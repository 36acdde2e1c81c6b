"""Parts of a user's own, written outside the package, in the main job: a method, a prior, an observation."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from typer.testing import CliRunner

from seisflow import Ensemble, InputError, Posterior, Study, open_run, run_study
from seisflow.analysis.base import Analysis
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.table import MethodTable, Site
from seisflow.cli import app
from seisflow.covariance import DiagonalCovariance
from seisflow.observation import DataAxis, DataField, Observation
from seisflow.prior.base import Prior
from tests.test_run import arrays
from tests.tiny import TINY

STUDY = Study.from_dict(
    {
        **TINY,
        "methods": ["enkf"],
        "surveys": {"days": [300.0, 600.0], "modalities": ["wells"]},
        "ensemble": {"members": 5},
    }
)
GAIN = 0.6


@dataclass(frozen=True, eq=False)
class Nudging(Analysis):
    """S ← S + g Σ_j w_j (S°_j − S_j) / max(1, Σ_j w_j), with w_j = exp(−½ d_j²/r²) of the distance to the datum j."""

    cells: NDArray
    logs: Mapping[str, NDArray]
    gain: float
    reach: float
    name: str = "nudging"

    def update(self, forecast, evidence, generator, progress=None):
        S = forecast["saturation"].copy()
        for name, places in self.logs.items():
            missing = (evidence.observed[name] - evidence.predicted[name]).reshape(forecast.size, -1)
            away = np.linalg.norm(self.cells[..., None, :] - places.reshape(-1, self.cells.shape[-1]), axis=-1)
            weight = np.exp(-0.5 * (away / self.reach) ** 2)
            weight /= np.maximum(weight.sum(axis=-1, keepdims=True), 1)
            S += self.gain * np.einsum("mj,...j->m...", missing, weight)
        return Posterior(forecast.replace(saturation=np.clip(S, 0, 0.9)), {"gain": self.gain})


class NudgingTable(MethodTable):
    """Nudging, told by the study where its cells are, and by the observation where its logs of saturation are."""

    name: ClassVar[str] = "nudging"
    label: ClassVar[str] = "nudging to the logs"
    colour: ClassVar[str] = "rebeccapurple"
    gain: float = GAIN
    reach_m: float = 30.0  # less than a cell: the well's own column alone is moved

    def build(self, site: Site) -> Nudging:
        logs = {name: about.positions for name, about in site.data.items() if about.quantity == "saturation"}
        return Nudging(site.cells, logs, self.gain, self.reach_m)


@dataclass(frozen=True)
class Layers(Prior):
    """Log-normal permeability of layers, and a number that nobody reads."""

    shape: tuple[int, int]
    name: str = "layers"
    fields: tuple[str, ...] = ("permeability", "porosity_of_the_seal")

    def draw(self, generators):
        columns = [1e-13 * np.exp(0.5 * g.standard_normal(self.shape[1])) for g in generators]
        K = np.stack([np.tile(column, (self.shape[0], 1)) for column in columns])
        return Ensemble({"permeability": K, "porosity_of_the_seal": np.arange(len(K), dtype=float)})


class Temperature(Observation):
    """Cooling where CO2 is, logged in two holes, proportional to the saturation."""

    holes = (9, 12)

    def __init__(self, grid):
        self.grid = grid

    @property
    def data(self):
        x, z = self.grid.centres(0)[list(self.holes)], self.grid.centres(1)
        positions = np.stack(np.meshgrid(x, z, indexing="ij"), axis=-1)
        hole, depth = DataAxis("hole", 2, x, label="position of the hole"), DataAxis("z", len(z), z)
        return {"cooling": DataField((hole, depth), "K", "cooling along holes", positions, 0.05)}

    def predict(self, ensemble, progress=None):
        return Ensemble({"cooling": 2 * ensemble["saturation"][:, list(self.holes)]}, ensemble.time)

    def observe(self, truth, generator):
        exact = self.predict(truth)
        return exact.unpack(exact.pack() + self.noise.sample(1, generator))

    @property
    def noise(self):
        return DiagonalCovariance(np.full(2 * self.grid.shape[1], 0.05**2))

    def channels(self, data):
        raise AssertionError("no network here")


@pytest.fixture(scope="module")
def nudged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "run"
    return folder, run_study(STUDY, folder, display=False, workers=2, analyses=[NudgingTable()])


def test_that_a_method_of_ones_own_runs_beside_the_studys_with_scores(nudged):
    folder, summary = nudged
    assert list(summary["scores"]) == ["enkf", "nudging"]
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert all(np.isfinite(step["crps"]) for step in summary["scores"]["nudging"])
    assert "nudging to the logs: posterior" in summary["seconds"]


def test_that_it_was_given_forecast_evidence_and_positions(nudged):
    run = open_run(nudged[0])
    before, after = run.forecast("nudging", 2).saturation, run.posterior("nudging", 2).saturation
    datum = run.observed(2).well_saturation[0].values
    column = STUDY.grid.build().locate((run.study.wells.x_m[0], before.z.values[0]))[0]
    wished = before[:, column] + GAIN * (datum - before[:, column])
    # The data one cell above and below have weights exp(−½ (85/30)²) = 0.018: 0.6 · 4 · 0.018 · 0.9 at most.
    np.testing.assert_allclose(after[:, column], np.clip(wished, 0, 0.9), atol=0.04)
    elsewhere = np.arange(before.sizes["x"]) != column
    np.testing.assert_allclose(after[:, elsewhere], before[:, elsewhere], atol=1e-5)  # exp(−½ (160/30)²) is 7e-7
    assert np.abs(after[:, column] - before[:, column]).max() > 0.01


def test_that_the_page_and_the_folder_have_its_label_and_its_colour(nudged):
    folder, _ = nudged
    page = (folder / "index.html").read_text()
    assert '{"id":"nudging","label":"nudging to the logs","done":2}' in page
    assert page.count("#663399") > 10  # rebeccapurple: its lines and marks in every chart
    method = open_run(folder).methods["nudging"]
    assert (method.label, method.colour, method.uses_data) == ("nudging to the logs", "#663399", True)


def test_that_the_run_goes_on_to_the_same_arrays_and_takes_one_more_method_in_a_free_colour(nudged, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(nudged[0], folder)
    shutil.rmtree(folder / "stages.zarr" / "nudging" / "survey_2")

    @dataclass(frozen=True)
    class Again(OpenLoop):
        name: str = "again"

    summary = run_study(STUDY, folder, display=False, workers=1, analyses=[NudgingTable(), Again()])
    before, after = arrays(nudged[0]), arrays(folder)
    assert set(before) < set(after)
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name], err_msg=name)
    methods = open_run(folder).methods
    assert list(methods) == list(summary["scores"]) == ["enkf", "nudging", "again"]
    again = methods["again"]
    assert (again.label, again.uses_data) == ("again", False)
    assert again.colour not in {"", methods["enkf"].colour, methods["nudging"].colour}


def test_that_a_call_without_it_is_refused_with_a_remedy_and_the_folder_stays(nudged):
    folder, before = nudged[0], (nudged[0] / "run.json").read_bytes()
    with pytest.raises(
        InputError, match=r"the analysis nudging \(tests\.test_own_method\.NudgingTable\).*give analyses="
    ):
        run_study(STUDY, folder, display=False)
    result = CliRunner().invoke(app, ["run", str(folder / "study.toml"), "--out", str(folder), "-q"])
    assert result.exit_code == 1
    assert "analysis nudging" in result.output
    assert (folder / "run.json").read_bytes() == before


def test_that_its_report_needs_none_of_its_code(nudged, tmp_path):
    command = [sys.executable, "-m", "seisflow.cli", "report", str(nudged[0]), "--out", str(tmp_path), "--no-animation"]
    subprocess.run([*command, "--figures", "few", "-q"], check=True, capture_output=True)
    assert (tmp_path / "index.html").read_text() == (nudged[0] / "index.html").read_text()


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run with a prior and an observation of the user's own, and a localised method of the study."""
    study = STUDY.changed(methods=["letkf"], letkf={"radius_m": [100.0, 100.0]})
    folder = tmp_path_factory.mktemp("own") / "run"
    grid = study.grid.build()
    parts = {"prior": Layers(grid.shape), "observation": Temperature(grid)}
    run_study(study, folder, display=False, workers=2, until_survey=1, **parts)
    return study, folder, parts


def test_that_a_prior_of_ones_own_draws_what_the_members_are_advanced_with(measured):
    run = open_run(measured[1])
    for K in (run.forecast("letkf", 1).permeability, run.truth(1).permeability.expand_dims("member")):
        assert (K.isel(x=0) == K).all()
        assert np.unique(K.isel(x=0)).size == K.sizes["member"] * K.sizes["z"]
    assert "porosity_of_the_seal" in run.forecast("letkf", 1)


def test_that_an_observation_of_ones_own_is_stored_localised_exported_and_shown(measured, tmp_path):
    _, folder, parts = measured
    run, about = open_run(folder), parts["observation"].data["cooling"]
    datum = run.observed(1).cooling
    assert (datum.dims, datum.attrs["units"], datum.attrs["long_name"]) == (("hole", "z"), "K", about.label)
    np.testing.assert_array_equal(datum.hole, about.axes[0].coordinates)
    np.testing.assert_array_equal(
        run.predicted("letkf", 1).cooling, 2 * run.forecast("letkf", 1).saturation[:, [9, 12]]
    )
    moved = np.abs(run.posterior("letkf", 1).pressure - run.forecast("letkf", 1).pressure).max(("member", "z")) > 0
    near = np.abs(run.forecast("letkf", 1).x.values[:, None] - about.axes[0].coordinates).min(axis=1) < 364
    assert moved.any()
    assert not moved[~near].any()  # a taper of 100 m is zero beyond 364 m
    result = CliRunner().invoke(app, ["export", str(folder), str(tmp_path / "run.nc"), "--stage", "observed/survey_1"])
    assert result.exit_code == 0, result.output
    page = (folder / "index.html").read_text()
    for part in (
        "cooling along holes [K]",
        'data-log="cooling"',
        "tests.test_own_method.Temperature",
        "cooling along holes; 20",
    ):
        assert part in page, part
    assert '"wells":[]' in page  # those of the study were not logged


def test_that_a_run_with_them_goes_on_with_them_and_with_nothing_else(measured, tmp_path):
    study, original, parts = measured
    folder = tmp_path / "run"
    shutil.copytree(original, folder)
    for missing, words in (("prior", "prior tests"), ("observation", "observation tests")):
        given = {kind: part for kind, part in parts.items() if kind != missing}
        with pytest.raises(InputError, match=rf"it began with the {words}.*which is not given: give {missing}="):
            run_study(study, folder, display=False, **given)
    summary = run_study(study, folder, display=False, workers=2, **parts)
    assert summary["surveys"] == 2
    group = zarr.open_group(folder / "stages.zarr" / "observed" / "survey_2", mode="r")
    assert group["cooling"].shape == (1, 2, 18)


def test_that_a_run_of_the_study_alone_takes_no_prior_of_ones_own_later(nudged):
    parts = {"analyses": [NudgingTable()], "prior": Layers(STUDY.grid.build().shape)}
    with pytest.raises(InputError, match="it began with the study's prior"):
        run_study(STUDY, nudged[0], display=False, **parts)


class Nameless(OpenLoop):
    colour: ClassVar[str] = "no colour"


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"analyses": [OpenLoop]}, "this is a class; give an object of it"),
        ({"analyses": ["enkf"]}, "give an object of seisflow.analysis.base.Analysis"),
        ({"analyses": [OpenLoop("enkf")]}, "another method of this run has this name"),
        ({"analyses": [OpenLoop("truth")]}, "and not truth"),
        ({"analyses": [OpenLoop("my/method")]}, "name a method by letters"),
        ({"analyses": [OpenLoop("EnKF")]}, "has its label, 'EnKF'"),
        ({"analyses": [Nameless("mine")]}, "mine.colour"),
        ({"prior": Layers((3, 4))}, r"must have \(1, 20, 18\)"),
        ({"prior": Layers((20, 18), fields=("porosity_of_the_seal",))}, 'the flow needs "permeability"'),
        ({"observation": Layers((20, 18))}, "give an object of seisflow.observation.base.Observation"),
    ],
)
def test_that_parts_that_do_not_fit_are_refused_before_any_work(parts, says, tmp_path):
    with pytest.raises(InputError, match=says):
        run_study(STUDY, tmp_path / "run", display=False, **parts)
    assert not (tmp_path / "run").exists()
