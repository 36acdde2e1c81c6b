"""Compiled loops lie in a folder of the user's own, and a compilation that was killed holds up nobody."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seisflow.errors import InputError
from seisflow.observation.waves.compiling import compiling, folder

SIMULATION = """
import numpy as np, sys
from seisflow.grid import Grid
from seisflow.observation.waves.compiling import folder
import devito as dv
from seisflow.observation.waves import kernel
real = kernel.compiling
if sys.argv[1:] == ["wait"]:
    from contextlib import contextmanager
    @contextmanager
    def slow():
        with real():
            mark = folder() / f"devito-codepy-uid0/somewhere/lock"
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            print("compiling", flush=True)
            import time; time.sleep(600)
            yield
    kernel.compiling = slow
grid = dv.Grid((8, 8))
f = dv.TimeFunction(name="f", grid=grid)
operator = dv.Operator(dv.Eq(f.forward, f + 1), name="Waves")
with kernel.compiling():
    operator.cfunction
print(*sorted(p.name for p in folder().iterdir()))
"""


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "SEISFLOW_CACHE": str(cache)}


def test_that_a_compilation_that_was_killed_holds_up_nobody(tmp_path):
    command = [sys.executable, "-c", SIMULATION]
    with subprocess.Popen([*command, "wait"], env=environment(tmp_path), stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "compiling\n"
        os.kill(first.pid, signal.SIGKILL)
    marks = list(tmp_path.rglob("lock"))
    assert len(marks) == 2  # ours, which nobody holds, and that of codepy, which it would wait for
    start = time.perf_counter()
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=100, check=True)
    assert time.perf_counter() - start < 60
    assert any(
        name.startswith("devito-codepy") for name in done.stdout.split()
    )  # compiled there, not in a shared folder
    assert list(tmp_path.rglob("lock")) == [tmp_path / "devito" / "lock"]


def test_that_the_folder_is_for_its_owner_alone_and_left_as_found(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setenv("SEISFLOW_CACHE", str(tmp_path / "cache"))
    before = tempfile.tempdir
    with compiling():
        assert tempfile.gettempdir() == str(tmp_path / "cache" / "devito")
    assert tempfile.tempdir == before
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700
    folder().chmod(0o777)  # somebody has opened it
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700


def test_that_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder can be here")
    monkeypatch.setenv("SEISFLOW_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="SEISFLOW_CACHE"):
        folder()
