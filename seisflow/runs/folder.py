r"""A run's folder: whose it is, who works in it, with which versions.

study.toml     the study; another one in the same folder is refused, with every key that differs
run.json       seed, members, the methods, parts of the user's own by name, and the versions of every session
run.lock       held, by the kernel, as long as a run works in the folder; a killed run holds nothing
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seisflow import __version__
from seisflow.errors import InputError
from seisflow.geology.section import load_section
from seisflow.observation.data import DataField
from seisflow.runs.methods import described, recorded
from seisflow.storage.axes import Axes
from seisflow.storage.errors import explained
from seisflow.storage.store import Store
from seisflow.study import Study, load_study
from seisflow.study.axes import study_axes
from seisflow.study.own import STUDY_ALONE, OwnParts

__all__ = ["locked", "open_store", "versions"]

OWN = {"analyses": "analysis", "prior": "prior", "observation": "observation"}
"""Parts of the user's own, as arguments and in words."""


def versions() -> dict[str, str]:
    """Versions of seisflow and of what it computes with."""
    packages = ("numpy", "scipy", "torch", "devito", "zarr")
    found = {"seisflow": __version__, "python": platform.python_version()}
    for package in packages:
        found[package] = version(package)
    return found


def open_store(
    study: Study,
    folder: Path,
    data: Mapping[str, DataField],
    *,
    own: OwnParts = STUDY_ALONE,
    repair: bool = False,
) -> Store:
    """The store of a run folder, new or of the same study and the same parts.

    Parameters
    ----------
    study
        What is to be run.
    folder
        The run folder; may be missing.
    data
        What the observation's data are, which is stored with them.
    own
        Parts of the user's own; analyses may be added to a run, and nothing else may change.
    repair
        Compute damaged stages again instead of raising.

    Raises
    ------
    InputError
        When it holds another study (the message lists the keys that differ) or a run with other parts of the user's own,
        or the section has changed, or it cannot be written to.
    """
    existing, record = folder / "study.toml", _record(folder)
    if existing.exists():
        differences = _differences(_values(load_study(existing)), _values(study))
        if differences:
            listed = "; ".join(differences[:5]) + (f"; and {len(differences) - 5} more" if len(differences) > 5 else "")
            raise InputError("out", str(folder), f"it holds a run of another study ({listed}); choose another")
    if record:
        _compare_parts(folder, record.get("own", {}), own.names)
    methods = described((*study.chosen, *own.analyses))
    store = Store(folder, Axes(**study_axes(study.grid.build(), data)), repair=repair)
    store.describe(
        {
            "study": study.name,
            "seed": study.seed,
            "members": study.ensemble.members,
            "methods": list(methods),
            "survey_times_s": list(study.survey_times),
        }
    )
    if not existing.exists():
        store.write_text("study.toml", study.to_toml())
    _sign(store, study, record, {"methods": recorded(methods), **({"own": own.names} if own.names else {})})
    return store


def _record(folder: Path) -> dict[str, Any]:
    """What ``run.json`` holds; nothing before there is one."""
    try:
        return dict(json.loads((folder / "run.json").read_text()))
    except (OSError, ValueError):
        return {}


def _compare_parts(folder: Path, before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> None:
    """Raise unless the parts with which the run began are given again; more analyses may come."""
    faults = []
    for kind, words in OWN.items():
        begun, given = before.get(kind, {}), now.get(kind, {})
        for name, place in begun.items():
            what = f"{words} {name} ({place})" if kind == "analyses" else f"{words} {place}"
            if name not in given:
                faults.append(f"it began with the {what}, which is not given: give {kind}= to run_study")
            elif given[name].rpartition(".")[2] != place.rpartition(".")[2]:  # a class may move to another module
                faults.append(f"it began with the {what}, and {given[name]} is given")
        if kind != "analyses" and given and not begun:
            faults.append(f"it began with the study's {words}, and {given[kind]} is given")
    if faults:
        remedy = "or choose another folder (`seisflow report` and `seisflow export` need no part)"
        raise InputError("out", str(folder), f"{'; '.join(faults)}; {remedy}")


def _section_checksum(study: Study) -> int:
    """Of the section's numbers: its file may be moved, but not changed."""
    section = load_section(study.geology.section)
    return zlib.crc32(section.density.tobytes(), zlib.crc32(section.velocity.tobytes()))


def _sign(store: Store, study: Study, record: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Put the section's checksum, the methods and this session's versions down, where they are new."""
    now = {"seed": study.seed, "members": study.ensemble.members, "versions": [], **record, **about}
    section = _section_checksum(study)
    if now.setdefault("section_checksum", section) != section:
        raise InputError(
            "geology.section",
            study.geology.section,
            f"its numbers are not those that the run in {store.folder} began with; bring the file back, or choose another "
            "run folder",
        )
    if not now["versions"] or now["versions"][-1] != versions():
        now["versions"] = [*now["versions"], versions()]
    if now != record:
        store.write_text("run.json", json.dumps(now, indent=2, allow_nan=False) + "\n")


def _values(study: Study) -> dict[str, Any]:
    """All keys, but not where the section's file lies, nor which files hold data: those may come one by one."""
    values = study.model_dump()
    values["geology"].pop("section")
    values["surveys"]["data"] = "files" if study.surveys.data else "in silico"
    return values


def _differences(before: dict[str, Any], now: dict[str, Any], path: str = "") -> list[str]:
    """``key.of.table was 1, now 2`` for everything that differs."""
    found = []
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{path}{key}.")
        elif old != new:
            found.append(f"{path}{key} was {old!r}, now {new!r}")
    return found


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a folder alone.

    Raises
    ------
    InputError
        When another process does, by its number; or the folder holds other files, or cannot be written to.
    """
    names = {path.name for path in folder.iterdir() if path.suffix != ".half"} if folder.is_dir() else set()
    if not names <= {"run.lock", "stages.zarr"} and "study.toml" not in names:  # killed before it could write more
        raise InputError("out", str(folder), "the folder is not empty and holds no run; choose another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A link, in a folder that came from elsewhere, could name any file of the user's: it would be emptied.
        descriptor = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError("out", str(folder), "its run.lock is a link to another file; remove it first") from error
        raise InputError("out", str(folder), f"the run folder cannot be written to ({error.strerror})") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            raise InputError(
                "out", str(folder), f"{owner} works at this run; wait until it is done, or choose another folder"
            ) from None
        with explained("the lock of the run", folder / "run.lock"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
