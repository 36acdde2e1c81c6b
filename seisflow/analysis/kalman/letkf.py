r"""The local ensemble transform Kalman filter: an ETKF of its own at every point, with the data around it.

At a point s, with tapers ρ_j(s) of the data j (1 here, 0 far away) and v_j their noise variances,

    R⁻¹(s) = diag(ρ_j(s) / v_j),   S = Y' R⁻¹(s) Y'ᵀ,   g = Y' R⁻¹(s) (y° − ȳ),   W(s) from S and g as in the ETKF,
    x_i(s) ← Σ_j W_ij(s) x_j(s).

Points are independent: threads share them. Inflation and rotation mix the members after all points are done, with one matrix
for all of them. Hunt, Kostelich & Szunyogh 2007 (Physica D 230, 112–126).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.ensemble_space import transformed
from seisflow.analysis.kalman.etkf import square_root_weights
from seisflow.analysis.localization import LocalDomains
from seisflow.analysis.table import Site, TransformedTable
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Positive

__all__ = ["LETKF", "LetkfTable"]

BATCH = 256
"""Points analysed together."""


@dataclass(frozen=True, eq=False)
class LETKF(Analysis):
    """Local ensemble transform Kalman filter.

    Known failure: correlated noise counts as independent (only R's variances are used), data without a position (integrals,
    whole shot records) cannot be localised, and a linear update in small domains tears sharp fronts.

    Parameters
    ----------
    localization
        Positions, radius, tiles.
    fields, adjustments, bounds
        As for :class:`~seisflow.analysis.kalman.etkf.ETKF`.
    threads
        Threads that share the points; results do not depend on it.
    """

    localization: LocalDomains
    fields: tuple[str, ...] | None = None
    adjustments: tuple[Adjustment, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    threads: int = 1
    name: str = "letkf"

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise InputError("threads", self.threads, "give at least 1")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        M, names = forecast.size, evidence.predicted.names
        if M < 2:
            raise InputError("forecast.size", M, "a Kalman gain needs at least two members")
        deviation = np.sqrt(evidence.noise.variance)
        Y, y = evidence.predicted.pack(), evidence.observed.pack(names)[0]
        if self.localization.data_count(names) != Y.shape[1]:
            raise InputError("data_positions", self.localization.data_count(names), f"there are {Y.shape[1]} data")
        mean = Y.mean(axis=0)
        Y = ((Y - mean) / deviation).T.copy()  # one datum is one row: neighbours are gathered by rows
        innovation = (y - mean) / deviation

        fields = forecast.names if self.fields is None else self.fields
        new = {name: forecast[name].reshape(M, -1).copy() for name in fields}
        for shared in self._sharing(fields):
            shape = forecast[shared[0]].shape[1:]
            index, centres = self.localization.groups(shared[0], shape)
            order = np.argsort(index, kind="stable")
            ends = np.searchsorted(index[order], np.arange(len(centres) + 1))

            def batch(
                at: int,
                shared: tuple[str, ...] = shared,
                centres: NDArray = centres,
                order: NDArray = order,
                ends: NDArray = ends,
            ) -> None:
                near = self.localization.near(centres[at : at + BATCH], names)
                # Points without data keep their members.
                reached = [k for k, (index, _) in enumerate(near) if len(index)]
                W = self._weights([near[k] for k in reached], Y, innovation)
                for k, weights in zip(reached, W, strict=True):
                    cells = order[ends[at + k] : ends[at + k + 1]]
                    for name in shared:
                        x = np.asarray(new[name][:, cells], np.float64)
                        middle = x.mean(axis=0)
                        new[name][:, cells] = middle + weights @ (x - middle)

            starts = range(0, len(centres), BATCH)
            with self._mapping() as mapping:
                for done, _ in enumerate(mapping(batch, starts)):
                    if progress:
                        progress("local analyses", min((done + 1) * BATCH, len(centres)), len(centres))
        analysed = {name: array.reshape(forecast[name].shape) for name, array in new.items()}
        local = Ensemble({**forecast.fields, **analysed}, forecast.time)
        return Posterior(transformed(local, mixing(self.adjustments, M, generator), fields, self.bounds))

    @contextmanager
    def _mapping(self) -> Iterator[Callable[[Callable[[int], None], Iterable[int]], Iterable[None]]]:
        """``map`` for one thread; for more a pool's, with one thread of linear algebra in each."""
        if self.threads == 1:
            yield map
            return
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(self.threads) as pool:
            yield pool.map

    def _sharing(self, fields: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Fields grouped by equal positions, so that each point is analysed once for all of them."""
        groups: list[list[str]] = []
        for name in fields:
            positions = self.localization.state_positions.get(name)
            for group in groups:
                other = self.localization.state_positions.get(group[0])
                if positions is not None and other is not None and np.array_equal(positions, other):
                    group.append(name)
                    break
            else:
                groups.append([name])
        return [tuple(group) for group in groups]

    def _weights(self, near: list[tuple[NDArray, NDArray]], Y: NDArray, innovation: NDArray) -> NDArray:
        """W of points by the data near them and their tapers, ``(points, M, M)``."""
        M = Y.shape[1]
        gram, projected = np.empty((len(near), M, M)), np.empty((len(near), M))
        for k, (index, tapers) in enumerate(near):
            root = np.sqrt(tapers)
            local = Y[index] * root[:, None]
            gram[k] = local.T @ local
            projected[k] = local.T @ (innovation[index] * root)
        return square_root_weights(gram, projected)


class LetkfTable(TransformedTable):
    """Local ensemble transform Kalman filter: image and log samples act around their place."""

    name: ClassVar[str] = "letkf"
    label: ClassVar[str] = "LETKF"
    colour: ClassVar[str] = "tab:red"

    radius_m: tuple[Positive, Positive] = (100.0, 50.0)
    """Distance in x and in z at which the taper of the data is about exp(−½)."""

    def analysis(self, site: Site) -> LETKF:
        radius = np.array(self.radius_m)
        data = {name: positions / radius for name, positions in site.positions().items()}
        cells = site.cells / radius
        return LETKF(LocalDomains(1.0, dict.fromkeys(site.fields, cells), data), **self.common(site))
