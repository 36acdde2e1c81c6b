r"""Simultaneous sources: several fire together in one experiment.

An :class:`Encoding` replaces the S single shots by E ≤ S supershots, in which several sources fire together with random
signs ±1 and random delays τ:  d_e(t) = Σ_s w_es d_s(t − τ_es)  (Romero et al. 2000, Geophysics 65, 426-436; Krebs et
al. 2009, Geophysics 74, WCC177-WCC188). It is a fixed linear map of the records, the same for every member and for the
field data. Every source fires once, and those of one supershot are as far apart as the line allows, so that only crosstalk
between distant sources enters the image. :meth:`Encoding.subset` fires some of the sources only, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.seeds import generator

__all__ = ["Encoding"]


@dataclass(frozen=True, eq=False)
class Encoding:
    """Which sources fire in which experiment, with which weight and delay.

    Parameters
    ----------
    weights
        Weight w of every source in every experiment, ``(n_experiments, n_sources)``.
    shifts
        Delay of every source in every experiment, in samples of the records, ``(n_experiments, n_sources)``, 0 or more.
    """

    weights: NDArray[np.float64]
    shifts: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.asarray(self.weights, np.float64))
        object.__setattr__(self, "shifts", np.asarray(self.shifts, np.int64))
        if self.weights.ndim != 2 or self.weights.shape != self.shifts.shape or not np.isfinite(self.weights).all():
            raise InputError(
                "encoding.weights", self.weights.shape, "give finite (experiments, sources), as for shifts"
            )
        if (self.shifts < 0).any():
            raise InputError("encoding.shifts", int(self.shifts.min()), "delays are 0 samples or more")

    @classmethod
    def plain(cls, n_sources: int) -> Encoding:
        """Every source alone: one experiment per source."""
        return cls(np.eye(n_sources), np.zeros((n_sources, n_sources), int))

    @classmethod
    def subset(cls, n_sources: int, chosen: Sequence[int]) -> Encoding:
        """Some of the sources, each alone: one experiment per index in ``chosen``."""
        indices = [int(i) for i in chosen]
        if not indices or len(set(indices)) != len(indices) or min(indices) < 0 or max(indices) >= n_sources:
            raise InputError("shots", tuple(chosen), f"give different indices from 0 to {n_sources - 1}")
        return cls(np.eye(n_sources)[indices], np.zeros((len(indices), n_sources), int))

    @classmethod
    def random(cls, n_sources: int, n_experiments: int, longest: int, seed: int = 0) -> Encoding:
        """Supershots: the sources are dealt in turn, with random signs and delays up to ``longest`` samples.

        Source s fires in experiment s mod ``n_experiments``; sources should be listed along their line.
        """
        if not 1 <= n_experiments <= n_sources:
            raise InputError("encoded_shots", n_experiments, f"give 1 to {n_sources}, the number of sources")
        if longest < 0:
            raise InputError("longest_delay", longest, "give 0 samples or more")
        stream = generator(seed, "source encoding")
        weights = np.zeros((n_experiments, n_sources))
        shifts = np.zeros((n_experiments, n_sources), np.int64)
        dealt = np.arange(n_sources) % n_experiments, np.arange(n_sources)
        weights[dealt] = stream.choice([-1.0, 1.0], size=n_sources)
        shifts[dealt] = stream.integers(0, longest + 1, size=n_sources)
        return cls(weights, shifts)

    @property
    def n_experiments(self) -> int:
        """Number of experiments E."""
        return len(self.weights)

    def apply(self, records: NDArray) -> NDArray:
        """Encode single-shot records ``(..., n_sources, n_samples, n_receivers)``.

        Returns
        -------
        NDArray
            ``(..., n_experiments, n_samples, n_receivers)``, of the same dtype: what a delay pushes beyond the end of
            the record is lost, so records should be longer than needed by the longest delay.
        """
        *lead, n_sources, n_samples, n_receivers = records.shape
        if n_sources != self.weights.shape[1]:
            raise InputError("records.shape", records.shape, f"the encoding is for {self.weights.shape[1]} sources")
        result = np.zeros((*lead, self.n_experiments, n_samples, n_receivers), records.dtype)
        for e, s in zip(*np.nonzero(self.weights), strict=True):
            first = min(int(self.shifts[e, s]), n_samples)
            part = records[..., s, : n_samples - first, :]
            result[..., e, first:, :] += records.dtype.type(self.weights[e, s]) * part
        return result
