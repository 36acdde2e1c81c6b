r"""Conditional affine coupling with a bounded scale.

The channels are cut in two, x = (a, b); a passes and steers what happens to b:

    (r, t) = network([a, c]) ,   s = κ tanh(r / κ) ,   z = (a, b e^s + t) ,   log|det| = Σ s .

(Dinh et al. 2017, "Real NVP"; conditional as in Ardizzone et al. 2019.) The bound κ = 0.5 keeps e^s within (0.61, 1.65):
deep flows with wider scales lose the sampling direction z → x in float32. The network ends in zeros, so that a new
coupling is the identity.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seisflow.errors import InputError
from seisflow.flows.bijector import Bijector

__all__ = ["AffineCoupling", "NetworkFactory", "convolutional", "dense"]

NetworkFactory = Callable[[int, int], nn.Module]
"""Makes a coupling network from its numbers of input and output channels; its last layer should start at zero."""


class AffineCoupling(Bijector):
    """Affine coupling of ``(B, channels, *field)``, conditioned on ``(B, condition_channels, *field)``.

    Parameters
    ----------
    channels
        Channels of x, at least 2.
    condition_channels
        Channels of the condition; 0 for none.
    network
        Makes the coupling network.
    bound
        κ, largest absolute log-scale.
    """

    def __init__(self, channels: int, condition_channels: int, network: NetworkFactory, bound: float = 0.5) -> None:
        super().__init__()
        if channels < 2:
            raise InputError("channels", channels, "a coupling needs at least two channels to cut; squeeze first")
        self.passed = channels // 2
        self.bound = bound
        self.network = network(self.passed + condition_channels, 2 * (channels - self.passed))

    def _scale_shift(self, a: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        known = a if condition is None else torch.cat([a, condition], dim=1)
        raw, shift = self.network(known).chunk(2, dim=1)
        return self.bound * torch.tanh(raw / self.bound), shift

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        a, b = x[:, : self.passed], x[:, self.passed :]
        log_scale, shift = self._scale_shift(a, condition)
        return torch.cat([a, b * log_scale.exp() + shift], dim=1), log_scale.flatten(1).sum(1)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        a, b = z[:, : self.passed], z[:, self.passed :]
        log_scale, shift = self._scale_shift(a, condition)
        return torch.cat([a, (b - shift) * (-log_scale).exp()], dim=1)


def _zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def convolutional(hidden: int) -> NetworkFactory:
    """Coupling networks for 2-D fields: 3×3, 1×1, 3×3 convolutions with ``hidden`` channels between."""

    def make(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(inputs, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            _zeroed(nn.Conv2d(hidden, outputs, 3, padding=1)),
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
            _zeroed(nn.Linear(hidden, outputs)),
        )

    return make
