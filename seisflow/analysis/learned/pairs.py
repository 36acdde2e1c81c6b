r"""The pairs (x_i, y_i) of a forecast as networks see them: standardised states, and conditions of data with fresh noise.

The first guess that a condition holds (:mod:`seisflow.analysis.learned.localized_guess`) is affine in the datum,

    x̂_{−i}(h_i + Σ_k a_k e_k) = x̂_{−i}(h_i) + Σ_k a_k (x̂_{−i}(h_i + e_k) − x̂_{−i}(h_i)) ,

and Σ_k a_k e_k of independent e_k ~ N(0, R) is N(0, R) itself wherever |a| = 1. So a few draws a member, guessed from once,
give noise that is fresh in every batch, with the guess that belongs to it, for the price of a small sum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.learned.condition import ConditionChannels
from seisflow.analysis.learned.localized_guess import LocalizedGuess
from seisflow.analysis.transform import FittedTransform
from seisflow.covariance import Covariance

__all__ = ["Pairs"]

DRAWS = (2, 8)
"""Draws of the noise that are kept of every member, at least and at most; about 512 of all members together."""
LEAST_DEVIATION = 0.02
"""Smallest deviation of a first guess's error, in those of the forecast."""


class Pairs:
    """Members and their data, ready for networks.

    Parameters
    ----------
    state
        Standardised latents ``(M, C, *padded shape)``, float32.
    predicted
        Noise-free data H(x), packed, ``(M, D)``.
    noise
        R.
    guess
        The first guess, on fields without padding.
    transform
        Gives the padding, and mean and deviation of the state.
    channels
        Packed data ``(n, D)`` → condition channels ``(n, C', *shape)``.
    units
        Spread of every physical field, ``(C,)``.
    generator
        For the draws of the noise that are kept.

    Attributes
    ----------
    transform, units
        As given.
    log_deviation
        Logarithm of the deviation of the first guess's error in every cell, ``(C, *padded shape)``.
    """

    def __init__(
        self,
        state: NDArray[np.float32],
        predicted: NDArray,
        noise: Covariance,
        guess: LocalizedGuess,
        transform: FittedTransform,
        channels: Callable[[NDArray], NDArray],
        units: NDArray,
        generator: np.random.Generator,
    ) -> None:
        self.state, self._predicted, self._channels, self.units = state, predicted, channels, units
        self._guess, self._pad, self.transform = guess, transform.pad, transform
        everyone = np.arange(len(state))
        self._start = self._pad(guess(predicted, everyone))
        draws, moves = [], []
        for _ in range(int(np.clip(512 // len(state), *DRAWS))):
            errors = noise.sample(len(state), generator)
            draws.append(errors.astype(np.float32))
            moves.append(self._pad(guess(predicted + errors, everyone)) - self._start)
        self._draws, self._moves = np.stack(draws), np.stack(moves)
        residual = np.stack([state - self._start - move for move in self._moves])
        deviation = np.sqrt((residual.astype(np.float64) ** 2).mean(axis=(0, 1)))
        self.log_deviation = np.log(np.maximum(deviation, LEAST_DEVIATION)).astype(np.float32)
        self._condition = ConditionChannels(channels(predicted + self._draws[0]), transform)

    @property
    def fields(self) -> int:
        """C, the number of fields."""
        return self.state.shape[1]

    def draw(self, members: NDArray, generator: np.random.Generator) -> Tensor:
        """Conditions ``(n, channels, …)`` of members, with fresh noise; no member takes part in its own first guess."""
        a = generator.standard_normal((len(self._draws), len(members)))
        a = (a / np.sqrt((a**2).sum(axis=0))).astype(np.float32)
        data = self._predicted[members] + np.einsum("kn,knd->nd", a, self._draws[:, members])
        guess = self._start[members] + np.einsum("kn,kn...->n...", a, self._moves[:, members])
        return self._condition(self._channels(data), guess, self.log_deviation)

    def datum(self, observed: NDArray) -> Tensor:
        """Conditions of new data ``(n, D)``, with the first guess of all members."""
        return self._condition(self._channels(observed), self._pad(self._guess(observed)), self.log_deviation)

    def first_guess(self, condition: Tensor) -> Tensor:
        """The first guess ``(n, C, …)`` that conditions hold."""
        return condition[:, : self.fields]

    def states(self, members: NDArray) -> Tensor:
        """Standardised states of members."""
        return torch.from_numpy(self.state[members])
