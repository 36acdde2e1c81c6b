"""Table of the ensemble."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seisflow.tables import Share, Table

__all__ = ["EnsembleTable"]


class EnsembleTable(Table):
    """The ensemble."""

    members: Annotated[int, Field(ge=2)] = 128
    """Ensemble size M."""
    permeability: Literal["redrawn", "kept"] = "redrawn"
    """``"redrawn"``: every member draws K anew for every survey interval; ``"kept"``: it keeps its first."""
    max_failed_share: Share = 0.1
    """Share of members that may fail in the simulator and be replaced by fresh draws."""
