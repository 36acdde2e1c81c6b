r"""Invertible 1×1 convolution: one square matrix mixes the channels of every cell.

    z_cell = W x_cell ,   W = P L (U + diag(σ e^s)) ,   log|det| = n_cells Σ s ,

P a fixed permutation, L unit lower and U strictly upper triangular, σ fixed signs (Kingma & Dhariwal 2018, section 3.2).
W starts as a random rotation, so that a standard normal x stays one. The inverse is two triangular solves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seisflow.flows.bijector import Bijector

__all__ = ["InvertibleConv1x1"]


class InvertibleConv1x1(Bijector):
    """Learned mixing of the channels of ``(B, channels, *field)``.

    Parameters
    ----------
    channels
        Number of channels.
    generator
        Source of the first rotation; default: torch's own.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        normal = torch.randn((channels, channels), generator=generator, dtype=torch.float64)
        permutation, lower, upper = torch.linalg.lu(torch.linalg.qr(normal).Q)
        diagonal = upper.diagonal()
        dtype = torch.get_default_dtype()
        self.register_buffer("permutation", permutation.to(dtype))
        self.register_buffer("sign", diagonal.sign().to(dtype))
        self.lower = nn.Parameter(lower.tril(-1).to(dtype))
        self.upper = nn.Parameter(upper.triu(1).to(dtype))
        self.log_diagonal = nn.Parameter(diagonal.abs().log().to(dtype))

    def _factors(self) -> tuple[Tensor, Tensor]:
        identity = torch.eye(len(self.sign), dtype=self.lower.dtype, device=self.lower.device)
        lower = self.lower.tril(-1) + identity
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
        return lower, upper

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self._factors()
        z = (
            (self.permutation @ lower @ upper) @ x.flatten(2)
            if x.ndim > 2
            else x @ (self.permutation @ lower @ upper).T
        )
        return z.view_as(x), (self.log_diagonal.sum() * x[0, 0].numel()).expand(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        lower, upper = self._factors()
        cells = z.flatten(2) if z.ndim > 2 else z.unsqueeze(-1)
        half = torch.linalg.solve_triangular(lower, self.permutation.T @ cells, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, half, upper=True).reshape(z.shape)
