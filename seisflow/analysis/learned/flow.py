r"""The learned analysis: a conditional normalizing flow trained on the forecast's own pairs (x_i, y_i).

    x = x̂(y) + δ(y) + s exp(λ(y)) u ,   u = g⁻¹(z; y) ,   z ~ N(0, I) ,

all on the transformed state (:mod:`seisflow.analysis.transform`). x̂ is a regression in tiles of the grid, on the data around
them (:mod:`seisflow.analysis.learned.localized_guess`); δ and λ are what networks correct in its mean and spread, as far as
members that they have not seen gain by it (:mod:`seisflow.analysis.learned.crossfit`); g is a conditional Glow on the honest
residuals u, which must earn its place in the same way. With f the map from x to z the posterior members are

    joint       x̂_i = f⁻¹( f(x_i; y_i) ; y° )     each member keeps its own innovation (Spantini et al. 2022)
    reference   x̂_i = f⁻¹( z_i ; y° ) ,  z_i ~ N(0, I)

with y_i = H(x_i) + e_i. Without a Glow f ends at u; the reference draws u from a Gaussian with the residuals' covariance.
With one, û = τ g⁻¹(z; y) undoes what training on few members left too narrow or too wide: τ of every field is the ratio of
the residuals of members that did not train g to what is drawn for them, as far as it is surely not 1.

This module says what can be chosen, and loads no torch; the work is done in :mod:`seisflow.analysis.learned.fitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations
from seisflow.analysis.learned.tiles import LARGEST
from seisflow.analysis.table import MethodTable, Site
from seisflow.analysis.transform import StateTransform
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.data import DataField
from seisflow.tables import Count, Positive

if TYPE_CHECKING:
    from seisflow.learning.flows.glow import GlowOptions
    from seisflow.learning.training.options import TrainingOptions

__all__ = ["LEAST_MEMBERS", "FlowAnalysis", "FlowTable", "epochs"]

LEAST_MEMBERS = 8
"""With fewer there is nothing to learn from."""
LEAST_GLOW = 128
"""With fewer members a Glow is tried only where its size or training is asked for."""
GAUSSIAN_EPOCHS, GLOW_EPOCHS = 40, 30
"""Passes over 64 members."""
TRAINING_LIBRARIES = 110_000_000
"""Bytes that torch loads when it trains for the first time."""


def epochs(members: int, at_64: int) -> int:
    """Epochs that keep the number of steps near that of 64 members, but never fewer than a quarter of the epochs."""
    return int(np.clip(round(at_64 * 64 / max(members, 1)), at_64 // 4, at_64))


def _glow_options() -> GlowOptions:
    from seisflow.learning.flows.glow import GlowOptions  # imports torch

    return GlowOptions()


@dataclass(frozen=True, eq=False)
class FlowAnalysis(Analysis):
    """Conditional-flow analysis.

    Parameters
    ----------
    channels
        Data ensemble → condition channels on the state's grid, ``(M, C, nx, nz)``
        (:meth:`seisflow.observation.base.Observation.channels`).
    transform
        Which fields are inferred, and how they are carried; other fields pass unchanged.
    sampling
        ``"joint"`` or ``"reference"``.
    glow
        Size of the flow on the residuals; None for the Gaussian alone.
    least_glow
        Members below which no Glow is tried: with 64 it took half of the time and did not score better (one update).
    folds
        F of the cross-fitted Gaussian.
    width, dropout
        Of its U-Nets.
    gaussian_training, glow_training
        Their training; None chooses epochs from the number of members.
    validation
        Share of the members that judge the Glow without training it.
    threads
        Threads of torch while it trains; NumPy's linear algebra has one. Results depend on it in the last digits. On two
        cores a second one gains 1.3 times on fields of 64 × 64, and costs far more than that as soon as another process
        wants a core.
    axes, data
        Coordinates of the state's cells along each axis [m], and what every data field is, with its positions: the first
        guess is then localised. Without them it is one regression for the whole field.
    device
        Where networks are trained: ``"cpu"``, ``"cuda"``, or ``"auto"``, the GPU where there is one. Draws of random numbers
        are the same on both, results are not in the last digits, and training carries that on.
    checkpoints
        Folder in which every training keeps its state, epoch by epoch; an update with the same arguments goes on from there.

    Raises
    ------
    InputError
        When a parameter is out of range, or (in ``update``) with fewer than 8 members.
    """

    channels: Callable[[Ensemble], NDArray]
    transform: StateTransform = field(default_factory=StateTransform)
    sampling: Literal["joint", "reference"] = "joint"
    glow: GlowOptions | None = field(default_factory=_glow_options)
    least_glow: int = LEAST_GLOW
    folds: int = 3
    width: int = 16
    dropout: float = 0.1
    gaussian_training: TrainingOptions | None = None
    glow_training: TrainingOptions | None = None
    validation: float = 0.125
    threads: int = 1
    axes: tuple[NDArray[np.float64], ...] | None = None
    data: Mapping[str, DataField] | None = None
    device: str = "auto"
    checkpoints: Path | None = None
    name: str = "flow"

    def __post_init__(self) -> None:
        if self.sampling not in ("joint", "reference"):
            raise InputError("sampling", self.sampling, 'give "joint" or "reference"')
        if self.folds < 2:
            raise InputError("folds", self.folds, "give at least 2")
        if not 0 < self.validation < 1:
            raise InputError("validation", self.validation, "give a share of the members in (0, 1)")
        if self.threads < 1:
            raise InputError("threads", self.threads, "give at least 1")

    def resumable(self, folder: Path) -> FlowAnalysis:
        return replace(self, checkpoints=folder)

    def simulations(self, members: int) -> Simulations:
        gaussian, glow = epochs(members, GAUSSIAN_EPOCHS), epochs(members, GLOW_EPOCHS)
        if self.gaussian_training is not None:
            gaussian = self.gaussian_training.epochs
        if self.glow_training is not None:
            glow = self.glow_training.epochs
        if members < self.least_glow:
            glow = 0
        return Simulations(passes=_passes(self.folds, gaussian, 0 if self.glow is None else glow) / self.threads)

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        from seisflow.analysis.learned.fitted import fit, posterior, torch_threads  # imports torch

        if forecast.size < LEAST_MEMBERS:
            raise InputError("forecast", f"{forecast.size} members", "a flow needs at least 8 members to learn from")
        if not np.isfinite(evidence.predicted.pack()).all():
            raise InputError("predicted", "not finite", "remove the members whose data are not finite")
        with torch_threads(self.threads), threadpool_limits(1, user_api="blas"):
            fitted = fit(self, forecast, evidence, generator, progress or (lambda what, done, total: None))
            return posterior(fitted, evidence.observed.select(evidence.predicted.names))


class FlowTable(MethodTable):
    """Conditional normalizing flow; what is left out is chosen from the field and ensemble sizes."""

    name: ClassVar[str] = "flow"
    label: ClassVar[str] = "flow"
    colour: ClassVar[str] = "tab:blue"
    trains_networks: ClassVar[bool] = True
    least_members: ClassVar[int] = LEAST_MEMBERS

    update: Literal["joint", "reference"] = "joint"
    """``"joint"``: move each member, x̂ = f⁻¹(f(x; y); y°); ``"reference"``: x = f⁻¹(z; y°), z ~ N(0, I)."""
    folds: Annotated[int, Field(ge=2)] = 3
    """Networks of mean and spread; each is trained without its own part of the members."""
    scales: Count | None = None
    """Multiscale levels L of the Glow; with fewer than 128 members one is tried only where a key of it is given."""
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
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks are trained: on the GPU where there is one, or as named."""
    threads: Count = 1
    """Threads of torch; more than the free cores make it many times slower."""

    def build(self, site: Site) -> FlowAnalysis:
        from seisflow.learning.flows.glow import GlowOptions  # imports torch
        from seisflow.learning.training.options import TrainingOptions

        size = _given(scales=self.scales, steps=self.steps, hidden=self.hidden)
        training = _given(epochs=self.epochs, batch=self.batch_size, learning_rate=self.learning_rate)
        return FlowAnalysis(
            site.channels,
            site.transform,
            sampling=self.update,
            glow=GlowOptions(**size),
            least_glow=0 if size or training else LEAST_GLOW,
            folds=self.folds,
            glow_training=TrainingOptions(**training) if training else None,
            threads=self.threads,
            axes=site.cell_axes,
            data=site.data,
            device=self.device,
            name=self.name,
        )

    def simulations(self, members: int) -> Simulations:
        gaussian, glow = epochs(members, GAUSSIAN_EPOCHS), self.epochs or epochs(members, GLOW_EPOCHS)
        asked = (self.scales, self.steps, self.hidden, self.epochs, self.batch_size, self.learning_rate)
        if members < LEAST_GLOW and not any(asked):
            glow = 0
        return Simulations(passes=_passes(self.folds, gaussian, glow) / self.threads)

    def memory(self, members: int, state: int, data: int) -> int:
        """As :meth:`~seisflow.analysis.table.MethodTable.memory`; the state is two fields on one grid.

        Numbers in float32, fitted to measured updates of 16 to 128 members on 64 × 48 to 128 × 64 cells, which they meet
        within a third: states, data and conditions of the whole ensemble; the matrices of the first guess, about three a
        tile; activations of a batch, which grow with depth and width of the Glow; passes over 32 members without gradients.
        What torch loads to train comes on top.
        """
        steps, hidden, batch = self.steps or 4, self.hidden or 32, self.batch_size or 8
        ensemble = members * (20 * state + 24 * data)
        activations = state // 2 * (batch * (steps * (hidden + 16) + 125) + 32 * 141)
        matrices = 3 * min(state // 8 * members**2, LARGEST)
        return TRAINING_LIBRARIES + 4 * (ensemble + matrices + activations)


def _passes(folds: int, gaussian: int, glow: int) -> int:
    """Passes over all members: a fold's network sees all but its own part; one of the Glow takes as long as two of these."""
    return (folds - 1) * gaussian + 2 * glow


def _given(**values: Any) -> dict[str, Any]:
    """What is not left out."""
    return {name: value for name, value in values.items() if value is not None}
