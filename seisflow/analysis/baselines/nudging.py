r"""Nudging (Newtonian relaxation): the model is pulled towards the data with a rate chosen by hand.

    dx/dt = M(x) + G Hᵀ (y° − H x),      G = 1/τ.

With data at discrete times the pull of the interval Δt before each is applied at its end, where the datum is known. For an H
that picks components (H Hᵀ = I) the relaxation alone, dx/dt = G Hᵀ (y° − H x), is solved exactly by

    x_i ← x_i + (1 − e^(−Δt/τ)) Hᵀ (y° − H x_i).

Hoke & Anthes 1976 (Mon. Wea. Rev. 104, 1551–1556).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["Nudging"]


@dataclass(frozen=True, eq=False)
class Nudging(Analysis):
    """Relaxation towards the data.

    Known failure: the weight of the data is set by hand and not by R or the spread, and unobserved components are never
    touched: no posterior, only a state that stays near the data; the members collapse onto one.

    Parameters
    ----------
    transpose
        Hᵀ: data ensemble → state ensemble with the fields that are nudged.
    relaxation_time
        τ, in the model's unit of time.
    interval
        Δt between data.
    """

    transpose: Callable[[Ensemble], Ensemble]
    relaxation_time: float
    interval: float
    name: str = "nudging"

    def __post_init__(self) -> None:
        for name in ("relaxation_time", "interval"):
            if not getattr(self, name) > 0:
                raise InputError(name, getattr(self, name), "give a positive time")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        pull = self.transpose(evidence.predicted.unpack(evidence.innovations))
        gain = -np.expm1(-self.interval / self.relaxation_time)
        nudged = forecast.pack(pull.names) + gain * pull.pack()
        return Posterior(forecast.unpack(nudged, pull.names), {"gain": float(gain)})
