r"""Bijectors, chains of them, and the conditional distributions they define.

A conditional bijector maps x to z = f(x; c), one to one for every condition c, and knows log|det ∂f/∂x|. With a standard
normal z it defines a density by the change of variables (Papamakarios et al. 2021, JMLR 22(57))

    log p(x | c) = log N(f(x; c); 0, I) + log|det ∂f/∂x| ,        x = f⁻¹(z; c),  z ~ N(0, I).

All bijectors here keep the shape: x and z are ``(B, C, *field)`` with any number of field axes (none for vectors).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from seisflow.errors import InputError

__all__ = ["Bijector", "Chain", "ConditionalDistribution", "ConditionalFlow"]


class Bijector(nn.Module, ABC):
    """An invertible map of ``(B, C, *field)`` that may depend on a condition ``(B, C', *field')``."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z = f(x; c) with the shape of x, and log|det ∂f/∂x| ``(B,)``."""

    @abstractmethod
    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """x = f⁻¹(z; c), with the shape of z."""


class Chain(Bijector):
    """Bijectors one after another, all with the same condition."""

    def __init__(self, bijectors: Iterable[Bijector]) -> None:
        super().__init__()
        self.bijectors = nn.ModuleList(bijectors)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logdet = x.new_zeros(len(x))
        for bijector in self.bijectors:
            x, term = bijector(x, condition)
            logdet = logdet + term
        return x, logdet

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        for bijector in reversed(self.bijectors):
            z = bijector.inverse(z, condition)  # type: ignore[operator]
        return z


class ConditionalDistribution:
    """p(x | c) for a batch of conditions; made by calling a :class:`ConditionalFlow`."""

    def __init__(self, flow: ConditionalFlow, condition: Tensor | None) -> None:
        self.flow = flow
        self.condition = condition

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | c) ``(B,)`` of ``(B, C, *field)``, one x per condition (or any B for a single condition)."""
        z, logdet = self.flow.forward(x, self._conditions(len(x)))
        return logdet - 0.5 * (z**2).flatten(1).sum(1) - 0.5 * math.log(2 * math.pi) * z[0].numel()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``n`` fields from a single condition (or from none), ``(n, C, *field)``."""
        like = next(self.flow.parameters())
        z = torch.randn((n, *self.flow.event_shape), generator=generator, dtype=like.dtype, device=like.device)
        return self.flow.inverse(z, self._conditions(n))

    def _conditions(self, n: int) -> Tensor | None:
        if self.condition is None or len(self.condition) == n:
            return self.condition
        if len(self.condition) != 1:
            raise InputError("n", n, f"there are {len(self.condition)} conditions: give one, or as many as fields")
        return self.condition.expand(n, *self.condition.shape[1:])


class ConditionalFlow(nn.Module):
    """A bijector with the shape of its fields; calling it with a condition returns a distribution.

    Parameters
    ----------
    bijector
        The map f.
    event_shape
        Shape ``(C, *field)`` of one x.
    """

    def __init__(self, bijector: Bijector, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.bijector = bijector
        self.event_shape = tuple(event_shape)

    def __call__(self, condition: Tensor | None = None) -> ConditionalDistribution:
        """The distribution p(x | condition)."""
        return ConditionalDistribution(self, condition)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z = f(x; c) and log|det ∂f/∂x|."""
        if tuple(x.shape[1:]) != self.event_shape:
            raise InputError("x.shape", tuple(x.shape), f"this flow was built for (members, *{self.event_shape})")
        return self.bijector(x, condition)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """x = f⁻¹(z; c)."""
        return self.bijector.inverse(z, condition)
