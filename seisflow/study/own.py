r"""Parts of the user's own in a run of a study: analyses beside its methods, a prior or an observation for its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seisflow.analysis.base import Analysis
from seisflow.analysis.table import MethodTable
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.base import Observation
from seisflow.prior.base import Prior

__all__ = ["STUDY_ALONE", "OwnParts"]


@dataclass(frozen=True, eq=False)
class OwnParts:
    """What a user gives to a run beside its study.

    Parameters
    ----------
    analyses
        Analyses, used as they are, or tables of methods, built where they will work; run behind the study's methods.
    prior
        Draws ``permeability`` [m²] on the study's grid, and perhaps more, in place of the study's prior.
    observation
        What is measured, in place of the study's observation.

    Raises
    ------
    InputError
        When one of them is not of its contract.
    """

    analyses: tuple[Analysis | MethodTable, ...] = ()
    prior: Prior | None = None
    observation: Observation | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "analyses", tuple(self.analyses))
        for analysis in self.analyses:
            _of("analyses", analysis, (Analysis, MethodTable))
        if self.prior is not None:
            _of("prior", self.prior, (Prior,))
        if self.observation is not None:
            _of("observation", self.observation, (Observation,))

    @property
    def names(self) -> dict[str, dict[str, str]]:
        """What a run folder remembers of them: kind of part → its name → its class (``module.Class``)."""
        found = {"analyses": {analysis.name: _class(analysis) for analysis in self.analyses}}
        for kind, part in (("prior", self.prior), ("observation", self.observation)):
            found[kind] = {} if part is None else {kind: _class(part)}
        return {kind: parts for kind, parts in found.items() if parts}

    def checked_prior(self, grid: Grid) -> Prior | None:
        """The prior, after one draw of it.

        Raises
        ------
        InputError
            When it draws no permeability, or one of another shape, or values that are no permeability.
        """
        if self.prior is None:
            return None
        if "permeability" not in self.prior.fields:
            raise InputError("prior.fields", self.prior.fields, 'the flow needs "permeability" among them')
        drawn = self.prior.draw([np.random.default_rng(0)])
        lacking = [name for name in self.prior.fields if name not in drawn]
        if lacking:
            raise InputError("prior.draw", drawn.names, f"{', '.join(lacking)} of its fields must be among them")
        K = drawn["permeability"]
        if K.shape != (1, *grid.shape):
            remedy = f"one draw on the study's grid must have {(1, *grid.shape)}"
            raise InputError("prior.permeability.shape", K.shape, remedy)
        if not (np.isfinite(K).all() and (K > 0).all()):
            raise InputError("prior.permeability", "not positive", "draw finite positive values in m²")
        return self.prior


STUDY_ALONE = OwnParts()
"""A run with no part of the user's own."""


def _of(argument: str, part: Any, contracts: tuple[type, ...]) -> None:
    """Raise unless a part is an object of a contract."""
    if isinstance(part, contracts):
        return
    names = " or ".join(f"{c.__module__}.{c.__name__}" for c in contracts)
    if isinstance(part, type):
        raise InputError(argument, part.__name__, f"this is a class; give an object of it, {part.__name__}(...)")
    raise InputError(argument, type(part).__name__, f"give an object of {names}")


def _class(part: object) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"
