"""The wire between Python and the Julia worker: values as lines of text, arrays as files in shared memory.

The other end is ``server.jl``, which describes the format. A C-ordered array ``(member, x, z)`` here is ``(z, x, member)``
there: the same bytes, no copy. All arrays of a message lie in one file, each at a multiple of 64 bytes.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, unquote

import numpy as np

from seisflow.dynamics.two_phase.engine import Value
from seisflow.errors import InputError

__all__ = ["Exchange", "Value", "check_value", "decode", "encode"]

DTYPES = ("float64", "float32", "int64", "int32", "uint8", "bool")
ALIGNMENT = 64
KEPT = 1 << 28
"""A larger file of inputs [bytes] is removed after the call."""
COPIED = 1 << 16
"""Smaller arrays [bytes] are copied out of their file, so that they do not keep it in memory."""


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

    def write(self, arrays: Iterable[np.ndarray], name: str) -> tuple[Path, list[int]]:
        """Write arrays one after the other into the first folder with room for all; the path, and where each begins."""
        arrays = list(arrays)
        sizes = [-(-array.nbytes // ALIGNMENT) * ALIGNMENT for array in arrays]
        offsets = [sum(sizes[:i]) for i in range(len(sizes))]
        for folder in self.folders[:-1]:
            path = folder / name
            there = path.stat().st_size if path.exists() else 0
            if shutil.disk_usage(folder).free + there > 2 * sum(sizes):
                try:
                    return _write(path, arrays, offsets), offsets
                except OSError:  # filled up meanwhile
                    path.unlink(missing_ok=True)
        return _write(self.folders[-1] / name, arrays, offsets), offsets

    def clear(self) -> None:
        """Remove what a call has left, but for small inputs: pages that are there already are faster than new ones."""
        for folder in self.folders:
            for path in folder.glob("[ir]*"):
                if path.name.startswith("reply") or path.stat().st_size > KEPT:
                    path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Let go of the locks of a parent process, in its forked child."""
        for lock in self._locks:
            lock.close()

    def remove(self) -> None:
        """Remove the folders."""
        if self._owner != os.getpid():
            return
        for folder, lock in zip(self.folders, self._locks, strict=True):
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def _write(path: Path, arrays: list[np.ndarray], offsets: list[int]) -> Path:
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        for array, offset in zip(arrays, offsets, strict=True):
            file.seek(offset)
            data = memoryview(array.reshape(-1).view(np.uint8).data)
            while data:
                data = data[file.write(data) :]
    return path


def check_value(key: str, value: object) -> None:
    """Raise an :class:`~seisflow.errors.InputError` for what cannot travel."""
    if isinstance(value, np.ndarray):
        good, kind = value.dtype.name in DTYPES, f"array of {value.dtype}"
    else:
        good, kind = isinstance(value, (bool, int, float, str, np.bool_, np.integer, np.floating)), type(value).__name__
    if not good:
        raise InputError(f"inputs[{key!r}]", kind, f"pass a number, a text, or an array of {', '.join(DTYPES)}")


def encode(values: Mapping[str, Value], exchange: Exchange, name: str) -> list[str]:
    """Values as lines; their arrays go into one file called ``name``."""
    lines: list[str] = []
    arrays: dict[int, np.ndarray] = {}
    for key, value in values.items():
        check_value(key, value)
        if isinstance(value, np.generic):
            value = value.item()
        token = quote(key, safe="")
        if isinstance(value, np.ndarray):
            arrays[len(lines)] = np.asarray(value, dtype=value.dtype.newbyteorder("="), order="C")
            lines.append(f"array {token} {value.dtype.name}")
        elif isinstance(value, bool):
            lines.append(f"bool {token} {'true' if value else 'false'}")
        elif isinstance(value, int):
            lines.append(f"int {token} {value}")
        elif isinstance(value, float):
            lines.append(f"float {token} {value!r}")
        else:
            lines.append(f"str {token} {quote(value, safe='')}")
    if arrays:
        path, offsets = exchange.write(arrays.values(), name)
        for (i, array), offset in zip(arrays.items(), offsets, strict=True):
            lines[i] = " ".join([lines[i], quote(str(path)), str(offset), *map(str, array.shape)])
    return lines


def decode(lines: Iterable[str]) -> dict[str, Any]:
    """Values from their lines. The files are removed; the memory of large arrays, which are mapped, goes with the arrays."""
    values: dict[str, Any] = {}
    files: dict[str, mmap.mmap] = {}
    for line in lines:
        kind, name, *rest = line.split(" ")
        key = unquote(name)
        if kind == "array":
            values[key] = _read_array(files, *rest)
        elif kind == "str":
            values[key] = unquote(rest[0])
        elif kind == "bool":
            values[key] = rest[0] == "true"
        else:
            values[key] = int(rest[0]) if kind == "int" else float(rest[0])
    for path in files:
        Path(unquote(path)).unlink()
    return values


def _read_array(files: dict[str, mmap.mmap], dtype: str, path: str, offset: str, *dims: str) -> np.ndarray:
    shape = tuple(map(int, dims))
    count = int(np.prod(shape, dtype=int))
    if count == 0:
        return np.empty(shape, dtype)
    if path not in files:
        with Path(unquote(path)).open("r+b") as file:
            files[path] = mmap.mmap(file.fileno(), 0)
    array = np.frombuffer(files[path], dtype, count, int(offset)).reshape(shape)
    return array.copy() if array.nbytes < COPIED else array
