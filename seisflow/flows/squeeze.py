r"""Haar squeeze: space becomes channels, by the orthogonal Haar transform.

Along every field axis neighbours (a, b) become their average (a + b)/√2 and detail (a − b)/√2, stacked as channels, so
``(B, C, 2n, 2m)`` becomes ``(B, 4C, n, m)`` with the averages first. The map is a rotation: log|det| = 0, and white
noise stays white. It is the one bijector that changes the shape; :class:`~seisflow.flows.glow.MultiScale` undoes it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seisflow.errors import InputError

__all__ = ["haar_squeeze", "haar_unsqueeze"]

_ROOT_HALF = math.sqrt(0.5)


def haar_squeeze(x: Tensor) -> Tensor:
    """``(B, C, *field)`` → ``(B, 2^d C, *field/2)``; every one of the d field axes must be even."""
    if any(n % 2 for n in x.shape[2:]):
        raise InputError("x.shape", tuple(x.shape), "every field axis must be even to be halved; pad the field first")
    for axis in range(2, x.ndim):
        pairs = x.unflatten(axis, (-1, 2))
        a, b = pairs.select(axis + 1, 0), pairs.select(axis + 1, 1)
        x = torch.cat([a + b, a - b], dim=1) * _ROOT_HALF
    return x


def haar_unsqueeze(z: Tensor) -> Tensor:
    """The inverse of :func:`haar_squeeze`."""
    for axis in range(z.ndim - 1, 1, -1):
        average, detail = z.chunk(2, dim=1)
        pairs = torch.stack([average + detail, average - detail], dim=axis + 1) * _ROOT_HALF
        z = pairs.flatten(axis, axis + 1)
    return z
