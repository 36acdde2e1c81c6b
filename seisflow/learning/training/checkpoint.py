r"""Files from which a training goes on as if it had never stopped.

One file holds weights, average, best weights, optimiser, record and both random streams, written to a second name first
and then renamed, so that a crash leaves the last whole one. Each process of a data-parallel training has its own.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seisflow.errors import InputError, StorageError
from seisflow.learning.training import parallel

__all__ = ["load", "random_state", "restore_random_state", "save"]

_VERSION = 1


def _own(path: Path) -> Path:
    return path if parallel.rank() == 0 else path.with_name(f"{path.name}.{parallel.rank()}")


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, and lists, tuples and dictionaries of them)."""
    path = _own(path)
    half = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"version": _VERSION, **state}, half)
        half.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own writer raises the second
        with suppress(OSError):
            half.unlink()
        raise StorageError(
            f"the state of a training could not be written to {path} ({error}): free some space, and give the same command "
            "again; it goes on from the last epoch that was written."
        ) from error


def load(path: Path, expected: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
    """What was saved, None if there is no file; entries named in ``expected`` must be as they are there."""
    path = _own(path)
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    for name, value in {"version": _VERSION, **expected}.items():
        if state.get(name) != value:
            remedy = f"it was written with {name} = {state.get(name)!r}, now {value!r}: give another file, or remove it"
            raise InputError("checkpoint", str(path), remedy)
    return state


def random_state(generator: np.random.Generator, device: torch.device) -> dict[str, Any]:
    """The state of ``generator`` and of torch's default streams."""
    state = {"numpy": generator.bit_generator.state, "torch": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def restore_random_state(state: dict[str, Any], generator: np.random.Generator, device: torch.device) -> None:
    """Undo everything drawn since :func:`random_state`."""
    generator.bit_generator.state = state["numpy"]
    torch.set_rng_state(state["torch"].cpu())
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
