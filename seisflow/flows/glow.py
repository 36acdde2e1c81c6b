r"""Conditional Glow: a multiscale normalizing flow for images.

    scale(x) : squeeze (Haar) → K × [actnorm → 1×1 convolution → conditional coupling] → (a, b) → unsqueeze (scale(a), b)

with L scales nested in each other; b, half of the channels, leaves at every scale. Because the Haar transform is a
rotation the latent is put back on the grid: z has the shape of x, and is white when the flow has learned the density
(Kingma & Dhariwal 2018; multiscale after Dinh et al. 2017; conditional after Ardizzone et al. 2019).
The condition passes once through a U-Net; the couplings of scale l see its features at their own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seisflow.errors import InputError
from seisflow.flows.actnorm import ActNorm
from seisflow.flows.bijector import Bijector, Chain, ConditionalFlow
from seisflow.flows.conv1x1 import InvertibleConv1x1
from seisflow.flows.coupling import AffineCoupling, NetworkFactory, convolutional
from seisflow.flows.squeeze import haar_squeeze, haar_unsqueeze
from seisflow.flows.summary import UNet

__all__ = ["Glow", "GlowOptions", "MultiScale", "conditional_glow"]


@dataclass(frozen=True)
class GlowOptions:
    """Size of a conditional Glow.

    Parameters
    ----------
    scales
        L; every field axis must be divisible by 2^L.
    steps
        K flow steps per scale.
    hidden
        Channels inside the coupling networks.
    summary
        Feature channels of the summary network.
    dropout
        In the summary network.
    bound
        Largest absolute log-scale of a coupling.
    checkpoint
        Recompute the activations of every step in backward: less memory, about 1.4 times the time.
    """

    scales: int = 3
    steps: int = 4
    hidden: int = 32
    summary: int = 16
    dropout: float = 0.1
    bound: float = 0.5
    checkpoint: bool = False

    def __post_init__(self) -> None:
        for name in ("scales", "steps", "hidden", "summary"):
            if getattr(self, name) < 1:
                raise InputError(name, getattr(self, name), "give an integer of at least 1")
        if not 0 <= self.dropout < 1:
            raise InputError("dropout", self.dropout, "give a probability in [0, 1)")
        if not 0 < self.bound <= 2:
            raise InputError("bound", self.bound, "give a number in (0, 2]; 0.5 keeps sampling stable")


class MultiScale(nn.Module):
    """One scale of the flow, holding the next coarser one."""

    def __init__(self, steps: Chain, inner: MultiScale | None, passed: int, checkpoint: bool) -> None:
        super().__init__()
        self.steps = steps
        self.inner = inner
        self.passed = passed
        self.checkpoint = checkpoint

    def forward(self, x: Tensor, features: list[Tensor | None]) -> tuple[Tensor, Tensor]:
        """z with the shape of x, and log|det|; ``features[0]`` belongs to this scale, the rest to the inner ones."""
        h, logdet = haar_squeeze(x), x.new_zeros(len(x))
        for step in self.steps.bijectors:
            if self.checkpoint and torch.is_grad_enabled():
                h, term = checkpoint(step, h, features[0], use_reentrant=False)
            else:
                h, term = step(h, features[0])
            logdet = logdet + term
        if self.inner is not None:
            coarse, term = self.inner(h[:, : self.passed], features[1:])
            h, logdet = torch.cat([coarse, h[:, self.passed :]], dim=1), logdet + term
        return haar_unsqueeze(h), logdet

    def inverse(self, z: Tensor, features: list[Tensor | None]) -> Tensor:
        """The inverse of :meth:`forward`."""
        h = haar_squeeze(z)
        if self.inner is not None:
            coarse = self.inner.inverse(h[:, : self.passed], features[1:])
            h = torch.cat([coarse, h[:, self.passed :]], dim=1)
        return haar_unsqueeze(self.steps.inverse(h, features[0]))


class Glow(Bijector):
    """The bijector of this module's head, for x ``(B, channels, *field)`` and c ``(B, condition_channels, *field)``.

    Parameters
    ----------
    channels, condition_channels
        Channels of x and of the condition (0: unconditional).
    options
        Sizes.
    ndim
        Number of field axes, 2 here; other numbers need ``network`` and ``summary``.
    network
        Makes the coupling networks; default 3×3 convolutions.
    summary
        Maps the condition to ``options.scales`` feature arrays, the halved resolution first, with ``options.summary``
        channels each; default a U-Net.
    generator
        Source of the first rotations.
    """

    def __init__(
        self,
        channels: int,
        condition_channels: int,
        options: GlowOptions,
        *,
        ndim: int = 2,
        network: NetworkFactory | None = None,
        summary: nn.Module | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if ndim != 2 and (network is None or (summary is None and condition_channels)):
            raise InputError("ndim", ndim, "give coupling and summary networks for fields that are not 2-D")
        network = network or convolutional(options.hidden)
        if condition_channels and summary is None:
            summary = UNet(condition_channels, options.summary, options.scales, options.dropout, finest=False)
        self.summary = summary
        self.n_scales = options.scales
        features = options.summary if condition_channels else 0

        def scale(level: int, channels: int) -> MultiScale:
            squeezed = channels * 2**ndim
            steps = Chain(
                Chain(
                    [
                        ActNorm(squeezed),
                        InvertibleConv1x1(squeezed, generator),
                        AffineCoupling(squeezed, features, network, options.bound),
                    ]
                )
                for _ in range(options.steps)
            )
            inner = scale(level + 1, squeezed // 2) if level + 1 < options.scales else None
            return MultiScale(steps, inner, squeezed // 2, options.checkpoint)

        self.scale = scale(0, channels)

    def _features(self, condition: Tensor | None) -> list[Tensor | None]:
        if self.summary is None:
            return [None] * self.n_scales
        if condition is None:
            raise InputError("condition", None, "this flow was built with a condition: give one")
        return list(self.summary(condition))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.scale(x, self._features(condition))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.scale.inverse(z, self._features(condition))


def conditional_glow(
    event_shape: tuple[int, ...],
    condition_channels: int,
    options: GlowOptions | None = None,
    generator: torch.Generator | None = None,
) -> ConditionalFlow:
    """A conditional Glow for 2-D fields, ready to be called with a condition.

    Parameters
    ----------
    event_shape
        ``(C, nx, nz)`` of one x, nx and nz divisible by 2^scales.
    condition_channels
        Channels of the condition ``(B, C', nx, nz)``; 0 for an unconditional flow.
    options
        Sizes; see :class:`GlowOptions`.
    generator
        Source of the first rotations; the convolutions start from torch's own generator.
    """
    options = options or GlowOptions()
    if len(event_shape) != 3 or any(n % 2**options.scales for n in event_shape[1:]):
        remedy = f"give (C, nx, nz) with nx and nz divisible by 2**scales = {2**options.scales}; pad the field first"
        raise InputError("event_shape", event_shape, remedy)
    return ConditionalFlow(Glow(event_shape[0], condition_channels, options, generator=generator), event_shape)
