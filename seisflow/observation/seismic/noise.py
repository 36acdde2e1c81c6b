r"""Errors of seismic records: coloured noise, and what differs between vintages although nothing changed underground.

* Coloured noise: white noise filtered by the wavelet, scaled so that ‖noise‖ = ‖records‖ · 10^(−SNR/20), exactly, in every
  draw.
* Repeatability: the monitor survey does not hit the baseline's positions and does not repeat its shots exactly. Every
  source and receiver of a vintage is displaced, and every shot of the field is scaled, delayed and turned in phase:
  r(t) → A r̃(t − τ), with the spectrum of r̃ turned by exp(i θ sign ω).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.waves.survey import Survey

__all__ = ["Repeatability", "Vintage", "coloured_noise"]


def coloured_noise(survey: Survey, norm: float, stream: np.random.Generator) -> NDArray[np.float32]:
    """White noise filtered by the survey's wavelet, scaled to a given 2-norm.

    Returns
    -------
    NDArray
        ``(n_sources, n_samples, n_receivers)``.
    """
    reach = int(np.ceil(survey.wavelet.start / survey.interval))
    wavelet = survey.wavelet(np.arange(2 * reach + 1) * survey.interval)
    shape = (len(survey.sources), survey.n_samples + 2 * reach, len(survey.receivers))
    white = stream.standard_normal(shape)
    noise = fftconvolve(white, wavelet[None, :, None], mode="valid", axes=1)
    return (noise * (norm / np.linalg.norm(noise))).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Vintage:
    """How one acquisition differs from the planned survey (drawn by :meth:`Repeatability.draw`).

    Parameters
    ----------
    sources, receivers
        Coordinates [m], as in the survey.
    amplitude, delay, phase
        A [-], τ [s] and θ [rad] of every shot of the field.
    along_receivers
        Whether the field's shots are the survey's receivers.
    """

    sources: NDArray[np.float64]
    receivers: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    delay: NDArray[np.float64]
    phase: NDArray[np.float64]
    along_receivers: bool

    def alter(self, records: NDArray, interval: float, sources: NDArray | slice = slice(None)) -> NDArray:
        """Scale, delay and turn records ``(n_sources, n_samples, n_receivers)`` of some sources, shot by shot."""
        n = records.shape[1]
        omega = 2 * np.pi * np.fft.rfftfreq(2 * n, interval)[:, None]
        change = self.amplitude * np.exp(1j * (self.phase - omega * self.delay))
        change = change[None] if self.along_receivers else change.T[sources][:, :, None]
        spectrum = np.fft.rfft(np.asarray(records, np.float64), 2 * n, axis=1)
        return np.fft.irfft(spectrum * change, 2 * n, axis=1)[:, :n].astype(records.dtype)


@dataclass(frozen=True)
class Repeatability:
    """Standard deviations of what differs between vintages; all independent and Gaussian.

    Parameters
    ----------
    position
        Of every source and receiver, along every lateral axis [m].
    depth
        The same for their depth [m].
    amplitude
        Of the logarithm of every shot's strength [-].
    delay
        Of every shot's time [s].
    phase
        Of every shot's phase [rad].
    """

    position: float = 0.0
    depth: float = 0.0
    amplitude: float = 0.0
    delay: float = 0.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        for name in ("position", "depth", "amplitude", "delay", "phase"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"repeatability.{name}", getattr(self, name), "give a standard deviation of 0 or more")

    def draw(self, survey: Survey, grid: Grid, stream: np.random.Generator) -> Vintage:
        """One vintage of a survey; displaced points stay inside the wave grid."""
        moved = []
        for points in (survey.sources, survey.receivers):
            scale = [self.position] * (grid.ndim - 1) + [self.depth]
            places = points + stream.standard_normal(points.shape) * scale
            low, high = np.array(grid.extent).T
            moved.append(np.clip(places, low, high))
        shots = len(survey.receivers) if survey.exchanged else len(survey.sources)
        amplitude, delay, phase = stream.standard_normal((3, shots))
        return Vintage(
            moved[0],
            moved[1],
            np.exp(self.amplitude * amplitude),
            self.delay * delay,
            self.phase * phase,
            survey.exchanged,
        )
