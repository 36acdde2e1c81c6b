"""Whether a Julia works: it catches an exception, solves a sparse system and loads seisflow's package.

Standard library only, so that the set-up can use it before anything is installed.
"""

from __future__ import annotations

import re
import signal
import subprocess

from seisflow.dynamics.julia.find import JuliaInstallation, julia_project, julia_variables

__all__ = ["RouteError", "accept", "last_line", "precompile", "run", "self_test"]

SELF_TEST = """
using LinearAlgebra, SparseArrays
thrower(x) = x > 0 ? error("boom") : x
caught = try thrower(length(ARGS) + 1); false catch problem; problem.msg == "boom" end
caught || exit(3)
n = 50
A = spdiagm(0 => fill(4.0, n), 1 => fill(-1.0, n - 1), -1 => fill(-2.0, n - 1))
b = collect(1.0:n)
norm(A * (lu(A) \\ b) - b) < 1e-9 || exit(4)
print("works")
"""


class RouteError(Exception):
    """This route does not work here; one line."""


def self_test(installation: JuliaInstallation) -> str | None:
    """Let this Julia catch an exception and solve a sparse system; the reason, where it fails."""
    command = [str(installation.executable), "--startup-file=no", "--history-file=no", "-e", SELF_TEST]
    try:
        done = subprocess.run(
            command, env=julia_variables(installation), capture_output=True, text=True, timeout=180, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"its self-test could not be run ({problem})"
    if done.returncode == 0 and done.stdout.endswith("works"):
        return None
    if done.returncode < 0:
        return f"its self-test crashed ({signal.Signals(-done.returncode).name}): exceptions or libraries are broken"
    what = {3: "an exception was not caught", 4: "a sparse system was solved wrongly"}
    return what.get(done.returncode, f"its self-test failed: {last_line(done.stderr)}")


def accept(answer: JuliaInstallation | str) -> JuliaInstallation:
    """A candidate that works; :class:`RouteError` with the reason, where it does not."""
    if isinstance(answer, str):
        raise RouteError(answer)
    reason = self_test(answer)
    if reason is not None:
        raise RouteError(f"{answer}: {reason}")
    return answer


def run(command: list[str], environment: dict[str, str], seconds: float) -> str:
    """Run a program and return what it prints; :class:`RouteError` with its error, where it fails."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except OSError as problem:
        raise RouteError(f"{command[0]}: {problem}") from None
    except subprocess.TimeoutExpired:
        raise RouteError(f"{' '.join(command[:2])} took longer than {seconds:.0f} s") from None
    if done.returncode != 0:
        raise RouteError(f"{' '.join(command[:2])}: {last_line(done.stderr, '^[EW]: ')}")
    return done.stdout


def last_line(text: str, pattern: str = "") -> str:
    """The last line that says something, or the first one with the pattern."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if re.search(pattern, line)] if pattern else lines[-1:]
    return (chosen or lines or ["no message"])[0][:300]


def precompile(installation: JuliaInstallation) -> str | None:
    """Compile seisflow's Julia package once, so that the first run need not; the reason, where it does not load."""
    command = [
        str(installation.executable),
        "--startup-file=no",
        f"--project={julia_project()}",
        "-e",
        "import TwoPhaseFlow",
    ]
    try:
        run(command, julia_variables(installation), 600)
    except RouteError as problem:
        return str(problem)
    return None
