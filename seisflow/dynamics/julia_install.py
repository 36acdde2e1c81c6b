"""Bring a Julia to this machine: ``python -m seisflow.dynamics.julia_install``.

Routes, each with one line when it does not work: a Julia that is there already; what juliapkg can download; on Debian
and Ubuntu, Debian's last ``julia`` package (1.5.3, of the release bullseye), unpacked into the cache folder without
root. A Julia is accepted only after it caught an exception and solved a sparse system: Debian's Julia ends with a crash
at the first exception when it meets a newer libunwind than its own, which is why bullseye's comes along.

Standard library only. The mirror is that of the machine's own apt settings, or ``SEISFLOW_DEBIAN_MIRROR``.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seisflow.dynamics.julia_find import (
    JuliaInstallation,
    find_julia,
    julia_project,
    julia_variables,
    probe,
    unpacked_folder,
    unpacked_julia,
)
from seisflow.errors import JuliaNotFoundError

__all__ = ["AptSource", "apt_sources", "debian_mirrors", "install_julia", "precompile", "self_test"]

Say = Callable[[str], None]

RELEASE = "bullseye"
DEBIAN_SUITES = re.compile(
    r"(buster|bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)"
    r"(-updates|-backports|-proposed-updates)?/?$"
)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# These come from the machine itself: the dynamic loader and what must be one with it, and tools that are not needed.
NOT_UNPACKED = (
    "libc6_",
    "libstdc++6_",
    "libgcc-s1_",
    "gcc-10-base_",
    "libcrypt1_",
    "libssl",
    "libselinux1_",
    "libtinfo6_",
    "dpkg_",
    "debconf_",
)
BY_HAND = (
    "Install Julia 1.5 or newer by hand (with the system's package manager, or unpack the official archive anywhere), "
    "then put `julia` on PATH or its path into SEISFLOW_JULIA, and run the set-up again"
)
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


class _RouteError(Exception):
    """This route does not work here; one line."""


@dataclass(frozen=True)
class AptSource:
    """One address of the machine's apt settings, with the suites and components that it is used for."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


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
    return what.get(done.returncode, f"its self-test failed: {_last_line(done.stderr)}")


# --- the machine's apt settings -------------------------------------------------------------------------------------


def apt_sources(folder: Path = Path("/etc/apt")) -> list[AptSource]:
    """The package sources in the apt settings under ``folder``, in both formats that apt knows."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    found: list[AptSource] = []
    for file in files:
        if not file.is_file() or not os.access(file, os.R_OK):
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".list":
            found.extend(_one_line_sources(text))
        elif file.suffix == ".sources":
            found.extend(_deb822_sources(text))
    return found


def _one_line_sources(text: str) -> Iterator[AptSource]:
    """``deb [options] URI SUITE COMPONENT...``"""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)([^#]*)", line)
        if match:
            yield AptSource(match[1], (match[2],), tuple(match[3].split()))


def _deb822_sources(text: str) -> Iterator[AptSource]:
    """Paragraphs of ``Field: value``, where indented lines go on with the value and ``#`` starts a comment line."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + " " + line.strip()
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in (
            "no",
            "false",
            "0",
        ):
            for uri in fields.get("uris", "").split():
                yield AptSource(
                    uri, tuple(fields.get("suites", "").split()), tuple(fields.get("components", "").split())
                )


def debian_mirrors(sources: list[AptSource]) -> list[str]:
    """Addresses in these sources from which a release of Debian itself is taken (not Ubuntu, not security)."""
    mirrors = [
        source.uri.rstrip("/")
        for source in sources
        if "main" in source.components
        and not source.uri.startswith("cdrom:")
        and any(DEBIAN_SUITES.match(suite) for suite in source.suites)
    ]
    return list(dict.fromkeys(mirrors))


# --- the routes -----------------------------------------------------------------------------------------------------


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
    for name, route in (("juliapkg", _by_juliapkg), ("Debian's package", _by_debian)):
        say(f"Julia: trying {name} ...")
        try:
            brought = route(say)
        except _RouteError as problem:
            lines.append(f"{name}: {problem}")
            say(f"Julia: {lines[-1]}")
        else:
            return brought
    raise JuliaNotFoundError("Julia could not be set up.\n  " + "\n  ".join(lines) + f"\n{BY_HAND}.")


