r"""A network that corrects a first guess of the state, and what it learns by.

From a condition that begins with first guesses x̂ and the logarithms of their errors' deviations log s (C channels each,
:mod:`seisflow.analysis.learned.condition`) it makes δ and λ, and minimises the mean over cells of

    ( (T⁻¹(x̂ + δ) − T⁻¹(x)) / q )²  +  κ ( ½ v² + λ ) ,      v = (x − x̂ − δ) exp(−λ) / s ,  |λ| ≤ 2 .

The first term is the squared error of the physical fields in units q of their spread: what counts is where a plume ends, not
how deep a dry cell lies under its level set. T is clipping (:meth:`seisflow.analysis.transform.FieldMap.limits`); beyond the
limits a slope of 2 % is left, so that a wrong cell finds back. The second is the Gaussian likelihood of the error, δ held
fixed: it trains the spread alone, with a small κ.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seisflow.analysis.transform import FittedTransform
from seisflow.learning.networks.summary import UNetHead

__all__ = ["Correction"]

BOUND = 2.0
"""Largest |λ|."""
LEAK = 0.02
"""Slope beyond the limits of a field."""
SPREAD_TERM = 0.05
"""κ."""


class Correction(nn.Module):
    """δ and λ of a first guess, zero at the start.

    Parameters
    ----------
    channels
        Of the condition.
    transform
        T and the padding.
    units
        q of every field.
    width, levels, dropout
        Of the U-Net.
    """

    def __init__(
        self,
        channels: int,
        transform: FittedTransform,
        units: NDArray,
        width: int,
        levels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        maps = transform.transform.maps
        self.fields = len(maps)
        self.network = UNetHead(channels, 2 * self.fields, width, levels, dropout)
        limits = np.array([one.limits for one in maps.values()])
        low, high, unit = (self._shaped(values, transform) for values in (*limits.T, units))
        for name, values in (
            ("mean", transform.pad(transform.mean) / unit),
            ("deviation", transform.pad(transform.deviation) / unit),
            ("low", low / unit),
            ("high", high / unit),
        ):
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32), persistent=False)

    @staticmethod
    def _shaped(values: NDArray, transform: FittedTransform) -> NDArray:
        return np.asarray(values, np.float64).reshape(-1, *[1] * (transform.mean.ndim - 1))

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """δ and λ, each ``(B, C, …)``."""
        shift, raw = self.network(condition).chunk(2, dim=1)
        return shift, BOUND * torch.tanh(raw / BOUND)

    @staticmethod
    def loss(network: nn.Module, x: Tensor, condition: Tensor | None) -> Tensor:
        """What this module's head says, for states ``(B, C, …)``."""
        assert isinstance(network, Correction)
        assert condition is not None
        C = network.fields
        shift, spread = network(condition)
        found = condition[:, :C] + shift
        error = (network.physical(found) - network.physical(x, leak=0.0)) ** 2
        v = (x - found.detach()) * (-spread - condition[:, C : 2 * C]).exp()
        return error.mean() + SPREAD_TERM * (0.5 * v**2 + spread).mean()

    def physical(self, latent: Tensor, leak: float = LEAK) -> Tensor:
        """T⁻¹(x)/q, with a slope left beyond the limits."""
        values = latent * self.get_buffer("deviation") + self.get_buffer("mean")
        inside = values.clamp(self.get_buffer("low"), self.get_buffer("high"))
        return inside + leak * (values - inside)
