r"""The condition of the flow: everything known about a state before looking at it, as channels on its grid.

In order: first guess m of the state and its log-deviation log s (C channels each, see
:mod:`~seisflow.analysis.learned.regression`); the data channels scaled as a whole; the data channels standardised cell by
cell, so that their link to the standardised state is a correlation; mean and deviation of the ensemble's latents;
coordinates in [−1, 1]. The last two tell the convolutions where they are.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.transform import FittedTransform

__all__ = ["ConditionChannels"]


class ConditionChannels:
    """Builds condition tensors in the units of one ensemble.

    Parameters
    ----------
    data
        Noisy data channels of the members, ``(M, C', *shape)``; they fix the units.
    transform
        Gives mean, deviation and padding of the state.
    floor
        Smallest deviation of a data cell, as a fraction of its channel's root-mean-square deviation.
    """

    def __init__(self, data: NDArray, transform: FittedTransform, floor: float = 0.1) -> None:
        self._pad = transform.pad
        space = tuple(range(2, data.ndim))
        self._centre, deviation = data.mean(axis=0), data.std(axis=0)
        rms = np.sqrt((data.astype(np.float64) ** 2).mean(axis=(0, *space)))
        self._scale = np.where(rms > 0, rms, 1.0).reshape(-1, *(1,) * len(space))
        varying = (deviation**2).sum(axis=tuple(range(1, data.ndim - 1))) / np.maximum(
            (deviation > 0).sum(axis=tuple(range(1, data.ndim - 1))), 1
        )
        typical = np.sqrt(varying).reshape(self._scale.shape)
        self._deviation = np.maximum(deviation, np.where(typical > 0, floor * typical, 1.0))
        maps = []
        for quantity in (transform.mean, transform.deviation):
            flat = quantity.reshape(len(quantity), -1)
            spread = flat.std(axis=1)
            maps.append(
                ((flat - flat.mean(axis=1)[:, None]) / np.where(spread > 0, spread, 1.0)[:, None]).reshape(
                    quantity.shape
                )
            )
        axes = [np.linspace(-1, 1, n) for n in data.shape[2:]]
        maps.append(np.stack(np.meshgrid(*axes, indexing="ij")))
        self._maps = self._pad(np.concatenate(maps)).astype(np.float32)

    def __call__(self, data: NDArray, guess: NDArray, log_deviation: NDArray) -> Tensor:
        """Condition ``(n, channels, …)`` from data channels, first guesses ``(n, C, …)`` and log s ``(C, …)``, padded."""
        n = len(data)
        standardised = np.clip((data - self._centre) / self._deviation, -8, 8)
        measured = self._pad(np.concatenate([data / self._scale, standardised], axis=1)).astype(np.float32)
        parts = [guess, np.broadcast_to(log_deviation, guess.shape), measured]
        parts.append(np.broadcast_to(self._maps, (n, *self._maps.shape)))
        return torch.from_numpy(np.concatenate(parts, axis=1, dtype=np.float32))
