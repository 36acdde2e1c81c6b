r"""The analysis contract: from forecast samples of p(x_k | y_{1:k-1}) to samples of p(x_k | y_{1:k}).

Every method (no update, Kalman, learned flow, ...) is one file and one frozen class with this single method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble

__all__ = ["Analysis", "Posterior", "Progress"]

Progress = Callable[[str, int, int], None]
"""Called as ``progress(what, done, total)`` while a long analysis works."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of p(x_k | y_{1:k}), and what the method can say about itself.

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


class Analysis(ABC):
    """One way to condition an ensemble on data."""

    name: str
    """Short name, used for folders and tables."""
    uses_data: ClassVar[bool] = True
    """Whether the update looks at the data; without, the loop predicts none and takes the forecast as it is."""

    def resumable(self, folder: Path) -> Analysis:
        """The same analysis, which keeps in a folder of its own what it needs to go on after an interruption.

        Itself, where that is nothing: what it computes is quickly computed again.
        """
        return self

    def epochs(self, members: int) -> int:
        """Most epochs of training that one update with so many members takes, as passes of one network; 0 without any."""
        return 0

    @abstractmethod
    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        """Condition the forecast on the observed data.

        Parameters
        ----------
        forecast
            State members x_i, fields ``(M, *shape)``.
        predicted
            Their noise-free data H(x_i), fields ``(M, *shape)``.
        observed
            The data y°, an ensemble of one member with the same fields as ``predicted``.
        noise
            Covariance R of the packed data.
        generator
            Source of every random number the method uses.
        progress
            Told how far a long update has come.

        Returns
        -------
        Posterior
            As many members as the forecast has.
        """
