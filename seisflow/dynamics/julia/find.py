"""Which Julia this machine has: where it is looked for, in what order, and why a candidate is refused.

Standard library only, so that the set-up can use it before anything is installed. Nothing here downloads: what is not
on the machine yet is the business of :mod:`seisflow.dynamics.julia.install`.

Order: ``SEISFLOW_JULIA`` (an explicit choice: if it cannot be used, that is an error), ``julia`` on ``PATH``, what
``PYTHON_JULIAPKG_EXE`` names or juliapkg has resolved already, and the private folder in which the set-up unpacks
Debian's Julia.

``python -m seisflow.dynamics.julia.find ARGUMENT...`` runs that Julia with these arguments.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from seisflow.errors import JuliaNotFoundError

__all__ = [
    "MINIMUM_VERSION",
    "JuliaInstallation",
    "cache_folder",
    "find_julia",
    "julia_project",
    "julia_variables",
    "juliapkg_record",
    "probe",
    "unpacked_folder",
    "unpacked_julia",
]

MINIMUM_VERSION = (1, 5, 0)
REMEDY = (
    "Run `python -m seisflow.dynamics.julia.install` (or `make setup` in a checkout), or install Julia 1.5 or newer by "
    "hand and put `julia` on PATH or its path into SEISFLOW_JULIA"
)


@dataclass(frozen=True)
class JuliaInstallation:
    """A Julia that answered.

    Attributes
    ----------
    executable
        Absolute path of the program.
    version
        As it reports itself, for example ``(1, 5, 3)``.
    environment
        Variables it needs besides those of this process.
    route
        How it was found: ``"SEISFLOW_JULIA"``, ``"PATH"``, ``"juliapkg"`` or ``"cache"``.
    """

    executable: Path
    version: tuple[int, int, int]
    environment: dict[str, str] = field(default_factory=dict)
    route: str = ""

    def __str__(self) -> str:
        return f"Julia {'.'.join(map(str, self.version))} ({self.route}: {self.executable})"


def cache_folder() -> Path:
    """The folder of seisflow's own downloads: ``SEISFLOW_CACHE``, else ``seisflow`` in the user's cache folder."""
    own = os.environ.get("SEISFLOW_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "seisflow"


def unpacked_folder() -> Path:
    """Where the set-up unpacks Debian's Julia."""
    return cache_folder() / "julia-1.5.3"


def julia_project() -> Path:
    """The folder with ``Project.toml`` and ``src`` of the Julia package, in an installed wheel or in a checkout."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "_julia", package.parent / "julia"):
        if (folder / "src" / "server.jl").is_file():
            return folder
    raise JuliaNotFoundError(
        f"The Julia sources of seisflow are neither in {package / '_julia'} nor in {package.parent / 'julia'}. "
        "Install seisflow again: the wheel carries them."
    )


def depot_path(first: Path) -> str:
    """Folders in which Julia looks for packages and compiled code: one of ours, the user's, and what Julia brings along.

    The empty entry at the end is what Julia brings along; until 1.10 it stands for the user's folder too, from 1.11 on no
    longer. So the user's folder is written out: that is where PythonCall is.
    """
    return os.pathsep.join([str(first), os.environ.get("JULIA_DEPOT_PATH") or str(Path("~/.julia").expanduser()), ""])


def julia_variables(installation: JuliaInstallation, depot: Path | None = None) -> dict[str, str]:
    """All variables with which seisflow runs this Julia.

    Compiled code goes to a folder of ours, because the folder of an installed package may be read-only, and only the
    project and Julia's own library are looked into, so that nothing depends on what else the user has installed.
    """
    depot = depot or cache_folder() / "depot"
    return {
        **os.environ,
        **installation.environment,
        "JULIA_DEPOT_PATH": depot_path(depot),
        "JULIA_LOAD_PATH": "@:@stdlib",
        "OPENBLAS_NUM_THREADS": "1",  # the threads are for the members
    }


def probe(executable: Path, route: str, environment: dict[str, str] | None = None) -> JuliaInstallation | str:
    """Ask a candidate for its version; the reason, where it cannot be used."""
    environment = environment or {}
    try:
        done = subprocess.run(
            [str(executable), "--version"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError as problem:
        return f"{executable} cannot be run ({problem.strerror or problem})"
    except subprocess.TimeoutExpired:
        return f"{executable} did not tell its version within 30 s"
    found = re.search(r"julia version (\d+)\.(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or not found:
        said = (done.stderr or done.stdout).strip().splitlines()
        return f"{executable} does not answer like Julia ({said[-1] if said else f'exit code {done.returncode}'})"
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < MINIMUM_VERSION:
        return f"{executable} is Julia {'.'.join(map(str, version))}, and 1.5 or newer is needed"
    return JuliaInstallation(executable, version, environment, route)


def unpacked_julia(folder: Path) -> tuple[Path, dict[str, str]]:
    """Program and environment of Debian's Julia where its packages were unpacked into ``folder``."""
    libraries = [path for path in sorted(folder.glob("usr/lib/*-linux-gnu*")) if (path / "julia").is_dir()]
    search = [str(path) for library in libraries for path in (library, library / "julia")]
    inherited = os.environ.get("LD_LIBRARY_PATH")
    return folder / "usr" / "bin" / "julia", {
        "LD_LIBRARY_PATH": ":".join([*search, *([inherited] if inherited else [])])
    }


