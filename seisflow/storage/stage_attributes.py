r"""The attributes of a stage's group: plain numbers and words, with checksums of all small files and of themselves."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["checksum", "json_ready", "read_attributes", "verify_texts"]


def read_attributes(group: Path) -> dict[str, Any]:
    """Those of a group; none where it has none that can be read."""
    try:
        return dict(json.loads((group / "zarr.json").read_text()).get("attributes", {}))
    except (OSError, ValueError):
        return {}


def checksum(attributes: Mapping[str, Any]) -> int:
    """CRC-32 of attributes as they are written."""
    return zlib.crc32(json.dumps(attributes, sort_keys=True).encode())


def verify_texts(path: Path, attributes: Mapping[str, Any], weights: Path) -> None:
    """Compare the small files of a stage, its attributes and its weights with their checksums.

    Raises
    ------
    ValueError, KeyError, OSError
        One of them is not as it was written, or not there.
    """
    said = {key: value for key, value in attributes.items() if key != "checksum"}
    if checksum(said) != attributes["checksum"]:
        raise ValueError("zarr.json: its attributes do not fit their checksum")
    for name, expected in attributes["checksums"].items():
        file = weights if name == "weights" else path / name
        if zlib.crc32(file.read_bytes()) != expected:
            raise ValueError(f"{name} does not fit its checksum")


def json_ready(value: Any) -> Any:
    """The same value with NumPy numbers and arrays as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    json.dumps(value)
    return value
