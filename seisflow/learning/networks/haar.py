r"""The Haar transform of fields: neighbours (a, b) along every field axis become (a + b)/√2 and (a − b)/√2, as channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seisflow.errors import InputError

__all__ = ["haar_squeeze", "haar_unsqueeze", "neighbours"]

_ROOT_HALF = math.sqrt(0.5)


def neighbours(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The even and the odd cells along an axis."""
    if x.shape[axis] % 2:
        raise InputError("x.shape", tuple(x.shape), "every field axis must be even to be halved; pad the field first")
    pairs = x.unflatten(axis, (-1, 2))
    return pairs.select(axis + 1, 0), pairs.select(axis + 1, 1)


def haar_squeeze(x: Tensor) -> Tensor:
    """``(B, C, *field)`` → ``(B, 2^d C, *field/2)``; every one of the d field axes must be even."""
    for axis in range(2, x.ndim):
        a, b = neighbours(x, axis)
        x = torch.cat([a + b, a - b], dim=1) * _ROOT_HALF
    return x


def haar_unsqueeze(z: Tensor) -> Tensor:
    """The inverse of :func:`haar_squeeze`."""
    for axis in range(z.ndim - 1, 1, -1):
        average, detail = z.chunk(2, dim=1)
        pairs = torch.stack([average + detail, average - detail], dim=axis + 1) * _ROOT_HALF
        z = pairs.flatten(axis, axis + 1)
    return z
