r"""Arrays of an ensemble as files that zarr v3 reads and that many processes can write.

One array ``(M, ...)`` is one file: a single zarr shard whose M inner chunks are the members, not compressed, one after
the other (zarr core specification 3.0, and its sharding codec; M is the number of members, n the bytes of one)

    | member 0 | member 1 | … | member M−1 | M checksums (CRC-32, uint32) | M × (offset, n), uint64: the shard's index |

so that (1) every member has its place from the beginning: whoever computed it writes it there, in any order, from any
process or machine that sees the file; (2) the file is mapped into memory as one array and never copied; (3) zarr and
xarray open it as an array with one chunk per member, and pass over the checksums, because the index does not mention
them. All numbers are little-endian. Disk space is reserved when the file is made, not when the last member has come.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["MemberFile", "array_metadata", "group_metadata", "sync_folder", "sync_tree", "write_array", "write_file"]

KINDS = "biufc"
READ_BYTES = 1 << 24
SYNC_THREADS = 16


def write_file(path: Path, data: bytes) -> None:
    """Write a small file beside its name, bring it to the disk, and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.half")
    try:
        with half.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Bring a folder and all that is in it to the disk, at once: disks take many requests in one go."""
    paths = [Path(parent) / name for parent, _, names in os.walk(folder) for name in (*names, "")]
    with ThreadPoolExecutor(SYNC_THREADS) as threads:
        for _ in threads.map(_sync, paths):
            pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    _sync(folder)


def _stored(dtype: np.dtype) -> np.dtype:
    if dtype.kind not in KINDS:
        raise InputError("dtype", str(dtype), "give numbers or booleans")
    return dtype.newbyteorder("<")


def array_metadata(
    shape: Sequence[int],
    dtype: np.dtype,
    axes: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
    *,
    sharded: bool = True,
) -> dict[str, Any]:
    """What ``zarr.json`` of an array says.

    Parameters
    ----------
    shape, dtype
        Of the whole array.
    axes
        Names of its dimensions.
    attributes
        ``units``, ``long_name`` and the like.
    sharded
        One inner chunk per entry of the first axis; otherwise one plain chunk.
    """
    raw = {"name": "bytes", "configuration": {"endian": "little"}}
    inner = {"chunk_shape": [1, *shape[1:]], "codecs": [raw], "index_codecs": [raw], "index_location": "end"}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": {"b": False, "f": "NaN", "c": ["NaN", "NaN"]}.get(dtype.kind, 0),
        "codecs": [{"name": "sharding_indexed", "configuration": inner}] if sharded else [raw],
        "attributes": dict(attributes or {}),
        "dimension_names": list(axes),
        "storage_transformers": [],
    }


def group_metadata(attributes: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]] | None = None) -> bytes:
    """The ``zarr.json`` of a group; with ``arrays``, their metadata inside, so that one read opens the group."""
    group: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    if arrays is not None:
        group["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": dict(arrays)}
    return json.dumps(group, indent=1).encode()


def write_array(folder: Path, values: NDArray, axes: Sequence[str], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Write a small array (a coordinate) in one plain chunk, not yet brought to the disk; returns its metadata."""
    values = np.asarray(values)
    metadata = array_metadata(values.shape, values.dtype, axes, attributes, sharded=False)
    folder.mkdir(exist_ok=True)
    (folder / ".".join("c" + "0" * values.ndim)).write_bytes(values.astype(_stored(values.dtype)).tobytes())
    (folder / "zarr.json").write_text(json.dumps(metadata))
    return metadata


@dataclass(frozen=True)
class MemberFile:
    """One array of a stage, whose members are written in any order.

    Parameters
    ----------
    folder
        The array's folder in the zarr group.
    shape
        ``(M, ...)``.
    dtype
        Of its numbers.
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def path(self) -> Path:
        """The one file that holds the numbers."""
        return self.folder / ".".join("c" + "0" * len(self.shape))

    @property
    def member_bytes(self) -> int:
        """Bytes of one member, n."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    @property
    def size(self) -> int:
        """Bytes of the file: M (n + 20)."""
        return self.shape[0] * (self.member_bytes + 20)

    def allocate(self) -> None:
        """Make the file at its full size, with its index; what is there stays. Any number of processes may do so at once.

        Raises
        ------
        OSError
            The disk has not that much space, or cannot be written to.
        """
        members, n = self.shape[0], self.member_bytes
        self.path.parent.mkdir(parents=True, exist_ok=True)
        index = np.stack([np.arange(members) * n, np.full(members, n)], axis=1).astype("<u8")
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.fstat(descriptor).st_size != self.size:
                os.posix_fallocate(descriptor, 0, self.size)
                _write_at(descriptor, memoryview(index.tobytes()), members * (n + 4))
        finally:
            os.close(descriptor)

    def write(self, members: Sequence[int], rows: NDArray) -> None:
        """Write members with their checksums, and bring them to the disk.

        Raises
        ------
        OSError
            The disk cannot take them.
        """
        rows = np.ascontiguousarray(rows, _stored(self.dtype))
        n, sums = self.member_bytes, self.shape[0] * self.member_bytes
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            for first, stop in _runs(members):
                piece = rows[first:stop].reshape(-1).view(np.uint8).data
                _write_at(descriptor, piece, members[first] * n)
                checks = np.array([zlib.crc32(row) for row in _split(piece, n, stop - first)], "<u4")
                _write_at(descriptor, memoryview(checks.tobytes()), sums + 4 * members[first])
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def faults(self, members: Sequence[int] | None = None) -> list[int]:
        """Members (of those asked for; all) whose numbers do not fit their checksums.

        Raises
        ------
        OSError
            The file cannot be read, or is not as long as it should be.
        """
        n, wrong = self.member_bytes, []
        with self.path.open("rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found != self.size:
                raise OSError(f"{self.path} has {found} bytes, and should have {self.size}")
            file.seek(self.shape[0] * n)
            sums = np.frombuffer(file.read(4 * self.shape[0]), "<u4")
            for member in range(self.shape[0]) if members is None else members:
                file.seek(member * n)
                check, left = 0, n
                while left:
                    piece = file.read(min(left, READ_BYTES))
                    check, left = zlib.crc32(piece, check), left - len(piece)
                if check != sums[member]:
                    wrong.append(member)
        return wrong

    def open(self) -> NDArray:
        """All members ``(M, ...)``, mapped from the file, read-only."""
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, self.dtype)
        return np.asarray(np.memmap(self.path, _stored(self.dtype), "r", 0, self.shape))


def _runs(members: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Stretches of positions whose members follow each other."""
    first = 0
    for i in range(1, len(members) + 1):
        if i == len(members) or members[i] != members[i - 1] + 1:
            yield first, i
            first = i


def _split(piece: memoryview, n: int, count: int) -> list[memoryview]:
    return [piece[i * n : (i + 1) * n] for i in range(count)]


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
