"""Calls that go wrong on a real Julia: exceptions, deaths of either side, interrupts, forks."""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine, julia_project
from seisflow.dynamics.julia.wire import Exchange
from seisflow.errors import InputError, JuliaError, JuliaNotFoundError
from tests.dynamics.julia.processes import cpu_seconds, gone


@pytest.fixture(scope="module")
def engine() -> Iterator[JuliaEngine]:
    with JuliaEngine(threads=2) as started:
        yield started


def after(seconds: float, action: object) -> threading.Timer:
    timer = threading.Timer(seconds, action)  # type: ignore[arg-type]
    timer.start()
    return timer


def test_that_an_exception_arrives_with_message_and_stack_and_the_worker_lives_on(engine: JuliaEngine) -> None:
    engine.start()
    worker = engine.pid
    with pytest.raises(JuliaError) as caught:
        engine.call("server.fail", {"message": "no water in cell 7"})
    assert caught.value.message == "no water in cell 7"
    assert "thrower" in caught.value.stack  # the frame that threw
    assert "server.jl" in caught.value.stack
    assert (caught.value.member, caught.value.step) == (None, None)
    assert caught.value.message in str(caught.value)
    assert caught.value.stack in str(caught.value)
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}
    assert engine.pid == worker


@pytest.mark.parametrize(
    "error",
    [
        JuliaError("boom", "[1] main", 3, 7),
        InputError("rate", -1.0, "give a positive rate"),
        JuliaNotFoundError("none"),
    ],
)
def test_that_errors_survive_the_way_from_another_process(error: Exception) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_that_an_error_of_a_member_says_which_and_in_which_step() -> None:
    assert str(JuliaError("boom", "[1] main", 3, 7)) == "member 3, step 7: boom\n[1] main"
    assert str(JuliaError("boom", member=0)) == "member 0: boom"


def test_that_the_package_loads_and_a_function_that_it_lacks_is_named(engine: JuliaEngine) -> None:
    before = sorted(julia_project().rglob("*"))
    with pytest.raises(JuliaError, match="no_such_function"):
        engine.call("no_such_function", {})
    assert sorted(julia_project().rglob("*")) == before  # the sources may lie in a read-only folder


def test_that_what_julia_prints_disturbs_nothing_and_threads_are_as_asked_for(engine: JuliaEngine) -> None:
    assert engine.call("server.rest", {"seconds": 0.0}) == {"threads": 2, "pid": engine.pid}
    assert engine.julia_threads == 2


def test_that_an_idle_worker_uses_no_processor(engine: JuliaEngine) -> None:
    engine.call("server.echo", {"a": np.zeros(1 << 20)})
    time.sleep(0.5)  # idle threads look for work for a moment
    before = cpu_seconds(engine.pid or 0)
    time.sleep(1.0)
    assert cpu_seconds(engine.pid or 0) - before <= 0.02  # the clock has ticks of 0.01 s


def test_that_a_worker_killed_in_mid_call_is_replaced_and_the_call_repeated(engine: JuliaEngine) -> None:
    engine.start()
    first = engine.pid or 0
    after(0.3, lambda: os.kill(first, signal.SIGKILL))
    result = engine.call("server.rest", {"seconds": 1.5, "unused": np.arange(1000.0)})
    assert result["pid"] == engine.pid != first


def test_that_a_worker_killed_twice_gives_an_error_that_names_the_signal(engine: JuliaEngine) -> None:
    killed: set[int] = set()
    over = threading.Event()

    def kill_all() -> None:
        while not over.wait(0.1):
            if engine.pid not in killed | {None}:
                os.kill(engine.pid or 0, signal.SIGKILL)
                killed.add(engine.pid or 0)

    thread = threading.Thread(target=kill_all)
    engine.start()
    thread.start()
    with pytest.raises(JuliaError, match=r"SIGKILL"):
        engine.call("server.rest", {"seconds": 600.0})
    over.set()
    thread.join()
    assert len(killed) == 2
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}


