r"""The stochastic EnKF with a tapered covariance, for data that are images: ρ ∘ P in place of P, R as it is.

    x_i ← x_i + (ρ_xy ∘ P_xy) v_i,      (ρ_yy ∘ P_yy + R) v_i = y° + ε_i − H(x_i),

P_xy = X'ᵀY'/(M − 1), P_yy = Y'ᵀY'/(M − 1) (Houtekamer & Mitchell 2001, Mon. Wea. Rev. 129, 123–137). Of R only its
inverse is needed. With few data the matrix is formed and factorised once for all members,

    [(ρ ∘ P_yy) R⁻¹ + I] R v_i = y° + ε_i − H(x_i)           (2/3 D³ operations, 8 D² bytes for D data).

With many no matrix of data size is formed: with the taper as an operator T,

    (ρ ∘ P_yy) v = 1/(M − 1) Σ_m Y'_m ∘ T (Y'_m ∘ v),

M separable filters on the data's grids (:class:`~seisflow.analysis.localization.GridTaper`), and the system is solved by
conjugate gradients with R⁻¹ for preconditioner. Then R itself is never needed: the search directions obey p ← R⁻¹ r + β p,
so R p ← r + β R p (Gratton & Tshimanga 2009, QJRMS 135, 1573–1585). P_xy is always such an operator.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, packed_memory
from seisflow.analysis.ensemble_space import transformed
from seisflow.analysis.localization import GridTaper
from seisflow.analysis.table import Site, TransformedTable
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Positive

__all__ = ["LocalizedEnKF", "LocalizedEnkfTable"]


@dataclass(frozen=True, eq=False)
class LocalizedEnKF(Analysis):
    """Stochastic EnKF with covariance localisation on tensor grids.

    Known failure: the taper cuts true long-range correlations with the chance ones (a pressure front that reaches far), and
    an update that is linear still smears sharp fronts.

    Parameters
    ----------
    localization
        Axes of the state's and the data's fields, and the radius.
    fields, adjustments, bounds
        As for :class:`~seisflow.analysis.kalman.etkf.ETKF`.
    direct
        Number of data D up to which the matrix is formed and factorised; 8192 take half a gigabyte. 0 for conjugate
        gradients always.
    tolerance
        Size of the residual at which the conjugate gradients stop, relative to the innovation, both in the norm of R⁻¹.
    iterations
        Steps of the conjugate gradients at most.
    threads
        Threads that share the members.
    """

    localization: GridTaper
    fields: tuple[str, ...] | None = None
    adjustments: tuple[Adjustment, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    direct: int = 8192
    tolerance: float = 1e-3
    iterations: int = 200
    threads: int = 1
    name: str = "localized_enkf"

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise InputError("tolerance", self.tolerance, "give a number in (0, 1)")
        if self.threads < 1 or self.iterations < 1:
            raise InputError("threads, iterations", (self.threads, self.iterations), "give at least 1")
        if self.direct < 0:
            raise InputError("direct", self.direct, "give a number of data, or 0 for conjugate gradients always")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M = forecast.size
        if M < 2:
            raise InputError("forecast.size", M, "a Kalman gain needs at least two members")
        fields = forecast.names if self.fields is None else self.fields
        self._check(forecast, evidence.predicted, fields)
        HX = evidence.predicted.pack()
        Y = _anomalies(evidence.predicted, evidence.predicted.names)
        X = _anomalies(forecast, fields)
        innovations = evidence.noise.sample(M, generator)
        innovations += evidence.observed.pack(evidence.predicted.names) - innovations.mean(axis=0) - HX
        increments = {name: np.empty_like(X[name]) for name in fields}
        steps = np.zeros(M, int)
        weights = self._factorised(Y, innovations, evidence.noise) if innovations.shape[1] <= self.direct else None

        def member(i: int) -> None:
            if weights is None:
                v, steps[i] = self._iterated(Y, innovations[i], evidence.noise)
            else:
                v = weights[i]
            for name, change in self._covariance(Y, v, X, state=True).items():
                increments[name][i] = change

        with ThreadPoolExecutor(self.threads) as pool:
            for done, _ in enumerate(pool.map(member, range(M))):
                if progress:
                    progress("members", done + 1, M)
        analysed = {
            name: (forecast[name] + increments[name].reshape(forecast[name].shape)).astype(forecast[name].dtype)
            for name in fields
        }
        ensemble = transformed(
            Ensemble({**forecast.fields, **analysed}, forecast.time),
            mixing(self.adjustments, M, generator),
            fields,
            self.bounds,
        )
        return Posterior(ensemble, {"iterations": int(steps.max())})

    def _check(self, forecast: Ensemble, predicted: Ensemble, fields: tuple[str, ...]) -> None:
        for ensemble, names, state in ((forecast, fields, True), (predicted, predicted.names, False)):
            for name in names:
                if self.localization.shape(name, state) not in (ensemble[name].shape[1:], ()):
                    raise InputError(
                        "state_axes" if state else "data_axes",
                        self.localization.shape(name, state),
                        f"{name!r} has the shape {ensemble[name].shape[1:]}",
                    )

    def _covariance(
        self, Y: dict[str, NDArray], v: NDArray, targets: dict[str, NDArray], state: bool
    ) -> dict[str, NDArray]:
        """(ρ ∘ P) v for every target field, P between it and the data."""
        weighted, at = {}, 0
        for name, anomalies in Y.items():
            size = anomalies[0].size
            weighted[name] = anomalies * v[at : at + size].reshape(anomalies.shape[1:])
            at += size
        result = {}
        for target, anomalies in targets.items():
            filtered = sum(
                _tapered(self.localization.matrices(target, name, state), part, anomalies.ndim)
                for name, part in weighted.items()
            )
            result[target] = (anomalies * filtered).sum(axis=0) / (len(anomalies) - 1)
        return result

    def _factorised(self, Y: dict[str, NDArray], innovations: NDArray, noise: Covariance) -> NDArray:
        """(ρ ∘ P_yy + R)⁻¹ d of all members, ``(M, D)``, by elimination."""
        M, D = innovations.shape
        A = np.empty((D, D))
        ends = np.cumsum([0, *(anomalies[0].size for anomalies in Y.values())])
        places = {name: slice(*at) for name, at in zip(Y, itertools.pairwise(ends), strict=True)}
        for target, to in Y.items():
            for name, anomalies in Y.items():
                block = A[places[target], places[name]]
                np.matmul(to.reshape(M, -1).T / (M - 1), anomalies.reshape(M, -1), out=block)
                matrices = self.localization.matrices(target, name, state=False)
                product = block.reshape(to.shape[1:] + anomalies.shape[1:]) if matrices else block  # of the same memory
                for axis, matrix in enumerate(matrices):
                    shape = np.ones(2 * len(matrices), int)
                    shape[[axis, axis + len(matrices)]] = matrix.shape
                    product *= matrix.reshape(shape)
        for at in range(0, D, 512):  # rows at a time, for the sake of memory
            A[at : at + 512] = noise.solve(A[at : at + 512])
        A.flat[:: D + 1] += 1
        factors = lu_factor(A.T, overwrite_a=True, check_finite=False)
        return noise.solve(lu_solve(factors, innovations.T, trans=1, check_finite=False).T)

    def _iterated(self, Y: dict[str, NDArray], innovation: NDArray, noise: Covariance) -> tuple[NDArray, int]:
        """(ρ ∘ P_yy + R)⁻¹ d of one member by conjugate gradients, and the steps they took."""
        v, residual = np.zeros_like(innovation), innovation.copy()
        z = noise.solve(residual[None])[0]
        size = first = float(residual @ z)
        p, Rp = z.copy(), residual.copy()
        for step in range(self.iterations):
            if size <= self.tolerance**2 * first:
                return v, step
            Cp = self._covariance(Y, p, Y, state=False)
            Ap = np.concatenate([Cp[name].ravel() for name in Y]) + Rp
            length = size / float(p @ Ap)
            v += length * p
            residual -= length * Ap
            z = noise.solve(residual[None])[0]
            size, before = float(residual @ z), size
            p = z + (size / before) * p
            Rp = residual + (size / before) * Rp
        return v, self.iterations


def _anomalies(ensemble: Ensemble, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    arrays = {name: np.asarray(ensemble[name], np.float64) for name in names}
    return {name: array - array.mean(axis=0) for name, array in arrays.items()}


def _tapered(matrices: list[NDArray], field: NDArray, ndim: int) -> NDArray[np.float64]:
    """Data fields ``(M, *shape)`` brought to a target of some axes; summed up where no taper lies between them."""
    if matrices:
        return _separable(matrices, field)
    return field.reshape(len(field), -1).sum(axis=1).reshape(-1, *(1,) * (ndim - 1))


def _separable(matrices: list[NDArray], field: NDArray) -> NDArray[np.float64]:
    """One matrix along each axis of the fields ``(M, *shape)``."""
    *leading, last = matrices
    field = field @ last.T
    for axis, matrix in enumerate(leading, start=1):
        before, after = field.shape[:axis], field.shape[axis + 1 :]
        flat = np.matmul(matrix, field.reshape(int(np.prod(before)), field.shape[axis], -1))
        field = flat.reshape(*before, len(matrix), *after)
    return field


class LocalizedEnkfTable(TransformedTable):
    """Stochastic ensemble Kalman filter with tapered covariances."""

    name: ClassVar[str] = "localized_enkf"
    label: ClassVar[str] = "localised EnKF"
    colour: ClassVar[str] = "tab:green"

    radius_m: tuple[Positive, Positive] = (50.0, 25.0)
    """Distance in x and in z at which the taper of the covariances is about exp(−½)."""

    def analysis(self, site: Site) -> LocalizedEnKF:
        taper = GridTaper(self.radius_m, dict.fromkeys(site.fields, site.cell_axes), site.axes(self.name))
        return LocalizedEnKF(taper, **self.common(site))

    def memory(self, members: int, state: int, data: int) -> int:
        matrix = 8 * data**2 if data <= LocalizedEnKF.direct else 0
        return packed_memory(members, state, data) + matrix
