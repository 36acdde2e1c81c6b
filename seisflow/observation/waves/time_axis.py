r"""Between the samples of records and wavelets and the steps of a simulation, with the dispersion of time undone.

The central difference in time carries the physical frequency Ω at the numerical ω, Ω = (2/Δt) sin(ωΔt/2). This dispersion
is undone at both ends (Koene et al. 2018, Geophysical Journal International 213, 169-180): the source is injected with the
spectrum s(Ω(ω)), and the records are read by R, which evaluates ∫ d(ω) exp(iΩt) dΩ over the band of the survey's sampling.
R is a sparse matrix, and its adjoint is Rᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from seisflow.observation.waves.wavelet import Wavelet

__all__ = ["TimeAxis"]

_NEGLIGIBLE = 1e-6  # part of the resampling kernel that is dropped, relative to its peak


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """The steps of a simulation.

    Parameters
    ----------
    dt
        Δt [s].
    n_steps
        Number of steps.
    """

    dt: float
    n_steps: int

    @cached_property
    def _frequencies(self) -> tuple[NDArray, NDArray]:
        """Angular frequencies of the steps' discrete transform, and the physical ones that travel there."""
        numeric = 2 * np.pi * np.fft.rfftfreq(4 * self.n_steps, self.dt)
        return numeric, 2 / self.dt * np.sin(0.5 * numeric * self.dt)

    def emitted(self, wavelet: Wavelet, delay: float) -> NDArray[np.float64]:
        """A wavelet on the steps, ``(n_steps,)``, delayed [s]."""
        _, physical = self._frequencies
        spectrum = wavelet.spectrum(physical) * np.exp(-1j * physical * delay)
        return np.fft.irfft(spectrum)[: self.n_steps] / self.dt

    def resampling(self, n_samples: int, interval: float, highest: float) -> scipy.sparse.csr_matrix:
        """R, ``(n_samples, n_steps)``, for records sampled every ``interval`` [s] of waves up to ``highest`` [Hz]."""
        numeric, physical = self._frequencies
        nyquist = 0.5 / interval
        flat = min(1.6 * highest, 0.75 * nyquist)
        ramp = np.clip((physical / (2 * np.pi) - flat) / (nyquist - flat), 0, 1)
        band = np.cos(0.5 * np.pi * ramp) ** 2 * np.cos(0.5 * numeric * self.dt)
        blocks = []
        for first in range(0, n_samples, 64):
            time = np.arange(first, min(first + 64, n_samples)) * interval
            # Row j is the inverse transform of exp(−iΩt_j): a pulse near step t_j/Δt, reversed in n by conjugation.
            rows = np.fft.irfft(band * np.exp(-1j * physical * time[:, None]), axis=1)[:, : self.n_steps]
            rows[np.abs(rows) < _NEGLIGIBLE * np.abs(rows).max()] = 0
            blocks.append(scipy.sparse.csr_matrix(rows))
        return scipy.sparse.vstack(blocks, format="csr")
