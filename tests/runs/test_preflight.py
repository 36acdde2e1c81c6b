"""What a machine lacks for a run is said in one line each before any folder is made; nothing else is looked for."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import devito  # noqa: F401 (it chooses its compiler when imported: before a test takes PATH away)
import pytest
from typer.testing import CliRunner

from seisflow.cli import app
from seisflow.runner import run_study
from seisflow.runs import resources
from seisflow.runs.estimate import memory_held, sizes
from seisflow.runs.preflight import PreflightError, preflight
from seisflow.study import Study
from seisflow.study.build import build
from tests.tiny import TINY

STUDY = Study.from_dict(TINY)
WELLS = STUDY.changed(methods=["open_loop"], surveys={"days": [300.0], "modalities": ["wells"]})
HUGE = {
    "name": "huge",
    "grid": {"shape": [2048, 1024], "spacing_m": [1.5625, 1.5625]},
    "surveys": {"days": [240.0 * k for k in range(1, 10)]},
    "ensemble": {"members": 9500},
}
"""22 TB; about a year on two cores."""

Usage = namedtuple("Usage", "total used free")  # as shutil names them


def looked_at(study: Study, folder: Path, **options: bool) -> dict[str, str]:
    """Name → line of everything for which a run is refused."""
    with build(study, workers=2) as parts:
        try:
            preflight(study, parts, folder, workers=2, **options)
        except PreflightError as error:
            return {check.name: line for check, line in zip(error.checks, error.faults, strict=True)}
    return {}


def disk_with(free: int, below: Path, patch: pytest.MonkeyPatch) -> None:
    """A disk of its own for a folder, with so much space; elsewhere the true one."""
    true = shutil.disk_usage

    def usage(path: str | Path) -> object:
        return Usage(free, 0, free) if below in [Path(path), *Path(path).parents] else true(path)

    patch.setattr(shutil, "disk_usage", usage)


def test_that_this_machine_has_all_that_the_tiny_study_needs(tmp_path):
    assert looked_at(STUDY, tmp_path / "run") == {}


def test_that_a_missing_compiler_is_one_line_where_there_are_waves_and_nothing_elsewhere(tmp_path):
    file, out = tmp_path / "study.toml", tmp_path / "run"
    file.write_text(STUDY.to_toml())
    environment = {**os.environ, "CC": "no-such-compiler", "PATH": "/nowhere"}
    environment.pop("DEVITO_ARCH", None)
    command = [sys.executable, "-m", "seisflow.cli", "run", str(file), "--out", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "compiler" in line]
    assert lines == [
        "error: C compiler: no-such-compiler is not there; install a C compiler (on Debian and Ubuntu, the packages gcc "
        "and libc6-dev)"
    ]
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_that_wells_alone_need_no_compiler_and_a_run_on_other_machines_none_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "C compiler" in looked_at(STUDY, tmp_path / "run")
    assert "C compiler" not in looked_at(STUDY, tmp_path / "run", elsewhere=True)
    assert not {"C compiler", "Devito", "torch"} & set(looked_at(WELLS, tmp_path / "run"))


def test_that_a_missing_julia_is_told_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("SEISFLOW_JULIA", "/nowhere/julia")
    with pytest.raises(PreflightError, match=r"^Julia: .*/nowhere/julia.*; .*\S") as caught:
        run_study(WELLS, tmp_path / "run", display=False)
    assert len(caught.value.faults) == 1
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_that_a_missing_torch_is_told_where_networks_are_trained(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch is broken')\n")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from seisflow.study import Study\n"
        "from tests.runs.test_preflight import looked_at, STUDY\n"
        "for methods in (['enkf'], ['flow'], ['proposal']):\n"
        "    print(looked_at(STUDY.changed(methods=methods), Path(sys.argv[1])).get('torch'))\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    kalman, *networks = done.stdout.splitlines()
    assert kalman == "None"
    assert len(networks) == 2
    assert all(line.startswith("torch: cannot be imported (libtorch is broken); ") for line in networks)


def test_that_a_study_of_22_terabytes_is_refused_at_once_and_no_folder_is_made(tmp_path):
    if shutil.disk_usage(tmp_path).free > 20e12:
        pytest.skip("it would fit on this disk")
    (tmp_path / "huge.toml").write_text(Study.from_dict(HUGE).to_toml())
    begin = time.process_time()  # other tests may use the same cores
    result = CliRunner().invoke(app, ["run", str(tmp_path / "huge.toml"), "--out", str(tmp_path / "a" / "run")])
    assert time.process_time() - begin < 10
    assert result.exit_code == 1
    lines = {line.split(": ")[1]: line for line in result.output.strip().splitlines()}
    assert list(lines) == ["Disk", "Memory", "Time"]
    assert re.search(r"the run writes 2[12](\.\d)? TB more", lines["Disk"])
    assert "for the analysis flow" in lines["Memory"]
    assert "days with" in lines["Time"]
    assert "--force" in lines["Disk"]
    assert [path.name for path in tmp_path.iterdir()] == ["huge.toml"]


@pytest.fixture(scope="module")
def forced(tmp_path_factory):
    """Folder and output of a run that was forced onto a disk said to be full; its grid is flatter than a window of SSIM."""
    place = tmp_path_factory.mktemp("forced")
    study = WELLS.changed(grid={"shape": [20, 9], "spacing_m": [160.0, 170.0]})
    (place / "study.toml").write_text(study.to_toml())
    command = ["run", str(place / "study.toml"), "--out", str(place / "run")]
    with pytest.MonkeyPatch.context() as patch:
        disk_with(1000, place, patch)
        refused = CliRunner().invoke(app, command)
        assert refused.exit_code == 1
        assert not (place / "run").exists()
        done = CliRunner().invoke(app, [*command, "--force"])
    return place / "run", refused.output, done


def test_that_a_disk_that_is_too_small_is_told_and_force_goes_on(forced):
    folder, refused, done = forced
    assert refused.startswith("error: Disk: the run writes ")
    assert f"1 kB are free at {folder}" in refused
    assert done.exit_code == 0, done.output
    assert "Disk: the run writes " in done.output  # said, but not refused
    assert (folder / "index.html").is_file()


def test_that_a_grid_smaller_than_the_window_of_ssim_has_all_other_scores(forced):
    (scores,) = json.loads((forced[0] / "summary.json").read_text())["scores"]["open_loop"]
    assert scores["ssim"] is None
    assert scores["rmse"] > 0
    assert scores["crps"] > 0


def test_that_what_is_on_the_disk_already_is_not_asked_for_again(finished_tiny, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(finished_tiny[0], folder)
    lost = folder / "stages.zarr" / "enkf" / "survey_2" / "posterior"
    missing = sum(path.stat().st_size for path in lost.rglob("*") if path.is_file())
    shutil.rmtree(lost)
    disk_with(missing, tmp_path, monkeypatch)
    assert looked_at(STUDY, folder) == {}
    assert list(looked_at(STUDY, tmp_path / "new")) == ["Disk"]


def test_that_a_finished_run_is_not_looked_at_and_gives_its_report_on_any_machine(finished_tiny, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(finished_tiny[0], folder)
    (folder / "index.html").unlink()
    monkeypatch.setenv("SEISFLOW_JULIA", "/nowhere/julia")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(resources, "_machine_memory", lambda: 0.0)
    assert set(looked_at(STUDY, folder, repair=True)) >= {"Julia", "C compiler", "Memory"}
    summary = run_study(STUDY, folder, display=False)
    assert summary["scores"] == finished_tiny[1]["scores"]
    assert (folder / "index.html").is_file()


def test_that_a_run_to_an_earlier_survey_needs_the_disk_of_that_study():
    first = STUDY.changed(surveys={"days": [300.0]})
    with build(STUDY, workers=1) as parts:
        assert sizes(STUDY, parts, 1).disk == sizes(first, parts).disk < sizes(STUDY, parts).disk


def test_that_a_long_run_is_told_and_not_refused(tmp_path, caplog):
    long = WELLS.changed(solver={"max_step_days": 2e-5}, ensemble={"members": 200})
    assert looked_at(long, tmp_path / "run") == {}
    (record,) = caplog.records
    assert record.getMessage().startswith("Time: the run takes about ")
    assert " days with 2 workers" in record.getMessage()


def test_that_memory_counts_wavefields_of_every_process_and_the_largest_analysis():
    with build(STUDY, workers=1) as parts:
        found = sizes(STUDY, parts)
        one, two = (memory_held(STUDY, parts, found, workers) for workers in (1, 2))
        assert one["for wavefields in 1 processes"] == found.wave_memory
        assert two["for wavefields in 2 processes"] == 2 * found.wave_memory
        assert "for the analysis flow" in one
        assert "for the analysis flow" not in memory_held(STUDY.changed(methods=["enkf"]), parts, found, 1)


TRAINING = """
import numpy as np, torch
from pathlib import Path
from seisflow.analysis.base import Evidence
from seisflow.analysis.learned.flow import FlowAnalysis, FlowTable
from seisflow.analysis.learned import fitted
from seisflow.analysis.transform import Relative, StateTransform
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.learning.training.options import TrainingOptions

