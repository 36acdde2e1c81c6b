r"""Bijectors, chains of them, and the conditional distributions they define.

A conditional bijector maps x to z = f(x; c), one to one for every condition c, and knows log|det ∂f/∂x|. With a standard
normal z it defines a density by the change of variables (Papamakarios et al. 2021, JMLR 22(57))

    log p(x | c) = log N(f(x; c); 0, I) + log|det ∂f/∂x| ,        x = f⁻¹(z; c),  z ~ N(0, I).

x and z are ``(B, C, *field)`` with any number of field axes (none for vectors).

Backward without stored activations: a bijector can give the gradient of a loss ℓ from its *output*. ``reverse`` gets z,
∂ℓ/∂z and ∂ℓ/∂log|det|, and returns x = f⁻¹(z; c), ∂ℓ/∂x and ∂ℓ/∂c, adding ∂ℓ/∂θ to a dictionary on the way; chained from
the last bijector to the first, this needs the memory of one of them (:mod:`~seisflow.learning.flows.recompute`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import cast

import torch
from torch import Tensor, nn

from seisflow.errors import InputError

__all__ = ["Bijector", "Chain", "Condition", "ConditionalDistribution", "ConditionalFlow", "Gradients", "Link"]

Gradients = dict[nn.Parameter, Tensor]
"""∂ℓ/∂θ, filled by :meth:`Bijector.reverse`."""

Link = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""(x, c) ↦ (z, log|det|)."""

Condition = Tensor | Mapping[str, Tensor]
"""What a flow is conditioned on: one tensor, or one per modality for a network that knows them by name."""


_CACHED, _ON_DEVICE = 2**17, 2**21
"""Numbers in a batch of fields that is drawn at once."""