def _by_juliapkg(say: Say, silence: float = 20.0, limit: float = 1800.0) -> JuliaInstallation:
    """What juliapkg downloads. It reports before it downloads, so silence means that it reaches nothing."""
    environment = {**os.environ, "JULIA_LOAD_PATH": "@:@stdlib"}
    code = "import juliapkg; juliapkg.resolve(); print('resolved:' + juliapkg.executable())"
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", code],  # unbuffered, or its reports would come too late
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
                raise _RouteError("no connection" if silent else f"not done after {limit / 60:.0f} minutes")
            time.sleep(0.1)
        log.seek(0)
        output = log.read()
    if process.returncode != 0:
        raise _RouteError(_last_line(output))
    return _accept(probe(Path(output.rpartition("resolved:")[2].strip()), "juliapkg"))


def _by_debian(say: Say) -> JuliaInstallation:
    """Debian's package and its libraries, unpacked beside their place and renamed into it."""
    missing = [tool for tool in ("apt-get", "apt-config", "dpkg") if not shutil.which(tool)]
    if missing:
        raise _RouteError(f"not a Debian or Ubuntu machine (no {missing[0]})")
    chosen = os.environ.get("SEISFLOW_DEBIAN_MIRROR")
    mirrors = [chosen.rstrip("/")] if chosen else debian_mirrors(apt_sources())
    if not mirrors:
        raise _RouteError(
            "the apt settings name no Debian mirror (on Ubuntu there is none); put its address into SEISFLOW_DEBIAN_MIRROR"
        )
    if not KEYRING.exists():
        raise _RouteError(f"no {KEYRING} to check signatures with; install the package debian-archive-keyring")
    target = unpacked_folder()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".julia-", dir=target.parent))
    except OSError as problem:
        raise _RouteError(f"cannot write into {target.parent} ({problem.strerror}); set SEISFLOW_CACHE") from None
    try:
        archives = _download(mirrors, work, say)
        unpacked = work / "unpacked"
        unpacked.mkdir()
        for archive in archives:
            if not archive.name.startswith(NOT_UNPACKED):
                _run(["dpkg", "-x", str(archive), str(unpacked)], dict(os.environ), 120)
        _accept(probe(unpacked_julia(unpacked)[0], "cache", unpacked_julia(unpacked)[1]))
        _move_into_place(unpacked, target, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    executable, environment = unpacked_julia(target)
    return _accept(probe(executable, "cache", environment))


def _move_into_place(unpacked: Path, target: Path, work: Path) -> None:
    for _ in range(3):
        try:
            unpacked.rename(target)
        except OSError:
            # Another set-up was faster, or an older one left something broken there.
            executable, environment = unpacked_julia(target)
            there = probe(executable, "cache", environment)
            if isinstance(there, JuliaInstallation) and self_test(there) is None:
                return
            try:
                target.rename(Path(tempfile.mkdtemp(prefix="broken-", dir=work)) / "julia")
            except OSError:
                continue
        else:
            return
    raise _RouteError(f"{target} cannot be replaced; remove it")


def _download(mirrors: list[str], work: Path, say: Say) -> list[Path]:
    """Let apt download, with lists, cache and settings of its own: the machine's package system is not touched."""
    apt = work / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed, so all that Julia needs is downloaded
    acquire = _run(["apt-config", "dump", "Acquire"], dict(os.environ), 30)  # the machine's proxies and timeouts
    settings = {
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Check-Valid-Until": "false",  # a release that is out of support is not signed anew; signatures are checked
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
    }
    (apt / "apt.conf").write_text(acquire + "".join(f'{key} "{value}";\n' for key, value in settings.items()))
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C"}
    problems = []
    for mirror in mirrors:
        (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {RELEASE} main\n")
        try:
            _run(["apt-get", "update", "-qq"], environment, 180)
            say("Julia: downloading Debian's package (about 77 MB) ...")
            _run(["apt-get", "install", "-y", "-qq", "--download-only", "julia"], environment, 1800)
        except _RouteError as problem:
            problems.append(str(problem))
        else:
            return sorted((apt / "cache" / "archives").glob("*.deb"))
    raise _RouteError("; ".join(dict.fromkeys(problems)))


def _accept(answer: JuliaInstallation | str) -> JuliaInstallation:
    if isinstance(answer, str):
        raise _RouteError(answer)
    reason = self_test(answer)
    if reason is not None:
        raise _RouteError(f"{answer}: {reason}")
    return answer


def _run(command: list[str], environment: dict[str, str], seconds: float) -> str:
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
        raise _RouteError(f"{command[0]}: {problem}") from None
    except subprocess.TimeoutExpired:
        raise _RouteError(f"{' '.join(command[:2])} took longer than {seconds:.0f} s") from None
    if done.returncode != 0:
        raise _RouteError(f"{' '.join(command[:2])}: {_last_line(done.stderr, '^[EW]: ')}")
    return done.stdout


def _last_line(text: str, pattern: str = "") -> str:
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
        _run(command, julia_variables(installation), 600)
    except _RouteError as problem:
        return str(problem)
    return None


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
