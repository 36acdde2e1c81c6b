r"""Any analysis without CO2 from nowhere: bodies that CO2 cannot have reached are taken out of every member.

    S_i ← 0   in bodies of S_i that neither hold nor touch a cell of  W ∪ { S_m^f > 0 for some member m of the forecast }

with W the injector's cells. A body is a set of wet cells joined by faces (:mod:`seisflow.diagnostics.connectivity`). An
update by covariances, or a network, can wet cells far from every plume, because data there resemble those of a plume; the
simulator cannot. Cells that hang on a plume stay: fronts may be farther than any member's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations
from seisflow.diagnostics.connectivity import ghosts
from seisflow.ensemble import Ensemble

__all__ = ["Connected"]


@dataclass(frozen=True, eq=False)
class Connected(Analysis):
    """Runs another analysis, and takes unconnected CO2 out of its members.

    Known failure: a truth whose CO2 has found a way that no member knows, and has left it again: what lies beyond a dry gap
    is taken for a ghost.

    Parameters
    ----------
    analysis
        The analysis.
    source
        Cells of the injector, of the grid's shape.
    name
        Name of its stages. Empty: that of ``analysis``.
    """

    analysis: Analysis
    source: NDArray[np.bool_]
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.analysis.name)

    def resumable(self, folder: Path) -> Analysis:
        return replace(self, analysis=self.analysis.resumable(folder))

    def simulations(self, members: int) -> Simulations:
        return self.analysis.simulations(members)

    def memory(self, members: int, state: int, data: int) -> int:
        return self.analysis.memory(members, state, data)

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        posterior = self.analysis.update(forecast, evidence, generator, progress)
        saturation = posterior.ensemble["saturation"]
        taken = ghosts(saturation, self.source | (forecast["saturation"] > 0).any(axis=0), threshold=0.0)
        share = float(saturation[taken].sum() / max(saturation.sum(), 1e-300))
        statistics = {
            "ghost_share_removed": share,
            "members_with_ghosts": int(taken.reshape(len(taken), -1).any(1).sum()),
        }
        clean = posterior.ensemble.replace(saturation=np.where(taken, 0.0, saturation).astype(saturation.dtype))
        mean = None if taken.any() else posterior.mean
        return replace(posterior, ensemble=clean, statistics={**posterior.statistics, **statistics}, mean=mean)
