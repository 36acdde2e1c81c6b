"""The whole way, on a tiny study: prior → Julia → Devito → image → Glow → posterior → next survey."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

from seisflow.cli import app
from seisflow.errors import InputError
from seisflow.runner import run_study
from seisflow.storage.store import Store
from seisflow.study import Study
from tests.tiny import TINY


@pytest.fixture(scope="module")
def study():
    return Study.from_dict(TINY)


@pytest.fixture(scope="module")
def finished(finished_tiny):
    return finished_tiny


def strict(text: str) -> dict:
    """JSON by its standard, which has no NaN and no Infinity."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def arrays(folder: Path) -> dict[str, np.ndarray]:
    root = folder / "stages.zarr"
    nodes = [path.parent for path in root.rglob("zarr.json") if json.loads(path.read_text())["node_type"] == "array"]
    found = {str(node.relative_to(root)): zarr.open_array(node, mode="r") for node in nodes}
    return {
        name: a[...] for name, a in found.items() if a.metadata.dimension_names != (Path(name).name,)
    }  # no coordinates


def test_that_the_same_seed_gives_the_same_arrays_whatever_the_workers(study, finished, tmp_path):
    run_study(study, tmp_path / "second", workers=1)
    first, second = arrays(finished[0]), arrays(tmp_path / "second")
    assert set(first) == set(second)
    assert {
        "truth/survey_1/saturation",
        "observed/survey_2/image",
        "flow/survey_2/posterior/pressure",
        "enkf/survey_2/predicted/well_saturation",
    } <= set(first)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_that_another_seed_gives_another_truth_and_other_members(study, finished, tmp_path):
    run_study(
        study.changed(seed=6, methods=["open_loop"], surveys={"days": [300.0], "modalities": ["wells"]}), tmp_path / "r"
    )
    first, other = arrays(finished[0]), arrays(tmp_path / "r")
    for name in ("truth/survey_1/saturation", "first/survey_1/forecast/permeability"):
        assert not np.array_equal(first[name], other[name])


def test_that_posteriors_are_whole_finite_and_within_physical_bounds(finished):
    for name, array in arrays(finished[0]).items():
        assert np.isfinite(array).all(), name
        if name.endswith("/saturation"):
            assert array.min() >= 0.0, name
            assert array.max() <= 0.9 + 1e-9, name
        if name.split("/")[0] in ("first", "flow", "enkf", "open_loop"):
            assert len(array) == 9, name
    flow = Store(finished[0]).find("flow/survey_2/posterior")
    assert len({member.tobytes() for member in flow.ensemble["saturation"]}) == 9  # no member lost or doubled


def test_that_the_truth_is_no_member(finished):
    found = arrays(finished[0])
    truth = found["truth/survey_1/permeability"][0]
    assert not any(np.array_equal(truth, member) for member in found["first/survey_1/forecast/permeability"])


def test_that_the_summary_and_the_page_are_complete_and_self_contained(finished):
    folder, summary = finished
    assert strict((folder / "summary.json").read_text()) == summary
    assert set(summary["scores"]) == {"open_loop", "enkf", "flow"}
    for steps in summary["scores"].values():
        assert len(steps) == 2
        assert all(np.isfinite(value) for step in steps for value in step.values())
    assert (folder / "index.html").is_file()
    assert len(list((folder / "figures").glob("*.png"))) == 3  # scores, and a comparison a survey


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
def test_that_a_score_that_is_no_number_is_null_in_strict_json(study, tmp_path):
    without = study.changed(
        methods=["open_loop"],
        surveys={"days": [300.0], "modalities": ["wells"]},
        injection={"rate_m3_per_s": 1e-9},  # no plume anywhere: nothing to count coverage over
    )
    summary = run_study(without, tmp_path / "run", workers=2, display=False)
    (scores,) = strict((tmp_path / "run" / "summary.json").read_text())["scores"]["open_loop"]
    assert scores["coverage_90"] is None
    assert np.isfinite(scores["rmse"])
    assert summary["scores"]["open_loop"] == [scores]
    assert (tmp_path / "run" / "index.html").is_file()
    result = cli("run", tmp_path / "run" / "study.toml", "--out", tmp_path / "run")  # finished: shown as it is
    assert result.exit_code == 0, result.output
    assert "–" in result.output


def test_that_a_run_from_python_says_how_far_it_is_unless_told_not_to(study, finished, tmp_path, capsys):
    import shutil

    shutil.copytree(finished[0], tmp_path / "copy")
    run_study(study, tmp_path / "copy", workers=2)
    said = capsys.readouterr()
    assert said.out == ""
    assert "figures: 3 done in" in said.err
    run_study(study, tmp_path / "copy", workers=2, display=False)
    assert capsys.readouterr() == ("", "")


def test_that_a_finished_run_is_taken_as_it_is_and_a_lost_stage_is_computed_again(study, finished, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(finished[0], folder)
    before = arrays(folder)
    shutil.rmtree(folder / "stages.zarr" / "enkf" / "survey_2" / "posterior")
    run_study(study, folder, workers=2)
    after = arrays(folder)
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name], err_msg=name)


def test_that_another_study_in_the_same_folder_is_refused_with_the_difference(study, finished):
    with pytest.raises(InputError, match=r"ensemble\.members was 9, now 10"):
        run_study(study.changed(ensemble={"members": 10}), finished[0])


def test_that_a_folder_with_other_files_is_refused(study, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not empty"):
        run_study(study, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def cli(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sed = 1", "sed = 1: unknown key"),
        ("[geology]\nporosity = -0.1", "geology.porosity = -0.1"),
        ("[surveys]\ndays = [-5.0]", "surveys.days"),
        ("[injection]\nx_m = 0.0", "injection.x_m = 0.0"),
        ('[geology]\nsection = "none.npz"', "no such file"),
        ('[geology]\nsection = "nan.npz"', "velocity = nan"),
        ("[grid]\norigin_m = [3000.0, 446.0]\n[injection]\nx_m = 4000.0\n[wells]\nx_m = [4000.0]", "grid.extent"),
        ("[seismic]\npeak_frequency_Hz = 40.0", "survey.peak_frequency"),
    ],
)
def test_that_a_bad_study_gives_one_clear_error_on_the_command_line(text, says, tmp_path):
    velocity = np.full((768, 341), 2.0)
    velocity[3, 4] = np.nan
    np.savez(tmp_path / "nan.npz", velocity=velocity, density=np.ones((768, 341)), spacing=[6.0, 6.0])
    (tmp_path / "study.toml").write_text(text)
    result = cli("run", tmp_path / "study.toml", "--out", tmp_path / "run")
    assert result.exit_code == 1
    message = result.output.strip()
    assert message.startswith("error: ")
    assert says in message
    assert "Traceback" not in message
    assert not (tmp_path / "run").exists()
