"""A published score: which method, with what, reached how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from seisflow.analysis.base import Analysis
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.ensemble import Ensemble
from seisflow.testbeds.experiment import Experiment

__all__ = ["PublishedScore", "climatological"]


@dataclass(frozen=True)
class PublishedScore:
    """One line of a published table.

    Parameters
    ----------
    label
        Method and parameters in words.
    analysis
        Experiment → the analysis.
    members
        M.
    reference
        Lowest and highest published score (rmse of the analysis).
    tolerance
        How far from them the median over `seeds` runs of 1000 cycles may lie.
    weighted
        Whether the members carry weights.
    interval
        Time between data where it differs from the setting's own.
    seeds
        How many runs, of seeds 1, 2, …, the median is of. Where errors come in bursts three are too few: rounding alone,
        which differs between processors, decides.
    """

    label: str
    analysis: Callable[[Experiment], Analysis]
    members: int
    reference: tuple[float, float]
    tolerance: float
    weighted: bool = False
    interval: float | None = None
    seeds: int = 3

    def reached(self, score: float) -> bool:
        """Whether a score lies within the tolerance of the published ones."""
        return self.reference[0] - self.tolerance <= score <= self.reference[1] + self.tolerance


def climatological(experiment: Experiment, scale: float = 1.0) -> tuple[Ensemble, Ensemble, StaticCovariance]:
    """Mean, H(mean) and covariance (times a factor) of 4000 states of a long run of the experiment's model."""
    states = experiment.climatology(seed=7, draws=4000)
    predicted = experiment.observation.predict(states)
    return states.mean(), predicted.mean(), StaticCovariance.of(states, predicted, scale)
