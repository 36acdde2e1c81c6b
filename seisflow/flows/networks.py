r"""Coupling networks: from (known half, condition) to the numbers that change the other half.

Their last layer starts at zero, so that a new coupling is the identity. Any module of the same inputs and outputs can
take their place; the whole choice is a function of two numbers, :data:`NetworkFactory`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from seisflow.errors import InputError

__all__ = ["CONVOLUTIONS", "NetworkFactory", "PerCell", "convolutional", "dense", "network_for", "zeroed"]

Layer = TypeVar("Layer", bound=nn.Module)

NetworkFactory = Callable[[int, int], nn.Module]
"""Makes a coupling network from its numbers of input and output channels; its last layer should start at zero."""

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}
"""The convolution for a number of field axes."""


def zeroed(layer: Layer) -> Layer:
    """The layer with weight and bias set to zero."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


class PerCell(nn.Linear):
    """A convolution of width 1, as a matrix product over cells: on CPUs torch has no fast one for small batches."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def convolutional(hidden: int, ndim: int = 2) -> NetworkFactory:
    """Coupling networks for fields of ``ndim`` axes: convolutions of width 3, 1, 3 with ``hidden`` channels between."""
    if ndim not in CONVOLUTIONS:
        raise InputError("ndim", ndim, "convolutions have 1, 2 or 3 axes; use dense() for vectors")
    convolution = CONVOLUTIONS[ndim]

    def make(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            convolution(inputs, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            PerCell(hidden, hidden),
            nn.ReLU(),
            zeroed(convolution(hidden, outputs, 3, padding=1)),
        )

    return make


def dense(hidden: int) -> NetworkFactory:
    """Coupling networks for vectors ``(B, C)``: two hidden layers."""

    def make(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            zeroed(nn.Linear(hidden, outputs)),
        )

    return make


def network_for(ndim: int, hidden: int) -> NetworkFactory:
    """The default coupling network for fields with ``ndim`` axes, 0 meaning vectors."""
    return convolutional(hidden, ndim) if ndim else dense(hidden)
