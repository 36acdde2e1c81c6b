"""The wheel and the sources: what is in them, that the wheel works without the checkout; how to cite, where to report."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import seisflow

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("seisflow-*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it."""
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder),
        str(wheel),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def run_outside(site: Path, code: str, folder: Path) -> str:
    """Run Python code with the installed wheel and without the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tracked(folder: str, pattern: str) -> set[str]:
    return {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob(pattern)}


def test_that_the_wheel_carries_every_source_and_nothing_of_the_checkout_around_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"seisflow/_julia/src/{name}" for name in tracked("julia/src", "*.jl")} <= names
    assert {
        "seisflow/_julia/Project.toml",
        "seisflow/_julia/src/server.jl",
        "seisflow/_julia/src/TwoPhaseFlow.jl",
    } <= names
    assert {f"seisflow/{name}" for name in tracked("seisflow", "*.py")} <= names
    assert "seisflow/juliapkg.json" in names  # where juliapkg looks for it: directly in the package
    assert any(name.endswith("licenses/LICENSE") for name in names)

    top = {name.split("/")[0] for name in names}
    assert top == {"seisflow", next(name for name in top if name.endswith(".dist-info"))}
    parts = {part for name in names for part in name.split("/")}
    assert not {"tests", "__pycache__", "Manifest.toml"} & parts
    assert not [part for part in parts if part.startswith(("test_", "conftest"))]


def test_that_the_wheel_carries_the_real_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = tracked("seisflow/geology", "*.npz")
    assert data
    assert {f"seisflow/geology/{name}" for name in data} <= set(names)


def test_that_julia_runs_from_the_wheel_in_another_folder(site: Path, tmp_path: Path) -> None:
    code = """if True:
        import numpy as np, seisflow
        from seisflow.dynamics.julia.engine import JuliaEngine, julia_project
        from seisflow.errors import JuliaError
        print(seisflow.__file__, julia_project())
        with JuliaEngine(threads=1) as engine:
            assert (engine.call("server.echo", {"a": np.arange(6.0)})["a"] == np.arange(6.0)).all()
            try:  # loads the package itself: the error is about the function, not about the package
                engine.call("no_such_function", {})
            except JuliaError as problem:
                first = str(problem).splitlines()[0]
                assert "no_such_function" in first and "not defined" in first, problem
    """
    before = sorted(site.rglob("_julia/**/*"))
    package, project = run_outside(site, code, tmp_path).split()
    assert Path(package) == site / "seisflow" / "__init__.py"
    assert Path(project) == site / "seisflow" / "_julia"
    assert sorted(site.rglob("_julia/**/*")) == before  # an installed package may be read-only


def test_that_importing_seisflow_brings_neither_devito_nor_torch_nor_julia(site: Path, tmp_path: Path) -> None:
    code = "import sys, seisflow; print([m for m in ('devito', 'torch', 'juliacall', 'juliapkg') if m in sys.modules])"
    assert run_outside(site, code, tmp_path) == "[]"


def test_that_the_sources_say_how_to_cite_and_how_to_report_a_vulnerability(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = tmp_path.glob("seisflow-*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CITATION.cff", "SECURITY.md", "LICENSE", "README.md", "docs/index.md", "julia/Project.toml"} <= names


def test_that_the_citation_is_of_this_version_licence_and_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what the format asks for
    assert (citation["cff-version"], citation["type"], citation["license"]) == ("1.2.0", "software", project["license"])
    assert citation["version"] == seisflow.__version__
    assert project["description"].lower() in citation["title"].lower()
    assert citation["authors"] == [{"name": "The seisflow developers"}]
    paper = citation["preferred-citation"]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert paper["title"] in readme
    assert f"doi:{paper['doi']}" in readme
    for author in paper["authors"]:
        assert author["family-names"] in readme


def test_that_security_names_what_runs_code_and_a_private_way_and_no_address() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "dask scheduler runs code" in page
    assert "Report a vulnerability" in page
    assert "@" not in page  # nobody's mail box
    assert "http" not in page
