"""Table of the ensemble."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field

from seisflow.errors import InputError
from seisflow.tables import Check, Share, Table

__all__ = ["EnsembleTable"]


class EnsembleTable(Table):
    """The ensemble."""

    members: Annotated[int, Field(ge=2)] = 128
    """Ensemble size M."""
    permeability: Literal["redrawn", "kept"] = "redrawn"
    """``"redrawn"``: every member draws K anew for every survey interval; ``"kept"``: it keeps its first."""
    max_failed_share: Share = 0.1
    """Share of members that may fail in the simulator and be replaced by fresh draws."""

    def checks(self) -> Iterable[Check]:
        return (self._members,)

    def _members(self, study: Any) -> None:
        for table in study.chosen:
            if self.members < table.least_members:
                remedy = f'the method "{table.name}" needs at least {table.least_members} members to learn from'
                raise InputError("ensemble.members", self.members, remedy)
