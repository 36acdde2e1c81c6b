r"""The dynamics contract: x_k = M(x_{k-1}, K), a whole ensemble at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod

from seisflow.ensemble import Ensemble

__all__ = ["Dynamics"]


class Dynamics(ABC):
    """A model that carries an ensemble from one time to another."""

    @abstractmethod
    def advance(self, ensemble: Ensemble, start: float, stop: float) -> Ensemble:
        """The ensemble at ``stop`` [s], from the ensemble at ``start`` [s].

        Parameters (such as permeability) are fields of the ensemble and come back unchanged. The input is not modified.
        """
