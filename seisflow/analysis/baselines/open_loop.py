r"""Open loop: no update. The posterior is the forecast, p(x_k | y_{1:k}) ≈ p(x_k); what any data must improve on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.table import MethodTable, Site
from seisflow.ensemble import Ensemble

__all__ = ["OpenLoop", "OpenLoopTable"]


@dataclass(frozen=True)
class OpenLoop(Analysis):
    """The forecast, unchanged."""

    name: str = "open_loop"
    uses_data: ClassVar[bool] = False

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        return Posterior(forecast)


class OpenLoopTable(MethodTable):
    """Open loop: no update."""

    name: ClassVar[str] = "open_loop"
    label: ClassVar[str] = "open loop"
    colour: ClassVar[str] = "0.45"
    uses_data: ClassVar[bool] = False
    moves_state: ClassVar[bool] = False

    def build(self, site: Site) -> OpenLoop:
        return OpenLoop()
