r"""Imaging: the adjoint of linearised modelling in a smooth background, applied to records.

About a background wavefield w with the adjoint field v (the records sent back in time), two imaging conditions, both
exact adjoints of a Born operator:

* ``zero_lag`` : derivative in squared slowness m at fixed density; scattering source −δm ∂²w/∂t², image
  I = −Σ_t v ∂²w/∂t².
* ``inverse_scattering`` : derivative in b → b (1 + κ) at fixed velocity, that is κ = −δ ln(impedance). It images
  reflections and is blind to the transmitted waves that paint the zero-lag image with low wavenumbers (Op 't Root, Stolk
  & de Hoop 2012; Whitmore & Crawley 2012): I = −Σ_t (m v ∂²w/∂t² + ∇w·∇v). With the wave equation, and summation by
  parts in time, this is a filter on the plain correlation C = Σ_t w v,

      I = ½ (q C − √b L (C/√b)),

  (½ of minus the Laplacian of C where the density is constant), so it costs no more than the correlation itself. It holds
  away from the sources and receivers.

A CO2 plume lowers the impedance: with records of monitor minus baseline, its inverse-scattering image is a band-limited
view of a positive κ. The background wavefields depend on neither the member nor the survey's date: a :class:`Migration`
computes them once per experiment and keeps them, time-subsampled, within a memory budget.

Perturbations live on the model, not in the layer around it; within half a stencil of the model's edges, where the density
counts as constant beyond, κ and the derivative in b agree only approximately.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.waves.background import Backgrounds
from seisflow.observation.waves.differences import laplacian, laplacian_transposed
from seisflow.observation.waves.encoding import Encoding
from seisflow.observation.waves.medium import Medium
from seisflow.observation.waves.propagator import Propagator

__all__ = ["Imaging", "Migration", "smooth"]


@dataclass(frozen=True)
class Imaging:
    """How images are made.

    Parameters
    ----------
    condition
        ``"inverse_scattering"`` or ``"zero_lag"``.
    smoothing
        Standard deviation of the Gaussian that smooths the background's slowness and density [m].
    mute_depth
        Above this depth the image is zero (water, sources, receivers) [m]; it fades in over the next 100 m.
    depth_power
        The image is multiplied by (depth / model depth)^power, against the waves' spreading.
    """

    condition: Literal["inverse_scattering", "zero_lag"] = "inverse_scattering"
    smoothing: float = 60.0
    mute_depth: float = 0.0
    depth_power: float = 0.5

    def __post_init__(self) -> None:
        if self.condition not in ("inverse_scattering", "zero_lag"):
            raise InputError("imaging.condition", self.condition, "choose 'inverse_scattering' or 'zero_lag'")
        for name in ("smoothing", "mute_depth", "depth_power"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"imaging.{name}", getattr(self, name), "give a number of 0 or more")


def smooth(velocity: NDArray, density: NDArray, grid: Grid, length: float) -> tuple[NDArray, NDArray]:
    """Smooth a model: Gaussian of standard deviation ``length`` [m] on slowness (keeps travel times) and density."""
    sigma = [length / h for h in grid.spacing]
    slowness = gaussian_filter(1 / np.asarray(velocity, np.float64), sigma, mode="nearest")
    return 1 / slowness, gaussian_filter(np.asarray(density, np.float64), sigma, mode="nearest")


class Migration:
    """The linearised operator of a set of experiments in one background, and its adjoint, the image.

    Parameters
    ----------
    propagator
        Wave operators of the grid and survey.
    velocity, density
        The background model, smooth [m/s, kg/m³].
    encoding
        The experiments (:meth:`Encoding.plain` for single shots).
    options
        Imaging condition, mute and depth scaling; ``options.smoothing`` is not applied here.
    memory
        Budget for the background wavefields [bytes] (:class:`~seisflow.observation.waves.background.Backgrounds`); None: all
        are stored.
    """

    def __init__(
        self,
        propagator: Propagator,
        velocity: NDArray,
        density: NDArray,
        encoding: Encoding,
        options: Imaging,
        memory: float | None = None,
    ) -> None:
        self.propagator, self.encoding, self.options, self.memory = propagator, encoding, options, memory
        self.medium: Medium = propagator.medium(velocity, density)
        self._what = "field" if options.condition == "inverse_scattering" else "acceleration"

    def signature(self, experiment: int) -> NDArray:
        """Source terms of one experiment."""
        delays = self.encoding.shifts[experiment] * self.propagator.survey.interval
        return self.propagator.signature(self.encoding.weights[experiment], delays)

    @cached_property
    def backgrounds(self) -> Backgrounds:
        """The background wavefields: computed once per experiment, as far as memory allows."""
        signatures = [self.signature(e) for e in range(self.encoding.n_experiments)]
        return Backgrounds(self.propagator, self.medium, signatures, self._what, self.memory)

    @cached_property
    def _weight(self) -> NDArray[np.float64]:
        """Mute and depth scaling."""
        grid = self.propagator.grid
        bottom = grid.extent[-1][1]
        fade = np.clip((grid.depth - self.options.mute_depth) / 100.0, 0, 1) if self.options.mute_depth > 0 else 1.0
        return fade * np.clip(grid.depth / bottom, 0, None) ** self.options.depth_power

    def _filter(self, correlation: NDArray) -> NDArray[np.float64]:
        """From the correlation C to the image; beyond the model's edges C counts as constant."""
        if self.options.condition == "zero_lag":
            return -correlation
        p, root_b = self.propagator, 1 / np.sqrt(self.medium.density)
        curved = root_b * laplacian(correlation / root_b, p.grid.spacing, p.space_order)
        return 0.5 * (self.medium.potential * correlation - curved)

    def _filter_transposed(self, image: NDArray) -> NDArray[np.float64]:
        """The transpose of :meth:`_filter`."""
        if self.options.condition == "zero_lag":
            return -np.asarray(image, np.float64)
        p, root_b = self.propagator, 1 / np.sqrt(self.medium.density)
        curved = laplacian_transposed(root_b * image, p.grid.spacing, p.space_order) / root_b
        return 0.5 * (self.medium.potential * image - curved)

    def image(self, records: NDArray) -> NDArray:
        """The image of records ``(n_experiments, n_samples, n_receivers)`` on the wave grid, of the propagator's dtype."""
        if len(records) != self.encoding.n_experiments:
            raise InputError("records.shape", np.shape(records), f"there are {self.encoding.n_experiments} experiments")
        return self.stack(self.backgrounds.correlate(e, gather) for e, gather in enumerate(records))

    def stack(self, correlations: Iterable[NDArray]) -> NDArray:
        """The image of the experiments' correlations C, each ``(*grid.shape)``: their sum, filtered, muted and scaled."""
        total = np.zeros(self.medium.density.shape)
        for correlation in correlations:
            total += correlation
        return (self._weight * self._filter(total)).astype(self.propagator.dtype)

    def model(self, perturbation: NDArray) -> NDArray:
        """Linearised records of a perturbation (δm in s²/m², or κ) of the wave grid's shape; adjoint to :meth:`image`."""
        scatterer = self._filter_transposed(self._weight * perturbation)
        experiments = range(self.encoding.n_experiments)
        return np.stack(
            [self.propagator.born(self.medium, self.signature(e), scatterer, self._what) for e in experiments]
        )
