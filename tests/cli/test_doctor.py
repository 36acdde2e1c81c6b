"""The doctor on this machine, and on machines where something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seisflow.cli.doctor import CHECKS, checks, render
from seisflow.runs.machine import Check


def test_that_a_machine_that_was_set_up_has_no_failed_part_and_the_lines_say_what_is_there() -> None:
    found = {check.name: check for check in checks()}
    assert list(found) == list(CHECKS)
    assert not [check for check in found.values() if check.status == "fail"]
    assert "exceptions and sparse solves work" in found["Julia"].detail
    assert "Julia 1." in found["Julia"].detail


def test_that_each_part_is_one_line_and_its_remedy_stands_under_it() -> None:
    text = render([Check("Julia", "fail", "none", "install it"), Check("C compiler", "ok", "gcc 12")])
    assert text.splitlines() == [
        "fail  Julia       none",
        "                  -> install it",
        "ok    C compiler  gcc 12",
    ]


def test_that_without_julia_both_lines_fail_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISFLOW_JULIA", "/nowhere/julia")
    for name in ("Julia", "Julia package"):
        check = CHECKS[name]()
        assert check.status == "fail"
        assert check.remedy
        assert "\n" not in check.detail + check.remedy
    assert "/nowhere/julia" in CHECKS["Julia"]().detail


def test_that_missing_torch_and_a_missing_compiler_are_told_and_the_rest_still_runs(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch is broken')\n")
    code = (
        "from seisflow.cli.doctor import CHECKS\n"
        "for name in ('torch', 'C compiler', 'numpy'):\n"
        "    check = CHECKS[name]()\n"
        "    print(check.status, check.detail, '|', check.remedy)\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "CC": "no-such-compiler", "PATH": "/nowhere", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    torch, compiler, numpy = done.stdout.splitlines()
    assert torch.startswith("fail cannot be imported (libtorch is broken) | ")
    assert compiler.startswith("fail no-such-compiler is not there | install a C compiler")
    assert numpy.startswith("ok ")


def test_that_a_compiler_that_cannot_compile_is_found_out(tmp_path: Path) -> None:
    fake = tmp_path / "gcc-broken"
    fake.write_text("#!/bin/sh\necho 'fatal error: stdlib.h: No such file' >&2\nexit 1\n")
    fake.chmod(0o755)
    code = "from seisflow.cli.doctor import CHECKS; print(CHECKS['C compiler']().detail)"
    environment = {"CC": str(fake), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "does not compile with OpenMP (fatal error: stdlib.h: No such file)" in done.stdout


def test_that_a_check_that_breaks_down_is_a_failed_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Check:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("seisflow.cli.doctor.CHECKS", {"Disk": broken, "Python": CHECKS["Python"]})
    first, second = checks()
    assert first.status == "fail"
    assert "the disk is on fire" in first.detail
    assert second.status == "ok"
