r"""Coupling networks: from (known half, condition) to the numbers that change the other half.

Their last layer starts at zero, so that a new coupling is the identity. Any module of the same inputs and outputs can
take their place; the whole choice is a function of two numbers, :data:`NetworkFactory`.

The first layer is linear, W [a, c] + w = W_a a + (W_c c + w): where one condition serves many a, its part is computed once
(:class:`Splitting`). A network without this method is simply asked with the condition again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seisflow.errors import InputError

__all__ = ["CONVOLUTIONS", "NetworkFactory", "PerCell", "Splitting", "convolutional", "dense", "network_for", "zeroed"]

Layer = TypeVar("Layer", bound=nn.Module)

NetworkFactory = Callable[[int, int], nn.Module]
"""Makes a coupling network from its numbers of input and output channels; its last layer should start at zero."""

CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}
"""The convolution for a number of field axes."""

_BATCH, _MANY = 16, 2048
"""The batch from which on torch takes oneDNN for width 1, and the cells from which on it pays."""


def zeroed(layer: Layer) -> Layer:
    """The layer with weight and bias set to zero."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


class PerCell(nn.Linear):
    """A convolution of width 1 on ``(B, inputs, *field)``.

    On CPUs torch computes a batch of fewer than 16 on one thread by its slow method; as a matrix product over cells it is
    fast. For many cells oneDNN's convolution is faster still (twice that of the product on AMD's processors), which torch
    takes when the cells are dealt out to a batch of 16.
    """

    def forward(self, input: Tensor) -> Tensor:
        cells = input.movedim(1, -1)
        n = cells.shape[:-1].numel()
        if n % _BATCH or n < _MANY or input.device.type != "cpu" or input.dtype == torch.float64:
            return super().forward(cells).movedim(-1, 1)
        dealt = cells.reshape(_BATCH, n // _BATCH, 1, self.in_features).movedim(-1, 1)
        out = functional.conv2d(dealt, self.weight[:, :, None, None], self.bias)
        return out.movedim(1, -1).reshape(*cells.shape[:-1], self.out_features).movedim(-1, 1)


class Splitting(nn.Sequential):
    """Layers of which the first is a convolution or a linear layer of [a, c]."""

    def given(self, condition: Tensor) -> Callable[[Tensor], Tensor]:
        """The network of a alone, c ``(1, C', *field)`` being fixed; the weights are read now."""
        first, *others = self.children()
        assert isinstance(first, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
        passed = first.weight.shape[1] - condition.shape[1]
        own, other = first.weight[:, :passed].contiguous(), first.weight[:, passed:].contiguous()
        part = _linear(first, condition, other, first.bias)

        def network(a: Tensor) -> Tensor:
            h = _linear(first, a, own).add_(part) if passed else part.expand(len(a), *part.shape[1:]).clone()
            for layer in others:
                h = layer(h)
            return h

        return network


def _linear(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The layer with another weight."""
    if isinstance(layer, nn.Linear):
        return functional.linear(x, weight, bias)
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    convolve = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}[weight.ndim]
    return convolve(x, weight, bias, padding=layer.padding)


def convolutional(hidden: int, ndim: int = 2) -> NetworkFactory:
    """Coupling networks for fields of ``ndim`` axes: convolutions of width 3, 1, 3 with ``hidden`` channels between."""
    if ndim not in CONVOLUTIONS:
        raise InputError("ndim", ndim, "convolutions have 1, 2 or 3 axes; use dense() for vectors")
    convolution = CONVOLUTIONS[ndim]

    def make(inputs: int, outputs: int) -> nn.Module:
        return Splitting(
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
        return Splitting(
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
