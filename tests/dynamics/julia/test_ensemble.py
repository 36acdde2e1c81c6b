"""Ensembles over threads and processes: the same bits, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.julia.members import Suspicion
from seisflow.errors import InputError, JuliaError
from tests.dynamics.julia.ensembles import assert_same, ensemble, with_slow_member
from tests.dynamics.julia.processes import cpu_seconds, gone, workers_of

MEMBERS = 6


@pytest.fixture(scope="module")
def reference(engine: JuliaEngine) -> dict[str, Any]:
    """What one worker with one thread gives."""
    return engine.call("run_case", ensemble(MEMBERS), None, MEMBERS)


@pytest.fixture(scope="module")
def threads() -> Iterator[JuliaEngine]:
    """One worker of two threads."""
    with JuliaEngine(threads=2) as started:
        yield started


@pytest.fixture(scope="module")
def limited() -> Iterator[JuliaEngine]:
    """One worker whose members may take a second; it has compiled all that they need."""
    with JuliaEngine(threads=1) as started:
        started.call("run_case", ensemble(1), None, 1)
        started.member_limit = 1.0
        yield started


# --- the same results -----------------------------------------------------------------------------------------------


def test_that_an_ensemble_gives_what_single_calls_give(engine: JuliaEngine, reference: dict[str, Any]) -> None:
    inputs = ensemble(MEMBERS)
    alone = engine.call("run_case", inputs)
    assert alone.pop("stack") == "\f" * (MEMBERS - 1)
    assert_same(reference, alone)
    assert reference["saturation"].shape == (MEMBERS, 24, 16)
    assert reference["report_pressure"].shape == (MEMBERS, 2, 24, 16)
    assert len(np.unique(reference["pressure"], axis=0)) == MEMBERS


def test_that_threads_change_no_bit_and_progress_counts_every_member(
    threads: JuliaEngine, reference: dict[str, Any]
) -> None:
    told: list[tuple[int, int]] = []
    outputs = threads.call("run_case", ensemble(MEMBERS), lambda done, total: told.append((done, total)), MEMBERS)
    assert_same(outputs, reference)
    assert threads.julia_threads == 2
    assert {done for done, _ in told} == set(range(MEMBERS + 1))
    assert {total for _, total in told} == {MEMBERS}
    assert told == sorted(told)


def test_that_an_engine_sent_to_another_process_starts_a_worker_there_and_changes_no_bit(
    engine: JuliaEngine, reference: dict[str, Any]
) -> None:
    inputs = ensemble(MEMBERS)
    ours = engine.start().pid
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        outputs, theirs, workers = pool.submit(call_there, engine, inputs, MEMBERS).result()
    assert_same(outputs, reference)
    assert workers == [theirs]
    assert theirs != ours == engine.pid
    assert gone(theirs)


def call_there(engine: JuliaEngine, inputs: dict[str, Any], members: int) -> tuple[dict[str, Any], int, list[int]]:
    """Outputs, the engine's worker in this process, and all Julia workers of this process."""
    outputs = engine.call("run_case", inputs, None, members)
    return outputs, engine.pid or 0, workers_of(os.getpid())


def test_that_a_progress_callback_may_close_its_engine_but_not_call_it(reference: dict[str, Any]) -> None:
    with JuliaEngine(threads=1) as engine:
        with pytest.raises(JuliaError, match="middle of a call"):
            engine.call("run_case", ensemble(MEMBERS), lambda *_: engine.start() and None, MEMBERS)
        worker = engine.start().pid or 0
        with pytest.raises(JuliaError, match="ended"):
            engine.call("run_case", ensemble(MEMBERS), lambda *_: engine.close(), MEMBERS)
        assert gone(worker)
        assert_same(engine.call("run_case", ensemble(MEMBERS), None, MEMBERS), reference)


