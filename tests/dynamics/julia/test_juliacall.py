"""The juliacall launcher: how it is chosen, and, where juliacall can run, the same bits as from the program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.julia.launch import Juliacall, find_juliacall, find_launch
from seisflow.errors import InputError, JuliaError, JuliaNotFoundError
from tests.dynamics.julia.ensembles import assert_same, ensemble
from tests.dynamics.julia.processes import gone, workers_of

USABLE = find_juliacall()
needs_juliacall = pytest.mark.skipif(isinstance(USABLE, str), reason=f"juliacall cannot run here: {USABLE}")

# --- the choice -----------------------------------------------------------------------------------------------------


@pytest.fixture
def with_juliacall(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the Python package juliacall, and without all that it needs. A folder of its Python path."""
    folder = bare.parent / "packages"
    folder.mkdir()
    (folder / "juliacall.py").touch()
    (folder / "juliapkg.py").write_text("def resolve(dry_run): return False\n")
    for name in ("PYTHON_JULIACALL_PROJECT", "PYTHON_JULIACALL_BINDIR", "PYTHON_JULIAPKG_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def answer(folder: Path, name: str, text: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)
    return program


def test_that_juliacall_is_taken_before_a_program_where_its_settings_say_where_all_is(
    with_juliacall: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(bare, "julia", "julia version 1.11.0")
    assert find_launch().launcher == "julia"
    named = answer(with_juliacall, "other-julia", "julia version 1.12.1")
    monkeypatch.setenv("PYTHON_JULIACALL_EXE", str(named))
    assert "must be set together" in str(find_juliacall())
    monkeypatch.setenv("PYTHON_JULIACALL_PROJECT", str(with_juliacall))
    found = find_launch()
    assert found.launcher == "juliacall"
    assert isinstance(found.julia, Juliacall)
    assert (found.julia.installation.executable, found.julia.project) == (named, with_juliacall)
    variables = found.variables(threads=3)
    assert variables["PYTHON_JULIACALL_EXE"] == str(named)
    assert variables["PYTHON_JULIACALL_THREADS"] == "3"
    assert variables["PYTHON_JULIAPKG_OFFLINE"] == "yes"
    assert found.command(threads=3)[0] == sys.executable
    assert find_launch("julia").launcher == "julia"
    monkeypatch.setenv("SEISFLOW_JULIA_LAUNCHER", "julia")
    assert find_launch().launcher == "julia"
    monkeypatch.delenv("SEISFLOW_JULIA_LAUNCHER")
    monkeypatch.setenv("SEISFLOW_JULIA", str(bare / "julia"))  # an explicit choice, too
    assert find_launch().launcher == "julia"
    assert find_launch("juliacall").launcher == "juliacall"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PYTHON_JULIACALL_PROJECT", "/nowhere", "/nowhere' is not a folder"),
        ("PYTHON_JULIACALL_EXE", "/nowhere/julia", "/nowhere/julia is not a program"),
    ],
)
def test_that_a_wrong_setting_of_juliacall_is_named(
    with_juliacall: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv("PYTHON_JULIACALL_EXE", str(answer(with_juliacall, "julia", "julia version 1.12.1")))
    monkeypatch.setenv("PYTHON_JULIACALL_PROJECT", str(with_juliacall))
    monkeypatch.setenv(name, value)
    assert reason in str(find_juliacall())


def test_that_juliapkg_is_asked_for_what_is_here_and_never_let_download(
    with_juliacall: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has not resolved its project yet" in str(find_juliacall())
    record = with_juliacall.parent / "project" / "pyjuliapkg" / "meta.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert "must resolve its project anew" in str(find_juliacall())
    program = answer(with_juliacall, "resolved", "julia version 1.10.4")
    (with_juliacall / "juliapkg.py").write_text(
        "import os\n"
        "def resolve(dry_run):\n"
        "    assert os.environ['PYTHON_JULIAPKG_OFFLINE'] == 'yes'\n"
        "    print('juliapkg says something')\n"
        f"    open({str(with_juliacall / 'asked')!r}, 'a').write(f'{{dry_run}} ')\n"
        "    return True\n"
        f"def executable(): return {str(program)!r}\n"
        f"def project(): return {str(with_juliacall)!r}\n"
    )
    assert "has no PythonCall" in str(find_juliacall())
    (with_juliacall / "Manifest.toml").write_text("[[PythonCall]]\n")
    found = find_juliacall()
    assert isinstance(found, Juliacall)
    assert found.installation.version == (1, 10, 4)
    monkeypatch.setenv("PYTHON_JULIAPKG_OFFLINE", "yes")  # the user wants it resolved with what is here
    assert isinstance(find_juliacall(), Juliacall)
    assert (with_juliacall / "asked").read_text().split() == ["True", "True", "False"]


def test_that_without_any_julia_the_error_tells_of_juliacall_too(with_juliacall: Path) -> None:
    with pytest.raises(JuliaNotFoundError, match=r"juliacall: juliapkg has not resolved .* PATH: no program"):
        JuliaEngine().start()
    with pytest.raises(JuliaNotFoundError, match="asked for"):
        JuliaEngine(launcher="juliacall").start()


def test_that_a_launcher_that_does_not_exist_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="launcher = 'python'"):
        find_launch("python")
    monkeypatch.setenv("SEISFLOW_JULIA_LAUNCHER", "python")
    with pytest.raises(InputError, match="SEISFLOW_JULIA_LAUNCHER = 'python'"):
        find_launch()


# --- the real thing -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def called() -> Iterator[JuliaEngine]:
    with JuliaEngine(threads=2, launcher="juliacall") as started:
        yield started


@needs_juliacall
def test_that_both_launchers_give_the_same_bits(called: JuliaEngine) -> None:
    assert isinstance(USABLE, Juliacall)
    ours = called.call("run_case", ensemble(3), None, 3)
    with JuliaEngine(threads=1, installation=USABLE.installation) as program:
        theirs = program.call("run_case", ensemble(3), None, 3)
        assert program.julia_version == called.julia_version
    assert_same(ours, theirs)
    assert called.julia_threads == 2


@needs_juliacall
def test_that_values_and_errors_travel_as_with_the_program(called: JuliaEngine) -> None:
    sent: dict[str, Any] = {"a": np.arange(24.0).reshape(2, 3, 4), "text": "Grüße $x", "n": -1, "yes": True}
    back = called.call("server.echo", sent)
    np.testing.assert_array_equal(back.pop("a"), sent.pop("a"))
    assert back == sent
    with pytest.raises(JuliaError) as caught:
        called.call("server.fail", {"message": "no water"})
    assert caught.value.message == "no water"
    assert "thrower" in caught.value.stack
    assert called.call("server.rest", {"seconds": 0.0})["pid"] == called.pid


@needs_juliacall
def test_that_the_child_has_no_torch_and_one_that_is_killed_is_replaced(called: JuliaEngine) -> None:
    called.start()
    first = called.pid or 0
    assert workers_of(os.getpid()).count(first) == 1
    assert "libtorch" not in Path(f"/proc/{first}/maps").read_text()
    killed: list[int] = []

    def kill_once(done: int, total: int) -> None:
        if not killed:
            os.kill(first, signal.SIGKILL)
            killed.append(first)

    outputs = called.call("run_case", ensemble(3), kill_once, 3)
    assert outputs["status"].tolist() == [0, 0, 0]
    assert gone(first)
    assert called.pid != first