def peak():  # getrusage tells a child its parent's peak, where that is higher
    return 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

members, shape = 16, (64, 48)
draws = np.random.default_rng(0).standard_normal((members, *shape))
forecast, data = Ensemble({"saturation": draws, "pressure": draws[::-1].copy()}), Ensemble({"image": draws})
analysis = FlowAnalysis(
    lambda found: np.asarray(found["image"], np.float32)[:, None],
    StateTransform({"saturation": Relative(), "pressure": Relative()}),
    gaussian_training=TrainingOptions(epochs=1),
    glow_training=TrainingOptions(epochs=1),
)
before = peak()
evidence = Evidence(data, data.members([0]), DiagonalCovariance(np.ones(draws[0].size)))
analysis.update(forecast, evidence, np.random.default_rng(1))
print((peak() - before) / FlowTable().memory(members, 2 * draws[0].size, draws[0].size))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_that_the_memory_of_a_training_is_about_the_one_that_is_asked_for():
    done = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True, timeout=300)
    # What torch loads depends on its version, and allocators keep what they get: a factor of two either way.
    assert 0.5 < float(done.stdout) < 2


def groups(folder: Path, limit: str, used: int, cached: int, version: int) -> None:
    """Files of a control group."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    prefix = "" if version == 2 else "total_"
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{prefix}inactive_file {cached}\n{prefix}active_file 0\n")


@pytest.mark.parametrize(("version", "line"), [(2, "0::/job/step"), (1, "4:memory:/job/step")])
def test_that_the_limit_of_a_job_counts_with_what_its_cached_files_would_give_back(
    version, line, tmp_path, monkeypatch
):
    top = tmp_path / "memory" if version == 1 else tmp_path
    groups(top / "job" / "step", "max" if version == 2 else "9223372036854771712", 700, 0, version)
    groups(top / "job", "1000", 900, 300, version)
    (tmp_path / "own").write_text(f"9:cpu:/\n{line}\n")
    monkeypatch.setattr(resources, "CGROUPS", tmp_path)
    monkeypatch.setattr(resources, "OWN_GROUPS", tmp_path / "own")
    assert resources.available_memory() == 1000 - (900 - 300)
