"""Set a checkout up: virtual environment, torch, seisflow with its tools, Julia. `make setup` runs this.

Standard library only; started with any Python 3.11 or newer. What was done is remembered in `.venv`, so that a second
run only compares a fingerprint. torch: without a GPU the CPU build is asked for first. It is found where pip is
configured to look for it, or under the address in TORCH_INDEX (the index of CPU builds that PyTorch's own page names).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.json"
INPUTS = ("pyproject.toml", "constraints.txt", "julia/Project.toml", ".ci/set_up.py")
VARIABLES = ("SEISFLOW_JULIA", "SEISFLOW_CACHE", "XDG_CACHE_HOME")


def fail(message: str) -> None:
    """End with one line."""
    sys.exit(f"set-up: {message}")


def fingerprint() -> str:
    """Changes when the set-up has something to do again."""
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    digest.update(json.dumps([platform.python_version(), ROOT.as_posix(), *map(os.environ.get, VARIABLES)]).encode())
    return digest.hexdigest()


def is_done() -> bool:
    """Whether an earlier set-up stands: same inputs, and the Julia that it chose is still there."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return stamp.get("fingerprint") == fingerprint() and Path(stamp.get("julia", "")).exists() and PYTHON.exists()


def compiler() -> str | None:
    """The C compiler, which Devito needs."""
    names = [os.environ["CC"]] if os.environ.get("CC") else ["gcc", "clang", "cc"]
    return next(filter(None, map(shutil.which, names)), None)


def step(name: str, command: list[str], quiet: bool = False) -> bool:
    """Run one step and say how long it took; whether it worked. The output is shown unless quiet."""
    print(f"set-up: {name} ...", flush=True)
    start = time.monotonic()
    output = subprocess.DEVNULL if quiet else None
    worked = subprocess.run(command, cwd=ROOT, check=False, stdout=output, stderr=output).returncode == 0
    print(f"set-up: {name}: {'done' if worked else 'no'} ({time.monotonic() - start:.0f} s)", flush=True)
    return worked


def make_environment() -> None:
    """A virtual environment of this Python; one of another version is replaced."""
    config = VENV / "pyvenv.cfg"
    made = re.search(r"^version\s*=\s*(\d+\.\d+)", config.read_text(), re.MULTILINE) if config.exists() else None
    if PYTHON.exists() and made and made[1] == ".".join(map(str, sys.version_info[:2])):
        return
    base = getattr(sys, "_base_executable", None) or sys.executable
    if not step("virtual environment .venv", [base, "-m", "venv", "--clear", str(VENV)]):
        fail("the virtual environment could not be made (on Debian and Ubuntu, install python3-venv)")


def has_gpu() -> bool:
    """Whether an NVIDIA GPU answers."""
    program = shutil.which("nvidia-smi")
    return bool(program) and subprocess.run([program, "-L"], check=False, capture_output=True).returncode == 0


def install_torch(pip: list[str]) -> None:
    """The tested torch, as a small CPU build where there is no GPU and pip can find one."""
    version = re.search(r"^torch==([^\s+]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    if version is None:
        fail("constraints.txt does not pin torch")
        return
    have = "import importlib.metadata as m; print(m.version('torch'))"
    found = subprocess.run([PYTHON, "-c", have], check=False, capture_output=True, text=True).stdout.strip()
    if found.split("+")[0] == version[1]:
        return
    index = os.environ.get("TORCH_INDEX")
    where = ["--extra-index-url", index] if index else []
    constrained = [*pip, *where, "-c", "constraints.txt"]
    if not has_gpu() and step("torch, CPU build", [*constrained, f"torch=={version[1]}+cpu"], quiet=not index):
        return
    if not has_gpu() and platform.system() == "Linux":
        print(
            "set-up: pip finds no CPU build of torch (set TORCH_INDEX to the index of CPU builds); taking the default"
        )
    if not step("torch", [*constrained, f"torch=={version[1]}"]):
        fail("torch could not be installed; see pip's message above")


def main() -> None:
    """Do what is still to be done."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing else has checked it when this is started by hand
        fail(f"Python 3.11 or newer is needed, this is {platform.python_version()}")
    if is_done():
        print("set-up: nothing to do")
        return
    if compiler() is None:
        fail(
            "no C compiler, which Devito needs: install gcc (on Debian and Ubuntu, the package gcc and libc6-dev) or set CC"
        )
    make_environment()
    STAMP.unlink(missing_ok=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    install_torch(pip)
    if not step("seisflow and its tools", [*pip, "-c", "constraints.txt", "-e", ".[dev]"]):
        fail("the Python packages could not be installed; see pip's message above")
    if not step("Julia", [str(PYTHON), "-m", "seisflow.dynamics.julia.install"]):
        fail("Julia could not be set up; the lines above say what was tried and what to install by hand")
    ask = "from seisflow.dynamics.julia.find import find_julia; print(find_julia().executable)"
    julia = subprocess.run([PYTHON, "-c", ask], check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    beside = STAMP.with_suffix(".new")
    beside.write_text(json.dumps({"fingerprint": fingerprint(), "julia": julia}))
    beside.replace(STAMP)
    print("set-up: done")


if __name__ == "__main__":
    main()
