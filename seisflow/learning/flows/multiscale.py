r"""Multiscale: after K steps a part of the channels is finished, the rest goes on at half the resolution.

    scale(x) : squeeze → K steps → (a, b) → unsqueeze (scale(a), b)

with L scales nested in each other; b, half of the channels, leaves at every scale (Dinh et al. 2017). Because the squeeze
is a rotation the latent is put back on the grid: z has the shape of x, and is white when the flow has learned the density.
For vectors there is no squeeze: a scale works on the part that the one before has left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from seisflow.learning.flows.bijector import Bijector, Chain
from seisflow.learning.flows.recompute import Memory, forward_chain

__all__ = ["MultiScale"]


class MultiScale(nn.Module):
    """One scale of the flow, holding the next coarser one.

    Parameters
    ----------
    squeeze
        The bijector that halves the resolution.
    steps
        The K flow steps.
    inner
        The next scale; None for the last.
    passed
        Channels that go on to ``inner``, the first ones.
    memory, kept
        See :mod:`~seisflow.learning.flows.recompute`.
    """

    def __init__(
        self,
        squeeze: Bijector,
        steps: Chain,
        inner: MultiScale | None,
        passed: int,
        memory: Memory = "store",
        kept: int = 0,
    ) -> None:
        super().__init__()
        self.squeeze = squeeze
        self.steps = steps
        self.inner = inner
        self.passed = passed
        self.memory: Memory = memory
        self.kept = kept

    def forward(self, x: Tensor, features: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
        """z with the shape of x, and log|det|; ``features[0]`` belongs to this scale, the rest to the inner ones."""
        h, logdet = forward_chain(self.steps, self.squeeze(x)[0], features[0], self.memory, self.kept)
        if self.inner is not None:
            coarse, term = self.inner(h[:, : self.passed], features[1:])
            h, logdet = torch.cat([coarse, h[:, self.passed :]], dim=1), logdet + term
        return self.squeeze.inverse(h), logdet

    def inverse(self, z: Tensor, features: Sequence[Tensor | None]) -> Tensor:
        """The inverse of :meth:`forward`."""
        h = self.squeeze(z)[0]
        if self.inner is not None:
            coarse = self.inner.inverse(h[:, : self.passed], features[1:])
            h = torch.cat([coarse, h[:, self.passed :]], dim=1)
        return self.squeeze.inverse(self.steps.inverse(h, features[0]))

    def inverse_given(self, features: Sequence[Tensor | None]) -> Callable[[Tensor], Tensor]:
        """:meth:`inverse` as a function of z alone."""
        steps = self.steps.inverse_given(features[0])
        inner = None if self.inner is None else self.inner.inverse_given(features[1:])

        def inverse(z: Tensor) -> Tensor:
            h = self.squeeze(z)[0]
            if inner is not None:
                h = torch.cat([inner(h[:, : self.passed]), h[:, self.passed :]], dim=1)
            return self.squeeze.inverse(steps(h))

        return inverse
