"""Members computed on a real dask cluster that loses workers and schedulers: the same arrays bit for bit."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from seisflow.assimilation.members import forecast
from seisflow.errors import InputError, SimulationError
from seisflow.runner import run_study
from seisflow.storage.partial import PartialStageInMemory
from seisflow.storage.recorder import MemoryRecorder, Stage
from seisflow.storage.store import Store
from seisflow.study import Study
from tests.assimilation.experiment import MEMBERS, same, whole
from tests.test_run import arrays
from tests.tiny import TINY
from tests.toy import toy


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    return whole(toy(MEMBERS), MemoryRecorder())


@pytest.fixture(scope="module")
def cluster():
    """Two real worker processes of dask.distributed; one death of a worker is one too many for a task."""
    distributed = pytest.importorskip("distributed")
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.worker.memory.terminate": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as local,
    ):
        yield local


def pids(cluster) -> dict[str, int]:
    with cluster.get_client() as client:
        return client.run(os.getpid)


def kill_when(cluster, condition, killed: list[int], which: int = 0) -> None:
    """Kill one worker, by SIGKILL, as soon as a condition holds; its number is noted."""
    worker = list(pids(cluster).values())[which]

    def wait_and_kill() -> None:
        while not condition():
            time.sleep(0.01)
        os.kill(worker, signal.SIGKILL)
        killed.append(worker)

    threading.Thread(target=wait_and_kill, daemon=True).start()


def test_that_a_cluster_with_a_worker_killed_in_mid_stage_gives_the_same_arrays(expected, cluster, tmp_path):
    from seisflow.assimilation.cluster import cluster as connect

    diary, killed = tmp_path / "diary", []
    scenario = toy(MEMBERS, seconds=0.1, diary=diary)

    first = next(iter(pids(cluster).values()))
    kill_when(cluster, lambda: diary.exists() and diary.read_text().count(f"{first} ") >= 2, killed)
    with connect(cluster.scheduler_address) as workers:
        same(expected, whole(scenario, Store(tmp_path / "run"), workers))
        assert workers.by_reference
    assert killed == [first]
    begun = [line.split()[1] for line in diary.read_text().splitlines()]
    # The truth has one K at both surveys; of the killed worker's members at most those of one block were begun twice.
    assert len(begun) - len(set(begun)) <= 1 + 2


def test_that_a_member_that_ends_its_workers_is_given_up_and_replaced(cluster, tmp_path):
    from seisflow.assimilation.cluster import cluster as connect

    first = np.sort(toy(MEMBERS).draw(0, np.arange(MEMBERS))["permeability"][:, 0, 0])
    limit = (first[-1] + first[-2]) / 2
    scenario = toy(MEMBERS, dies_above=limit)
    with connect(cluster.scheduler_address) as workers:
        partial = Store(tmp_path / "run").begin("a", MEMBERS)
        said = forecast(scenario, Stage(scenario.dynamics.initial_state(1)), 0, partial, workers)
    (replaced,) = said["replaced_members"]
    assert "ended one after the other" in replaced["reason"]
    expected = PartialStageInMemory(MEMBERS)
    failing = toy(MEMBERS, fails_above=limit)  # the same member fails kindly
    forecast(failing, Stage(failing.dynamics.initial_state(1)), 0, expected)
    same(expected.fields(), partial.fields())


def test_that_a_scheduler_that_is_not_there_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("seisflow.assimilation.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="no dask scheduler answers there"):
        run_study(Study.from_dict(TINY), tmp_path / "run", scheduler="tcp://127.0.0.1:9")
    assert not (tmp_path / "run").exists()


def test_that_workers_of_another_version_are_refused(cluster, monkeypatch):
    from seisflow.assimilation import cluster as module

    monkeypatch.setattr(module, "version", lambda name: "0.0")
    with (
        pytest.raises(InputError, match=re.escape("seisflow 0.1.0 (here 0.0)")),
        module.cluster(cluster.scheduler_address),
    ):
        pass


@pytest.mark.slow
def test_that_a_lost_scheduler_ends_the_run_with_one_error_and_keeps_what_came_in(expected, tmp_path):
    pytest.importorskip("distributed")
    from seisflow.assimilation.cluster import cluster as connect

    file, quiet = tmp_path / "scheduler.json", {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *options], **quiet
    )
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", *options, "--nthreads", "1"], **quiet
    )
    try:
        while not file.exists():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]

        def end(what: str, done: int, total: int) -> None:
            if "forecast, survey 2" in what and done >= 4:
                scheduler.kill()

        scenario = toy(MEMBERS, seconds=0.2)
        with pytest.raises(SimulationError, match="the executor was lost"), connect(address) as workers:
            whole(scenario, Store(tmp_path / "run"), workers, progress=end)
        assert len(Store(tmp_path / "run").begin("enkf/survey_2/forecast", MEMBERS).done) >= 4
        same(expected, whole(scenario, Store(tmp_path / "run")))
    finally:
        scheduler.kill()
        worker.terminate()


# -- the real parts ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_that_a_study_on_a_cluster_that_loses_a_worker_twice_gives_the_same_run(finished_tiny, cluster, tmp_path):
    """Once while members flow, once while their waves are simulated."""
    run, killed = tmp_path / "run", []
    for which, stage in enumerate(("flow/survey_2/forecast", "first/survey_1/predicted")):
        kill_when(cluster, (run / "drafts" / f"{stage}.journal").exists, killed, which)
    run_study(Study.from_dict(TINY), run, scheduler=cluster.scheduler_address)
    same(arrays(finished_tiny[0]), arrays(run))
    assert len(killed) == 2
