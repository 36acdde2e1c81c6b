"""Figures and moving pictures of a run, and the command that writes them."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from seisflow.cli import app
from seisflow.diagnostics import coverage
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.report import RunFolder, write_report
from seisflow.report.animation import animate
from seisflow.report.calibration import calibration
from seisflow.report.charts import Series, lines, ticks
from seisflow.report.figures import draw
from seisflow.report.tables import COLUMNS, score_table
from tests.report.runs import STUDY, made_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made_run(tmp_path_factory.mktemp("figures") / "run")


def test_that_the_figures_have_the_size_that_was_asked_for(folder, tmp_path):
    files = draw(RunFolder(folder), tmp_path, dpi=60, few=True)
    assert [f.name for f in files] == ["scores.png", *(f"survey_{k}_comparison.png" for k in (1, 2, 3))]
    with Image.open(files[0]) as picture:
        assert picture.size == (13 * 60, round(3.2 * 60))
        assert picture.info["dpi"] == pytest.approx((60, 60), abs=0.1)  # PNG counts dots per metre, whole ones


def test_that_a_run_without_a_truth_has_figures_of_what_is_known(tmp_path):
    run = RunFolder(made_run(tmp_path / "run", done={"open_loop": 1, "enkf": 1}, truth=False))
    names = {f.name for f in draw(run, tmp_path / "figures", dpi=30)}
    assert names == {"geology.png", "survey_1_comparison.png", "survey_1_enkf.png", "survey_1_data.png"}


def test_that_the_moving_picture_has_one_frame_a_survey(folder, tmp_path):
    files = animate(RunFolder(folder), tmp_path, "enkf")
    with Image.open(files[0]) as film:
        assert film.n_frames == 3
        first = np.asarray(film.convert("RGB"))
        film.seek(2)
        assert not np.array_equal(first, np.asarray(film.convert("RGB")))
        assert film.info["duration"] == 1200
    assert [f.suffix for f in files] == [".gif", ".mp4"][: 2 if shutil.which("ffmpeg") else 1]
    with pytest.raises(InputError, match="posteriors of open_loop, enkf"):
        animate(RunFolder(folder), tmp_path, "flow")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
def test_that_the_film_is_one(folder, tmp_path):
    film = animate(RunFolder(folder), tmp_path, "enkf")[1]
    assert film.read_bytes()[4:8] == b"ftyp"


def test_that_the_command_writes_the_page_beside_a_run_or_elsewhere_and_refuses_other_folders(folder, tmp_path):
    def cli(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    before = sorted(p.name for p in folder.iterdir())
    result = cli("report", folder, "--out", tmp_path / "there", "--figures", "none", "--no-animation")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "there" / "index.html").is_file()
    assert str(tmp_path / "there" / "index.html") in result.output
    assert sorted(p.name for p in folder.iterdir()) == before
    refused = cli("report", tmp_path)
    assert refused.exit_code == 1
    assert "holds no run" in refused.output


def test_that_a_page_half_written_never_takes_the_place_of_one(folder, tmp_path, monkeypatch):
    from seisflow.report import page as module

    (tmp_path / "index.html").write_text("the page before")

    def fail(run):
        raise OSError("disk full")

    monkeypatch.setattr(module, "page", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(folder, out=tmp_path, figures="none")
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "the page before"


def test_that_ranks_and_coverage_are_those_of_the_members(folder):
    run = RunFolder(folder)
    found = calibration(run, "enkf", 2)
    samples, true = run.ensemble("enkf", 2, "posterior")["saturation"], run.truth(2)["saturation"][0]
    reference = run.ensemble("open_loop", 2, "forecast")["saturation"]
    region = (true > 0.01) | (reference > 0.01).any(axis=0)
    assert found["cells"] == region.sum() == sum(found["counts"])
    assert len(found["counts"]) == 12  # M + 1 = 12 ranks, a bin each
    # Where nothing ties, the rank is the number of members below the truth: the top bin counts truths above all members.
    above = (samples < true).all(axis=0)[region].sum()
    assert found["counts"][-1] >= above
    assert found["covered"][4] == coverage(samples, true, 0.5, region)
    assert sorted(found["covered"]) == found["covered"]


def test_that_a_truth_above_all_members_ranks_highest_and_one_of_them_anywhere(folder, rng):
    run, shape = RunFolder(folder), STUDY.grid.build().shape
    members = 0.2 + 0.3 * rng.random((11, *shape))

    class Invented:
        study, grid, done = run.study, run.grid, {"enkf": 1}
        high = 0.9

        def truth(self, survey):
            return Ensemble({"saturation": np.full((1, *shape), self.high) if self.high else 0.2 + 0.3 * draw})

        def ensemble(self, method, survey, what):
            return Ensemble({"saturation": members})

    found = calibration(Invented(), "enkf", 0)
    assert found["counts"] == [0] * 11 + [1200]
    assert found["covered"] == [0.0] * 9
    Invented.high, draw = None, rng.random((1, *shape))
    found = calibration(Invented(), "enkf", 0)
    # 1200 independent cells in 12 bins: 100 each with standard deviation 9.6; five of them.
    assert np.abs(np.array(found["counts"]) - 100).max() < 48


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.0032), (-16, 105), (0, 7.3), (-0.3, 0.7)])
def test_that_ticks_are_round_few_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    assert all(low - 1e-9 <= t <= high + 1e-9 * abs(high) for t in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0])
    assert f"{steps[0]:.0e}"[0] in "125" or f"{steps[0]:.1e}".startswith("2.5")


def test_that_a_chart_of_values_below_zero_ends_at_zero():
    drawn = lines("error", [Series("one", "red", 0, [(0.0, -0.04), (1.0, -0.08)])], "day", (0.0, 1.0), level=0.0)
    low, high = (float(y) for y in re.findall(r'cy="([0-9.]+)"', drawn)[::-1])
    # From 8 % beyond the lowest value to 0: the frame is 138 high and begins at 26.
    assert (high - 26) / 138 == pytest.approx(0.04 / 0.0864, abs=1e-3)  # pixels are written to 0.1
    assert (low - 26) / 138 == pytest.approx(0.08 / 0.0864, abs=1e-3)


def test_that_a_score_that_is_no_number_is_a_gap_and_never_the_best(tmp_path):
    folder = made_run(tmp_path / "run", done={"open_loop": 1, "enkf": 1})
    step = dict.fromkeys([key for key, *_ in COLUMNS] + ["rmse_plume", "pressure_crps_bar"], 0.25)
    scores = {"open_loop": [step | {"rmse": None, "ssim": None}], "enkf": [step | {"ssim": None}]}
    (folder / "summary.json").write_text(json.dumps({"survey_days": [100.0], "scores": scores}))
    files = write_report(folder, figures="few", dpi=30)
    assert files[1].name == "scores.png"
    table = score_table("all", {method: steps[0] for method, steps in scores.items()}, RunFolder(folder).methods)
    first, second = table.split("<tr>")[2:]
    assert first.startswith("<td>open loop</td><td>–</td><td>–</td>")
    assert second.startswith("<td>EnKF</td><td class=best>0.2500</td><td>–</td>")
