r"""What this machine has of what seisflow needs: one line a part, and a remedy where something is missing.

Every check tries the real thing (imports a package, compiles a file, lets Julia catch an exception), and none needs another
part to be there. ``seisflow doctor`` shows them all; :mod:`seisflow.runs.preflight` looks at those that a study needs.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from seisflow.errors import SeisflowError

__all__ = ["SET_UP", "Check", "compiler", "devito", "julia", "julia_package", "numpy", "python", "torch", "zarr"]

Status = Literal["ok", "warn", "fail"]

SET_UP = "run `make setup` in a checkout, or `pip install seisflow` again"
PROGRAM = "int seisflow_doctor(int x) { return x + 1; }\n"


@dataclass(frozen=True)
class Check:
    """The state of one part.

    Attributes
    ----------
    name
        The part, for example ``"Julia"``.
    status
        ``"ok"``, ``"warn"`` (it runs, with a drawback) or ``"fail"`` (the main job cannot run).
    detail
        What was found, on one line.
    remedy
        What to do, on one line; empty when there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""


def python() -> Check:
    """The interpreter."""
    detail = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing checks it for a source tree on PYTHONPATH
        return Check("Python", "fail", detail, "use Python 3.11 or newer")
    return Check("Python", "ok", detail)


def _package(name: str, minimum: tuple[int, int]) -> Check:
    """A package, imported, and its version."""
    try:
        importlib.import_module(name)
        found = version(name)
    except (ImportError, OSError, PackageNotFoundError) as problem:
        return Check(name, "fail", f"cannot be imported ({problem})", SET_UP)
    wanted = ".".join(map(str, minimum))
    if tuple(int(part) for part in found.split(".")[:2]) < minimum:
        return Check(name, "fail", f"{found}, and {wanted} is needed", f"pip install '{name}>={wanted}'")
    return Check(name, "ok", found)


def numpy() -> Check:
    """The arrays."""
    return _package("numpy", (1, 26))


def zarr() -> Check:
    """The files of a run."""
    return _package("zarr", (3, 0))


def torch() -> Check:
    """The networks, and whether they use the GPU of this machine."""
    check = _package("torch", (2, 3))
    if check.status != "ok":
        return check
    import torch

    if torch.cuda.is_available():
        return Check("torch", "ok", f"{check.detail}, GPU {torch.cuda.get_device_name(0)}")
    program = shutil.which("nvidia-smi")
    if program and subprocess.run([program, "-L"], check=False, capture_output=True).returncode == 0:
        return Check(
            "torch", "warn", f"{check.detail}, does not use the GPU of this machine", "install a CUDA build of torch"
        )
    return Check("torch", "ok", f"{check.detail}, CPU with {torch.get_num_threads()} threads (no GPU)")


def devito() -> Check:
    """The waves."""
    check = _package("devito", (4, 8))
    return Check("Devito", check.status, check.detail, check.remedy)


def compiler() -> Check:
    """Compile a file with the program that Devito would call, else with the one that it would find."""
    try:
        import devito

        program = str(devito.configuration["compiler"].cc)
    except Exception:
        program = os.environ.get("CC") or next(filter(shutil.which, ("gcc", "clang", "cc")), "gcc")
    remedy = "install a C compiler (on Debian and Ubuntu, the packages gcc and libc6-dev)"
    if shutil.which(program) is None:
        return Check("C compiler", "fail", f"{program} is not there", remedy)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "check.c"
        source.write_text("#include <math.h>\n#include <stdlib.h>\n" + PROGRAM)
        command = [program, "-shared", "-fPIC", "-fopenmp", str(source), "-o", str(source.with_suffix(".so")), "-lm"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[0]
        return Check("C compiler", "fail", f"{program} does not compile with OpenMP ({said})", remedy)
    first = subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout.splitlines()
    return Check("C compiler", "ok", first[0] if first else program)


def julia(tried: bool = True) -> Check:
    """The Julia that a run would start; ``tried`` lets it compute, too, which takes seconds."""
    from seisflow.dynamics.julia.check import self_test
    from seisflow.dynamics.julia.launch import Juliacall, find_launch

    try:
        julia = find_launch().julia
    except SeisflowError as problem:
        detail, _, remedy = str(problem).partition(" Run `")
        return Check("Julia", "fail", detail, f"run `{remedy}" if remedy else "install Julia 1.5 or newer")
    if isinstance(julia, Juliacall):
        detail, found = f"{julia}, launched in a Python of its own", julia.installation
    else:
        detail, found = f"{julia}, launched as a program", julia
    if not tried:
        return Check("Julia", "ok", detail)
    reason = self_test(found)
    if reason is not None:
        return Check(
            "Julia", "fail", f"{detail}: {reason}", "take it off PATH, then python -m seisflow.dynamics.julia.install"
        )
    return Check("Julia", "ok", f"{detail}; exceptions and sparse solves work")


def julia_package() -> Check:
    """The two-phase flow, loaded by a worker."""
    from seisflow.dynamics.julia.engine import JuliaEngine, julia_project
    from seisflow.dynamics.julia.launch import find_launch

    try:
        launch, project = find_launch(), julia_project()
    except SeisflowError:
        return Check("Julia package", "fail", "not tried, because there is no Julia", "see the line of Julia")
    start = time.monotonic()
    try:
        with JuliaEngine(threads=1, launcher=launch.launcher) as engine:
            engine.call("server.load", {})
    except SeisflowError as problem:
        reason = " ".join(str(problem).split())
        remedy = "install seisflow again" if launch.launcher == "julia" else "or set SEISFLOW_JULIA_LAUNCHER=julia"
        return Check("Julia package", "fail", f"{project} does not load: {reason}", remedy)
    return Check("Julia package", "ok", f"{project}, loaded by a worker in {time.monotonic() - start:.1f} s")
