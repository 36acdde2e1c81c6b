r"""A stage under way: members come in any order, from this process or another, and none is computed twice.

    RUN/drafts/<stage>/             the arrays so far (:mod:`seisflow.storage.zarr_files`), each at its full size
    RUN/drafts/<stage>.journal      one line for every group of members that is safely on the disk, with notes

Members are written first, brought to the disk, and then put down in the journal; a run that is killed in between
computes those members again, and no others. Whoever sees the folder may write members at a :class:`Target`, so that
they do not travel through the process that keeps the journal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.storage.errors import explained
from seisflow.storage.zarr_files import MemberFile, write_file

__all__ = ["Entry", "PartialStage", "PartialStageInMemory", "StoredPartialStage", "Target", "describe"]

Description = dict[str, tuple[str, tuple[int, ...]]]
"""Field → dtype and shape of a member."""


@dataclass(frozen=True)
class Entry:
    """What the journal says of some members: how long they took, and notes such as which of them failed."""

    members: tuple[int, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)


def describe(fields: Mapping[str, NDArray]) -> Description:
    """Dtype and shape of a member of every field ``(m, ...)``."""
    return {name: (array.dtype.name, tuple(array.shape[1:])) for name, array in fields.items()}


class PartialStage(ABC):
    """A stage under way.

    Parameters
    ----------
    members
        How many it will have, M.
    """

    def __init__(self, members: int) -> None:
        self.members = members
        self.entries: list[Entry] = []
        self._mark = time.perf_counter()

    @property
    def done(self) -> set[int]:
        """Members that are there."""
        return {m for entry in self.entries for m in entry.members}

    @property
    def seconds(self) -> float:
        """Wall-clock time of the stage so far, in all runs that worked at it [s]."""
        return sum(e.notes.get("seconds", 0.0) for e in self.entries) + time.perf_counter() - self._mark

    def _lap(self) -> float:
        now = time.perf_counter()
        lap, self._mark = now - self._mark, now
        return lap

    def target(self) -> Target | None:
        """Where another process may write members, or ``None``."""
        return None

    @abstractmethod
    def write(self, members: Sequence[int], fields: Mapping[str, NDArray], **notes: Any) -> None:
        """Add members: their rows of every field ``(m, ...)``; without fields, notes only (they failed)."""

    def take(self, members: Sequence[int], description: Description, **notes: Any) -> bool:
        """Add members that another process wrote at :meth:`target`; ``False`` when they are not seen here as written."""
        return False  # without a target nobody writes anywhere

    def forget(self, members: Iterable[int]) -> None:
        """Take members out again: they are to be computed anew."""
        out = set(members)
        self.entries = [replace(e, members=tuple(m for m in e.members if m not in out)) for e in self.entries]

    @abstractmethod
    def fields(self) -> dict[str, NDArray]:
        """The arrays ``(M, ...)``, read-only."""


class PartialStageInMemory(PartialStage):
    """A stage under way in memory."""

    def __init__(self, members: int) -> None:
        super().__init__(members)
        self._fields: dict[str, NDArray] = {}

    def write(self, members: Sequence[int], fields: Mapping[str, NDArray], **notes: Any) -> None:
        for name, rows in fields.items():
            if name not in self._fields:
                self._fields[name] = np.empty((self.members, *rows.shape[1:]), rows.dtype)
            self._fields[name][list(members)] = rows
        self.entries.append(Entry(tuple(members), {**notes, "seconds": self._lap()}))

    def fields(self) -> dict[str, NDArray]:
        return self._fields


@dataclass(frozen=True)
class Target:
    """Where members of a partial stage are written, by a process that sees the folder.

    Parameters
    ----------
    folder, journal
        Of the partial stage.
    token
        The first words of the journal: tells this stage from another one of the same name on another machine.
    members
        M.
    label
        What messages call the stage.
    """

    folder: str
    journal: str
    token: str
    members: int
    label: str

    def reachable(self) -> bool:
        """Whether this process sees the partial stage."""
        try:
            with Path(self.journal).open() as journal:
                return json.loads(journal.readline()).get("token") == self.token and os.access(self.folder, os.W_OK)
        except (OSError, ValueError):
            return False

    def write(self, members: Sequence[int], fields: Mapping[str, NDArray]) -> None:
        """Write rows of every field; they count once the keeper of the journal takes them.

        Raises
        ------
        StorageError
            The disk does not take them.
        """
        with explained(self.label, Path(self.folder)):
            for name, rows in fields.items():
                file = MemberFile(Path(self.folder) / name, (self.members, *rows.shape[1:]), rows.dtype)
                file.allocate()
                file.write(members, rows)


class StoredPartialStage(PartialStage):
    """A stage under way in a run folder; what an earlier run left of it is there already.

    Parameters
    ----------
    folder
        ``RUN/drafts/<stage>``; the journal lies beside it.
    members
        M.
    label
        What messages call the stage.
    journaled
        Whether members count one by one. Otherwise what is there is thrown away, and a killed run leaves nothing.

    Raises
    ------
    StorageError
        From every method: the folder cannot be written to, or the disk is full.
    """

    def __init__(self, folder: Path, members: int, label: str = "the stage", *, journaled: bool = True) -> None:
        super().__init__(members)
        self.folder, self.label, self.journaled = folder, label, journaled
        self.journal = folder.with_name(folder.name + ".journal")
        self._token = ""
        self._files: dict[str, MemberFile] = {}
        with explained(label, folder):
            self._resume()

    def _resume(self) -> None:
        """Take over what the journal vouches for, or begin anew."""
        lines = self.journal.read_bytes().split(b"\n")[:-1] if self.journal.exists() and self.journaled else []
        try:
            head, *rest = [json.loads(line) for line in lines]
            if head["members"] == self.members:
                self._token = head["token"]
                for line in rest:
                    _check(line, self.members)
                    self._know(line["fields"])
                    self.entries.append(Entry(tuple(line["members"]), line["notes"]))
                self._drop_damaged()
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            self._token, self.entries, self._files = "", [], {}
        if not self._token:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._token = uuid.uuid4().hex
        self._rewrite()

    def _drop_damaged(self) -> None:
        written = {m for e in self.entries for m in e.members if m not in _failed(e)}
        damaged = {m for file in self._files.values() for m in file.faults(sorted(written))}
        super().forget(damaged)

    def forget(self, members: Iterable[int]) -> None:
        super().forget(members)
        with explained(self.label, self.folder):
            self._rewrite()

    def _rewrite(self) -> None:
        """The journal anew: without a line that was cut off."""
        if not self.journaled:
            return
        lines = [json.dumps({"token": self._token, "members": self.members})]
        lines += [self._line(entry) for entry in self.entries]
        write_file(self.journal, ("\n".join(lines) + "\n").encode())

    def _line(self, entry: Entry) -> str:
        fields = {name: (file.dtype.name, file.shape[1:]) for name, file in self._files.items()}
        return json.dumps({"members": entry.members, "fields": fields, "notes": entry.notes})

    def _know(self, description: Description) -> None:
        """Make the files of fields that are new."""
        for name, (dtype, shape) in description.items():
            if name not in self._files:
                file = MemberFile(self.folder / name, (self.members, *shape), np.dtype(dtype))
                file.allocate()
                self._files[name] = file

    def target(self) -> Target:
        return Target(str(self.folder.absolute()), str(self.journal.absolute()), self._token, self.members, self.label)

    def write(self, members: Sequence[int], fields: Mapping[str, NDArray], **notes: Any) -> None:
        with explained(self.label, self.folder):
            self._know(describe(fields))
            for name, rows in fields.items():
                self._files[name].write(members, rows)
            self._enter(members, notes)

    def take(self, members: Sequence[int], description: Description, **notes: Any) -> bool:
        with explained(self.label, self.folder):
            self._know(description)
            if any(self._files[name].faults(members) for name in description):
                return False
            self._enter(members, notes)
            return True

    def _enter(self, members: Sequence[int], notes: Mapping[str, Any]) -> None:
        entry = Entry(tuple(int(m) for m in members), {**notes, "seconds": self._lap()})
        if self.journaled:
            with self.journal.open("ab") as journal:
                journal.write((self._line(entry) + "\n").encode())
                journal.flush()
                os.fsync(journal.fileno())
        self.entries.append(entry)

    @property
    def files(self) -> Mapping[str, MemberFile]:
        """The arrays' files by field."""
        return self._files

    def fields(self) -> dict[str, NDArray]:
        return {name: file.open() for name, file in self._files.items()}


def _check(line: Any, members: int) -> None:
    """Whether a line of a journal is one that this module writes: a folder may come from anywhere.

    Raises
    ------
    ValueError
        When it names a member beyond the last, or a field by something else than letters, digits and _, which would be a
        path.
    """
    if any(type(m) is not int or not 0 <= m < members for m in line["members"]):
        raise ValueError(f"members {line['members']} of {members}")
    if not isinstance(line["notes"], dict):
        raise TypeError("notes must be a table")
    for name, (dtype, shape) in line["fields"].items():
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ValueError(f"{name!r} is no name of a field")
        if np.dtype(dtype).kind not in "biuf" or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError(f"{name}: {dtype}, {shape}")


def _failed(entry: Entry) -> set[int]:
    return {int(m) for m in entry.notes.get("failed", {})}
