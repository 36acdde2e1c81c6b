r"""What a source emits: a Ricker wavelet, or samples that were measured or designed elsewhere.

A wavelet r(t) lives on t ≥ 0, where 0 is the start of the record. Modelling needs its spectrum r̂(ω) = ∫ r(t) exp(−iωt) dt at
any frequency, plots and noise need r(t).

* :class:`Ricker` : r(t) = (1 − 2a) exp(−a), a = (π f (t − t₀))², t₀ = 1.25/f, whose spectrum ∝ (ν/f)² exp(−(ν/f)²) has
  fallen to 3 % of its peak at 2.5 f.
* :class:`SampledWavelet` : samples r_j at times j Δ, r(t) = Σ_j r_j sinc(t/Δ − j), so r̂(ω) = Δ Σ_j r_j exp(−iωjΔ) below
  the samples' Nyquist frequency and zero above.

The highest frequency that counts is where the spectrum has fallen to 3 % of its peak for good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seisflow.errors import InputError

__all__ = ["Ricker", "SampledWavelet", "Wavelet"]

_COUNTS = 0.03  # of the spectrum's peak: what lies below does not count
_HIGHEST = 2.5  # the same for a Ricker wavelet, in peak frequencies
_START = 1.25  # delay of a Ricker wavelet's peak, in periods of the peak frequency: r(0) is 6e-6 of the peak


class Wavelet(ABC):
    """The time function of a source."""

    peak_frequency: float
    """Frequency of the spectrum's largest value [Hz]."""

    @property
    @abstractmethod
    def highest_frequency(self) -> float:
        """Highest frequency that counts [Hz]."""

    @property
    @abstractmethod
    def start(self) -> float:
        """Time of the largest value |r| [s]."""

    @abstractmethod
    def __call__(self, time: NDArray) -> NDArray[np.float64]:
        """r at times [s]."""

    @abstractmethod
    def spectrum(self, omega: NDArray) -> NDArray[np.complex128]:
        """r̂(ω) [s] at angular frequencies [rad/s]."""


@dataclass(frozen=True)
class Ricker(Wavelet):
    """A Ricker wavelet of peak value 1.

    Parameters
    ----------
    peak_frequency
        f [Hz].
    """

    peak_frequency: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.peak_frequency) and self.peak_frequency > 0):
            raise InputError("peak_frequency", self.peak_frequency, "give a positive number in Hz")

    @property
    def highest_frequency(self) -> float:
        return _HIGHEST * self.peak_frequency

    @property
    def start(self) -> float:
        return _START / self.peak_frequency

    def __call__(self, time: NDArray) -> NDArray[np.float64]:
        a = (np.pi * self.peak_frequency * (np.asarray(time, np.float64) - self.start)) ** 2
        return (1 - 2 * a) * np.exp(-a)

    def spectrum(self, omega: NDArray) -> NDArray[np.complex128]:
        peak = 2 * np.pi * self.peak_frequency
        size = 4 * np.sqrt(np.pi) / peak * (omega / peak) ** 2 * np.exp(-((omega / peak) ** 2))
        return size * np.exp(-1j * omega * self.start)


@dataclass(frozen=True, eq=False)
class SampledWavelet(Wavelet):
    """A wavelet given by its samples, the first of them at the start of the record.

    Parameters
    ----------
    samples
        r_j, ``(n,)``, n ≥ 4: they should begin and end near zero.
    interval
        Δ [s].

    Raises
    ------
    InputError
        When samples are missing, not finite or all zero, or the spectrum does not vanish towards the samples' Nyquist
        frequency: then the samples do not say what is emitted between them.
    """

    samples: ArrayLike
    interval: float

    def __post_init__(self) -> None:
        samples = np.array(self.samples, np.float64)
        samples.setflags(write=False)
        object.__setattr__(self, "samples", samples)
        if samples.ndim != 1 or len(samples) < 4 or not np.isfinite(samples).all() or not samples.any():
            raise InputError("wavelet.samples", samples.shape, "give at least 4 finite values that are not all zero")
        if not (np.isfinite(self.interval) and self.interval > 0):
            raise InputError("wavelet.interval", self.interval, "give a positive number of seconds")
        if self.highest_frequency > 0.95 * 0.5 / self.interval:
            raise InputError(
                "wavelet.interval",
                self.interval,
                "the wavelet's spectrum reaches its Nyquist frequency; sample it finer",
            )

    @cached_property
    def _amplitude(self) -> tuple[NDArray, NDArray]:
        frequency = np.fft.rfftfreq(16 * len(np.asarray(self.samples)), self.interval)
        return frequency, np.abs(np.fft.rfft(np.asarray(self.samples), 16 * len(np.asarray(self.samples))))

    @property
    def peak_frequency(self) -> float:  # type: ignore[override]
        """Frequency of the spectrum's largest value [Hz]."""
        frequency, size = self._amplitude
        return float(max(frequency[size.argmax()], frequency[1]))

    @property
    def highest_frequency(self) -> float:
        frequency, size = self._amplitude
        return float(frequency[np.flatnonzero(size > _COUNTS * size.max())[-1]])

    @property
    def start(self) -> float:
        return float(np.abs(np.asarray(self.samples)).argmax() * self.interval)

    def __call__(self, time: NDArray) -> NDArray[np.float64]:
        samples = np.asarray(self.samples)
        position = np.asarray(time, np.float64)[..., None] / self.interval - np.arange(len(samples))
        return np.sinc(position) @ samples

    def spectrum(self, omega: NDArray) -> NDArray[np.complex128]:
        samples = np.asarray(self.samples)
        value = np.zeros(np.shape(omega), np.complex128)
        for j, r in enumerate(samples):
            value += r * np.exp(-1j * omega * (j * self.interval))
        return np.where(np.abs(omega) <= np.pi / self.interval, value * self.interval, 0.0)
