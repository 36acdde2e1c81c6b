r"""Simultaneous sources: several fire together in one experiment.

An :class:`Encoding` replaces the S single shots by E ≤ S supershots, in which several sources fire together with weights w
and delays τ:  d_e(t) = Σ_s w_es d_s(t − τ_es). It is a fixed linear map of the records, the same for every member and for
the field data. All sources must share the receivers, as those of a :class:`~seisflow.observation.waves.survey.Survey` do.

With C_ss' the image of the records of source s' with the background of source s, the plain image is Σ_s C_ss, and without
delays the encoded one is

    Σ_ss' (WᵀW)_ss' C_ss' = Σ_s C_ss + crosstalk,

* ``orthogonal`` : the first E rows of an orthogonal matrix, scaled by √(S/E). With E = S all crosstalk cancels and the
  image is the plain one. The matrix is a Hadamard matrix of signs ±1, in which E = 2^k rows leave crosstalk between sources
  s and s ± E, s ± 2E, … only, or a random one where S is not a power of two.
* ``random`` : every source fires once, with a random sign and delay (Romero et al. 2000, Geophysics 65, 426-436; Krebs et
  al. 2009, Geophysics 74, WCC177-WCC188). Those of one supershot are as far apart as the line allows.

:meth:`Encoding.subset` fires some of the sources only, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

from seisflow.errors import InputError
from seisflow.seeds import generator

__all__ = ["Codes", "Encoding"]

Codes = Literal["orthogonal", "random"]


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
    def orthogonal(cls, n_sources: int, n_experiments: int, seed: int = 0) -> Encoding:
        """Supershots of all sources with orthogonal weights: without crosstalk when there are as many as sources.

        The seed serves numbers of sources that are not a power of two; others have the same weights always.
        """
        _check(n_sources, n_experiments)
        if n_sources & (n_sources - 1) == 0:
            rows = hadamard(n_sources)[:n_experiments] / np.sqrt(n_experiments)
        else:
            draw = generator(seed, "source encoding").standard_normal((n_sources, n_sources))
            rows = np.linalg.qr(draw)[0][:n_experiments] * np.sqrt(n_sources / n_experiments)
        return cls(rows, np.zeros((n_experiments, n_sources), np.int64))

    @classmethod
    def random(cls, n_sources: int, n_experiments: int, longest: int, seed: int = 0) -> Encoding:
        """Supershots: the sources are dealt in turn, with random signs and delays up to ``longest`` samples.

        Source s fires in experiment s mod ``n_experiments``; sources should be listed along their line.
        """
        _check(n_sources, n_experiments)
        if longest < 0:
            raise InputError("longest_delay", longest, "give 0 samples or more")
        stream = generator(seed, "source encoding")
        weights = np.zeros((n_experiments, n_sources))
        shifts = np.zeros((n_experiments, n_sources), np.int64)
        dealt = np.arange(n_sources) % n_experiments, np.arange(n_sources)
        weights[dealt] = stream.choice([-1.0, 1.0], size=n_sources)
        shifts[dealt] = stream.integers(0, longest + 1, size=n_sources)
        return cls(weights, shifts)

    @classmethod
    def chosen(
        cls,
        n_sources: int,
        shots: Sequence[int] | None,
        encoded_shots: int | None,
        codes: Codes,
        longest: int,
        seed: int,
    ) -> Encoding:
        """One of the above: supershots of some codes, a subset of the shots, or with neither all shots."""
        if shots is not None and encoded_shots is not None:
            raise InputError("shots", tuple(shots), "choose either a subset of the shots or encoded_shots")
        if codes not in ("orthogonal", "random"):
            raise InputError("codes", codes, "choose 'orthogonal' or 'random'")
        if encoded_shots is None:
            return cls.plain(n_sources) if shots is None else cls.subset(n_sources, shots)
        if codes == "orthogonal":
            return cls.orthogonal(n_sources, encoded_shots, seed)
        return cls.random(n_sources, encoded_shots, longest, seed)

    def part(self, experiments: Sequence[int]) -> tuple[Encoding, list[int]]:
        """Some of the experiments, as a map of the records of the sources that fire in them, and these sources."""
        chosen = list(experiments)
        fired = np.flatnonzero(self.weights[chosen].any(axis=0)).tolist()
        return Encoding(self.weights[chosen][:, fired], self.shifts[chosen][:, fired]), fired

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


def _check(n_sources: int, n_experiments: int) -> None:
    if not 1 <= n_experiments <= n_sources:
        raise InputError("encoded_shots", n_experiments, f"give 1 to {n_sources}, the number of sources")
