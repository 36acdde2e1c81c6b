r"""A data set of pairs (x_i, y_i), its split into training and validation, and training on it in one call.

The split never leaks: members of one group (realisations of one reservoir, snapshots of one run) are on the same side of it,
and validation pairs are drawn once, before training, from members that never give a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.errors import InputError
from seisflow.learning.flows.bijector import ConditionalFlow
from seisflow.learning.training.train import TrainingOptions, TrainingRecord, train

__all__ = ["PairSet", "fit", "split"]


def split(
    size: int, share: float, generator: np.random.Generator, groups: NDArray | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the training and of the validation members, both in ascending order.

    Parameters
    ----------
    size
        Number of members.
    share
        Share of the groups kept for validation; at least one group is, and one is left.
    generator
        Source of the choice.
    groups
        Label of every member ``(size,)``; default: every member for itself.
    """
    labels = np.arange(size) if groups is None else np.asarray(groups)
    if len(labels) != size:
        raise InputError("groups", f"{len(labels)} labels", f"give one for each of the {size} members")
    kinds = np.unique(labels)
    if not 0 < share < 1 or len(kinds) < 2:
        raise InputError("share", share, f"give a share in (0, 1), of at least 2 groups (here {len(kinds)})")
    n = int(np.clip(round(share * len(kinds)), 1, len(kinds) - 1))
    held = np.isin(labels, generator.permutation(kinds)[:n])
    return np.flatnonzero(~held), np.flatnonzero(held)


@dataclass(frozen=True, eq=False)
class PairSet:
    """Members with their data.

    Parameters
    ----------
    x
        States ``(M, C, *field)``, standardised.
    y
        Noise-free data ``(M, C', *field')`` as the flow takes them; None for an unconditional flow.
    noise
        Draws data noise for n members, an array like ``y[:n]``; default: y is noisy already.
    groups
        See :func:`split`.
    """

    x: Tensor
    y: Tensor | None = None
    noise: Callable[[int], Tensor] | None = None
    groups: NDArray | None = None

    def __post_init__(self) -> None:
        if self.y is not None and len(self.y) != len(self.x):
            raise InputError("y", f"{len(self.y)} members", f"give one datum for each of the {len(self.x)} states")

    def __len__(self) -> int:
        return len(self.x)

    def draw(self, members: NDArray[np.int64]) -> tuple[Tensor, Tensor | None]:
        """The pairs of these members, with fresh noise."""
        index = torch.as_tensor(members)
        if self.y is None:
            return self.x[index], None
        y = self.y[index]
        return self.x[index], y if self.noise is None else y + self.noise(len(index))


def fit(
    flow: ConditionalFlow,
    pairs: PairSet,
    options: TrainingOptions,
    generator: np.random.Generator,
    share: float = 0.125,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingRecord:
    """Split the pairs and train the flow on them; see :func:`~seisflow.learning.training.train.train`."""
    training, held = split(len(pairs), share, generator, pairs.groups)
    validation = [pairs.draw(part) for part in np.array_split(held, -(-len(held) // 64))]
    return train(flow, pairs.draw, training, validation, options, generator, progress)
