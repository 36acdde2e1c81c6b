r"""Recursive coupling: HINT.

    R(x; c) = ( R_1(a; c), R_2(b e^s + t; c) ) ,   (s, t) = network([a, c]) ,   x = (a, b) ,

each half being coupled within itself again, down to single channels or to a given depth (Kruse et al. 2021, "HINT:
hierarchical invertible neural transport for density estimation and Bayesian inference", AAAI). The Jacobian is block
triangular at every level, so dense in all where a plain coupling leaves half of it empty; log-determinant (the sum of all
s) and inverse (b needs the original a, which R_1⁻¹ gives) stay as cheap. A part of one channel, which has nothing left to be
cut, is scaled and shifted by the condition alone: z = x e^{s(c)} + t(c). One such layer is then a full conditional
Knothe–Rosenblatt map, and works for a single channel too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seisflow.errors import InputError
from seisflow.learning.flows.bijector import Bijector, Gradients
from seisflow.learning.flows.coupling import AffineCoupling
from seisflow.learning.networks.coupling import NetworkFactory

__all__ = ["RecursiveCoupling"]


class RecursiveCoupling(Bijector):
    """The coupling above of ``(B, channels, *field)``, conditioned on ``(B or 1, condition_channels, *field)``.

    Parameters
    ----------
    channels
        Channels of x; at least 2 without a condition.
    condition_channels
        Channels of the condition; 0 for none.
    network
        Makes the coupling networks, one for every cut.
    bound
        Largest absolute log-scale of one coupling.
    depth
        How often a half is cut again; 0 is the plain affine coupling. The number of networks is at most 2^(depth + 1) − 1.
    """

    def __init__(
        self, channels: int, condition_channels: int, network: NetworkFactory, bound: float = 0.5, depth: int = 2
    ) -> None:
        super().__init__()
        if depth < 0:
            raise InputError("depth", depth, "give an integer of at least 0")
        self.coupling = AffineCoupling(channels, condition_channels, network, bound)
        self.passed = self.coupling.passed
        self.upper: RecursiveCoupling | None = None
        self.lower: RecursiveCoupling | None = None

        def part(channels: int) -> RecursiveCoupling | None:
            if depth == 0 or channels == 0 or (channels == 1 and condition_channels == 0):
                return None
            return RecursiveCoupling(channels, condition_channels, network, bound, depth - 1)

        if channels > 1:
            self.upper = part(self.passed)
            self.lower = part(channels - self.passed)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h, logdet = self.coupling(x, condition)
        a, b = h[:, : self.passed], h[:, self.passed :]
        if self.upper is not None:
            a, term = self.upper(a, condition)
            logdet = logdet + term
        if self.lower is not None:
            b, term = self.lower(b, condition)
            logdet = logdet + term
        return torch.cat([a, b], dim=1), logdet

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        a, b = z[:, : self.passed], z[:, self.passed :]
        if self.upper is not None:
            a = self.upper.inverse(a, condition)
        if self.lower is not None:
            b = self.lower.inverse(b, condition)
        return self.coupling.inverse(torch.cat([a, b], dim=1), condition)

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        inner = [None if part is None else part.inverse_given(condition) for part in (self.upper, self.lower)]
        coupling = self.coupling.inverse_given(condition)

        def inverse(z: Tensor) -> Tensor:
            parts = z[:, : self.passed], z[:, self.passed :]
            return coupling(torch.cat([p if f is None else f(p) for p, f in zip(parts, inner, strict=True)], dim=1))

        return inverse

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        p = self.passed
        parts, grads, total = [z[:, :p], z[:, p:]], [grad_z[:, :p], grad_z[:, p:]], None
        for i, inner in enumerate((self.upper, self.lower)):
            if inner is not None:
                parts[i], grads[i], term = inner.reverse(parts[i], condition, grads[i], grad_logdet, gradients)
                total = term if total is None or term is None else total + term
        x, grad_x, term = self.coupling.reverse(
            torch.cat(parts, dim=1), condition, torch.cat(grads, dim=1), grad_logdet, gradients
        )
        return x, grad_x, term if total is None or term is None else total + term
