r"""A conditional Gaussian that is honest about its own members: cross-fitted corrections of a first guess.

A network that has seen member i predicts x_i too well, so its residuals are too small and a posterior built on them is
overconfident; with 64 members badly so. Therefore the ensemble is cut into F folds; network k learns, from the members
outside fold k, a correction δ_k of the first guess x̂ and one λ_k of the logarithm of its error's deviation s,

    x = x̂(y) + δ_k(y) + s exp(λ_k(y)) u        (:class:`~seisflow.analysis.learned.correction.Correction`).

A member meets only the network that has not seen it, new data meet the mean of all. What networks say counts as far as it
helps members they have not seen:

    μ(y) = x̂(y) + a δ(y) ,   σ(y) = s exp(b λ(y)) ,   u_i = (x_i − μ(y_i)) / σ(y_i) ,

a of every field by the squared error, b by the continuous ranked probability score, both of the physical fields, and 0
where the gain is not above its own standard error. Fold k also decides when network k stops, a choice of one number per
network. Cross-fitting: Chernozhukov et al. 2018, Econometrics Journal 21. Weights by predictions of what was left out:
Breiman 1996, Machine Learning 24, 49–64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.learned.correction import Correction
from seisflow.analysis.learned.pairs import Pairs
from seisflow.learning.training.train import TrainingOptions, TrainingRecord, seeded, train

__all__ = ["CrossFittedGaussian", "Judge", "folds", "worth"]

MEAN_WEIGHTS = (0.25, 0.5, 0.75, 1.0)
SPREAD_WEIGHTS = (0.5, 1.0)

Judge = Callable[[Tensor, Tensor, Tensor], NDArray]
"""Mean, deviation and latents u of all members, each ``(M, C, …)``, ↦ score of every member and field ``(M, C)``: how well
members drawn with its moments and the other members' u meet it."""


