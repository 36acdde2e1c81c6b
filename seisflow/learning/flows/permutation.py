r"""Permutation of the channels: z_c = x_π(c), log|det| = 0. Random and fixed, or the reversal (Dinh et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from seisflow.learning.flows.mixing import Mixing

__all__ = ["Permutation"]


class Permutation(Mixing):
    """Fixed reordering of the channels of ``(B, channels, *field)``.

    Parameters
    ----------
    channels
        C.
    generator
        Source of the random order; default: torch's own.
    reverse_order
        Reverse the channels instead of shuffling them.
    """

    order: Tensor
    back: Tensor
    zero: Tensor

    def __init__(self, channels: int, generator: torch.Generator | None = None, reverse_order: bool = False) -> None:
        super().__init__()
        order = torch.arange(channels - 1, -1, -1) if reverse_order else torch.randperm(channels, generator=generator)
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())
        self.register_buffer("zero", torch.zeros(()), persistent=False)

    def weight(self) -> Tensor:
        return functional.one_hot(self.order, len(self.order)).to(self.zero.dtype)

    def log_determinant(self) -> Tensor:
        return self.zero

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return z[:, self.back]
