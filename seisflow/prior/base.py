r"""The prior contract: named unknowns θ ~ p(θ), one draw a member."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from seisflow.ensemble import Ensemble

__all__ = ["Prior"]


class Prior(ABC):
    """A distribution of unknowns: parameters of the dynamics or of the observation, or a state at time 0."""

    name: str
    """Name of its random streams: draws repeat with the seed, the name, the survey and the member."""
    fields: tuple[str, ...]
    """Names of the unknowns that it draws."""

    @abstractmethod
    def draw(self, generators: Sequence[np.random.Generator]) -> Ensemble:
        """Independent draws, one member for each generator.

        Returns
        -------
        Ensemble
            The fields :attr:`fields`, each ``(len(generators), ...)``. A member depends on its own generator only.
        """
