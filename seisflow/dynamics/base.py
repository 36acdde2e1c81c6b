r"""The dynamics contract: x_k = M(x_{k-1}, K), a whole ensemble at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from seisflow.ensemble import Ensemble

__all__ = ["Dynamics"]


class Dynamics(ABC):
    """A model that carries an ensemble from one time to another."""

    @abstractmethod
    def initial_state(self, members: int) -> Ensemble:
        """The state at time 0 that stays at rest when nothing is injected, for every member."""

    @abstractmethod
    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: Callable[[int, int], None] | None = None
    ) -> Ensemble:
        """The ensemble at ``stop`` [s], from the ensemble at ``start`` [s].

        Parameters (such as permeability) are fields of the ensemble and come back unchanged. The input is not modified.
        A member that the simulator cannot carry to ``stop`` comes back as not-a-number, the others are unaffected.
        ``progress(done, total)`` counts finished members.
        """
