"""A run whose data come in as files, survey by survey: the same posteriors as in silico."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from seisflow.cli import app
from seisflow.errors import InputError
from seisflow.observation import coloured_noise, write_segy
from seisflow.observation.files.field_data import fingerprint
from seisflow.report import RunFolder
from seisflow.runner import run_study
from seisflow.runs.survey_data import planned_files
from seisflow.seeds import generator
from seisflow.storage.store import Store
from seisflow.study import Study, load_study
from seisflow.study.build import build
from tests.tiny import TINY

IN_SILICO = Study.from_dict({**TINY, "methods": ["enkf"]})


def cli(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def files(finished_tiny, tmp_path_factory):
    """The records that the in-silico data were made of, as SEG-Y, and the logs as they were stored."""
    pytest.importorskip("segyio")
    folder, run = tmp_path_factory.mktemp("field"), Store(finished_tiny[0], readonly=True)
    found = []
    with build(IN_SILICO, workers=1) as parts:
        seismic, *_ = parts.scenario.observation.parts
        for k in range(2):
            clean = seismic.records(run.find(f"truth/survey_{k + 1}").ensemble)[0]
            stream = generator(IN_SILICO.seed, "data noise", k)  # the seismic draws first
            noisy = clean + coloured_noise(seismic.survey, seismic.noise_norm, stream)
            line = write_segy(folder / f"line_{k + 1}.sgy", seismic.survey, noisy)
            found.append([line, finished_tiny[0] / "stages.zarr" / "observed" / f"survey_{k + 1}"])
    return found


def logs_only(group, folder):
    """A copy of an observed stage without its image."""
    shutil.copytree(group, folder)
    shutil.rmtree(folder / "image")
    about = json.loads((folder / "zarr.json").read_text())
    about.pop("consolidated_metadata", None)
    (folder / "zarr.json").write_text(json.dumps(about))
    return folder


def test_that_records_from_files_give_the_posterior_of_the_run_that_made_them(files, finished_tiny, tmp_path):
    wells = [logs_only(group, tmp_path / f"wells_{k}") for k, (_, group) in enumerate(files)]
    study = IN_SILICO.changed(surveys={"data": [[str(files[0][0]), str(wells[0])], []]})
    study.save(tmp_path / "study.toml")
    out = tmp_path / "run"

    # Step one: the study knows the files of survey 1 only.
    first = cli("run", tmp_path / "study.toml", "--out", out, "--workers", 1)
    assert first.exit_code == 0, first.output
    assert f"seisflow assimilate {out} --survey 2 --data FILE" in first.output.replace("\n", "")
    assert RunFolder(out).done == {"enkf": 1}

    # The wrong file: refused, and the run stays as it is.
    refused = cli("assimilate", out, "--survey", 2, "--data", wells[1])
    assert refused.exit_code == 1
    assert "the survey also measures image (or records)" in refused.output

    # Step two: the data of survey 2 come in.
    second = cli("assimilate", out, "--survey", 2, "--data", files[1][0], "--data", wells[1], "--workers", 1)
    assert second.exit_code == 0, second.output

    ours, theirs = Store(out, readonly=True), Store(finished_tiny[0], readonly=True)
    for k in (1, 2):
        given, made = (s.find(f"observed/survey_{k}").ensemble for s in (ours, theirs))
        # Files hold float32. Its rounding of the records, beside which the change by CO2 is small, comes to 2e-4 in units of
        # the image's noise; five times that here, and in the posterior (seen: 5e-5 in saturation, 60 Pa).
        np.testing.assert_allclose(given["image"], made["image"], atol=1e-3)
        np.testing.assert_array_equal(given["well_saturation"], made["well_saturation"])
        for name, near in (("saturation", 2.5e-4), ("pressure", 300.0)):
            a, b = (s.find(f"enkf/survey_{k}/posterior").ensemble[name] for s in (ours, theirs))
            np.testing.assert_allclose(a, b, atol=near)
    assert ours.find("truth/survey_1") is None
    assert len(ours.find("observed/survey_2").attributes["sha256"]) == 2
    page = (out / "index.html").read_text()
    assert "truth not known" in page
    assert "line_2.sgy" in page
    assert fingerprint(files[1][0]) in page

    # Data once taken in cannot be exchanged.
    other = cli("assimilate", out, "--survey", 2, "--data", files[0][0], "--data", wells[1])
    assert other.exit_code == 1
    assert "survey 2 has its data already" in other.output


@pytest.mark.slow
def test_that_a_run_until_a_survey_goes_on_later_to_the_same_arrays(finished_tiny, tmp_path):
    # Without waves: truth and open loop depend on the metered mass alone.
    study = IN_SILICO.changed(methods=["open_loop"], surveys={"modalities": ["injector"]})
    summary = run_study(study, tmp_path / "run", workers=2, until_survey=1)
    store = Store(tmp_path / "run", readonly=True)
    assert summary["surveys"] == 1
    assert store.find("truth/survey_2") is None
    assert len(summary["scores"]["open_loop"]) == 1
    assert run_study(study, tmp_path / "run", workers=2)["surveys"] == 2
    for name in ("truth/survey_2", "open_loop/survey_2/posterior"):
        ours, theirs = (Store(f, readonly=True).find(name).ensemble for f in (tmp_path / "run", finished_tiny[0]))
        for key in ours.names:
            np.testing.assert_array_equal(ours[key], theirs[key])
    with pytest.raises(InputError, match=r"until_survey = 3: the study has surveys 1 to 2"):
        run_study(study, tmp_path / "run", until_survey=3)


def test_that_data_files_are_planned_by_survey_and_relative_to_the_study(tmp_path):
    (tmp_path / "study.toml").write_text('[surveys]\ndays = [1.0, 2.0]\ndata = [["a.sgy", "/b.nc"], []]')
    study = load_study(tmp_path / "study.toml")
    assert study.surveys.data == ((str(tmp_path.resolve() / "a.sgy"), "/b.nc"), ())
    assert {k: [p.name for p in files] for k, files in planned_files(study, {2: ["c"]}).items()} == {
        1: ["a.sgy", "b.nc"],
        2: ["c"],
    }
    with pytest.raises(InputError, match="surveys 1 to 2"):
        planned_files(study, {3: ["c"]})
    with pytest.raises(InputError, match="one list of files for each of the 2 surveys"):
        study.changed(surveys={"data": [["a.sgy"]]})


def test_that_assimilate_needs_a_run(tmp_path):
    result = cli("assimilate", tmp_path, "--survey", 1, "--data", tmp_path / "x.sgy")
    assert result.exit_code == 1
    assert "holds no run" in result.output
