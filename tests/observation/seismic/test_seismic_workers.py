"""Members and shots over processes: the same bits, workers that die, parents that die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from seisflow.observation import Repeatability, coloured_noise
from tests.observation.models import SURVEY, WAVES, build, plumes

PROGRAM = """
import os
import sys
import numpy as np
from seisflow.errors import SimulationError
from seisflow.observation.seismic.processes import Processes
from tests.observation.models import build, plumes

def has_torch():
    return "torch" in sys.modules

def die_once(marker, value):
    if not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(1)
    return value

if __name__ == "__main__":
    with build(workers=2) as observation:
        images = observation.predict(plumes())["image"]
        single = observation.predict(plumes().members([1]))["image"]
        assert (single == images[1:2]).all()
        sections = observation.wave_images(plumes().members([1]))
        records = observation.records(plumes().members([1]))
        observed = observation.observe(plumes().members([1]), np.random.default_rng(5))["image"]
        draws = observation.noise.draws
        assert not observation._dispatch.processes.pool.submit(has_torch).result()
    processes = Processes(1)
    marker = sys.argv[1] + ".marker"
    assert list(processes.map(die_once, [(marker, 3), (marker, 4)])) == [3, 4]
    try:
        list(processes.map(os._exit, [(1,)]))
    except SimulationError as error:
        assert "member 0" in str(error) and "fewer workers" in str(error)
    else:
        raise AssertionError("a task that always kills its worker went unnoticed")
    np.savez(sys.argv[1], images=images, observed=observed, draws=draws, sections=sections, records=records)
"""


ORPHANS = """
import os
import sys
import time
from seisflow.observation.seismic.processes import Processes

if __name__ == "__main__":
    processes = Processes(1)
    print(next(processes.map(os.getpid, [()])), flush=True)
    time.sleep(60)
"""


def test_that_members_do_not_depend_on_each_other_and_are_counted(seismic, predicted):
    calls = []
    turned = seismic.predict(plumes().members([2, 1]), lambda done, total: calls.append((done, total)))
    np.testing.assert_array_equal(turned["image"], predicted["image"][[2, 1]])
    assert calls == [(1, 2), (2, 2)]


def test_that_two_workers_give_the_same_bits_as_one_and_never_import_torch_and_are_replaced_when_they_die(
    seismic, predicted, tmp_path
):
    # A program of its own: spawned workers import the main module again, here one without torch.
    script, out, root = tmp_path / "program.py", tmp_path / "out.npz", Path(__file__).parents[3]
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, str(script), str(out)], check=True, timeout=400, env=environment)
    with np.load(out) as two:
        np.testing.assert_array_equal(two["images"], predicted["image"])
        observed = seismic.observe(plumes().members([1]), np.random.default_rng(5))["image"]
        np.testing.assert_array_equal(two["observed"], observed)
        np.testing.assert_array_equal(two["draws"], seismic.noise.draws)
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


def test_that_workers_end_when_their_parent_is_killed(tmp_path):
    script, root = tmp_path / "orphans.py", Path(__file__).parents[3]
    script.write_text(ORPHANS)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as parent:
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)  # it lives
        parent.kill()
    for _ in range(200):
        try:
            state = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":  # ended; nobody has collected it
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent by 20 s")


def test_that_importing_the_package_imports_no_engine():
    code = "import sys, seisflow.observation; print(sorted({'devito', 'torch', 'juliacall'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