class CrossFittedGaussian:
    """F networks of mean and spread, each trained without its own fold.

    Parameters
    ----------
    pairs
        The ensemble.
    n_folds
        F, at least 2.
    width, levels, dropout
        Of the U-Nets.
    device
        Where the networks are.

    Attributes
    ----------
    mean_weight, spread_weight
        a and b of every field; 1 before :meth:`weigh`.
    """

    def __init__(
        self, pairs: Pairs, n_folds: int, width: int, levels: int, dropout: float, device: torch.device
    ) -> None:
        self._pairs, self._n_folds, self._device = pairs, n_folds, device
        self._network = (width, levels, dropout)
        self._fold_of = np.zeros(len(pairs.state), int)
        self.networks: list[Correction] = []
        self.mean_weight = self.spread_weight = np.ones(pairs.fields)

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
        parts = folds(everyone, self._n_folds, generator)
        width, levels, dropout = self._network

        def draw(members: NDArray) -> tuple[Tensor, Tensor]:
            return pairs.states(members), pairs.draw(members, generator)

        for k, part in enumerate(parts):
            self._fold_of[part] = k
            validation = [draw(part)]
            with seeded(generator):
                network = Correction(validation[0][1].shape[1], pairs.transform, pairs.units, width, levels, dropout)
            network.to(self._device)

            def report(done: int, total: int, k: int = k) -> None:
                if progress is not None:
                    progress(k * total + done, len(parts) * total)

            rest = np.setdiff1d(everyone, part)
            file = None if checkpoints is None else checkpoints / f"gaussian_{k}.pt"
            records.append(
                train(
                    network,
                    draw,
                    rest,
                    validation,
                    options,
                    generator,
                    report,
                    loss=Correction.loss,
                    checkpoint=file,
                )
            )
            self.networks.append(network)
        return records

    def _corrections(self, k: int, condition: Tensor) -> tuple[Tensor, Tensor]:
        """δ_k and λ_k."""
        parts = [self.networks[k](some.to(self._device)) for some in condition.split(32)]
        shift, spread = (torch.cat(one).cpu() for one in zip(*parts, strict=True))
        return shift, spread

    @torch.no_grad()
    def _unseen(self, members: NDArray, condition: Tensor) -> tuple[Tensor, Tensor]:
        """δ and λ of the networks that have not seen the members."""
        shift = torch.zeros((len(members), *self._pairs.state.shape[1:]))
        spread = torch.zeros_like(shift)
        if not (self.mean_weight.any() or self.spread_weight.any()):
            return shift, spread
        for k in np.unique(self._fold_of[members]):
            rows = np.flatnonzero(self._fold_of[members] == k)
            shift[rows], spread[rows] = self._corrections(k, condition[rows])
        return shift, spread

    def _moments(self, condition: Tensor, shift: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (_by_field(weight, shift) for weight in (self.mean_weight, self.spread_weight))
        log_deviation = torch.from_numpy(self._pairs.log_deviation) + b * spread
        return self._pairs.first_guess(condition) + a * shift, log_deviation.exp()

    def honest_moments(self, members: NDArray, condition: Tensor) -> tuple[Tensor, Tensor]:
        """μ and σ ``(n, C, …)`` of members with these conditions, from networks that have not seen them."""
        return self._moments(condition, *self._unseen(members, condition))

    def residuals(self, members: NDArray, condition: Tensor) -> Tensor:
        """u ``(n, C, …)`` of members with these conditions."""
        mean, deviation = self.honest_moments(members, condition)
        return (self._pairs.states(members) - mean) / deviation

    @torch.no_grad()
    def predict(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """μ and σ ``(n, C, …)`` for new data, from the mean of all networks."""
        parts = [self._corrections(k, condition) for k in range(len(self.networks))]
        shift, spread = (torch.stack(one).mean(dim=0) for one in zip(*parts, strict=True))
        return self._moments(condition, shift, spread)

    def weigh(
        self, physical: Callable[[NDArray], NDArray], judge: Judge, generator: np.random.Generator
    ) -> Mapping[str, object]:
        """Find a and b, and say what they are.

        Parameters
        ----------
        physical
            Latents ``(n, C, …)`` ↦ physical fields of one shape, in which errors are squared.
        judge
            Scores spreads.
        generator
            For the noise of the data.
        """
        everyone = np.arange(len(self._pairs.state))
        condition = self._pairs.draw(everyone, generator)
        shift, spread = self._unseen(everyone, condition)
        guess, truth = self._pairs.first_guess(condition), physical(self._pairs.state)
        cells = tuple(range(2, truth.ndim))

        def error(weight: float) -> NDArray:
            return np.asarray(((physical((guess + weight * shift).numpy()) - truth) ** 2).mean(axis=cells))

        self.mean_weight = worth(error, MEAN_WEIGHTS)

        def score(weight: float) -> NDArray:
            self.spread_weight = np.full(self._pairs.fields, weight)
            mean, deviation = self._moments(condition, shift, spread)
            return judge(mean, deviation, (self._pairs.states(everyone) - mean) / deviation)

        self.spread_weight = worth(score, SPREAD_WEIGHTS)
        return {"mean_weight": self.mean_weight.tolist(), "spread_weight": self.spread_weight.tolist()}


def folds(index: NDArray, n: int, generator: np.random.Generator) -> list[NDArray]:
    """Cut the member numbers ``index`` at random into ``n`` parts whose sizes differ by one at most."""
    return [np.sort(part) for part in np.array_split(generator.permutation(index), min(n, len(index)))]


def worth(loss: Callable[[float], NDArray], weights: tuple[float, ...]) -> NDArray[np.float64]:
    """The weight of least loss of every field; 0 where the gain over 0 is not above its standard error.

    Parameters
    ----------
    loss
        Weight ↦ loss of every member and field ``(M, C)``.
    weights
        What is tried beside 0.
    """
    without = loss(0.0)
    gains = np.stack([without - loss(weight) for weight in weights])
    best = gains.mean(axis=1).argmax(axis=0)
    chosen = np.take_along_axis(gains, best[None, None, :], axis=0)[0]
    sure = chosen.mean(axis=0) > chosen.std(axis=0, ddof=1) / np.sqrt(len(chosen))
    return np.where(sure, np.asarray(weights)[best], 0.0)


def _by_field(weight: NDArray, like: Tensor) -> Tensor:
    return torch.as_tensor(weight, dtype=like.dtype).view(-1, *[1] * (like.ndim - 2))
