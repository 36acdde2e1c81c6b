r"""Open loop: no update. The posterior is the forecast, p(x_k | y_{1:k}) ≈ p(x_k); what any data must improve on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from seisflow.analysis.base import Analysis, Posterior, Progress
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble

__all__ = ["OpenLoop"]


@dataclass(frozen=True)
class OpenLoop(Analysis):
    """The forecast, unchanged."""

    name: str = "open_loop"
    uses_data: ClassVar[bool] = False

    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        return Posterior(forecast)