def juliapkg_record() -> Path:
    """The file in which juliapkg keeps what it resolved for this Python."""
    project = os.environ.get("PYTHON_JULIAPKG_PROJECT")
    if not project:
        prefix = sys.prefix if sys.prefix != sys.base_prefix else os.environ.get("CONDA_PREFIX")
        if prefix:
            project = str(Path(prefix) / "julia_env")
        else:
            depot = (os.environ.get("JULIA_DEPOT_PATH") or "").split(os.pathsep)[0] or "~/.julia"
            project = str(Path(depot).expanduser() / "environments" / "pyjuliapkg")
    return Path(project) / "pyjuliapkg" / "meta.json"


def find_julia(*already: str) -> JuliaInstallation:
    """The ``julia`` program that seisflow uses on this machine.

    Parameters
    ----------
    already
        What was looked for before, and why it is not used; for the message.

    Raises
    ------
    JuliaNotFoundError
        There is none, or the one in ``SEISFLOW_JULIA`` cannot be used; says what was tried and what to do.
    """
    chosen = os.environ.get("SEISFLOW_JULIA")
    if chosen:
        program = shutil.which(str(Path(chosen).expanduser()))
        answer = probe(Path(program), "SEISFLOW_JULIA") if program else f"{chosen} is not a program"
        if isinstance(answer, str):
            raise JuliaNotFoundError(
                f"SEISFLOW_JULIA = {chosen!r} cannot be used: {answer}. Correct it, or unset it. {REMEDY}."
            )
        return answer

    refused = list(already)
    program = shutil.which("julia")
    if program:
        answer = probe(Path(program).absolute(), "PATH")
        if isinstance(answer, JuliaInstallation):
            return answer
        refused.append(f"PATH: {answer}")
    else:
        refused.append("PATH: no program called julia")

    record = juliapkg_record()
    try:
        named = os.environ.get("PYTHON_JULIAPKG_EXE") or json.loads(record.read_text())["executable"]
        answer = probe(Path(shutil.which(named) or named).absolute(), "juliapkg")
    except (OSError, ValueError, KeyError, TypeError):
        answer = f"nothing resolved in {record.parent}"
    if isinstance(answer, JuliaInstallation):
        return answer
    refused.append(f"juliapkg: {answer}")

    folder = unpacked_folder()
    executable, environment = unpacked_julia(folder)
    answer = probe(executable, "cache", environment) if executable.exists() else f"nothing in {folder}"
    if isinstance(answer, JuliaInstallation):
        return answer
    refused.append(f"cache: {answer}")
    raise JuliaNotFoundError("No usable Julia. Looked in " + "; ".join(refused) + f". {REMEDY}.")


if __name__ == "__main__":
    try:
        chosen = find_julia()
    except JuliaNotFoundError as problem:
        sys.exit(str(problem))
    os.execve(chosen.executable, [str(chosen.executable), *sys.argv[1:]], julia_variables(chosen))
