r"""Conditional couplings: a known part of the channels steers what happens to the rest.

The channels are cut in two, x = (a, b); a passes and a network of a and the condition c changes b:

    affine     (r, t) = network([a, c]) ,   s = κ tanh(r / κ) ,   z = (a, b e^s + t) ,   log|det| = Σ s ;
    additive   t = network([a, c]) ,                              z = (a, b + t) ,       log|det| = 0 .

(Dinh et al. 2017, "Real NVP"; 2015, "NICE"; conditional as in Ardizzone et al. 2019.) The bound κ = 0.5 keeps e^s within
(0.61, 1.65): deep flows with wider scales lose the sampling direction z → x in float32. The network ends in zeros, so
that a new coupling is the identity.

Backward from the output: a is at hand, so one evaluation of the network gives s and t for b = (b' − t) e^−s and for

    ∂ℓ/∂b = g e^s ,   ∂ℓ/∂t = g ,   ∂ℓ/∂s = g (b' − t) + ∂ℓ/∂log|det| ,      g = ∂ℓ/∂b' .
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from seisflow.errors import InputError
from seisflow.learning.flows.bijector import Bijector, Gradients, pull
from seisflow.learning.networks.coupling import NetworkFactory, Splitting, convolutional, dense

__all__ = ["AdditiveCoupling", "AffineCoupling", "Coupling", "NetworkFactory", "convolutional", "dense"]


class Coupling(Bijector):
    """A coupling of ``(B, channels, *field)``, conditioned on ``(B or 1, condition_channels, *field)``.

    Parameters
    ----------
    channels
        Channels of x.
    condition_channels
        Channels of the condition; 0 for none.
    network
        Makes the coupling network.
    outputs
        Numbers the network gives for each channel it changes.
    passed
        Channels that pass; default half of them. 0 leaves the condition alone to steer.
    """

    def __init__(
        self, channels: int, condition_channels: int, network: NetworkFactory, outputs: int, passed: int | None = None
    ) -> None:
        super().__init__()
        self.passed = channels // 2 if passed is None else passed
        if not 0 <= self.passed < channels or self.passed + condition_channels == 0:
            remedy = "a coupling needs a channel to change and one, or a condition, to steer it; squeeze first"
            raise InputError("channels", channels, remedy)
        self.conditioned = condition_channels > 0
        self.network = network(self.passed + condition_channels, outputs * (channels - self.passed))

    @abstractmethod
    def read(self, answer: Tensor) -> tuple[Tensor | None, Tensor]:
        """s (None: all zero) and t from what the network says."""

    def scale_shift(self, a: Tensor, condition: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """s and t from a and c."""
        # The parameters' precision: under autocast the network's answer comes back to it.
        return self.read(self.network(self.known(a, condition)).to(next(self.parameters()).dtype))

    def known(self, a: Tensor, condition: Tensor | None) -> Tensor:
        """[a, c]; a single condition serves the whole batch."""
        if not self.conditioned:
            return a
        if condition is None:
            raise InputError("condition", None, "this coupling was built with a condition: give one")
        if len(condition) != len(a):
            condition = condition.expand(len(a), *condition.shape[1:])
        return torch.cat([a, condition], dim=1) if self.passed else condition

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        a, b = x[:, : self.passed], x[:, self.passed :]
        s, t = self.scale_shift(a, condition)
        if s is None:
            return torch.cat([a, b + t], dim=1), x.new_zeros(len(x))
        return torch.cat([a, torch.addcmul(t, b, s.exp())], dim=1), s.flatten(1).sum(1)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        a, b = z[:, : self.passed], z[:, self.passed :]
        return torch.cat([a, _undone(b, *self.scale_shift(a, condition))], dim=1)

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        if condition is None or not isinstance(self.network, Splitting) or len(condition) != 1:
            return super().inverse_given(condition)
        network, dtype = self.network.given(condition), next(self.parameters()).dtype

        def inverse(z: Tensor) -> Tensor:
            a, b = z[:, : self.passed], z[:, self.passed :]
            return torch.cat([a, _undone(b, *self.read(network(a).to(dtype)))], dim=1)

        return inverse

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        p = self.passed
        inputs = [] if p == 0 else [z[:, :p].detach().requires_grad_()]
        if condition is not None:
            condition = condition.detach().requires_grad_()
            inputs.append(condition)
        with torch.enable_grad():
            s, t = self.scale_shift(inputs[0] if p else z[:, :0], condition)
        g = grad_z[:, p:]
        with torch.no_grad():
            moved = z[:, p:] - t
            if s is None:
                b, grad_b = moved, g
            else:
                scale = s.exp()
                b, grad_b = moved / scale, g * scale
        if s is None:
            found = pull([t], [g], inputs, list(self.parameters()), gradients)
        else:
            grad_s = torch.addcmul(grad_logdet.view(-1, *(1,) * (z.ndim - 1)), g, moved)
            found = pull([s, t], [grad_s, g], inputs, list(self.parameters()), gradients)
        x = torch.cat([z[:, :p], b], dim=1)
        grad_x = torch.cat([grad_z[:, :p] + found[0], grad_b], dim=1) if p else grad_b
        return x, grad_x, None if condition is None else found[-1]


class AffineCoupling(Coupling):
    """Affine coupling of ``(B, channels, *field)``.

    Parameters
    ----------
    channels, condition_channels, network, passed
        See :class:`Coupling`.
    bound
        κ, largest absolute log-scale.
    """

    def __init__(
        self,
        channels: int,
        condition_channels: int,
        network: NetworkFactory,
        bound: float = 0.5,
        passed: int | None = None,
    ) -> None:
        super().__init__(channels, condition_channels, network, 2, passed)
        self.bound = bound

    def read(self, answer: Tensor) -> tuple[Tensor | None, Tensor]:
        raw, t = answer.chunk(2, dim=1)
        return self.bound * torch.tanh(raw / self.bound), t


class AdditiveCoupling(Coupling):
    """Additive coupling of ``(B, channels, *field)``: keeps volume; see :class:`Coupling` for the parameters."""

    def __init__(
        self, channels: int, condition_channels: int, network: NetworkFactory, passed: int | None = None
    ) -> None:
        super().__init__(channels, condition_channels, network, 1, passed)

    def read(self, answer: Tensor) -> tuple[Tensor | None, Tensor]:
        return None, answer


def _undone(b: Tensor, s: Tensor | None, t: Tensor) -> Tensor:
    """The changed half before the change."""
    return b - t if s is None else (b - t) * (-s).exp()
