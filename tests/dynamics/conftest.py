"""Machines without Julia."""

from __future__ import annotations

from pathlib import Path

import pytest

from seisflow.dynamics.julia.engine import find_julia


@pytest.fixture(scope="session")
def real_julia(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that starts the Julia of these tests with the variables that it needs."""
    found = find_julia()
    program = tmp_path_factory.mktemp("julia") / "julia"
    exports = "".join(f"export {key}='{value}'\n" for key, value in found.environment.items())
    program.write_text(f"#!/bin/sh\n{exports}exec '{found.executable}' \"$@\"\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Julia: an empty PATH, an empty cache, nothing resolved. The folder of its PATH."""
    (tmp_path / "bin").mkdir()
    for name in ("SEISFLOW_JULIA", "SEISFLOW_JULIA_LAUNCHER", "PYTHON_JULIACALL_EXE", "PYTHON_JULIAPKG_EXE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SEISFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path / "project"))
    return tmp_path / "bin"
