"""Members and shots over processes: the same bits, workers that die, parents that die."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from seisflow.observation import Repeatability, coloured_noise
from seisflow.observation.seismic.processes import Processes
from tests.observation.models import SURVEY, WAVES, build, plumes

TASKS = """
import os
import sys
import time

def has_torch():
    return "torch" in sys.modules

def die_once(marker, value):
    if not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(1)
    return value

def fail(words):
    raise ValueError(words)

def rest(marker, seconds):
    with open(marker, "a") as file:
        file.write(f"{os.getpid()}\\n")
    try:
        time.sleep(seconds)
    finally:
        open(marker + ".clean", "w").close()
"""
"""What workers are asked for beside simulations; a module of its own, since they never import a main module."""

PROGRAM = """
import os
import sys
import numpy as np
import tasks
from seisflow.errors import InputError, SimulationError
from seisflow.observation.seismic.processes import Processes
from tests.observation.models import build, plumes

print("once")
out = sys.argv[1]
with build(workers=2) as observation:
    images = observation.predict(plumes())["image"]
    single = observation.predict(plumes().members([1]))["image"]
    assert (single == images[1:2]).all()
    sections = observation.wave_images(plumes().members([1]))
    records = observation.records(plumes().members([1]))
    observed = observation.observe(plumes().members([1]), np.random.default_rng(5))["image"]
    draws = observation.noise.deviation
    assert len(observation._dispatch.processes.pids) == 2
    assert not any(observation._dispatch.processes.map(tasks.has_torch, [()] * 4))
processes = Processes(1)
assert list(processes.map(tasks.die_once, [(out + ".marker", 3), (out + ".marker", 4)])) == [3, 4]
try:
    list(processes.map(os._exit, [(1,)]))
except SimulationError as error:
    assert "3 times before member 0" in str(error) and "exit code 1" in str(error) and "fewer workers" in str(error)
else:
    raise AssertionError("a task that always kills its worker went unnoticed")
try:
    list(processes.map(tasks.fail, [("no shot",)]))
except ValueError as error:
    assert str(error) == "no shot" and "in fail" in error.__notes__[0]
else:
    raise AssertionError("an error of a task went unnoticed")
def mine():
    pass
try:
    list(processes.map(mine, [()]))
except InputError as error:
    assert "'mine'" in str(error) and "module that can be imported" in str(error)
else:
    raise AssertionError("a function of the main module was found")
(one,) = processes.pids
assert list(processes.map(os.getpid, [()] * 3)) == [one] * 3
np.savez(out, images=images, observed=observed, draws=draws, sections=sections, records=records)
"""

ORPHANS = """
import os
import sys
import tasks
from seisflow.observation.seismic.processes import Processes

processes = Processes(1)
print(next(processes.map(os.getpid, [()])), flush=True)
list(processes.map(tasks.rest, [(sys.argv[1], 60.0)]))
"""

SCRIPT = """
import sys
import numpy as np
from tests.observation.models import build, plumes

