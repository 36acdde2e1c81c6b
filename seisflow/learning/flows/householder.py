r"""Householder mixing: a learned rotation of the channels, a product of reflections.

    z_cell = H_1 ⋯ H_n x_cell ,   H_i = I − 2 v_i v_iᵀ / |v_i|² ,   log|det| = 0 .

Orthogonal whatever the parameters, so its inverse cannot lose digits (Tomczak & Welling 2016, "Improving variational
auto-encoders using Householder flow"); n = C reflections reach every orthogonal matrix of one sign of determinant.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seisflow.errors import InputError
from seisflow.learning.flows.mixing import Mixing, per_cell

__all__ = ["HouseholderMixing"]


class HouseholderMixing(Mixing):
    """Learned rotation of the channels of ``(B, channels, *field)``.

    Parameters
    ----------
    channels
        C.
    generator
        Source of the first vectors; default: torch's own.
    reflections
        n; default ``min(C, 8)``.
    """

    def __init__(self, channels: int, generator: torch.Generator | None = None, reflections: int | None = None) -> None:
        super().__init__()
        n = min(channels, 8) if reflections is None else reflections
        if n < 1:
            raise InputError("reflections", reflections, "give at least 1")
        self.vectors = nn.Parameter(torch.randn((n, channels), generator=generator))

    def weight(self) -> Tensor:
        with torch.autocast(self.vectors.device.type, enabled=False):
            matrix = torch.eye(self.vectors.shape[1], dtype=self.vectors.dtype, device=self.vectors.device)
            for v in self.vectors / self.vectors.norm(dim=1, keepdim=True):
                matrix = matrix - 2 * torch.outer(matrix @ v, v)
            return matrix

    def log_determinant(self) -> Tensor:
        return self.vectors.new_zeros(())

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return per_cell(z, self.weight().T)
