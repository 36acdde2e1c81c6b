r"""Acoustic waves in media of variable density (Devito).

Pressure p(x, t) excited by volume sources s_k at x_k obeys, with squared slowness m = 1/v_p² and buoyancy b = 1/ρ,

    m b ∂²p/∂t² − ∇·(b ∇p) = Σ_k s_k(t) δ(x − x_k).

With p = √ρ w it becomes a wave equation of constant density with a potential (Liouville's transform), as cheap as one:

    m ∂²w/∂t² + m σ ∂w/∂t − (∇² − q) w = √ρ Σ_k s_k δ(x − x_k),      q = (∇²√b) / √b,

where σ is the damping of the absorbing layer around the grid. The Laplacian is a central difference L of any even order;
with the same L in q, the discrete operator is Σ_j c_j √(b_i b_{i+j}) (p_{i+j} − p_i): symmetric, with constant pressure
at rest exactly. Time is central of order 2, and one step reads

    w⁺ = α L w + β w − γ w⁻ + α √ρ s / |cell|,
    α = Δt² v_p² / (1 + σΔt/2),   β = 2 / (1 + σΔt/2) − αq,   γ = (1 − σΔt/2) / (1 + σΔt/2).

Since the operator is symmetric, its exact adjoint is the same recursion run backwards in time.

The central difference in time carries the physical frequency Ω at the numerical ω, Ω = (2/Δt) sin(ωΔt/2). This dispersion
is undone at both ends (Koene et al. 2018, Geophysical Journal International 213, 169-180): the source is injected with the
spectrum s(Ω(ω)), and the records are read by R, which evaluates ∫ d(ω) exp(iΩt) dΩ over the band of the survey's sampling.
So steps can be as long as stability allows. R is a sparse matrix, and its adjoint is Rᵀ.

Linearisation about a background w: a perturbation field r scatters the kept field h (w or ∂²w/∂t²) as a source r h;
:mod:`seisflow.observation.imaging` says which r and h mean what. ``Propagator.correlate`` is the exact adjoint of
``Propagator.born`` when every step is kept, and agrees to rounding for band-limited records when the kept steps sample
the product of two wavelets (Nyquist), which is the default.

Operators are built once per :class:`Propagator` and serve all shots and all media. float32 by default, one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.survey import Survey

__all__ = ["Kept", "Medium", "Propagator", "dot_test"]

_MARGIN = 8  # steps are taken this many samples beyond the last one, for the tail of the resampling kernel
_NEGLIGIBLE = 1e-6  # part of the resampling kernel that is dropped, relative to its peak
_REFLECTION = 2e-2  # nominal two-way damping of the absorbing layer; more of it reflects more than it absorbs


def second_derivative(order: int) -> NDArray[np.float64]:
    """Weights of the central second difference of an even order on unit spacing, ``(order + 1,)``."""
    offsets = np.arange(-(order // 2), order // 2 + 1, dtype=float)
    powers = np.vander(offsets, increasing=True).T
    right = np.zeros(order + 1)
    right[2] = 2.0
    return np.linalg.solve(powers, right)


def laplacian(field: NDArray, spacing: tuple[float, ...], order: int, beyond: str = "nearest") -> NDArray[np.float64]:
    """The discrete Laplacian L of a field, float64; ``beyond`` its edges it is constant, or zero (``"constant"``)."""
    weights = second_derivative(order)
    field = np.asarray(field, np.float64)
    total = np.zeros_like(field)
    for axis, h in enumerate(spacing):
        total += correlate1d(field, weights / h**2, axis=axis, mode=beyond)
    return total


def dot_test(
    forward: Callable[[NDArray], NDArray], adjoint: Callable[[NDArray], NDArray], x: NDArray, y: NDArray
) -> float:
    """How well two linear operators are adjoint: |⟨F x, y⟩ − ⟨x, Fᵀ y⟩| / (‖F x‖ ‖y‖).

    Parameters
    ----------
    forward, adjoint
        F and its claimed adjoint Fᵀ.
    x, y
        A vector of F's domain and one of its range, of any shape.

    Returns
    -------
    float
        The relative mismatch; inner products are summed in float64.
    """
    image = np.asarray(forward(x), np.float64).ravel()
    back = np.asarray(adjoint(y), np.float64).ravel()
    x, y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
    return float(abs(image @ y - x @ back) / (np.linalg.norm(image) * np.linalg.norm(y)))


@dataclass(frozen=True, eq=False)
class Medium:
    """Coefficients of the time step in one medium, on the padded grid (made by :meth:`Propagator.medium`).

    Parameters
    ----------
    alpha, beta
        α and β of the module's equation.
    root
        √ρ.
    potential, density
        q, and ρ [kg/m³], on the grid and :attr:`Propagator.margin` nodes around it.
    """

    alpha: NDArray
    beta: NDArray
    root: NDArray
    potential: NDArray[np.float64]
    density: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Kept:
    """A background wavefield (or its second time derivative), kept every few steps, with the medium it runs in."""

    medium: Medium
    field: Any
    factor: float

    @property
    def nbytes(self) -> int:
        """Memory of the kept steps."""
        return int(np.prod(self.field.shape_allocated)) * np.dtype(self.field.dtype).itemsize


class Propagator:
    """Forward, Born and adjoint modelling for one grid and survey.

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
        Width of the absorbing layer in nodes.
    every
        Keep every n-th step of a background field; None: what the wavelet's spectrum needs.
    dtype
        float32, or float64 for tests of adjoints.

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
        layer: int = 40,
        every: int | None = None,
        dtype: type[np.floating] = np.float32,
    ) -> None:
        if space_order % 2 or not 4 <= space_order <= 16:
            raise InputError("space_order", space_order, "give an even number from 4 to 16")
        if layer < 0:
            raise InputError("layer", layer, "give 0 nodes or more")
        if not (np.isfinite(fastest) and fastest > 0):
            raise InputError("fastest", fastest, "give the highest velocity in m/s")
        if survey.sources.shape[1] != grid.ndim:
            raise InputError("survey.sources", survey.sources.shape, f"the wave grid has {grid.ndim} axes")
        self.grid, self.survey, self.space_order, self.layer = grid, survey, space_order, layer
        self.dtype = np.dtype(dtype)
        # von Neumann: Δt² v² max(eigenvalue of −L) ≤ 4; 10 % is left for the potential q of density jumps.
        bound = np.abs(second_derivative(space_order)).sum() * sum(h**-2 for h in grid.spacing)
        self.dt = float(0.9 * 2 / (fastest * np.sqrt(bound)))
        self.fastest = float(fastest)
        self.n_samples = survey.n_samples
        self.n_steps = int(np.ceil((self.n_samples - 1 + _MARGIN) * survey.interval / self.dt)) + 1
        # The product of two wavelets reaches 6 peak frequencies before it has fallen to 1e-5 of its largest value.
        self.every = max(1, int(1 / (6 * survey.peak_frequency * self.dt))) if every is None else every
        if self.every < 1:
            raise InputError("every", every, "give 1 or more steps")
        low = [o + 0.5 * h for o, h in zip(grid.origin, grid.spacing, strict=True)]
        self._first_node = np.array(low) - layer * np.array(grid.spacing)
        self.margin = min(space_order // 2, layer)
        self._inner = tuple(slice(layer - self.margin, layer + n + self.margin) for n in grid.shape)
        self._shape = tuple(n + 2 * layer for n in grid.shape)
        self._operators: dict[str, Any] = {}

    # -- media and sources ------------------------------------------------------------------------------------------

    @cached_property
    def _damping(self) -> NDArray[np.float64]:
        """σΔt/2 on the padded grid: cubic ramps, added over the axes."""
        total = np.zeros(self._shape)
        for axis, (n, h) in enumerate(zip(self._shape, self.grid.spacing, strict=True)):
            if self.layer == 0:
                break
            index = np.arange(n)
            outside = np.maximum(np.maximum(self.layer - index, index - (n - 1 - self.layer)), 0) / self.layer
            ramp = 4 * self.fastest * np.log(1 / _REFLECTION) / (self.layer * h) * outside**3
            total += ramp.reshape([-1 if a == axis else 1 for a in range(len(self._shape))])
        return 0.5 * self.dt * total

    def medium(self, velocity: NDArray, density: NDArray) -> Medium:
        """The coefficients of a medium from v_p [m/s] and ρ [kg/m³], each of the grid's shape.

        Raises
        ------
        InputError
            When a value is not positive, or too fast for the time step.
        """
        padded = []
        for name, values in (("velocity", velocity), ("density", density)):
            array = np.asarray(values, np.float64)
            if array.shape != self.grid.shape:
                raise InputError(f"{name}.shape", array.shape, f"it must be the wave grid's {self.grid.shape}")
            if not (np.isfinite(array).all() and (array > 0).all()):
                bad = array[~(np.isfinite(array) & (array > 0))][0]
                raise InputError(name, float(bad), "every value must be finite and positive")
            padded.append(np.pad(array, self.layer, mode="edge"))
        v, rho = padded
        root_b = 1 / np.sqrt(rho)
        potential = laplacian(root_b, self.grid.spacing, self.space_order) / root_b
        bound = np.abs(second_derivative(self.space_order)).sum() * sum(h**-2 for h in self.grid.spacing)
        if (self.dt**2 * v**2 * (bound + np.maximum(potential, 0))).max() > 4:
            raise InputError("velocity", float(v.max()), f"the time step is for at most {self.fastest:.0f} m/s")
        alpha = self.dt**2 * v**2 / (1 + self._damping)
        beta = 2 / (1 + self._damping) - alpha * potential
        alpha, beta, root = (a.astype(self.dtype) for a in (alpha, beta, np.sqrt(rho)))
        return Medium(alpha, beta, root, potential[self._inner], rho[self._inner])

    @cached_property
    def _frequencies(self) -> tuple[NDArray, NDArray]:
        """Angular frequencies of the steps' discrete transform, and the physical ones that travel there."""
        numeric = 2 * np.pi * np.fft.rfftfreq(4 * self.n_steps, self.dt)
        return numeric, 2 / self.dt * np.sin(0.5 * numeric * self.dt)

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
        _, physical = self._frequencies
        peak = 2 * np.pi * self.survey.peak_frequency
        # Fourier transform of the Ricker wavelet, at the physical frequencies.
        spectrum = 4 * np.sqrt(np.pi) / peak * (physical / peak) ** 2 * np.exp(-((physical / peak) ** 2))
        lag = self.survey.start + np.broadcast_to(np.asarray(delays, np.float64), weights.shape)
        steps = (
            np.fft.irfft(spectrum[:, None] * np.exp(-1j * physical[:, None] * lag), axis=0)[: self.n_steps] / self.dt
        )
        return (weights * steps).astype(self.dtype)

    @cached_property
    def resampling(self) -> scipy.sparse.csr_matrix:
        """R, ``(n_samples, n_steps)``: from the steps to the records' sampling, band-limited, dispersion of time undone."""
        numeric, physical = self._frequencies
        nyquist = 0.5 / self.survey.interval
        flat = min(1.6 * self.survey.highest_frequency, 0.75 * nyquist)
        ramp = np.clip((physical / (2 * np.pi) - flat) / (nyquist - flat), 0, 1)
        band = np.cos(0.5 * np.pi * ramp) ** 2 * np.cos(0.5 * numeric * self.dt)
        blocks = []
        for first in range(0, self.n_samples, 64):
            time = np.arange(first, min(first + 64, self.n_samples)) * self.survey.interval
            # Row j is the inverse transform of exp(−iΩt_j): a pulse near step t_j/Δt, reversed in n by conjugation.
            rows = np.fft.irfft(band * np.exp(-1j * physical * time[:, None]), axis=1)[:, : self.n_steps]
            rows[np.abs(rows) < _NEGLIGIBLE * np.abs(rows).max()] = 0
            blocks.append(scipy.sparse.csr_matrix(rows.astype(self.dtype)))
        return scipy.sparse.vstack(blocks, format="csr")

    # -- the symbolic part: built once, on first use -------------------------------------------------------------------

    @cached_property
    def _symbols(self) -> dict[str, Any]:
        import devito as dv

        extent = tuple((n - 1) * h for n, h in zip(self._shape, self.grid.spacing, strict=True))
        grid = dv.Grid(self._shape, extent=extent, origin=tuple(self._first_node), dtype=self.dtype.type)
        kept_dim = dv.ConditionalDimension("t_kept", parent=grid.time_dim, factor=self.every)
        symbols: dict[str, Any] = {"grid": grid, "kept_dim": kept_dim}
        for name in ("alpha", "beta", "gamma", "root", "perturbation", "total"):
            # Order 1 gives the halo that off-node sources and receivers ask for.
            symbols[name] = dv.Function(name=name, grid=grid, space_order=1)
        symbols["gamma"].data[:] = (1 - self._damping) / (1 + self._damping)
        for name in ("w", "scattered"):
            symbols[name] = dv.TimeFunction(name=name, grid=grid, time_order=2, space_order=self.space_order)
        symbols["kept"] = self._kept_function(grid, kept_dim)
        for name, points in (("src", self.survey.sources), ("rec", self.survey.receivers)):
            symbols[name] = dv.SparseTimeFunction(
                name=name, grid=grid, npoint=len(points), nt=self.n_steps, coordinates=np.array(points)
            )
        return symbols

    def _kept_function(self, grid: Any, kept_dim: Any) -> Any:
        import devito as dv

        steps = (self.n_steps - 1) // self.every + 1
        return dv.TimeFunction(name="kept", grid=grid, time_order=0, space_order=0, save=steps, time_dim=kept_dim)

    def _step(self, field: Any, forward: bool = True) -> Any:
        import devito as dv

        s = self._symbols
        new, old = (field.forward, field.backward) if forward else (field.backward, field.forward)
        return dv.Eq(new, s["alpha"] * field.laplace + s["beta"] * field - s["gamma"] * old)

    def _operator(self, name: str) -> Any:
        """One of the five compiled operators; the compiled code is cached on disk between processes."""
        if name in self._operators:
            return self._operators[name]
        import devito as dv

        s = self._symbols
        w, scattered, src, rec = s["w"], s["scattered"], s["src"], s["rec"]
        excite = src.inject(field=w.forward, expr=src * s["alpha"] * s["root"])
        if name == "forward":
            equations = [self._step(w), excite, rec.interpolate(expr=w * s["root"])]
        elif name in ("keep field", "keep acceleration"):
            what = w if name == "keep field" else w.forward - 2 * w + w.backward
            equations = [self._step(w), excite, dv.Eq(s["kept"], what)]
        elif name in ("born field", "born acceleration"):
            what = w if name == "born field" else w.forward - 2 * w + w.backward
            scatter = dv.Eq(scattered.forward, scattered.forward + s["alpha"] * s["perturbation"] * what)
            equations = [self._step(w), excite, self._step(scattered), scatter]
            equations += [rec.interpolate(expr=scattered * s["root"])]
        else:
            back = [self._step(w, forward=False), rec.inject(field=w.backward, expr=rec * s["alpha"] * s["root"])]
            if name == "adjoint":
                equations = [*back, src.interpolate(expr=w * s["root"])]
            else:
                equations = [*back, dv.Inc(s["total"], s["kept"] * w)]
        with dv.switchconfig(log_level="ERROR"):
            self._operators[name] = dv.Operator(equations, name="Waves", language="C")
        return self._operators[name]

    def _run(self, name: str, medium: Medium, **arguments: Any) -> None:
        import devito as dv

        s = self._symbols
        for key in ("alpha", "beta", "root"):
            s[key].data[:] = getattr(medium, key)
        for key in ("w", "scattered"):
            s[key].data_with_halo[:] = 0
        operator = self._operator(name)
        with dv.switchconfig(log_level="ERROR"):
            operator.apply(time_m=0, time_M=self.n_steps - 1, **arguments)

    def _receivers(self, scale: float = 1.0) -> NDArray:
        return self.resampling @ (np.asarray(self._symbols["rec"].data) * self.dtype.type(scale))

    def _emit(self, signature: NDArray) -> None:
        if signature.shape != (self.n_steps, len(self.survey.sources)):
            raise InputError("signature.shape", signature.shape, "make it with Propagator.signature")
        self._symbols["src"].data[:] = signature * self.dtype.type(1 / np.prod(self.grid.spacing))

    def _arrive(self, records: NDArray) -> None:
        if records.shape != (self.n_samples, len(self.survey.receivers)):
            raise InputError(
                "records.shape", records.shape, f"it must be {(self.n_samples, len(self.survey.receivers))}"
            )
        self._symbols["rec"].data[:] = self.resampling.T @ np.asarray(records, self.dtype)

    # -- the operators ----------------------------------------------------------------------------------------------

    def forward(self, medium: Medium, signature: NDArray) -> NDArray:
        """Records of the pressure, ``(n_samples, n_receivers)``, of one experiment."""
        self._emit(signature)
        self._run("forward", medium)
        return self._receivers()

    def adjoint(self, medium: Medium, records: NDArray) -> NDArray:
        """The adjoint of :meth:`forward` in the signature: records to ``(n_steps, n_sources)``."""
        self._arrive(records)
        self._run("adjoint", medium)
        return np.array(self._symbols["src"].data) * self.dtype.type(1 / np.prod(self.grid.spacing))

    def keep(self, medium: Medium, signature: NDArray, what: str = "field") -> Kept:
        """A background wavefield, kept every :attr:`every` steps.

        Parameters
        ----------
        what
            ``"field"`` keeps w, ``"acceleration"`` keeps ∂²w/∂t².
        """
        s = self._symbols
        kept = self._kept_function(s["grid"], s["kept_dim"])
        self._emit(signature)
        self._run(f"keep {what}", medium, kept=kept)
        return Kept(medium, kept, 1.0 if what == "field" else self.dt**-2)

    def born(self, medium: Medium, signature: NDArray, perturbation: NDArray, what: str = "field") -> NDArray:
        """Records of the field scattered by r h, with h as in :meth:`keep`.

        The perturbation r covers the grid and :attr:`margin` nodes around it.
        """
        self._emit(signature)
        padded = np.zeros(self._shape, self.dtype)
        padded[self._inner] = perturbation
        self._symbols["perturbation"].data[:] = padded
        self._run(f"born {what}", medium)
        return self._receivers(1.0 if what == "field" else self.dt**-2)

    def correlate(self, kept: Kept, records: NDArray) -> NDArray:
        """The adjoint of :meth:`born` in the perturbation: Σ_t h v, with v the records sent back.

        It covers the grid and :attr:`margin` nodes around it, so that a Laplacian of it is right up to the grid's edge.
        """
        self._arrive(records)
        self._symbols["total"].data[:] = 0
        self._run("correlate", kept.medium, kept=kept.field)
        total = np.array(self._symbols["total"].data[self._inner])
        return total * self.dtype.type(self.every * kept.factor)
