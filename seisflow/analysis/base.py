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
from numpy.typing import NDArray

from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["Analysis", "Evidence", "Operator", "Posterior", "Progress", "Simulations", "packed_memory"]

Progress = Callable[[str, int, int], None]
"""Called as ``progress(what, done, total)`` while a long analysis works."""

Operator = Callable[[Ensemble], Ensemble]
"""State ensemble → noise-free data, H: fields as those of :attr:`Evidence.predicted`."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the data of one survey say: the datum, what the forecast's members predict of it, and how noisy it is.

    Parameters
    ----------
    predicted
        Noise-free data H(x_i) of the forecast's members, fields ``(M, *shape)``.
    observed
        The datum y°, an ensemble of one member with the same fields.
    noise
        Covariance R of the packed data.
    operator
        H, for methods that predict the data of states of their own; None where the data cannot be predicted anew.

    Raises
    ------
    InputError
        When a value of the datum is not finite: a posterior of it would be not-a-number everywhere.
    """

    predicted: Ensemble
    observed: Ensemble
    noise: Covariance
    operator: Operator | None = None

    def __post_init__(self) -> None:
        for name in self.observed.names:
            missing = int((~np.isfinite(self.observed[name])).sum())
            if missing:
                raise InputError(
                    f"observed.{name}",
                    f"{missing} values that are not finite",
                    "give finite data, or leave the field out",
                )

    @property
    def innovations(self) -> NDArray[np.float64]:
        """y° − H(x_i) of every member, packed ``(M, d)``."""
        return self.observed.pack(self.predicted.names) - self.predicted.pack()

    def predict(self, ensemble: Ensemble) -> Ensemble:
        """Noise-free data of any states, in the order of ``predicted``'s fields.

        Raises
        ------
        InputError
            When there is no operator.
        """
        if self.operator is None:
            raise InputError("evidence.operator", None, "this method predicts the data of its own states: give H")
        return self.operator(ensemble).select(self.predicted.names)


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
        Weights of the method's networks by name, kept with the run; empty where there are none.
    mean
        The method's own mean of the packed state where the members' mean is a poorer one: the weighted mean before
        resampling, or the mode of a cost function. None: that of the members.
    """

    ensemble: Ensemble
    statistics: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, object] = field(default_factory=dict)
    mean: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Simulations:
    """What an analysis computes itself at one survey, beside the forecast and its predicted data; for estimates of time.

    Parameters
    ----------
    intervals
        Members that it advances to the survey.
    images
        States whose data it predicts.
    passes
        Passes of its networks over all members, in those of one network of mean and spread.
    """

    intervals: int = 0
    images: int = 0
    passes: float = 0.0


def packed_memory(members: int, state: int, data: int) -> int:
    """Bytes of an update that works on the packed ensemble: three copies of states and data in float64.

    The Kalman and particle methods of this package take 2 to 3 of them, beside what they are given.
    """
    return 3 * 8 * members * (state + data)


class Analysis(ABC):
    """One way to condition an ensemble on data."""

    name: str
    """Short name, used for folders and tables."""
    label: ClassVar[str] = ""
    """How readers see it in tables and figures; empty: its name."""
    colour: ClassVar[str] = ""
    """Its colour in figures, any that matplotlib knows; empty: chosen."""
    uses_data: ClassVar[bool] = True
    """Whether the update looks at the data; without, the loop predicts none and takes the forecast as it is."""
    trains_networks: ClassVar[bool] = False
    """Whether it needs torch."""

    def resumable(self, folder: Path) -> Analysis:
        """The same analysis, which keeps in a folder of its own what it needs to go on after an interruption.

        Itself, where that is nothing: what it computes is quickly computed again.
        """
        return self

    def simulations(self, members: int) -> Simulations:
        """What it simulates and trains itself at every survey; most need nothing."""
        return Simulations()

    def memory(self, members: int, state: int, data: int) -> int:
        """Bytes that an update takes beside what it is given, about; for the check before a run.

        Parameters
        ----------
        members
            Number of members.
        state, data
            Numbers in the fields of one state that are moved, and in one datum.
        """
        return packed_memory(members, state, data) if self.uses_data else 0

    @abstractmethod
    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        """Condition the forecast on the observed data.

        Parameters
        ----------
        forecast
            State members x_i, fields ``(M, *shape)``.
        evidence
            The datum, the members' predicted data, and R.
        generator
            Source of every random number the method uses.
        progress
            Told how far a long update has come.

        Returns
        -------
        Posterior
            As many members as the forecast has.
        """
