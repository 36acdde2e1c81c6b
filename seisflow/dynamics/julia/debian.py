"""Debian's last ``julia`` package (1.5.3, of the release bullseye), unpacked into the cache folder without root.

Debian's Julia ends with a crash at the first exception when it meets a newer libunwind than its own, which is why all its
libraries come along, but for those that must be one with the machine's. The mirror is that of the machine's own apt
settings, or ``SEISFLOW_DEBIAN_MIRROR``; apt checks the signatures.

Standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seisflow.dynamics.julia.check import RouteError, accept, run, self_test
from seisflow.dynamics.julia.find import JuliaInstallation, probe, unpacked_folder, unpacked_julia

__all__ = ["AptSource", "apt_sources", "by_debian", "debian_mirrors"]

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


@dataclass(frozen=True)
class AptSource:
    """One address of the machine's apt settings, with the suites and components that it is used for."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


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


def by_debian(say: Callable[[str], None]) -> JuliaInstallation:
    """Debian's package and its libraries, unpacked beside their place and renamed into it."""
    missing = [tool for tool in ("apt-get", "apt-config", "dpkg") if not shutil.which(tool)]
    if missing:
        raise RouteError(f"not a Debian or Ubuntu machine (no {missing[0]})")
    chosen = os.environ.get("SEISFLOW_DEBIAN_MIRROR")
    mirrors = [chosen.rstrip("/")] if chosen else debian_mirrors(apt_sources())
    if not mirrors:
        raise RouteError(
            "the apt settings name no Debian mirror (on Ubuntu there is none); put its address into SEISFLOW_DEBIAN_MIRROR"
        )
    if not KEYRING.exists():
        raise RouteError(f"no {KEYRING} to check signatures with; install the package debian-archive-keyring")
    target = unpacked_folder()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".julia-", dir=target.parent))
    except OSError as problem:
        raise RouteError(f"cannot write into {target.parent} ({problem.strerror}); set SEISFLOW_CACHE") from None
    try:
        archives = _download(mirrors, work, say)
        unpacked = work / "unpacked"
        unpacked.mkdir()
        for archive in archives:
            if not archive.name.startswith(NOT_UNPACKED):
                run(["dpkg", "-x", str(archive), str(unpacked)], dict(os.environ), 120)
        accept(probe(unpacked_julia(unpacked)[0], "cache", unpacked_julia(unpacked)[1]))
        _move_into_place(unpacked, target, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    executable, environment = unpacked_julia(target)
    return accept(probe(executable, "cache", environment))


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
    raise RouteError(f"{target} cannot be replaced; remove it")


def _download(mirrors: list[str], work: Path, say: Callable[[str], None]) -> list[Path]:
    """Let apt download, with lists, cache and settings of its own: the machine's package system is not touched."""
    apt = work / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed, so all that Julia needs is downloaded
    acquire = run(["apt-config", "dump", "Acquire"], dict(os.environ), 30)  # the machine's proxies and timeouts
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
            run(["apt-get", "update", "-qq"], environment, 180)
            say("Julia: downloading Debian's package (about 77 MB) ...")
            run(["apt-get", "install", "-y", "-qq", "--download-only", "julia"], environment, 1800)
        except RouteError as problem:
            problems.append(str(problem))
        else:
            return sorted((apt / "cache" / "archives").glob("*.deb"))
    raise RouteError("; ".join(dict.fromkeys(problems)))
