r"""What went wrong with a run folder, in words: which stage, why, and what to do. Nothing that was committed is touched."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seisflow.errors import SeisflowError, StorageError

__all__ = ["DamagedStageError", "explained"]

REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your quota is used up: free some space",
    errno.EFBIG: "a file may not grow that large here: raise the limit (ulimit -f)",
    errno.EROFS: "the disk can only be read: mount it for writing, or copy the run folder elsewhere",
    errno.EACCES: "writing there is not permitted: change the permissions of the run folder",
    errno.EPERM: "writing there is not permitted: change the permissions of the run folder",
    errno.EIO: "the disk reports a fault: copy the run folder to another one",
    errno.ENOENT: "the run folder, or a part of it, was removed meanwhile",
}


class DamagedStageError(SeisflowError):
    """A committed stage cannot be read, or differs from what was written.

    Parameters
    ----------
    name, path
        The stage, and where it lies.
    problem
        What was found.
    """

    def __init__(self, name: str, path: Path, problem: Exception) -> None:
        self.name, self.path = name, path
        super().__init__(
            f"stage {name!r} is damaged: {path} cannot be read as it was written ({type(problem).__name__}: {problem}). "
            "Run again with --repair (repair=True): the stage is moved to the folder 'damaged' and computed again, with "
            "the same result; all others are untouched."
        )


@contextmanager
def explained(what: str, path: Path) -> Iterator[None]:
    """Turn an ``OSError`` into one message that says what could not be written, why, and what to do.

    Raises
    ------
    StorageError
        For any ``OSError`` inside.
    """
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, str(error.strerror or error))
        raise StorageError(
            f"{what} could not be written to {path}: {remedy}. What was committed before is safe; then give the same "
            "command again, and it goes on from there."
        ) from error
