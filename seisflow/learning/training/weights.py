r"""Weights beside a network: their exponential average, and a start from those of an earlier network.

θ̄ ← d θ̄ + (1 − d) θ ,      d = min(decay, (1 + n) / (10 + n)) after n steps, so that the start is soon forgotten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["Average", "warm_start"]


class Average:
    """Exponential average of the floating-point entries of a state dictionary."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.count = decay, 0
        self.state = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights as they are now."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)

    def copy(self) -> dict[str, Tensor]:
        """The average as a state dictionary of its own."""
        return {k: v.clone() for k, v in self.state.items()}

    @contextlib.contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Within the block ``module`` has the averaged weights."""
        own = {k: v.detach().clone() for k, v in module.state_dict().items()}
        module.load_state_dict(self.state)
        yield
        module.load_state_dict(own)


def warm_start(module: nn.Module, weights: Mapping[str, Tensor | NDArray], prefix: str = "") -> list[str]:
    """Take from ``weights`` every entry whose name (after ``prefix``) and shape fit; the names that were not found.

    A flow for the next survey starts from that of the last one; actnorm then keeps its scales instead of measuring anew.
    """
    own, missing = module.state_dict(), []
    for name, value in own.items():
        given = weights.get(prefix + name)
        if given is None or tuple(given.shape) != tuple(value.shape):
            missing.append(name)
        else:
            # A copy: the average of a training must not write into the arrays that were given.
            own[name] = torch.as_tensor(np.array(given)) if not isinstance(given, Tensor) else given.detach().clone()
    module.load_state_dict(own)
    return missing
