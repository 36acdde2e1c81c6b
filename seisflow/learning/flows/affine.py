r"""Conditional Gaussian layer: a regression with a scale, the first layer of a flow for small ensembles.

    z = (x − m − μ_θ(c)) / (s · exp(λ_θ(c))) ,      log|det| = −Σ (log s + λ_θ(c)) ,   |λ_θ| ≤ 2 .

m and log s are a first guess of mean and log-deviation of x, carried as the first 2C channels of the condition (for
instance a linear regression of x on the data); μ_θ and λ_θ, the output of a network on the whole condition, correct it
and start at zero. With z ~ N(0, I) this alone is a Gaussian p(x | c) with independent cells.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from seisflow.learning.flows.bijector import Bijector

__all__ = ["ConditionalAffine"]


class ConditionalAffine(Bijector):
    """The layer above for x ``(B, channels, *field)``.

    Parameters
    ----------
    channels
        C, channels of x; the condition's first 2C channels are m and log s.
    network
        Maps the condition ``(B, C', *field)`` to ``(B, 2C, *field)``, zero at the start.
    bound
        Largest |λ_θ|.
    """

    def __init__(self, channels: int, network: nn.Module, bound: float = 2.0) -> None:
        super().__init__()
        self.channels = channels
        self.network = network
        self.bound = bound

    def moments(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of x given c, each ``(B, C, *field)``."""
        shift, raw = self.network(condition).chunk(2, dim=1)
        mean = condition[:, : self.channels] + shift
        log_deviation = condition[:, self.channels : 2 * self.channels] + self.bound * torch.tanh(raw / self.bound)
        return mean, log_deviation

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert condition is not None  # the layer is meaningless without one
        mean, log_deviation = self.moments(condition)
        return (x - mean) * (-log_deviation).exp(), -log_deviation.flatten(1).sum(1)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None
        mean, log_deviation = self.moments(condition)
        return mean + z * log_deviation.exp()

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        assert condition is not None
        mean, log_deviation = self.moments(condition)
        deviation = log_deviation.exp()
        return lambda z: mean + z * deviation
