r"""The observation contract: y = H(x) + e, e ~ N(0, R)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble, MemberProgress

__all__ = ["Observation"]


class Observation(ABC):
    """What is measured of a state, and with which noise."""

    @abstractmethod
    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        """Noise-free data H(x) of every member: named arrays ``(M, *shape)``, one per modality.

        ``progress(done, total)`` counts finished members.
        """

    @abstractmethod
    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        """Noisy data of a true state (an ensemble of one member), as the field would record them."""

    def refer(self, forecast: Ensemble, *data: Ensemble) -> tuple[Ensemble, ...]:
        """Data relative to the reference that this observation is set to, as the analysis gets them; most have none.

        Parameters
        ----------
        forecast
            The forecast that the data are compared with.
        data
            Results of :meth:`predict` and :meth:`observe`.
        """
        return data

    def close(self) -> None:  # noqa: B027  most have none
        """End worker processes; they start again when needed."""

    @property
    @abstractmethod
    def noise(self) -> Covariance:
        """Covariance R of the packed data, in the order of the fields that :meth:`predict` returns."""

    @abstractmethod
    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        """The data as condition channels on the state's grid, ``(M, C, *grid.shape)``, for networks."""
