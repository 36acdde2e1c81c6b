"""How a worker is launched: by the program ``julia``, or by a Python that holds juliacall. Both run ``server.jl``.

Choice, in this order: what is asked for (an argument, or ``SEISFLOW_JULIA_LAUNCHER`` = ``julia`` or ``juliacall``); the
program in ``SEISFLOW_JULIA``; juliacall where it is installed and everything it needs is here already; a ``julia``
program (:func:`seisflow.dynamics.julia.find.find_julia`). Nothing here downloads.

For juliacall everything is here when ``PYTHON_JULIACALL_EXE`` and ``PYTHON_JULIACALL_PROJECT`` say where, or when
juliapkg has resolved its project earlier (``PYTHON_JULIAPKG_PROJECT``, ``_EXE``); with ``PYTHON_JULIAPKG_OFFLINE=yes``
juliapkg is let resolve with what there is.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from seisflow.dynamics.julia.find import (
    JuliaInstallation,
    find_julia,
    julia_project,
    julia_variables,
    juliapkg_record,
    probe,
)
from seisflow.errors import InputError, JuliaNotFoundError

__all__ = ["LAUNCHERS", "Juliacall", "Launch", "find_juliacall", "find_launch"]

LAUNCHERS = ("juliacall", "julia")
MODULE = "TwoPhaseFlow"
RESOLVE = """
import json, juliapkg
done = juliapkg.resolve(dry_run={dry_run})
print("\\n" + json.dumps([juliapkg.executable(), juliapkg.project()] if done else []))
"""


@dataclass(frozen=True)
class Juliacall:
    """A juliacall that has all it needs.

    Attributes
    ----------
    installation
        The Julia that it loads.
    project
        The Julia project with PythonCall.
    """

    installation: JuliaInstallation
    project: Path

    def __str__(self) -> str:
        return f"juliacall with {self.installation}"


@dataclass(frozen=True)
class Launch:
    """What starts a worker.

    Attributes
    ----------
    launcher
        ``"juliacall"`` or ``"julia"``.
    julia
        The Julia behind it; its ``str`` is for people.
    """

    launcher: str
    julia: Juliacall | JuliaInstallation

    def command(self, threads: int) -> list[str]:
        """Command line; the worker expects the number of its parent process as one more argument."""
        server = str(julia_project() / "src" / "server.jl")
        if isinstance(self.julia, Juliacall):
            options = [f"-X{key}={value}" for key, value in sys._xoptions.items() if key.startswith("juliacall-")]
            return [sys.executable, *options, "-P", str(Path(__file__).with_name("child.py")), server, MODULE]
        options = ["--startup-file=no", "--history-file=no", "--color=no"]
        options += [f"--project={julia_project()}", f"--threads={threads}"]
        return [str(self.julia.executable), *options, server, MODULE]

    def variables(self, threads: int, depot: Path | None = None) -> dict[str, str]:
        """All variables of the worker."""
        if not isinstance(self.julia, Juliacall):
            return julia_variables(self.julia, depot)
        wished = {
            # without it a second Julia thread ends the process; Ctrl-C does not reach the worker anyway
            "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes",
            "PYTHON_JULIACALL_STARTUP_FILE": "no",
            "JULIA_CONDAPKG_BACKEND": "Null",
            "JULIA_PYTHONCALL_EXE": sys.executable,
        }
        return {
            **wished,
            **julia_variables(self.julia.installation, depot),
            "PYTHON_JULIAPKG_OFFLINE": "yes",  # no release of juliacall may think that something is to be brought
            "PYTHON_JULIACALL_EXE": str(self.julia.installation.executable),
            "PYTHON_JULIACALL_PROJECT": str(self.julia.project),
            "PYTHON_JULIACALL_THREADS": str(threads),
        }


def find_launch(launcher: str | None = None, installation: JuliaInstallation | None = None) -> Launch:
    """What starts workers on this machine.

    Parameters
    ----------
    launcher
        ``"juliacall"`` or ``"julia"``; ``None``: ``SEISFLOW_JULIA_LAUNCHER``, else the order above.
    installation
        A Julia to be launched as a program.

    Raises
    ------
    InputError
        There is no such launcher.
    JuliaNotFoundError
        There is no usable Julia; says what was looked for, where, and what to do.
    """
    name, wanted = "launcher", launcher
    if wanted is None:
        name, wanted = "SEISFLOW_JULIA_LAUNCHER", os.environ.get("SEISFLOW_JULIA_LAUNCHER") or None
    if wanted not in (*LAUNCHERS, None):
        raise InputError(name, wanted, f"choose {' or '.join(LAUNCHERS)}, or leave it out")
    if wanted == "julia" or installation is not None:
        return Launch("julia", installation or find_julia())
    if wanted is None and os.environ.get("SEISFLOW_JULIA"):
        return Launch("julia", find_julia())
    found = find_juliacall()
    if isinstance(found, Juliacall):
        return Launch("juliacall", found)
    if wanted == "juliacall":
        raise JuliaNotFoundError(f"The launcher juliacall was asked for ({name}), and cannot be used: {found}.")
    return Launch("julia", find_julia(f"juliacall: {found}"))


def find_juliacall() -> Juliacall | str:
    """The juliacall of this Python with the Julia and the project that it would load; the reason, where it cannot."""
    if importlib.util.find_spec("juliacall") is None:
        return "not installed (pip install 'seisflow[juliacall]')"
    folder = _setting("bindir")
    program = _setting("exe") or (str(Path(folder) / "julia") if folder else None)
    project = _setting("project")
    if program is None and project is None:
        resolved = _resolved_by_juliapkg()
        if isinstance(resolved, str):
            return resolved
        program, project = resolved
        route = "juliapkg"
    else:
        route = "PYTHON_JULIACALL_EXE"
    if program is None or project is None:
        return "PYTHON_JULIACALL_EXE and PYTHON_JULIACALL_PROJECT must be set together"
    if not Path(project).is_dir():
        return f"PYTHON_JULIACALL_PROJECT = {project!r} is not a folder"
    path = shutil.which(program)
    answer = probe(Path(path).absolute(), route) if path else f"{program} is not a program"
    return answer if isinstance(answer, str) else Juliacall(answer, Path(project).absolute())


def _setting(name: str) -> str | None:
    """A setting of juliacall, from the command line of this Python or its environment."""
    value = sys._xoptions.get(f"juliacall-{name}") or os.environ.get(f"PYTHON_JULIACALL_{name.upper()}")
    return value if isinstance(value, str) else None


def _resolved_by_juliapkg() -> tuple[str, str] | str:
    """Program and project that juliapkg has for this Python, without a download."""
    offline = os.environ.get("PYTHON_JULIAPKG_OFFLINE") == "yes"  # then it may resolve: the user wants what is here
    remedy = "let it: python -Pc 'import juliapkg; juliapkg.resolve()'"
    if not offline and not juliapkg_record().exists():
        return f"juliapkg has not resolved its project yet; {remedy}"
    options = [f"-X{key}={value}" for key, value in sys._xoptions.items() if key.startswith("juliapkg-")]
    command = [sys.executable, *options, "-P", "-c", RESOLVE.format(dry_run=not offline)]
    environment = {**os.environ, "PYTHON_JULIAPKG_OFFLINE": "yes", "JULIA_LOAD_PATH": "@:@stdlib"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return "juliapkg did not answer within 120 s"
    if done.returncode != 0:
        return f"juliapkg cannot be used ({(done.stderr.strip().splitlines() or ['no message'])[-1]})"
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    if not answer:
        return f"juliapkg must resolve its project anew; {remedy}"
    program, project = answer
    if not any("PythonCall" in path.read_text() for path in Path(project).glob("*Manifest*.toml")):
        return f"the project of juliapkg, {project}, has no PythonCall; {remedy}"
    return program, project
