"""What an analysis gives back: the analysed ensemble, and what the method can say about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seisflow.ensemble import Ensemble

__all__ = ["Posterior"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of p(x_k | y_{1:k}).

    Parameters
    ----------
    ensemble
        The analysed members, as many as the forecast had.
    statistics
        Numbers and curves of the method by name (``"innovation_chi2"``, ``"loss_validation"``, ...): JSON-ready.
    weights
        Named arrays the method wants kept with the run (network weights), or empty.
    """

    ensemble: Ensemble
    statistics: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, object] = field(default_factory=dict)
