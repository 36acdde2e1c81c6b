import fcntl
import json
import os
import signal

# Before NumPy and PyTorch are loaded: as many tests run at once as there are cores, and threads that wait for each other on
# small arrays took 25 times as long (200 steps of a small flow: 208 s instead of 8). Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Behind nohup or in the background of a script interrupts are ignored, and so they would be in every process that a
    # test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


DEAREST = (
    "tests/test_run.py",
    "tests/test_pages.py",
    "tests/dynamics/julia/test_ensemble.py",
    "tests/test_resume.py",
    "tests/test_own_method.py",
    "tests/observation/seismic/test_seismic_workers.py",
    "tests/study/test_build.py",
    "tests/runs/test_survey_data.py",
    "tests/examples/test_comparison.py",
    "tests/analysis/learned/test_flow.py",
    "tests/observation/waves/test_wave.py",
    "tests/observation/waves/test_migration.py",
    "tests/observation/waves/test_compiling.py",
    "tests/runs/test_preflight.py",
    "tests/study/test_analyses.py",
    "tests/dynamics/julia/test_package.py",
    "tests/learning/training/test_train.py",
    "tests/test_contracts.py",
    "tests/dynamics/julia/test_faults.py",
    "tests/analysis/kalman/test_enkf.py",
)
"""Files that take longest, in that order: they begin first, so that processes that test side by side end together."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(DEAREST)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))  # the others stay in their order


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


@pytest.fixture(scope="session")
def finished_tiny(tmp_path_factory, worker_id):
    """Folder and summary of one finished run of the tiny study; shared by all tests, so nobody writes into it.

    Processes that test side by side share it too: the first that asks makes it, the others wait.
    """
    from seisflow.runner import run_study
    from seisflow.study import Study
    from tests.tiny import TINY

    base = tmp_path_factory.getbasetemp()
    common = base if worker_id == "master" else base.parent
    folder, summary = common / "finished_tiny", common / "finished_tiny.json"
    with (common / "finished_tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not summary.exists():
            found = run_study(Study.from_dict(TINY), folder, workers=2)
            summary.write_text(json.dumps(found), encoding="utf-8")
    return folder, json.loads(summary.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def engine():
    """One Julia worker for all tests of the two-phase flow."""
    from seisflow.dynamics.julia.engine import JuliaEngine

    with JuliaEngine(threads=1) as running:
        yield running
