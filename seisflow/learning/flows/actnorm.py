r"""Activation normalisation: one scale and one shift per channel, set from the first batch.

    z = (x + b) exp(s) ,      log|det| = n_cells Σ_c s_c .

The first training batch sets b and s so that z has zero mean and unit variance per channel (Kingma & Dhariwal 2018,
"Glow", section 3.1); from then on they are ordinary parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seisflow.learning.flows.bijector import Bijector

__all__ = ["ActNorm"]


class ActNorm(Bijector):
    """Per-channel affine map of ``(B, channels, *field)`` with data-dependent start."""

    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(False))
        # The buffer travels with the weights; the flag spares reading it back from a GPU in every batch.
        self._ready = False
        self.register_load_state_dict_post_hook(lambda module, _: module._read())

    def _read(self) -> None:
        self._ready = bool(self.initialised)

    @property
    def ready(self) -> bool:
        """Whether scale and shift have been set."""
        return self._ready

    def start(self, x: Tensor) -> None:
        """In training, set scale and shift from x if nothing has set them before."""
        if self.training and not self._ready:
            self._initialise(x)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.start(x)
        shape = (1, -1, *(1,) * (x.ndim - 2))
        z = (x + self.shift.view(shape)) * self.log_scale.exp().view(shape)
        return z, (self.log_scale.sum() * x[0, 0].numel()).expand(len(x))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        shape = (1, -1, *(1,) * (z.ndim - 2))
        return z * (-self.log_scale).exp().view(shape) - self.shift.view(shape)

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        values = x.transpose(0, 1).flatten(1)
        # A channel that is constant in the first batch would get an infinite scale; 1e-3 bounds it.
        deviation = values.std(dim=1, correction=0).clamp_min(1e-3)
        self.shift.copy_(-values.mean(dim=1))
        self.log_scale.copy_(-deviation.log())
        self.initialised.fill_(True)
        self._ready = True
