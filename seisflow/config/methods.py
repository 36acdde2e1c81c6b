"""Tables of the inference: the ensemble, and one table for every analysis that has choices to make."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seisflow.config.base import Count, Positive, Share, Table

__all__ = ["EnkfTable", "EnsembleTable", "FlowTable", "Method"]

Method = Literal["open_loop", "enkf", "flow"]
"""Names of the analyses that a study file can ask for."""


class EnsembleTable(Table):
    """The ensemble."""

    members: Annotated[int, Field(ge=2)] = 128
    """Ensemble size M."""
    permeability: Literal["redrawn", "kept"] = "redrawn"
    """``"redrawn"``: every member draws K anew for every survey interval; ``"kept"``: it keeps its first."""
    max_failed_share: Share = 0.1
    """Share of members that may fail in the simulator and be replaced by fresh draws."""


class EnkfTable(Table):
    """Stochastic ensemble Kalman filter."""

    inflation: Annotated[float, Field(ge=1)] = 1.0
    """Factor on the analysis anomalies."""


class FlowTable(Table):
    """Conditional normalizing flow; what is left out is chosen from the field and ensemble sizes."""

    update: Literal["joint", "reference"] = "joint"
    """``"joint"``: move each member, x̂ = f⁻¹(f(x; y); y°); ``"reference"``: x = f⁻¹(z; y°), z ~ N(0, I)."""
    scales: Count | None = None
    """Multiscale levels L."""
    steps: Count | None = None
    """Flow steps K a level."""
    hidden: Count | None = None
    """Hidden channels of the coupling networks."""
    epochs: Count | None = None
    """Most passes over the training members."""
    batch_size: Count | None = None
    """Members a training step."""
    learning_rate: Positive | None = None
    """Learning rate of Adam."""
    threads: Count = 1
    """Threads of torch; more than the free cores make it many times slower."""
