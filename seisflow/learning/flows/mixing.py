r"""Mixing of channels, the same in every cell: z_cell = W x_cell, log|det| = n_cells log|det W|.

Three parametrisations of W: a learned matrix by its LU factors (:mod:`~seisflow.learning.flows.conv1x1`), a product of
learned reflections (:mod:`~seisflow.learning.flows.householder`), a fixed permutation
(:mod:`~seisflow.learning.flows.permutation`). The inverse of W is formed in double precision and applied as a matrix: one
rounding in the field's precision.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from seisflow.learning.flows.bijector import Bijector

__all__ = ["Mixing", "per_cell"]


def per_cell(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W x + b in every cell of ``(B, C, *field)``, never in reduced precision: the inverse must find x again.

    The result has its channels last in memory, the order in which convolutions are fastest.
    """
    with torch.autocast(x.device.type, enabled=False):
        return functional.linear(x.movedim(1, -1), weight.to(x.dtype), bias).movedim(-1, 1)


class Mixing(Bijector):
    """A bijector that is one square matrix for all cells."""

    @abstractmethod
    def weight(self) -> Tensor:
        """W ``(C, C)``, row i giving channel i of z."""

    @abstractmethod
    def log_determinant(self) -> Tensor:
        """log|det W|, a scalar."""

    @classmethod
    def all_weights(cls, mixings: Sequence[Mixing]) -> tuple[Tensor, Tensor]:
        """W ``(K, C, C)`` and log|det W| ``(K,)`` of K mixings of this kind and one size."""
        return torch.stack([m.weight() for m in mixings]), torch.stack([m.log_determinant() for m in mixings])

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return per_cell(x, self.weight()), (self.log_determinant() * x[0, 0].numel()).expand(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return per_cell(z, torch.linalg.inv(self.weight().double()))
