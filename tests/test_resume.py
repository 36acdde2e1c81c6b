"""Runs that are killed at random moments of every stage and go on: the end is that of an undisturbed run, bit for bit."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from seisflow.errors import InputError
from seisflow.runner import run_study
from seisflow.runs.folder import locked, open_store
from seisflow.storage.store import Store
from seisflow.study import Study
from tests.test_run import arrays
from tests.tiny import TINY

# Wells and meters, one method without a network: a whole run is some seconds, most of them the start of Julia.
WEE = {
    "name": "wee",
    "seed": 5,
    "methods": ["enkf"],
    "grid": {"shape": [14, 12], "spacing_m": [220.0, 127.0]},
    "solver": {"max_step_days": 100.0},
    "surveys": {"days": [300.0, 600.0], "modalities": ["wells", "injector"]},
    "ensemble": {"members": 6},
}
END = "the end"
ENGINE_SECONDS = 2.0
END_SECONDS = 0.5
"""Scores, figures and the page take about a second on a fast machine; a kill must come before."""


def in_order(study: Study) -> list[str]:
    """Stages in the order in which a run computes them; figures and the page come last."""
    K = len(study.surveys.days)
    names = [f"{what}/survey_{k}" for k in range(1, K + 1) for what in ("truth", "observed")]
    for method in study.methods:
        for k in range(1, K + 1):
            chain = "first" if k == 1 else method
            names += [f"{chain}/survey_{k}/forecast"]
            names += [f"{chain}/survey_{k}/predicted"] * (method != "open_loop")
            names += [f"{method}/survey_{k}/posterior"]
    return [*dict.fromkeys(names), END]


@dataclass
class Command:
    """``seisflow run`` on a folder, as a user gives it."""

    study: Path
    folder: Path

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "seisflow.cli", "run", str(self.study), "--out", str(self.folder), "-q"]
        log = (self.folder.parent / "log").open("ab")
        return subprocess.Popen([*command, "--workers", "2"], stdout=log, stderr=log, start_new_session=True)

    def log(self) -> str:
        return (self.folder.parent / "log").read_text()


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_within(command: Command, stages: list[str], stage: str, delay: float, group: bool) -> str:
    """Start the run and kill it ``delay`` seconds after it has begun with a stage, or when that is done; says where it was.

    The whole process group, or only the process itself; in either case every worker that it had must end.
    """
    process = command.start()
    place = stages.index(stage)
    root, lock = command.folder / "stages.zarr", command.folder / "run.lock"

    def at_work() -> bool:
        resumed = lock.exists() and f"process {process.pid} " in lock.read_text()
        return resumed and (place == 0 or (root / stages[place - 1] / "zarr.json").exists())

    while not at_work() and process.poll() is None:
        time.sleep(0.002)
    end = time.monotonic() + delay
    while time.monotonic() < end and not (root / stage / "zarr.json").exists():  # not far beyond the stage in any case
        if process.poll() is not None:
            assert process.returncode == 0, command.log()
            return "finished"
        time.sleep(0.002)
    workers = descendants(process.pid)
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not [w for w in alive if w.status() != psutil.STATUS_ZOMBIE], [w.cmdline() for w in alive]
    return next((name for name in stages if not (root / name / "zarr.json").exists()), END)


def kill_and_compare(study: Study, reference: Path, tmp_path: Path, kills: list[tuple[str, float, bool]]) -> list[str]:
    """Kill a run in the stages asked for (share of the stage's time, group or process), finish it, and compare."""
    (tmp_path / "study.toml").write_text(study.to_toml())
    command = Command(tmp_path / "study.toml", tmp_path / "run")
    stages, known = in_order(study), Store(reference, readonly=True)
    told = []
    for stage, share, group in kills:
        # A run that goes on starts its engines again, which the undisturbed one did in an earlier stage.
        seconds = (
            END_SECONDS if stage == END else known.find(stage).seconds + ("posterior" not in stage) * ENGINE_SECONDS
        )
        told.append(kill_within(command, stages, stage, share * max(seconds, 0.3), group))
    process = command.start()
    assert process.wait(timeout=600) == 0, command.log()
    expected, found = arrays(reference), arrays(command.folder)
    assert set(expected) == set(found)
    for name, array in expected.items():
        np.testing.assert_array_equal(array, found[name], err_msg=name)
    for weights in (reference / "weights").rglob("*.safetensors"):
        assert weights.read_bytes() == (command.folder / weights.relative_to(reference)).read_bytes()
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (reference, command.folder)]
    assert summaries[0]["scores"] == summaries[1]["scores"]
    assert summaries[0]["replaced_members"] == summaries[1]["replaced_members"]
    assert (command.folder / "index.html").exists()
    assert not (command.folder / "drafts").exists()
    return told