def test_that_an_interrupt_ends_the_worker_and_the_engine_can_go_on(engine: JuliaEngine) -> None:
    engine.start()
    first = engine.pid or 0
    after(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        engine.call("server.rest", {"seconds": 600.0})
    assert gone(first)
    assert engine.call("server.echo", {"n": 2}) == {"n": 2}


@pytest.mark.parametrize("busy", [False, True])
def test_that_the_worker_ends_when_its_parent_is_killed(busy: bool) -> None:
    script = f"""
        from seisflow.dynamics.julia.engine import JuliaEngine
        engine = JuliaEngine(threads=1).start()
        print(engine.pid, flush=True)
        if {busy}:
            engine.call("server.rest", {{"seconds": 600.0}})
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        time.sleep(0.3)  # so that the call is under way
        assert not gone(worker, seconds=0.1)
        parent.kill()
        assert gone(worker)


def test_that_the_worker_outlives_the_thread_that_asked_for_it(engine: JuliaEngine) -> None:
    engine.close()
    thread = threading.Thread(target=engine.start)
    thread.start()
    thread.join()
    time.sleep(0.2)
    worker = engine.pid
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}
    assert engine.pid == worker


def test_that_a_forked_child_starts_its_own_worker_and_leaves_ours_alone() -> None:
    script = """
        import os
        from seisflow.dynamics.julia.engine import JuliaEngine
        engine = JuliaEngine(threads=1).start()
        ours = engine.pid
        child = os.fork()
        if child == 0:
            theirs = engine.call("server.rest", {"seconds": 0.0})["pid"]
            engine.close()
            os._exit(0 if theirs != ours else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert engine.call("server.rest", {"seconds": 0.0})["pid"] == ours
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=120)


def test_that_a_pickled_engine_carries_its_settings_and_no_worker(engine: JuliaEngine) -> None:
    engine.start()
    copy = pickle.loads(pickle.dumps(JuliaEngine(2, None, 99.0, launcher="julia", member_limit=7.0)))
    assert (copy.threads, copy.start_limit, copy.launcher, copy.member_limit) == (2, 99.0, "julia", 7.0)
    assert pickle.loads(pickle.dumps(engine)).pid is None


@pytest.mark.parametrize(("name", "value"), [("threads", 0), ("member_limit", 0.0), ("member_limit", float("nan"))])
def test_that_a_number_that_cannot_be_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} = {value}"):
        JuliaEngine(**{name: value})  # type: ignore[arg-type]


def test_that_torch_is_never_in_the_worker_or_brought_by_the_engine() -> None:
    code = "import sys, seisflow.dynamics.julia.engine; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_that_folders_of_dead_owners_are_removed_and_those_of_living_ones_kept(tmp_path: Path) -> None:
    for name in ("dead", "living"):
        (tmp_path / f"seisflow-julia-{name}").mkdir()
        (tmp_path / f"seisflow-julia-{name}" / "owner").touch()
    with (tmp_path / "seisflow-julia-living" / "owner").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Exchange._sweep(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["seisflow-julia-living"]


def test_that_a_package_that_does_not_load_is_an_error_with_julias_reason(tmp_path: Path) -> None:
    """A copy of seisflow whose Julia package is broken."""
    script = f"""
        import shutil
        from pathlib import Path
        from seisflow.dynamics.julia import launch
        from seisflow.dynamics.julia.engine import JuliaEngine, julia_project
        from seisflow.errors import JuliaError
        broken = Path({str(tmp_path)!r}) / "julia"
        shutil.copytree(julia_project(), broken)
        (broken / "src" / "grid.jl").write_text("struct Grid")
        launch.julia_project = lambda: broken
        try:
            JuliaEngine(threads=1).call("run_case", {{}})
        except JuliaError as problem:
            print(problem)
    """
    code = textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "grid.jl" in done.stdout
    assert "TwoPhaseFlow" in done.stdout
