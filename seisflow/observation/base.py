r"""The observation contract: y = H(x) + e, e ~ N(0, R)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.observation.data import DataField, FileArray, compared

__all__ = ["Observation", "Work"]


@dataclass(frozen=True)
class Work:
    """What simulating the data of some members takes; every count is exact.

    Parameters
    ----------
    members
        Members whose data are simulated, forward and back.
    noise
        Simulations of noise, back only, once a study.
    experiments
        Experiments of a simulation.
    nodes, steps
        Nodes of the simulated grid, and its time steps.
    memory
        Bytes that every process keeps.
    experiment
        What an experiment is called.
    text
        What one member takes, in words.
    """

    members: int
    noise: int
    experiments: int
    nodes: int
    steps: int
    memory: int
    experiment: str
    text: str

    @property
    def node_steps(self) -> int:
        """Node steps of one run of all experiments."""
        return self.experiments * self.nodes * self.steps

    def total(self, processes: int) -> int:
        """Node steps in all: forward and back for members, back for noise, one background for every process."""
        return (2 * self.members + self.noise + processes) * self.node_steps


class Observation(ABC):
    """What is measured of a state, and with which noise."""

    @property
    @abstractmethod
    def data(self) -> Mapping[str, DataField]:
        """What every field of the data is, by name, in the order of the fields that :meth:`predict` returns."""

    @abstractmethod
    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        """Noise-free data H(x) of every member: named arrays ``(M, *shape)``, one per modality.

        ``progress(done, total)`` counts finished members.
        """

    @abstractmethod
    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        """Noisy data of a true state (an ensemble of one member), as the field would record them."""

    def compare(self, arrays: Mapping[str, FileArray | NDArray]) -> dict[str, NDArray]:
        """What of some arrays is a datum of this observation, compared with :attr:`data`; nothing is computed.

        Parameters
        ----------
        arrays
            A survey's arrays by name, with or without a leading axis of one member; others may be among them.

        Returns
        -------
        dict
            Arrays of one member by name.

        Raises
        ------
        InputError
            When an array is missing, has another shape, unit or coordinates, or a value is not finite.
        """
        return compared(self.data, arrays)

    def accept(self, arrays: Mapping[str, FileArray | NDArray], time: float = 0.0) -> Ensemble:
        """The datum y° that a survey's arrays hold, an ensemble of one member.

        Parameters
        ----------
        arrays
            As :meth:`compare` takes them.
        time
            Time of the survey [s].

        Raises
        ------
        InputError
            As :meth:`compare` does.
        """
        found = self.compare(arrays)
        return Ensemble({n: np.asarray(found[n], about.dtype)[None] for n, about in self.data.items()}, time)

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

    @property
    @abstractmethod
    def noise(self) -> Covariance:
        """Covariance R of the packed data, in the order of the fields that :meth:`predict` returns."""

    @abstractmethod
    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        """The data as condition channels on the state's grid, ``(M, C, *grid.shape)``, for networks."""

    def work(self, members: int, noise: bool = False) -> tuple[Work, ...]:
        """What the data of some members take, an entry for every simulator; none where data are read from the state.

        Parameters
        ----------
        members
            Number of members.
        noise
            Whether R is needed, too.
        """
        return ()

    def close(self) -> None:  # noqa: B027
        """End worker processes; they start again when needed."""