print("once")
observation = build(workers=2)
np.save(sys.argv[1], observation.records(plumes().members([1])))
"""
"""As somebody writes it who has never heard of main modules; the observation is not even closed."""


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


def script(folder, text):
    """A file of its own, beside the module ``tasks``."""
    (folder / "tasks.py").write_text(TASKS)
    (folder / "program.py").write_text(text)
    return str(folder / "program.py")


def test_that_members_do_not_depend_on_each_other_and_are_counted(seismic, predicted):
    calls = []
    turned = seismic.predict(plumes().members([2, 1]), lambda done, total: calls.append((done, total)))
    np.testing.assert_array_equal(turned["image"], predicted["image"][[2, 1]])
    assert calls == [(1, 2), (2, 2)]


def test_that_two_workers_give_the_same_bits_as_one_and_never_import_torch_and_are_replaced_when_they_die(
    seismic, predicted, tmp_path
):
    out = tmp_path / "out.npz"
    command = [sys.executable, script(tmp_path, PROGRAM), str(out)]
    done = subprocess.run(command, check=True, timeout=400, env=environment(), stdout=subprocess.PIPE, text=True)
    assert done.stdout == "once\n"  # it has no guard of its main module, and needs none
    with np.load(out) as two:
        np.testing.assert_array_equal(two["images"], predicted["image"])
        observed = seismic.observe(plumes().members([1]), np.random.default_rng(5))["image"]
        np.testing.assert_array_equal(two["observed"], observed)
        np.testing.assert_array_equal(two["draws"], seismic.noise.deviation)
        np.testing.assert_array_equal(two["sections"], seismic.wave_images(plumes().members([1])))
        np.testing.assert_array_equal(two["records"], seismic.records(plumes().members([1])))


@pytest.mark.parametrize(
    "options", [{}, {"encoded_shots": 3}, {"encoded_shots": 3, "codes": "random"}, {"shots": (3, 1)}]
)
def test_that_an_image_in_pieces_is_the_whole_one_bit_for_bit(options):
    errors = Repeatability(position=5.0, amplitude=0.02, delay=1e-3)
    with build(repeatability=errors, **options) as observation:
        (state,) = observation._settings.states(plumes().members([1]))
        noise = coloured_noise(SURVEY, 1.0, np.random.default_rng(0))
        vintage = errors.draw(SURVEY, WAVES, np.random.default_rng(1))
        for row in ((state, None, None), (None, noise, None), (state, noise, vintage)):
            (whole,) = observation._dispatch.map("image", *([one] for one in row))
            pieces = [[0], list(range(1, observation.encoding.n_experiments))]
            parts = [next(observation._dispatch.map("correlations", *([one] for one in (*row, p)))) for p in pieces]
            (image,) = observation._dispatch.map("stacked", [np.concatenate(parts)], [False])
            np.testing.assert_array_equal(image, whole)


@pytest.mark.parametrize("how", ["-c", "stdin"])
def test_that_a_program_without_a_file_may_use_workers_as_a_notebook_does(how, seismic, tmp_path):
    command = [sys.executable, *(["-c", SCRIPT] if how == "-c" else ["-"]), str(tmp_path / "out.npy")]
    words = SCRIPT if how == "stdin" else None
    done = subprocess.run(
        command, input=words, capture_output=True, text=True, check=False, timeout=200, env=environment(), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "once\n"
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), seismic.records(plumes().members([1])))


@contextmanager
def at_work(folder):
    """A program, and the number of its worker, which is in the middle of a task."""
    marker = folder / "marker"
    command = [sys.executable, script(folder, ORPHANS), str(marker)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True
    ) as parent:
        worker = int(parent.stdout.readline())
        while not (marker.exists() and marker.read_text().endswith("\n")):
            assert parent.poll() is None
            time.sleep(0.05)
        assert int(marker.read_text()) == worker  # one process for both tasks, alive
        yield parent, worker


def test_that_workers_end_when_their_parent_is_killed(tmp_path):
    with at_work(tmp_path) as (parent, worker):
        parent.kill()
    assert gone(worker)
    assert (tmp_path / "marker.clean").exists()  # the task was interrupted before its process ended


def test_that_an_interrupt_ends_a_program_and_its_workers_at_once_and_quietly(tmp_path):
    with at_work(tmp_path) as (parent, worker):
        os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
        _, words = parent.communicate(timeout=20)
    assert gone(worker)
    assert words.count(b"Traceback") == 1  # the program's own
    assert words.strip().endswith(b"KeyboardInterrupt")
    assert parent.returncode == -signal.SIGINT


def test_that_a_forked_child_does_not_keep_workers_from_ending_and_has_its_own(tmp_path):
    program = """
import os, sys, time
from seisflow.observation.seismic.processes import Processes
processes = Processes(1)
ours = next(processes.map(os.getpid, [()]))
if os.fork() == 0:
    theirs = next(processes.map(os.getpid, [()]))
    processes.close()
    print(ours, os.getpid(), theirs != ours, flush=True)
    time.sleep(60)
time.sleep(60)
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as parent:
        ours, child, differs = parent.stdout.readline().split()
        os.kill(int(ours), 0)  # the child's end of its own did not end ours
        parent.kill()
        try:
            assert gone(int(ours))
            assert differs == b"True"
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_that_closed_processes_leave_no_zombie_and_start_again():
    processes = Processes(2)
    first = set(processes.map(os.getpid, [()]))
    processes.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in first)
    assert processes.pids == []
    again = set(processes.map(os.getpid, [()]))
    assert not first & again
    processes.close()


def gone(pid, seconds=20.0):
    """Whether a process ends within the time; one that nobody has collected has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_that_importing_the_package_imports_no_engine():
    code = "import sys, seisflow.observation; print(sorted({'devito', 'torch', 'juliacall'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
