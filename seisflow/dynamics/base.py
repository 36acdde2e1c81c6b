r"""The dynamics contract: x_k = M(x_{k-1}, K), a whole ensemble at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError

__all__ = ["Advanced", "Dynamics", "not_finite"]


@dataclass(frozen=True, eq=False)
class Advanced:
    """An ensemble at the end of an interval, and the members that did not get there.

    Parameters
    ----------
    ensemble
        All members, in their order; what the arrays hold of a failed one means nothing.
    failed
        Position in the ensemble, from 0 → the reason, for the members that failed.

    Raises
    ------
    InputError
        When a failed position is not in the ensemble.
    """

    ensemble: Ensemble
    failed: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        failed = {int(position): str(reason) for position, reason in self.failed.items()}
        object.__setattr__(self, "failed", MappingProxyType(failed))
        outside = [position for position in failed if not 0 <= position < self.ensemble.size]
        if outside:
            raise InputError("failed", outside, f"give positions from 0 to {self.ensemble.size - 1}")


class Dynamics(ABC):
    """A model that carries an ensemble from one time to another."""

    state: tuple[str, ...]
    """Names of the fields that make up the state, which :meth:`advance` changes."""
    remedy: str = "The reasons say what the model could not do."
    """What a user can change when members fail, in one sentence."""

    @abstractmethod
    def initial_state(self, members: int) -> Ensemble:
        """The state at time 0 that stays at rest when nothing is injected, for every member."""

    @abstractmethod
    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: MemberProgress | None = None
    ) -> Advanced:
        """The ensemble at ``stop`` [s], from the ensemble at ``start`` [s], and the members that failed on the way.

        Parameters
        ----------
        ensemble
            Fields of the state, and parameters (such as permeability), which come back unchanged. It is not modified.
        start, stop
            Times [s].
        progress
            Called with (finished, total) members.

        Returns
        -------
        Advanced
            A member that the model cannot carry to ``stop`` is named in ``failed``, and nowhere else; the others are
            unaffected.
        """

    def close(self) -> None:  # noqa: B027  most have none
        """End worker processes; they start again when needed."""


def not_finite(array: NDArray) -> dict[int, str]:
    """Members of an array ``(M, ...)`` whose numbers are not all finite, with that as their reason."""
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    return {int(m): "the result is not a finite number" for m in np.flatnonzero(~finite)}
