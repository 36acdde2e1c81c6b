"""Where and how loops are compiled: in a folder of the user's own, one process at a time.

Devito and codepy put what they compile into folders of predictable names below the temporary folder, which all users
share, and load what lies there, whoever owns it. codepy marks a compilation by a file; a process that is killed meanwhile
leaves it, and every later one waits for it without end. So compilation happens in a folder of ours that nobody else can
enter, under a lock that the kernel lets go of when its holder ends; whoever holds it clears the marks of those who were
killed.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seisflow.errors import InputError

__all__ = ["compiling", "folder"]


def folder() -> Path:
    """The folder of compiled loops, ``devito`` in seisflow's cache folder, which only its owner can enter.

    Raises
    ------
    InputError
        When it cannot be made, or belongs to somebody else.
    """
    users = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "seisflow"
    found = Path(os.environ.get("SEISFLOW_CACHE") or users).expanduser().absolute() / "devito"
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
        if found.stat().st_uid != os.getuid():
            raise InputError("SEISFLOW_CACHE", str(found), "it belongs to another user; name a folder of your own")
        found.chmod(0o700)
    except OSError as error:
        remedy = f"compiled loops cannot be kept there ({error.strerror}); name a folder that can be written to"
        raise InputError("SEISFLOW_CACHE", str(found), remedy) from error
    return found


@contextmanager
def compiling() -> Iterator[None]:
    """Within the block Devito compiles in :func:`folder`, and no other process does."""
    own = folder()
    with (own / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for mark in own.glob("devito-codepy-uid*/*/lock"):
            mark.unlink(missing_ok=True)  # of a process that was killed: those alive wait for our lock
        before, tempfile.tempdir = tempfile.tempdir, str(own)
        try:
            yield
        finally:
            tempfile.tempdir = before