def test_that_two_engines_at_once_do_not_disturb_each_other(
    engine: JuliaEngine, threads: JuliaEngine, reference: dict[str, Any]
) -> None:
    results: dict[str, dict[str, Any]] = {}
    other = ensemble(4, days=1000.0)

    def run(name: str, with_engine: JuliaEngine, inputs: dict[str, Any]) -> None:
        results[name] = with_engine.call("run_case", inputs, None, len(inputs["pressure"]))

    callers = [
        threading.Thread(target=run, args=arguments)
        for arguments in (("a", engine, ensemble(MEMBERS)), ("b", threads, other), ("c", engine, other))
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert_same(results["a"], reference)
    assert_same(results["b"], results["c"])


RESULT = """
    import sys
    import numpy as np
    from seisflow.dynamics.julia.engine import JuliaEngine
    from tests.dynamics.julia.ensembles import ensemble

    with JuliaEngine(threads=1) as engine:
        engine.start()
        print("ready", flush=True)
        sys.stdin.readline()
        outputs = engine.call("run_case", ensemble(6, days=float(sys.argv[2])), None, 6)
    np.savez(sys.argv[1], **{name: value for name, value in outputs.items() if isinstance(value, np.ndarray)})
"""


def test_that_two_runs_at_once_do_not_disturb_each_other(engine: JuliaEngine, tmp_path: Path) -> None:
    """Two processes, each with its own worker, begin at the same moment; one has other data of the same sizes."""
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(RESULT))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    days = (400.0, 1000.0)
    runs = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path / f"{length:g}.npz"), str(length)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for length in days
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
    assert len({worker for run in runs for worker in workers_of(run.pid)}) == 2
    for run in runs:
        run.communicate("go\n", timeout=300)
    assert [run.returncode for run in runs] == [0, 0]
    for length in days:
        alone = engine.call("run_case", ensemble(MEMBERS, days=length), None, MEMBERS)
        with np.load(tmp_path / f"{length:g}.npz") as together:
            assert {name for name, value in alone.items() if isinstance(value, np.ndarray)} == set(together)
            for name in set(together) - {"seconds"}:
                np.testing.assert_array_equal(together[name], alone[name], err_msg=name)


def test_that_a_wrong_number_of_members_is_refused_by_name(engine: JuliaEngine) -> None:
    with pytest.raises(InputError, match=r"inputs\['permeability'\].*5 members"):
        engine.call("run_case", ensemble(MEMBERS), None, 5)
    with pytest.raises(InputError, match="row per member"):
        engine.call("run_case", {"top": 0.0}, None, 5)


# --- faults of members ----------------------------------------------------------------------------------------------


def test_that_a_member_that_throws_is_recorded_and_its_error_has_member_step_and_stack(
    engine: JuliaEngine, reference: dict[str, Any]
) -> None:
    inputs = ensemble(MEMBERS)
    inputs["permeability"][4, 3, 3] = -1.0
    outputs = engine.call("run_case", inputs, None, MEMBERS)
    assert outputs["status"].tolist() == [0, 0, 0, 0, 1, 0]
    assert np.isnan(outputs["saturation"][4]).all()
    assert_same(outputs, reference, [0, 1, 2, 3, 5])
    (error,) = engine.errors.values()
    assert (error.member, error.step) == (4, 1)
    assert "permeability" in error.message
    assert "rock.jl" in error.stack
    assert "stack" not in outputs


def test_that_a_throw_outside_members_is_raised_and_the_worker_lives_on(engine: JuliaEngine) -> None:
    worker = engine.pid
    with pytest.raises(JuliaError, match="porosity") as caught:
        engine.call("run_case", ensemble(2) | {"porosity": -1.0}, None, 2)
    assert caught.value.member is None
    assert "case.jl" in caught.value.stack
    assert engine.call("run_case", ensemble(1, 10.0), None, 1)["status"].tolist() == [0]
    assert engine.pid == worker


def test_that_a_member_out_of_time_fails_alone_with_that_reason(limited: JuliaEngine, engine: JuliaEngine) -> None:
    inputs = with_slow_member(4, slow=1)
    outputs = limited.call("run_case", inputs, None, 4)
    assert outputs["status"].tolist() == [0, 1, 0, 0]
    assert "longer than the limit of 1.0 s" in outputs["reason"].split("\n")[1]
    assert 0 < outputs["final_time"][1] < inputs["stop"]
    rows = ("permeability", "saturation", "pressure", "porosity")
    tight = {**inputs, **{key: inputs[key][[0, 2, 3]] for key in rows}}
    free = engine.call("run_case", tight, None, 3)
    np.testing.assert_array_equal(outputs["pressure"][[0, 2, 3]], free["pressure"])


