r"""Invertible 1×1 convolution: one learned square matrix mixes the channels of every cell.

    z_cell = W x_cell ,   W = P L (U + diag(σ e^s)) ,   log|det| = n_cells Σ s ,

P a fixed permutation, L unit lower and U strictly upper triangular, σ fixed signs (Kingma & Dhariwal 2018, section 3.2).
W starts as a random rotation, so that a standard normal x stays one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seisflow.learning.flows.mixing import Mixing

__all__ = ["InvertibleConv1x1"]


class InvertibleConv1x1(Mixing):
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

    def weight(self) -> Tensor:
        return self.all_weights([self])[0][0]

    def log_determinant(self) -> Tensor:
        return self.log_diagonal.sum()

    @classmethod
    def all_weights(cls, mixings: Sequence[Mixing]) -> tuple[Tensor, Tensor]:
        def stacked(name: str) -> Tensor:
            return torch.stack([getattr(m, name) for m in mixings])

        log_diagonal = stacked("log_diagonal")
        with torch.autocast(log_diagonal.device.type, enabled=False):
            identity = torch.eye(log_diagonal.shape[1], dtype=log_diagonal.dtype, device=log_diagonal.device)
            lower = stacked("lower").tril(-1) + identity
            upper = stacked("upper").triu(1) + torch.diag_embed(stacked("sign") * log_diagonal.exp())
            return stacked("permutation") @ lower @ upper, log_diagonal.sum(1)
