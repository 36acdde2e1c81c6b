r"""Acoustic waves in media of variable density.

Pressure p(x, t) excited by volume sources s_k at x_k obeys, with squared slowness m = 1/v_p² and buoyancy b = 1/ρ,

    m b ∂²p/∂t² − ∇·(b ∇p) = Σ_k s_k(t) δ(x − x_k).

With p = √ρ w it becomes a wave equation of constant density with a potential (Liouville's transform), as cheap as one:

    m ∂²w/∂t² − (∇² − q) w = √ρ Σ_k s_k δ(x − x_k),      q = (∇²√b) / √b.

The Laplacian is a central difference L of any even order; with the same L in q, the discrete operator is
Σ_j c_j √(b_i b_{i+j}) (p_{i+j} − p_i): symmetric, with constant pressure at rest exactly. Time is central of order 2:

    w⁺ = α L w + β w − w⁻ + α √ρ s / |cell|,      α = Δt² v_p²,   β = 2 − αq.

Around the model lies a perfectly matched layer (:mod:`seisflow.observation.waves.layer`) or, at the top if asked for, a free
surface. The operator stays symmetric with both, so its exact adjoint is the same recursion run backwards in time.

The dispersion of the central difference in time is undone at both ends (:mod:`seisflow.observation.waves.time_axis`), so
steps can be as long as stability allows.

Linearisation about a background w: a perturbation field r on the model scatters the kept field h (w or ∂²w/∂t²) as a source
r h; :mod:`seisflow.observation.waves.imaging` says which r and h mean what. ``Propagator.correlate`` is the exact adjoint of
``Propagator.born`` when every step is kept, and agrees to rounding for band-limited records when the kept steps sample
the product of two wavelets (Nyquist), which is the default.

Operators are built once per process and serve all shots, media and propagators of one kind
(:mod:`seisflow.observation.waves.kernel`). float32 by default, one thread.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.waves.differences import largest_eigenvalue
from seisflow.observation.waves.kernel import Kernel
from seisflow.observation.waves.layer import all_layers
from seisflow.observation.waves.layout import WaveLayout
from seisflow.observation.waves.medium import Kept, Medium
from seisflow.observation.waves.survey import Survey
from seisflow.observation.waves.time_axis import TimeAxis

__all__ = ["Kept", "Medium", "Propagator"]

_MARGIN = 8  # steps are taken this many samples beyond the last one, for the tail of the resampling kernel


class Propagator:
    """Forward, Born and adjoint modelling, and the gradient, for one grid and survey.

    Parameters
    ----------
    grid
        The wave grid; nodes are its cell centres. 2-D or 3-D.
    survey
        Sources, receivers, wavelet and recording.
    fastest
        Highest v_p of all media to come [m/s]: it fixes the time step.
    space_order
        Order of the Laplacian, even, 4 to 16.
    layer
        Width of the absorbing layer in nodes; 0: none, the model ends at a pressure-free wall.
    free_surface
        Whether the top of the grid is a free surface (p = 0) instead of absorbing.
    every
        Keep every n-th step of a background field; None: what the wavelet's spectrum needs.
    dtype
        float32, or float64 for tests of adjoints.
    threads
        OpenMP threads inside one simulation: for large 3-D models; small ones run faster on one.
    courant
        Time step as a share of the longest stable one in a medium of one density; jumps of density need up to 10 % less.

    Raises
    ------
    InputError
        When the survey does not fit the grid, or an option is out of range.
    """

    def __init__(
        self,
        grid: Grid,
        survey: Survey,
        fastest: float,
        *,
        space_order: int = 8,
        layer: int = 10,
        free_surface: bool = False,
        every: int | None = None,
        dtype: type[np.floating] = np.float32,
        threads: int = 1,
        courant: float = 0.9,
    ) -> None:
        if space_order % 2 or not 4 <= space_order <= 16:
            raise InputError("space_order", space_order, "give an even number from 4 to 16")
        if not (np.isfinite(fastest) and fastest > 0):
            raise InputError("fastest", fastest, "give the highest velocity in m/s")
        if survey.sources.shape[1] != grid.ndim:
            raise InputError("survey.sources", survey.sources.shape, f"the wave grid has {grid.ndim} axes")
        if not 0 < courant < 1:
            raise InputError("courant", courant, "give a share between 0 and 1")
        survey.check_positions(grid)
        self.grid, self.survey, self.space_order, self.layer = grid, survey, space_order, layer
        self.free_surface, self.threads, self.dtype = free_surface, threads, np.dtype(dtype)
        # von Neumann: Δt² v² max(eigenvalue of −L) ≤ 4; what courant leaves is for the potential q of density jumps.
        self._stiffness = largest_eigenvalue(grid.spacing, space_order)
        self.dt = float(courant * 2 / (fastest * np.sqrt(self._stiffness)))
        self.fastest, self.n_samples = float(fastest), survey.n_samples
        self.n_steps = int(np.ceil((self.n_samples - 1 + _MARGIN) * survey.interval / self.dt)) + 1
        self._time = TimeAxis(self.dt, self.n_steps)
        # The product of two wavelets reaches twice their highest frequency; 20 % more leave nothing of it.
        self.every = max(1, int(1 / (2.4 * survey.wavelet.highest_frequency * self.dt))) if every is None else every
        self._layout = WaveLayout(
            grid.shape,
            grid.spacing,
            grid.origin,
            layer,
            space_order,
            free_surface,
            len(survey.sources),
            len(survey.receivers),
            self.n_steps,
            self.every,
            self.dtype,
            threads,
        )

    # -- media and sources ------------------------------------------------------------------------------------------

    @property
    def inner(self) -> tuple[slice, ...]:
        """The model within the padded grid."""
        return self._layout.inner

    @cached_property
    def kernel(self) -> Kernel:
        """The compiled loops, built on first use."""
        layers = all_layers(self._layout, self.dt, self.fastest, self.survey.wavelet.peak_frequency)
        return Kernel(self._layout, self.survey.sources, self.survey.receivers, layers)

    def medium(self, velocity: NDArray, density: NDArray, warn: bool = True) -> Medium:
        """The coefficients of v_p [m/s] and ρ [kg/m³] (:meth:`Medium.of`); warns of a grid too coarse for the waves."""
        medium = Medium.of(self._layout, velocity, density, self.dt, self._stiffness, self.fastest)
        if warn:
            self.survey.warn_if_coarse(self.grid, velocity, self.space_order)
        return medium

    def signature(self, weights: NDArray, delays: NDArray | float = 0.0) -> NDArray:
        """Source terms of one experiment, ``(n_steps, n_sources)``: the wavelet, weighted and delayed per source.

        Parameters
        ----------
        weights
            Weight of every source, ``(n_sources,)``; 0 leaves it silent.
        delays
            Delay of every source [s].
        """
        weights = np.asarray(weights, np.float64)
        if weights.shape != (len(self.survey.sources),):
            raise InputError("weights.shape", weights.shape, f"give one per source: {len(self.survey.sources)}")
        lag = np.broadcast_to(np.asarray(delays, np.float64), weights.shape)
        steps = np.zeros((self.n_steps, len(weights)), self.dtype)
        for s in np.flatnonzero(weights):
            steps[:, s] = weights[s] * self._time.emitted(self.survey.wavelet, lag[s])
        return steps

    @cached_property
    def resampling(self) -> scipy.sparse.csr_matrix:
        """R, ``(n_samples, n_steps)``: from the steps to the records' sampling."""
        highest = self.survey.wavelet.highest_frequency
        return self._time.resampling(self.n_samples, self.survey.interval, highest).astype(self.dtype)

    # -- data in and out --------------------------------------------------------------------------------------------

    @property
    def _per_cell(self) -> np.floating:
        return self.dtype.type(1 / np.prod(self.grid.spacing))

    def load(self, medium: Medium) -> None:
        """Put a medium into the kernel, with silence."""
        for key in ("alpha", "beta", "root"):
            self.kernel.fields[key].data[:] = getattr(medium, key)
        self.kernel.silence()

    def _emit(self, signature: NDArray) -> None:
        if signature.shape != (self.n_steps, len(self.survey.sources)):
            raise InputError("signature.shape", signature.shape, "make it with Propagator.signature")
        self.kernel.fields["src"].data[:] = signature * self._per_cell

    def _arrive(self, records: NDArray) -> None:
        expected = (self.n_samples, len(self.survey.receivers))
        if records.shape != expected:
            raise InputError("records.shape", records.shape, f"it must be {expected}")
        self.kernel.fields["rec"].data[:] = self.resampling.T @ np.asarray(records, self.dtype)

    def _receivers(self, scale: float = 1.0) -> NDArray:
        return self.resampling @ (np.asarray(self.kernel.fields["rec"].data) * self.dtype.type(scale))

    def move(self, sources: NDArray | None = None, receivers: NDArray | None = None) -> None:
        """Put the survey's points elsewhere [m] for the runs to come; without arguments, back to where they were."""
        both = ("src", sources, self.survey.sources), ("rec", receivers, self.survey.receivers)
        for name, points, own in both:
            points = own if points is None else np.asarray(points, np.float64)
            if points.shape != own.shape:
                raise InputError("points.shape", points.shape, f"the survey has {own.shape}")
            self.kernel.fields[name].coordinates.data[:] = points

    # -- the operators ----------------------------------------------------------------------------------------------

    def forward(self, medium: Medium, signature: NDArray) -> NDArray:
        """Records of the pressure, ``(n_samples, n_receivers)``, of one experiment."""
        self._emit(signature)
        self.load(medium)
        self.kernel.run("forward", self.n_steps)
        return self._receivers()

    def adjoint(self, medium: Medium, records: NDArray) -> NDArray:
        """The adjoint of :meth:`forward` in the signature: records to ``(n_steps, n_sources)``."""
        self._arrive(records)
        self.load(medium)
        self.kernel.run("adjoint", self.n_steps)
        return np.array(self.kernel.fields["src"].data) * self._per_cell

    def keep(self, medium: Medium, signature: NDArray, what: str = "field", into: Kept | None = None) -> Kept:
        """A background wavefield, kept every :attr:`every` steps.

        Parameters
        ----------
        what
            ``"field"`` keeps w, ``"acceleration"`` keeps ∂²w/∂t².
        into
            Overwrite this one instead of taking new memory.
        """
        store = self.kernel.store(self.n_steps) if into is None else into.store
        self._emit(signature)
        self.load(medium)
        self.kernel.run(f"keep {what}", self.n_steps, store)
        return Kept(medium, store, 1.0 if what == "field" else self.dt**-2)

    def born(self, medium: Medium, signature: NDArray, perturbation: NDArray, what: str = "field") -> NDArray:
        """Records of the field scattered by r h, with r ``(*grid.shape)`` and h as in :meth:`keep`."""
        self._emit(signature)
        self.load(medium)
        padded = np.zeros(self._layout.shape, self.dtype)
        padded[self.inner] = perturbation
        self.kernel.fields["perturbation"].data[:] = padded
        self.kernel.run(f"born {what}", self.n_steps)
        return self._receivers(1.0 if what == "field" else self.dt**-2)

    def correlate(self, kept: Kept, records: NDArray) -> NDArray:
        """The adjoint of :meth:`born` in the perturbation: Σ_t h v ``(*grid.shape)``, with v the records sent back."""
        self._arrive(records)
        self.load(kept.medium)
        self.kernel.fields["total"].data[:] = 0
        self.kernel.run("correlate", self.n_steps, kept.store)
        return np.array(self.kernel.fields["total"].data[self.inner]) * self.dtype.type(self.every * kept.factor)

    # -- in pieces, for checkpoints ---------------------------------------------------------------------------------

    @property
    def frame_bytes(self) -> int:
        """Memory of one kept step."""
        return int(np.prod(self._layout.shape)) * self.dtype.itemsize

    @property
    def state_bytes(self) -> int:
        """Memory of a copy of the wavefields."""
        return sum(field.nbytes for field in self.kernel.state())

    def on_steps(self, signature: NDArray, records: NDArray) -> tuple[NDArray, NDArray]:
        """Source terms per cell, and records carried back to the steps."""
        return signature * self._per_cell, self.resampling.T @ np.asarray(records, self.dtype)

    def gradient(self, medium: Medium, signature: NDArray, observed: NDArray) -> tuple[float, NDArray]:
        r"""The misfit Φ = ½ ‖F(m) − d‖² of one experiment, and its derivative in squared slowness at fixed density.

        Parameters
        ----------
        medium, signature
            Where Φ is taken.
        observed
            d ``(n_samples, n_receivers)``.

        Returns
        -------
        tuple
            Φ and ∂Φ/∂m ``(*grid.shape)`` [1/(s²/m²) times the unit of Φ]. The layer's medium counts as fixed: the
            derivative at the model's outermost nodes leaves out that the layer continues them.
        """
        kept = self.keep(medium, signature, "acceleration")
        residual = self.forward(medium, signature) - np.asarray(observed, self.dtype)
        misfit = 0.5 * float(np.sum(residual.astype(np.float64) ** 2))
        return misfit, -self.correlate(kept, residual)