def test_that_a_member_that_hangs_is_ended_with_its_worker_and_the_rest_is_run_again(
    limited: JuliaEngine, reference: dict[str, Any]
) -> None:
    """A stopped process does nothing, not even look at the time."""
    stopped: list[int] = []

    def stop_once(done: int, total: int) -> None:
        if not stopped:
            stopped.append(limited.pid or 0)
            os.kill(stopped[0], signal.SIGSTOP)

    outputs = limited.call("run_case", ensemble(MEMBERS), stop_once, MEMBERS)
    assert gone(stopped[0])
    (hung,) = np.flatnonzero(outputs["status"]).tolist()
    assert "did not stop by itself" in outputs["reason"].split("\n")[hung]
    assert np.isnan(outputs["report_pressure"][hung]).all()
    assert limited.errors[hung].member == hung
    assert_same(outputs, reference, [m for m in range(MEMBERS) if m != hung])


# --- deaths ---------------------------------------------------------------------------------------------------------


def test_that_members_of_a_worker_killed_in_mid_ensemble_are_run_again(
    threads: JuliaEngine, reference: dict[str, Any]
) -> None:
    killed: list[int] = []

    def kill_once(done: int, total: int) -> None:
        if not killed and done == 2:
            killed.append(threads.pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    outputs = threads.call("run_case", ensemble(MEMBERS), kill_once, MEMBERS)
    assert gone(killed[0])
    assert threads.pid not in killed
    assert_same(outputs, reference)
    assert not threads.errors


def test_that_a_member_is_given_up_when_nobody_else_can_be_at_fault() -> None:
    suspicion = Suspicion()
    suspicion.blame_for_death([0, 1])
    assert not suspicion.suspects
    suspicion.blame_for_death([1, 2])  # 1 was there twice
    assert (suspicion.suspects, suspicion.given_up) == ({1}, set())
    suspicion.blame_for_death([1])  # alone
    assert suspicion.given_up == {1}
    suspicion.blame([3], certain=False)  # it hung, as others may have made it
    assert suspicion.suspects - suspicion.given_up == {3}
    suspicion.blame_for_death([3])
    suspicion.blame([4], certain=True)  # it hung, and nothing else was under way
    assert suspicion.given_up == {1, 3, 4}


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


@pytest.mark.slow
def test_that_a_member_at_which_workers_die_again_and_again_is_recorded_as_failed() -> None:
    deaths: list[int] = []

    def kill_busy(done: int, total: int) -> None:
        # this much time it has spent only when it is at the slow member, which would take hours
        pid = engine.pid
        if pid not in (None, *deaths) and len(deaths) < 3 and cpu_seconds(pid) > 10.0:
            os.kill(pid, signal.SIGKILL)
            deaths.append(pid)

    with JuliaEngine(threads=1) as engine:
        outputs = engine.call("run_case", with_slow_member(2, slow=1), kill_busy, 2)
    assert len(deaths) == 3
    assert outputs["status"].tolist() == [0, 1]
    assert "ended 3 times" in outputs["reason"].split("\n")[1]
    assert "SIGKILL" in outputs["reason"].split("\n")[1]


RUN = """
    from seisflow.dynamics.julia.engine import JuliaEngine
    from tests.dynamics.julia.ensembles import with_slow_member

    inputs = with_slow_member(2, 0)
    for key in ("permeability", "porosity"):
        inputs[key][1] = inputs[key][0]
    JuliaEngine(threads=2).call("run_case", inputs, None, 2)
"""


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_that_the_worker_ends_when_a_run_is_stopped(how: str, tmp_path: Path) -> None:
    """Ctrl-C in a terminal goes to the whole foreground group; SIGKILL to the process alone."""
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(RUN))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, str(script)], stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    ) as run:
        try:
            wait_until(lambda: len(workers_of(run.pid)) == 1)
            (worker,) = workers_of(run.pid)
            wait_until(lambda: cpu_seconds(worker) > 2.0)  # it is at it
            if how == "interrupted":
                os.killpg(run.pid, signal.SIGINT)
                assert run.wait(60) != 0
            else:
                run.kill()
            assert gone(worker)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
