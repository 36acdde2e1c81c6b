"""The Julia package as a user of Julia has it: its example, and ``Pkg.test`` without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from seisflow.dynamics.julia.engine import find_julia, julia_project
from seisflow.dynamics.julia.find import cache_folder

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = 'name = "Empty"\nuuid = "5d9be5b5-5b1c-4b77-9d10-59e1b5a7e8ad"\nrepo = ""\n[packages]\n'
SHORT = """
using Random, Test, TwoPhaseFlow
const DAY = 86400.0
include("ensemble_case.jl")
@testset "short" begin
    @test run_case(ensemble_case(members = 1))["status"] == [0]
end
"""


def julia(*arguments: str, depot: Path) -> str:
    found = find_julia()
    variables = {**os.environ, **found.environment, "JULIA_DEPOT_PATH": f"{depot}:"}
    command = [str(found.executable), "--startup-file=no", *arguments]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_that_the_example_runs_and_its_plume_rises_and_keeps_its_mass() -> None:
    output = julia(
        f"--project={julia_project()}",
        str(ROOT / "julia" / "examples" / "one_member.jl"),
        depot=cache_folder() / "depot",
    )
    years = [line.split() for line in output.splitlines() if line.startswith("year")]
    tonnes = [float(words[2]) for words in years]
    heights = [float(words[-3]) for words in years]
    assert len(years) == 5
    assert tonnes[1:] == [tonnes[1]] * 4  # injection ends after two years
    assert heights == sorted(heights)
    assert "done: " in output


def test_that_pkg_test_works_without_a_network(tmp_path: Path) -> None:
    """With a short test file in place of the whole suite; Julia 1.5 wants some registry, be it an empty one."""
    shutil.copytree(ROOT / "julia", tmp_path / "julia", ignore=shutil.ignore_patterns("Manifest.toml"))
    (tmp_path / "julia" / "test" / "runtests.jl").write_text(SHORT)
    registry = tmp_path / "depot" / "registries" / "Empty" / "Registry.toml"
    registry.parent.mkdir(parents=True)
    registry.write_text(REGISTRY)
    code = "using Pkg; Pkg.offline(true); Pkg.test()"
    output = julia(f"--project={tmp_path / 'julia'}", "-e", code, depot=tmp_path / "depot")
    assert "TwoPhaseFlow tests passed" in output
