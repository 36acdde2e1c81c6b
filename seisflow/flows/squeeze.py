r"""Squeezes: space becomes channels, ``(B, C, 2n, 2m)`` → ``(B, 4C, n, m)``, in the same way along any number of axes.

Haar: along every field axis neighbours (a, b) become their average (a + b)/√2 and detail (a − b)/√2, stacked as channels,
the averages first. Checkerboard: they become a and b, a permutation of the numbers (Dinh et al. 2017).
Both are rotations: log|det| = 0, and white noise stays white. They are the bijectors that change the shape;
:class:`~seisflow.flows.multiscale.MultiScale` undoes it. Without field axes nothing happens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seisflow.errors import InputError
from seisflow.flows.bijector import Bijector

__all__ = ["CheckerboardSqueeze", "HaarSqueeze", "haar_squeeze", "haar_unsqueeze"]

_ROOT_HALF = math.sqrt(0.5)


def _pairs(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The even and the odd cells along an axis."""
    if x.shape[axis] % 2:
        raise InputError("x.shape", tuple(x.shape), "every field axis must be even to be halved; pad the field first")
    pairs = x.unflatten(axis, (-1, 2))
    return pairs.select(axis + 1, 0), pairs.select(axis + 1, 1)


def haar_squeeze(x: Tensor) -> Tensor:
    """``(B, C, *field)`` → ``(B, 2^d C, *field/2)``; every one of the d field axes must be even."""
    for axis in range(2, x.ndim):
        a, b = _pairs(x, axis)
        x = torch.cat([a + b, a - b], dim=1) * _ROOT_HALF
    return x


def haar_unsqueeze(z: Tensor) -> Tensor:
    """The inverse of :func:`haar_squeeze`."""
    for axis in range(z.ndim - 1, 1, -1):
        average, detail = z.chunk(2, dim=1)
        pairs = torch.stack([average + detail, average - detail], dim=axis + 1) * _ROOT_HALF
        z = pairs.flatten(axis, axis + 1)
    return z


class HaarSqueeze(Bijector):
    """:func:`haar_squeeze` as a bijector."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return haar_squeeze(x), x.new_zeros(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return haar_unsqueeze(z)


class CheckerboardSqueeze(Bijector):
    """Space to channels without arithmetic."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        for axis in range(2, x.ndim):
            x = torch.cat(_pairs(x, axis), dim=1)
        return x, x.new_zeros(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        for axis in range(z.ndim - 1, 1, -1):
            z = torch.stack(z.chunk(2, dim=1), dim=axis + 1).flatten(axis, axis + 1)
        return z
