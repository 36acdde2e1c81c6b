r"""Squeezes: space becomes channels, ``(B, C, 2n, 2m)`` → ``(B, 4C, n, m)``, in the same way along any number of axes.

Haar: along every field axis neighbours (a, b) become their average (a + b)/√2 and detail (a − b)/√2, stacked as channels,
the averages first. Checkerboard: they become a and b, a permutation of the numbers (Dinh et al. 2017).
Both are rotations: log|det| = 0, and white noise stays white. They are the bijectors that change the shape;
:class:`~seisflow.learning.flows.multiscale.MultiScale` undoes it. Without field axes nothing happens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seisflow.learning.flows.bijector import Bijector
from seisflow.learning.networks.haar import haar_squeeze, haar_unsqueeze, neighbours

__all__ = ["CheckerboardSqueeze", "HaarSqueeze"]


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
            x = torch.cat(neighbours(x, axis), dim=1)
        return x, x.new_zeros(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        for axis in range(z.ndim - 1, 1, -1):
            z = torch.stack(z.chunk(2, dim=1), dim=axis + 1).flatten(axis, axis + 1)
        return z