@pytest.fixture(scope="module")
def finished_wee(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "wee"
    run_study(Study.from_dict(WEE), folder, workers=2)
    return folder


def test_that_a_run_killed_in_three_stages_ends_as_if_nothing_had_happened(finished_wee, tmp_path, rng):
    kills = [("first/survey_1/forecast", 0.8, True), ("enkf/survey_2/posterior", 0.5, False), (END, rng.random(), True)]
    told = kill_and_compare(Study.from_dict(WEE), finished_wee, tmp_path, kills)
    assert "finished" not in told


@pytest.mark.slow
def test_that_a_run_killed_at_twenty_random_moments_ends_as_if_nothing_had_happened(finished_tiny, tmp_path, rng):
    study = Study.from_dict(TINY)
    stages = in_order(study)
    again = rng.choice(stages[:-1], 20 - len(stages), replace=False)  # so many stages are hit twice
    kills = [
        (name, 0.9 * rng.random(), bool(i % 2)) for i, name in enumerate(sorted([*stages, *again], key=stages.index))
    ]
    told = kill_and_compare(study, finished_tiny[0], tmp_path, kills)
    print(
        *(f"aimed at {aim}, share {share:.2f}: hit {hit}" for (aim, share, _), hit in zip(kills, told, strict=True)),
        sep="\n",
    )
    assert len(told) == 20
    assert "finished" not in told
    kinds = {hit.split("/")[0 if hit.startswith(("truth", "observed")) else -1] for hit in told}
    assert {"truth", "observed", "forecast", "predicted", "posterior", END} <= kinds


def test_that_a_second_run_in_the_same_folder_is_refused_by_the_number_of_the_first(finished_wee, tmp_path):
    holder = """
import sys, time
from pathlib import Path
from seisflow.runs.folder import locked, open_store
with locked(Path(sys.argv[1])):
    print("here", flush=True)
    time.sleep(60)
"""
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", holder, str(folder)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "here\n"
        with pytest.raises(InputError, match=rf"process {first.pid} on \S+ works at this run"):
            run_study(Study.from_dict(WEE), folder)
        assert [path.name for path in folder.iterdir()] == ["run.lock"]  # nothing was touched
        first.kill()
    with locked(folder):  # the kernel has let go of it, though nobody removed the file
        descriptor = os.open(folder / "run.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


def test_that_a_lock_that_is_a_link_empties_no_file(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("not to be emptied")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.lock").symlink_to(precious)
    with pytest.raises(InputError, match=r"run\.lock is a link"), locked(folder):
        pass
    assert precious.read_text() == "not to be emptied"


def test_that_a_damaged_stage_stops_the_run_and_is_computed_again_with_repair(finished_wee, tmp_path):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(finished_wee, folder)
    chunk = folder / "stages.zarr" / "enkf" / "survey_1" / "posterior" / "pressure" / "c.0.0.0"
    os.truncate(chunk, 1000)
    with pytest.raises(Exception, match=r"stage 'enkf/survey_1/posterior' is damaged"):
        run_study(Study.from_dict(WEE), folder, workers=1)
    run_study(Study.from_dict(WEE), folder, workers=1, repair=True)
    for name, array in arrays(finished_wee).items():
        np.testing.assert_array_equal(array, arrays(folder)[name], err_msg=name)


def test_that_every_key_that_differs_is_told_when_another_study_is_in_the_folder(finished_wee):
    other = Study.from_dict(WEE).changed(seed=7, ensemble={"members": 8}, injection={"rate_m3_per_s": 0.01})
    with pytest.raises(InputError) as caught:
        run_study(other, finished_wee)
    said = str(caught.value)
    assert all(
        part in said for part in ("seed was 5, now 7", "ensemble.members was 6, now 8", "injection.rate_m3_per_s")
    )


def test_that_a_section_whose_numbers_changed_is_refused_and_one_that_moved_is_not(tmp_path):
    velocity = np.full((600, 400), 2500.0)
    velocity[:, 200:] = 4000.0
    study = Study.from_dict(WEE)

    def using(name: str, **arrays: np.ndarray) -> Study:
        np.savez(tmp_path / name, spacing=[6.0, 6.0], **arrays)
        return study.changed(geology={"section": str(tmp_path / name)})

    begun = using("a.npz", velocity=velocity, density=np.full_like(velocity, 2.2))
    open_store(begun, tmp_path / "run", {})
    open_store(using("b.npz", velocity=velocity, density=np.full_like(velocity, 2.2)), tmp_path / "run", {})
    with pytest.raises(InputError, match=r"geology\.section.*its numbers are not those that the run"):
        open_store(using("a.npz", velocity=velocity + 1, density=np.full_like(velocity, 2.2)), tmp_path / "run", {})


def test_that_a_run_killed_while_it_wrote_its_first_file_goes_on(tmp_path):
    (tmp_path / "run" / "stages.zarr").mkdir(parents=True)
    (tmp_path / "run" / ".study.toml.123.half").write_text("seed =")
    with locked(tmp_path / "run"):
        open_store(Study.from_dict(WEE), tmp_path / "run", {})
