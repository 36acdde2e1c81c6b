"""Which Julia is found on machines that have one, several, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from seisflow.dynamics.julia.engine import JuliaEngine, find_julia
from seisflow.dynamics.julia.find import JuliaInstallation, probe
from seisflow.errors import JuliaNotFoundError, SeisflowError


def fake_julia(path: Path, answer: str, code: int = 0) -> Path:
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_that_without_julia_one_error_says_where_it_looked_and_what_to_do(bare: Path) -> None:
    with pytest.raises(JuliaNotFoundError) as caught:
        JuliaEngine().call("server.echo", {})
    message = str(caught.value)
    for part in (
        "PATH",
        "juliapkg",
        str(bare.parent / "cache"),
        "python -m seisflow.dynamics.julia.install",
        "SEISFLOW_JULIA",
    ):
        assert part in message
    assert isinstance(caught.value, SeisflowError)


def test_that_a_wrong_explicit_choice_is_an_error_even_where_there_is_another_julia(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_julia(bare / "julia", "julia version 1.11.0")
    monkeypatch.setenv("SEISFLOW_JULIA", "/nowhere/julia")
    with pytest.raises(JuliaNotFoundError, match="SEISFLOW_JULIA = '/nowhere/julia'"):
        find_julia()


def test_that_a_julia_on_path_comes_first_and_an_old_one_is_refused_with_its_version(bare: Path) -> None:
    fake_julia(bare / "julia", "julia version 1.11.0-rc2")
    found = find_julia()
    assert (found.version, found.route, found.executable) == ((1, 11, 0), "PATH", bare / "julia")

    fake_julia(bare / "julia", "julia version 1.4.2")
    with pytest.raises(JuliaNotFoundError, match=r"is Julia 1\.4\.2, and 1\.5 or newer is needed"):
        find_julia()


def test_that_what_juliapkg_resolved_is_found_without_asking_juliapkg(bare: Path) -> None:
    program = fake_julia(bare / "resolved", "julia version 1.12.1")
    record = bare.parent / "project" / "pyjuliapkg" / "meta.json"
    record.parent.mkdir(parents=True)
    record.write_text(f'{{"executable": "{program}"}}')
    assert find_julia() == JuliaInstallation(program, (1, 12, 1), {}, "juliapkg")


def test_that_a_program_that_is_not_julia_is_refused_with_what_it_said(tmp_path: Path) -> None:
    assert "does not answer like Julia (hello)" in str(probe(fake_julia(tmp_path / "other", "hello"), "PATH"))
    assert "cannot be run" in str(probe(tmp_path / "missing", "PATH"))
