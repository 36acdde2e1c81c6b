"""The wire between Python and the Julia worker: values as lines of text, arrays as files in shared memory.

The other end is ``server.jl``, which describes the format. A C-ordered array ``(member, x, z)`` here is ``(z, x, member)``
there: the same bytes, no copy.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, unquote

import numpy as np

from seisflow.errors import InputError

__all__ = ["Exchange", "Value", "decode", "encode"]

Value = np.ndarray | str | int | float | bool

DTYPES = ("float64", "float32", "int64", "int32", "uint8", "bool")


class Exchange:
    """The folders through which arrays travel: one in shared memory, one on disk for what does not fit there.

    The lock file tells a later engine whether the owner still lives: what a killed process left is removed then.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self.folders: list[Path] = []
        self._locks: list[TextIO] = []
        for base in dict.fromkeys(("/dev/shm", tempfile.gettempdir())):
            if not os.access(base, os.W_OK | os.X_OK):
                continue
            self._sweep(Path(base))
            folder = Path(tempfile.mkdtemp(prefix="seisflow-julia-", dir=base))
            lock = (folder / "owner").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.folders.append(folder)
            self._locks.append(lock)

    @staticmethod
    def _sweep(base: Path) -> None:
        for folder in base.glob("seisflow-julia-*"):
            try:
                with (folder / "owner").open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:  # in use, being made, or somebody else's
                continue

    def write(self, array: np.ndarray, name: str) -> Path:
        """Write the raw bytes into the first folder with room."""
        for folder in self.folders[:-1]:
            if shutil.disk_usage(folder).free > 2 * array.nbytes:
                try:
                    array.tofile(folder / name)
                    return folder / name
                except OSError:  # filled up meanwhile
                    (folder / name).unlink(missing_ok=True)
        array.tofile(self.folders[-1] / name)
        return self.folders[-1] / name

    def clear(self) -> None:
        """Remove the files of the last call."""
        for folder in self.folders:
            for path in folder.glob("*-*"):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folders."""
        if self._owner != os.getpid():
            return
        for folder, lock in zip(self.folders, self._locks, strict=True):
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def encode(key: str, value: Value, exchange: Exchange, number: int) -> str:
    """One value as a line; an array goes to a file."""
    name = quote(key, safe="")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return f"bool {name} {'true' if value else 'false'}"
    if isinstance(value, int):
        return f"int {name} {value}"
    if isinstance(value, float):
        return f"float {name} {value!r}"
    if isinstance(value, str):
        return f"str {name} {quote(value, safe='')}"
    if not isinstance(value, np.ndarray) or value.dtype.name not in DTYPES:
        kind = f"array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise InputError(f"inputs[{key!r}]", kind, f"pass a number, a text, or an array of {', '.join(DTYPES)}")
    array = np.asarray(value, dtype=value.dtype.newbyteorder("="), order="C")
    path = exchange.write(array, f"input-{number}")
    return " ".join(["array", name, array.dtype.name, quote(str(path)), *map(str, array.shape)])


def decode(line: str) -> tuple[str, Any]:
    """One value line as (key, value); an array is mapped, and its memory is given back with the array."""
    kind, name, *rest = line.split(" ")
    key = unquote(name)
    if kind == "array":
        dtype, path, *dims = rest
        shape = tuple(map(int, dims))
        if 0 in shape:
            return key, np.empty(shape, dtype)
        flat = np.memmap(unquote(path), dtype=dtype, mode="r+", shape=(int(np.prod(shape, dtype=int)),))
        return key, flat.view(np.ndarray).reshape(shape)
    text = rest[0]
    if kind == "str":
        return key, unquote(text)
    if kind == "bool":
        return key, text == "true"
    return key, int(text) if kind == "int" else float(text)
