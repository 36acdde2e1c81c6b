"""Bring a Julia to this machine: ``python -m seisflow.dynamics.julia.install``.

Routes, each with one line when it does not work: a Julia that is there already; what juliapkg can download; on Debian
and Ubuntu, Debian's last ``julia`` package (:mod:`seisflow.dynamics.julia.debian`). A Julia is accepted only after it
caught an exception and solved a sparse system. Where juliacall is installed, juliapkg brings what that needs, too.

Standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from seisflow.dynamics.julia.check import RouteError, accept, last_line, precompile, self_test
from seisflow.dynamics.julia.debian import by_debian
from seisflow.dynamics.julia.find import JuliaInstallation, find_julia, probe
from seisflow.errors import JuliaNotFoundError

__all__ = ["by_juliapkg", "install_julia"]

Say = Callable[[str], None]

BY_HAND = (
    "Install Julia 1.5 or newer by hand (with the system's package manager, or unpack the official archive anywhere), "
    "then put `julia` on PATH or its path into SEISFLOW_JULIA, and run the set-up again"
)


def install_julia(say: Say = print) -> JuliaInstallation:
    """Find a Julia or bring one, and see it work.

    Parameters
    ----------
    say
        Takes the progress, a line at a time.

    Raises
    ------
    JuliaNotFoundError
        No route worked: one line for each, and what to install by hand.
    """
    try:
        present = find_julia()
    except JuliaNotFoundError as problem:
        if os.environ.get("SEISFLOW_JULIA"):
            raise
        lines = ["none here yet: " + str(problem).partition("Looked in ")[2].partition(". Run `")[0]]
    else:
        reason = self_test(present)
        if reason is None:
            return present
        if present.route != "cache":  # it would be found again and again, whatever is brought beside it
            raise JuliaNotFoundError(f"{present} cannot be used: {reason}. Repair it or take it away, or: {BY_HAND}.")
        lines = [f"{present}: {reason}"]
    say(f"Julia: {lines[0]}")
    for name, route in (("juliapkg", by_juliapkg), ("Debian's package", by_debian)):
        say(f"Julia: trying {name} ...")
        try:
            brought = route(say)
        except RouteError as problem:
            lines.append(f"{name}: {problem}")
            say(f"Julia: {lines[-1]}")
        else:
            return brought
    raise JuliaNotFoundError("Julia could not be set up.\n  " + "\n  ".join(lines) + f"\n{BY_HAND}.")


def by_juliapkg(say: Say, silence: float = 20.0, limit: float = 1800.0) -> JuliaInstallation:
    """What juliapkg downloads. It reports before it downloads, so silence means that it reaches nothing."""
    environment = {**os.environ, "JULIA_LOAD_PATH": "@:@stdlib"}
    code = "import juliapkg; juliapkg.resolve(); print('resolved:' + juliapkg.executable())"
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", "-P", "-c", code],  # unbuffered, or its reports would come too late
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        start = time.monotonic()
        while process.poll() is None:
            waited = time.monotonic() - start
            silent = os.fstat(log.fileno()).st_size == 0
            if waited > limit or (silent and waited > silence):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise RouteError("no connection" if silent else f"not done after {limit / 60:.0f} minutes")
            time.sleep(0.1)
        log.seek(0)
        output = log.read()
    if process.returncode != 0:
        raise RouteError(last_line(output))
    return accept(probe(Path(output.rpartition("resolved:")[2].strip()), "juliapkg"))


def main() -> int:
    """Set Julia up and say which one it is; the exit code of the program."""
    try:
        installation = install_julia()
        print(f"{installation} works")
        reason = precompile(installation)
    except JuliaNotFoundError as problem:
        print(problem, file=sys.stderr)
        return 1
    if reason is not None:
        print(f"The Julia package of seisflow does not load: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
