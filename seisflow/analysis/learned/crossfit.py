r"""A conditional Gaussian that is honest about its own members: cross-fitting.

A network that has seen member i predicts x_i too well, so its residuals are too small and a posterior built on them is
overconfident; with 64 members badly so. Therefore the ensemble is cut into F folds; network k learns

    x = μ_k(y) + σ_k(y) u        (:class:`~seisflow.learning.flows.affine.ConditionalAffine` over a cross-fitted regression)

from the members outside fold k, and the residual of a member always comes from the network that has not seen it:

    u_i = (x_i − μ_k(y_i)) / σ_k(y_i) ,  i in fold k .

New data meet all networks: μ(y°) is the mean of the μ_k, σ²(y°) that of the σ_k². The u_i have the size that errors on
new data have (a little more, as the averaged μ errs less than each of its parts). Fold k also decides when network k
stops, a choice of one number per network. Cross-fitting: Chernozhukov et al. 2018, Econometrics Journal 21.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.learned.condition import ConditionChannels
from seisflow.analysis.learned.regression import CrossFittedRegression, folds
from seisflow.covariance import Covariance
from seisflow.learning.flows.affine import ConditionalAffine
from seisflow.learning.flows.bijector import ConditionalFlow
from seisflow.learning.networks.summary import UNetHead
from seisflow.learning.training.train import TrainingOptions, TrainingRecord, seeded, train

__all__ = ["CrossFittedGaussian", "Pairs"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Members and their data, ready for networks.

    Attributes
    ----------
    state
        Standardised latents, ``(M, C, *padded shape)``, float32.
    predicted
        Noise-free data H(x), packed, ``(M, D)``.
    noise
        R.
    channels
        Packed data ``(n, D)`` → condition channels ``(n, C', *shape)``.
    condition
        Builds condition tensors.
    """

    state: NDArray[np.float32]
    predicted: NDArray[np.float64]
    noise: Covariance
    channels: Callable[[NDArray], NDArray]
    condition: ConditionChannels

    def data(self, members: NDArray, generator: np.random.Generator) -> NDArray[np.float64]:
        """Data with fresh noise, ``(n, D)``."""
        return self.predicted[members] + self.noise.sample(len(members), generator)


class CrossFittedGaussian:
    """F conditional Gaussians, each trained without its own fold.

    Parameters
    ----------
    pairs
        The ensemble.
    n_folds
        F, at least 2.
    width, levels, dropout
        Of the U-Nets.
    """

    def __init__(self, pairs: Pairs, n_folds: int, width: int, levels: int, dropout: float) -> None:
        self._pairs = pairs
        self._n_folds = n_folds
        self._network = (width, levels, dropout)
        self._fold_of = np.zeros(len(pairs.state), int)
        self._regressions: list[CrossFittedRegression] = []
        self.flows: list[ConditionalFlow] = []

    def train(
        self,
        options: TrainingOptions,
        generator: np.random.Generator,
        progress: Callable[[int, int], None] | None = None,
        checkpoints: Path | None = None,
    ) -> list[TrainingRecord]:
        """Train the F networks; one record each. In the folder ``checkpoints`` they keep their state, to go on from."""
        pairs, records = self._pairs, []
        everyone = np.arange(len(pairs.state))
        channels = pairs.state.shape[1]
        parts = folds(everyone, self._n_folds, generator)
        for k, part in enumerate(parts):
            self._fold_of[part] = k
            rest = np.setdiff1d(everyone, part)
            inner = 8 if len(rest) <= 256 else 2
            regression = CrossFittedRegression(pairs.state, pairs.predicted, pairs.noise, rest, inner, generator)
            self._regressions.append(regression)

            def draw(members: NDArray, k: int = k) -> tuple[Tensor, Tensor]:
                condition = self._condition(k, pairs.data(members, generator), members)
                return torch.from_numpy(pairs.state[members]), condition

            width, levels, dropout = self._network
            validation = [draw(part)]
            with seeded(generator):
                network = UNetHead(validation[0][1].shape[1], 2 * channels, width, levels, dropout)
            flow = ConditionalFlow(ConditionalAffine(channels, network), pairs.state.shape[1:])

            def report(done: int, total: int, k: int = k) -> None:
                if progress is not None:
                    progress(k * total + done, len(parts) * total)

            file = None if checkpoints is None else checkpoints / f"gaussian_{k}.pt"
            records.append(train(flow, draw, rest, validation, options, generator, report, checkpoint=file))
            self.flows.append(flow)
        return records

    def _condition(self, k: int, data: NDArray, members: NDArray | None) -> Tensor:
        regression = self._regressions[k]
        guess = regression(data, members)
        return self._pairs.condition(self._pairs.channels(data), guess, regression.log_deviation)

    def _moments(self, k: int, condition: Tensor) -> tuple[Tensor, Tensor]:
        layer = self.flows[k].bijector
        assert isinstance(layer, ConditionalAffine)
        return layer.moments(condition)

    @torch.no_grad()
    def honest_moments(self, members: NDArray, data: NDArray) -> tuple[Tensor, Tensor, Tensor]:
        """Mean μ, deviation σ ``(n, C, …)`` and condition for members with data ``(n, D)``.

        Each from the network that has not seen the member.
        """
        mean = torch.empty((len(members), *self._pairs.state.shape[1:]))
        deviation = torch.empty_like(mean)
        condition: Tensor | None = None
        for k in np.unique(self._fold_of[members]):
            rows = np.flatnonzero(self._fold_of[members] == k)
            part = self._condition(k, data[rows], members[rows])
            mean[rows], log_deviation = self._moments(k, part)
            deviation[rows] = log_deviation.exp()
            if condition is None:
                condition = part.new_empty((len(members), *part.shape[1:]))
            condition[rows] = part
        assert condition is not None
        return mean, deviation, condition

    def residuals(self, members: NDArray, data: NDArray) -> tuple[Tensor, Tensor]:
        """Honest residuals u ``(n, C, …)`` of members with data ``(n, D)``, and their conditions."""
        mean, deviation, condition = self.honest_moments(members, data)
        return (torch.from_numpy(self._pairs.state[members]) - mean) / deviation, condition

    @torch.no_grad()
    def predict(self, data: NDArray) -> tuple[Tensor, Tensor, Tensor]:
        """Mean μ, deviation σ and condition, each ``(1, channels, …)``, for a new datum ``(1, D)``."""
        conditions = [self._condition(k, data, None) for k in range(len(self.flows))]
        moments = [self._moments(k, c) for k, c in enumerate(conditions)]
        mean = torch.stack([m for m, _ in moments]).mean(dim=0)
        deviation = torch.stack([(2 * s).exp() for _, s in moments]).mean(dim=0).sqrt()
        return mean, deviation, torch.stack(conditions).mean(dim=0)
