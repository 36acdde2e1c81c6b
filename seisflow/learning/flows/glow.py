r"""Conditional Glow, and HINT in the same frame: multiscale normalizing flows for vectors, 1-D, 2-D and 3-D fields.

    scale(x) : squeeze → K × [actnorm → mixing of channels → conditional coupling] → (a, b) → unsqueeze (scale(a), b)

with L scales nested in each other (:mod:`~seisflow.learning.flows.multiscale`). With an affine coupling this is Glow
(Kingma & Dhariwal 2018; conditional after Ardizzone et al. 2019), with a recursive one HINT (Kruse et al. 2021,
:mod:`~seisflow.learning.flows.hint`). The condition passes once through a summary network
(:mod:`~seisflow.learning.networks.summary`); the couplings of a scale see its features at their own resolution. Vectors
have no resolution: L = 1 is usual for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from seisflow.errors import InputError
from seisflow.learning.flows.actnorm import ActNorm
from seisflow.learning.flows.bijector import Bijector, Condition, ConditionalFlow
from seisflow.learning.flows.conv1x1 import InvertibleConv1x1
from seisflow.learning.flows.coupling import AdditiveCoupling, AffineCoupling
from seisflow.learning.flows.hint import RecursiveCoupling
from seisflow.learning.flows.householder import HouseholderMixing
from seisflow.learning.flows.mixing import Mixing
from seisflow.learning.flows.multiscale import MultiScale
from seisflow.learning.flows.permutation import Permutation
from seisflow.learning.flows.recompute import Memory, require_repeatable
from seisflow.learning.flows.squeeze import CheckerboardSqueeze, HaarSqueeze
from seisflow.learning.flows.step import FlowStep, StepChain
from seisflow.learning.networks.coupling import NetworkFactory, network_for
from seisflow.learning.networks.summary import MLP, UNet, channels_last

__all__ = ["CouplingKind", "Glow", "GlowOptions", "MixingKind", "conditional_glow", "conditional_hint"]

CouplingKind = Literal["affine", "additive", "recursive"]
MixingKind = Literal["lu", "householder", "permutation"]
SqueezeKind = Literal["haar", "checkerboard"]


@dataclass(frozen=True)
class GlowOptions:
    """Size and kind of a conditional flow.

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
    coupling
        ``"affine"`` (Glow), ``"additive"`` (no change of volume), ``"recursive"`` (HINT).
    depth
        How often a recursive coupling cuts its halves again.
    mixing
        ``"lu"``, ``"householder"`` (always a rotation) or ``"permutation"`` (fixed).
    squeeze
        ``"haar"`` or ``"checkerboard"``.
    memory
        ``"store"``, ``"checkpoint"`` or ``"invert"``; see :mod:`~seisflow.learning.flows.recompute`.
    """

    scales: int = 3
    steps: int = 4
    hidden: int = 32
    summary: int = 16
    dropout: float = 0.1
    bound: float = 0.5
    coupling: CouplingKind = "affine"
    depth: int = 2
    mixing: MixingKind = "lu"
    squeeze: SqueezeKind = "haar"
    memory: Memory = "store"

    def __post_init__(self) -> None:
        for name in ("scales", "steps", "hidden", "summary"):
            if getattr(self, name) < 1:
                raise InputError(name, getattr(self, name), "give an integer of at least 1")
        if not 0 <= self.dropout < 1:
            raise InputError("dropout", self.dropout, "give a probability in [0, 1)")
        if not 0 < self.bound <= 2:
            raise InputError("bound", self.bound, "give a number in (0, 2]; 0.5 keeps sampling stable")
        kinds = {"coupling": CouplingKind, "mixing": MixingKind, "squeeze": SqueezeKind, "memory": Memory}
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                raise InputError(name, getattr(self, name), f"give one of {get_args(kind)}")


class Glow(Bijector):
    """The bijector of this module's head, for x ``(B, channels, *field)`` and c ``(B or 1, condition_channels, *field)``.

    Parameters
    ----------
    channels, condition_channels
        Channels of x and of the condition (0: unconditional).
    options
        Sizes and kinds.
    ndim
        Number of field axes, 0 (vectors) to 3.
    network
        Makes the coupling networks; default convolutions, or dense layers for vectors.
    summary
        Maps the condition to ``options.scales`` feature arrays, the halved resolution first, with ``options.summary``
        channels each; default a U-Net, or an MLP for vectors.
    generator
        Source of the first mixings.
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
        if not 0 <= ndim <= 3:
            raise InputError("ndim", ndim, "fields have 0 (vectors) to 3 axes")
        network = network or network_for(ndim, options.hidden)
        if condition_channels and summary is None:
            size = (condition_channels, options.summary, options.scales, options.dropout)
            summary = UNet(*size, finest=False, ndim=ndim) if ndim else MLP(*size)
        self.summary = summary
        self.n_scales = options.scales
        features = options.summary if summary is not None else 0
        squeeze = HaarSqueeze() if options.squeeze == "haar" else CheckerboardSqueeze()

        def scale(level: int, channels: int) -> MultiScale:
            squeezed = channels * 2**ndim
            steps = StepChain(
                FlowStep(
                    ActNorm(squeezed),
                    _mixing(options.mixing, squeezed, generator),
                    _coupling(options, squeezed, features, network),
                )
                for _ in range(options.steps)
            )
            inner = scale(level + 1, squeezed // 2) if level + 1 < options.scales else None
            # A step of a coarser scale needs less room: "invert" keeps there up to four at the price of one of the finest.
            kept = min(2 ** (ndim * level), 4)
            return MultiScale(squeeze, steps, inner, squeezed // 2, options.memory, kept)

        self.scale = scale(0, channels)
        if options.memory == "invert":
            require_repeatable(self.scale)

    @property
    def memory(self) -> Memory:
        """How backward gets its activations; may be changed at any time."""
        return self.scale.memory

    @memory.setter
    def memory(self, kind: Memory) -> None:
        if kind not in get_args(Memory):
            raise InputError("memory", kind, f"give one of {get_args(Memory)}")
        if kind == "invert":
            require_repeatable(self.scale)
        scale: MultiScale | None = self.scale
        while scale is not None:
            scale.memory = kind
            scale = scale.inner

    def _features(self, condition: Condition | None, dtype: torch.dtype) -> list[Tensor | None]:
        if self.summary is None:
            return [None] * self.n_scales
        if condition is None:
            raise InputError("condition", None, "this flow was built with a condition: give one")
        # One memory order for the field and its features: a mixed one makes every convolution reorder its input.
        return [channels_last(feature.to(dtype)) for feature in self.summary(condition)]

    def forward(self, x: Tensor, condition: Condition | None = None) -> tuple[Tensor, Tensor]:
        return self.scale(x, self._features(condition, x.dtype))

    def inverse(self, z: Tensor, condition: Condition | None = None) -> Tensor:
        return self.scale.inverse(z, self._features(condition, z.dtype))

    def inverse_given(self, condition: Condition | None) -> Callable[[Tensor], Tensor]:
        return self.scale.inverse_given(self._features(condition, next(self.scale.parameters()).dtype))


def _mixing(kind: MixingKind, channels: int, generator: torch.Generator | None) -> Mixing:
    if kind == "lu":
        return InvertibleConv1x1(channels, generator)
    if kind == "householder":
        return HouseholderMixing(channels, generator)
    return Permutation(channels, generator)


def _coupling(options: GlowOptions, channels: int, features: int, network: NetworkFactory) -> Bijector:
    if options.coupling == "affine":
        return AffineCoupling(channels, features, network, options.bound)
    if options.coupling == "additive":
        return AdditiveCoupling(channels, features, network)
    return RecursiveCoupling(channels, features, network, options.bound, options.depth)


def conditional_glow(
    event_shape: tuple[int, ...],
    condition_channels: int,
    options: GlowOptions | None = None,
    generator: torch.Generator | None = None,
    *,
    network: NetworkFactory | None = None,
    summary: nn.Module | None = None,
) -> ConditionalFlow:
    """A conditional flow ready to be called with a condition.

    Parameters
    ----------
    event_shape
        Shape ``(C, *field)`` of one x, every field axis divisible by 2^scales; ``(C,)`` for vectors.
    condition_channels
        Channels of the condition ``(B, C', *field)``; 0 for an unconditional flow.
    options
        Sizes and kinds; see :class:`GlowOptions`. Default: three scales, one for vectors.
    generator
        Source of the first mixings; the networks start from torch's own generator.
    network, summary
        Own coupling and summary networks; see :class:`Glow`.
    """
    ndim = len(event_shape) - 1
    options = options or GlowOptions(scales=3 if ndim else 1)
    if ndim < 0 or any(n % 2**options.scales for n in event_shape[1:]):
        divisor = f"2**scales = {2**options.scales}"
        remedy = f"give (C, nx, nz) with field axes divisible by {divisor}; pad the field first, or use fewer scales"
        raise InputError("event_shape", event_shape, remedy)
    glow = Glow(
        event_shape[0], condition_channels, options, ndim=ndim, network=network, summary=summary, generator=generator
    )
    return ConditionalFlow(glow, event_shape)


def conditional_hint(
    event_shape: tuple[int, ...],
    condition_channels: int,
    options: GlowOptions | None = None,
    generator: torch.Generator | None = None,
    *,
    network: NetworkFactory | None = None,
    summary: nn.Module | None = None,
) -> ConditionalFlow:
    """As :func:`conditional_glow`, with recursive couplings."""
    options = options or GlowOptions(scales=3 if len(event_shape) > 1 else 1)
    options = replace(options, coupling="recursive")
    return conditional_glow(event_shape, condition_channels, options, generator, network=network, summary=summary)