class Bijector(nn.Module, ABC):
    """An invertible map of ``(B, C, *field)`` that may depend on a condition ``(B or 1, C', *field')``."""

    @abstractmethod
    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z = f(x; c), and log|det ∂f/∂x| ``(B,)``."""

    @abstractmethod
    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """x = f⁻¹(z; c)."""

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        """z ↦ f⁻¹(z; c) for one condition ``(1, C', *field')``, with the weights as they are now.

        For drawing many: layers compute here, once, what does not depend on z.
        """
        return lambda z: self.inverse(z, condition)

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """x, ∂ℓ/∂x and ∂ℓ/∂c from z, ∂ℓ/∂z and ∂ℓ/∂log|det| ``(B,)``; ∂ℓ/∂θ is added to ``gradients``.

        This one inverts and then differentiates ``forward``; layers that know their gradient do better.
        """
        with torch.no_grad():
            x = self.inverse(z, condition)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            inputs = [x]
            if condition is not None:
                condition = condition.detach().requires_grad_()
                inputs.append(condition)
            outputs = self.forward(x, condition)
            found = pull(outputs, (grad_z, grad_logdet), inputs, list(self.parameters()), gradients)
        return x.detach(), found[0], found[1] if condition is not None else None


def pull(
    outputs: Iterable[Tensor],
    grads: Iterable[Tensor],
    inputs: list[Tensor],
    parameters: list[nn.Parameter],
    gradients: Gradients,
) -> list[Tensor]:
    """Gradients with respect to ``inputs`` (zeros where they have no say); those of parameters go to ``gradients``."""
    pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if o.requires_grad]
    wanted = [p for p in parameters if p.requires_grad]
    found = torch.autograd.grad([o for o, _ in pairs], [*inputs, *wanted], [g for _, g in pairs], allow_unused=True)
    for parameter, gradient in zip(wanted, found[len(inputs) :], strict=True):
        if gradient is not None:
            gradients[parameter] = gradient if parameter not in gradients else gradients[parameter] + gradient
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=False)]


class Chain(Bijector):
    """Bijectors one after another, all with the same condition."""

    def __init__(self, bijectors: Iterable[Bijector]) -> None:
        super().__init__()
        self.bijectors = nn.ModuleList(bijectors)

    def part(self, start: int, stop: int | None) -> Chain:
        """Some of the bijectors in a row, the same ones."""
        return Chain([cast(Bijector, b) for b in list(self.bijectors)[start:stop]])

    def links(self) -> list[Link]:
        """The maps of the chain one by one; a chain that computes something for all of them together does it here."""
        return list(self.bijectors)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logdet = x.new_zeros(len(x))
        for link in self.links():
            x, term = link(x, condition)
            logdet = logdet + term
        return x, logdet

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        for bijector in reversed(self.bijectors):
            z = bijector.inverse(z, condition)  # type: ignore[operator]
        return z

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        maps = [b.inverse_given(condition) for b in reversed(self.bijectors)]  # type: ignore[operator]
        return lambda z: reduce(lambda value, inverse: inverse(value), maps, z)

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        total: Tensor | None = None
        for bijector in reversed(self.bijectors):
            assert isinstance(bijector, Bijector)
            z, grad_z, term = bijector.reverse(z, condition, grad_z, grad_logdet, gradients)
            if term is not None:
                total = term if total is None else total.add_(term)
        return z, grad_z, total


class ConditionalDistribution:
    """p(x | c) for a batch of conditions; made by calling a :class:`ConditionalFlow`."""

    def __init__(self, flow: ConditionalFlow, condition: Condition | None) -> None:
        self.flow = flow
        self.condition = condition

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | c) ``(B,)`` of ``(B, C, *field)``, one x per condition (or any B for a single condition)."""
        z, logdet = self.flow.forward(x, self._conditions(len(x)))
        return logdet - 0.5 * (z**2).flatten(1).sum(1) - 0.5 * math.log(2 * math.pi) * z[0].numel()

    def sample(self, n: int, generator: torch.Generator | None = None, batch: int | None = None) -> Tensor:
        """Draw ``n`` fields from a single condition (or from none), ``(n, C, *field)``, ``batch`` at a time."""
        return self.draw(self._normal(n, generator), batch)

    def draw(self, z: Tensor, batch: int | None = None) -> Tensor:
        """:meth:`from_latent` without gradients, for a single condition (or none): quicker, and ``batch`` at a time.

        What does not depend on z is computed once. The default batch keeps the arrays of a field's networks in the
        processor's cache, and is large on a GPU.
        """
        if batch is None:
            batch = max(1, (_CACHED if z.device.type == "cpu" else _ON_DEVICE) // z[0].numel())
        if any(len(c) != 1 for c in _tensors(self._conditions(len(z)))):
            raise InputError("condition", "several", "give a single condition to draw from, or use from_latent")
        with torch.inference_mode():
            inverse = self.flow.inverse_given(self.condition)
            parts = [inverse(part) for part in z.split(batch)]
        return torch.cat(parts)  # outside of the block: an ordinary tensor, fit for autograd

    def rsample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """As :meth:`sample`, at once and differentiable with respect to parameters and condition."""
        return self.from_latent(self._normal(n, generator))

    def to_latent(self, x: Tensor) -> Tensor:
        """z = f(x; c)."""
        return self.flow.forward(x, self._conditions(len(x)))[0]

    def from_latent(self, z: Tensor) -> Tensor:
        """x = f⁻¹(z; c)."""
        return self.flow.inverse(z, self._conditions(len(z)))

    def _normal(self, n: int, generator: torch.Generator | None) -> Tensor:
        like = next(self.flow.parameters())
        device = like.device if generator is None else generator.device
        z = torch.randn((n, *self.flow.event_shape), generator=generator, dtype=like.dtype, device=device)
        return z.to(like.device)

    def _conditions(self, n: int) -> Condition | None:
        for condition in _tensors(self.condition):
            if len(condition) not in (1, n):
                remedy = f"there are {len(condition)} conditions: give one, or as many as fields"
                raise InputError("n", n, remedy)
        return self.condition


def _tensors(condition: Condition | None) -> list[Tensor]:
    if condition is None:
        return []
    return list(condition.values()) if isinstance(condition, Mapping) else [condition]


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

    def __call__(self, condition: Condition | None = None) -> ConditionalDistribution:
        """The distribution p(x | condition)."""
        return ConditionalDistribution(self, condition)

    def forward(self, x: Tensor, condition: Condition | None = None) -> tuple[Tensor, Tensor]:
        """z = f(x; c) and log|det ∂f/∂x|."""
        if tuple(x.shape[1:]) != self.event_shape:
            raise InputError("x.shape", tuple(x.shape), f"this flow was built for (members, *{self.event_shape})")
        return self.bijector(x, condition)

    def inverse(self, z: Tensor, condition: Condition | None = None) -> Tensor:
        """x = f⁻¹(z; c)."""
        return self.bijector.inverse(z, condition)  # type: ignore[arg-type]

    def inverse_given(self, condition: Condition | None) -> Callable[[Tensor], Tensor]:
        """z ↦ f⁻¹(z; c) for one condition; see :meth:`Bijector.inverse_given`."""
        return self.bijector.inverse_given(condition)  # type: ignore[arg-type]

    def transport(self, x: Tensor, condition: Condition | None, target: Condition | None) -> Tensor:
        """Joint to conditional, x ↦ f⁻¹(f(x; c); c°): carries x ~ p(x | c) to p(x | c°) (Spantini et al. 2022)."""
        return self.inverse(self.forward(x, condition)[0], target)
