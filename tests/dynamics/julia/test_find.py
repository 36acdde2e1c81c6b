"""Which Julia is found on machines that have one, several, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from seisflow.dynamics.julia.engine import JuliaEngine, find_julia
from seisflow.dynamics.julia.find import JuliaInstallation, julia_variables, probe
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


def depots(value: str, newest: bool) -> list[str]:
    """The folders that Julia makes of JULIA_DEPOT_PATH; an empty entry means other folders from 1.11 on."""
    user, bundled = "~/.julia", ["/julia/local/share/julia", "/julia/share/julia"]
    found: list[str] = []
    for entry in value.split(":"):
        found += [entry] if entry else (bundled if newest else [user, *bundled])
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("newest", [False, True], ids=["1.10", "1.11 and newer"])
@pytest.mark.parametrize(
    "given", [None, "", "/own", "/own:"], ids=["not set", "empty", "a folder", "a folder and Julia's"]
)
def test_that_julia_looks_into_our_folder_the_users_and_its_own(
    given: str | None, newest: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JULIA_DEPOT_PATH", raising=False)
    if given is not None:
        monkeypatch.setenv("JULIA_DEPOT_PATH", given)
    installation = JuliaInstallation(Path("/julia/bin/julia"), (1, 12, 5))
    value = julia_variables(installation, Path("/ours"))["JULIA_DEPOT_PATH"]
    found = depots(value.replace(str(Path.home()), "~"), newest)
    users = "/own" if given and given.startswith("/own") else "~/.julia"
    assert found[:2] == ["/ours", users]  # PythonCall is in the user's folder
    assert {"/julia/local/share/julia", "/julia/share/julia"} <= set(found)
