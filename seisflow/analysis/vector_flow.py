r"""Learned flows of packed states: a prior p(x), a proposal or posterior q(x | y), and the analysis that samples it.

A conditional flow f (Glow or HINT for vectors, :mod:`seisflow.flows.glow`) is trained at the update on the forecast's own
pairs (x_i, y_i), y_i = H(x_i) + e_i with fresh e_i in every batch, both standardised by their mean and deviation:

    q(x | y) = N(f(x; y); 0, I) |det ∂f/∂x| .

The analysis then takes

    joint       x_i ← f⁻¹( f(x_i; y_i); y° )          each member keeps its own innovation (Spantini et al. 2022)
    reference   x_i ← f⁻¹( z_i; y° ) ,  z_i ~ N(0, I)

:meth:`LearnedFlow.proposal` and :meth:`LearnedFlow.prior` make the densities of a
:class:`~seisflow.analysis.proposal_particle.ProposalParticleFilter`, the latter of a flow without condition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.base import Analysis, Progress
from seisflow.analysis.weights import without_weights
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.flows.bijector import ConditionalFlow
from seisflow.flows.glow import GlowOptions, conditional_glow
from seisflow.flows.train import TrainingOptions, TrainingRecord, seeded, train
from seisflow.posterior import Posterior

__all__ = ["FlowDensity", "LearnedFlow", "VectorFlow"]


@dataclass(frozen=True, eq=False)
class FlowDensity:
    """A trained flow in the units of the state, for one condition.

    Parameters
    ----------
    flow
        f, on standardised states ``(N, D)``.
    condition
        The standardised datum ``(1, d)``.
    mean, deviation
        Of the states, ``(D,)``.
    record
        What happened in training.
    """

    flow: ConditionalFlow
    condition: Tensor
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    record: TrainingRecord

    @torch.no_grad()
    def log_prob(self, x: NDArray) -> NDArray[np.float64]:
        """log q of every row of ``(n, D)``."""
        standard = torch.from_numpy(((x - self.mean) / self.deviation).astype(np.float32))
        return self.flow(self.condition).log_prob(standard).double().numpy() - np.log(self.deviation).sum()

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """n draws ``(n, D)``."""
        return self.from_latent(generator.standard_normal((n, len(self.mean))))

    @torch.no_grad()
    def from_latent(self, z: NDArray) -> NDArray[np.float64]:
        """f⁻¹(z; y°) in the units of the state."""
        x = self.flow.inverse(torch.from_numpy(z.astype(np.float32)), self.condition)
        return self.mean + self.deviation * x.double().numpy()

    @torch.no_grad()
    def to_latent(self, x: NDArray, conditions: Tensor) -> NDArray[np.float64]:
        """f(x_i; y_i) for standardised data y_i ``(n, d)``."""
        standard = torch.from_numpy(((x - self.mean) / self.deviation).astype(np.float32))
        return self.flow.forward(standard, conditions)[0].double().numpy()


@dataclass(frozen=True)
class LearnedFlow:
    """How a flow of packed states is built and trained.

    Parameters
    ----------
    options
        Size and kind; vectors have one scale.
    training
        See :class:`~seisflow.flows.train.TrainingOptions`.
    validation
        Share of the members that judge the training without taking part.
    fields
        Fields of the state that are inferred. None: all.
    """

    options: GlowOptions = field(default_factory=lambda: GlowOptions(scales=1, steps=6, dropout=0.0))
    training: TrainingOptions = field(
        default_factory=lambda: TrainingOptions(epochs=200, batch=25, learning_rate=2e-3, patience=50)
    )
    validation: float = 0.2
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise InputError("validation", self.validation, "give a share of the members in (0, 1)")

    def prior(self, forecast: Ensemble, generator: np.random.Generator) -> FlowDensity:
        """p(x) learned from the forecast members."""
        X = self._states(forecast)
        return self._fit(X, lambda members: torch.zeros(len(members), 0), torch.zeros(1, 0), generator)

    def proposal(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> FlowDensity:
        """q(x | y°) learned from the forecast members and their noisy data."""
        X, (centre, scale) = self._states(forecast), data_units(predicted, noise)
        HX = predicted.pack()

        def noisy(members: NDArray) -> Tensor:
            data = HX[members] + noise.sample(len(members), generator)
            return torch.from_numpy(((data - centre) / scale).astype(np.float32))

        datum = ((observed.pack(predicted.names) - centre) / scale).astype(np.float32)
        return self._fit(X, noisy, torch.from_numpy(datum), generator, progress)

    def _states(self, forecast: Ensemble) -> NDArray[np.float64]:
        if forecast.size < 8:
            raise InputError("forecast", f"{forecast.size} members", "a flow needs at least 8 members to learn from")
        return without_weights(forecast).pack(self.fields)

    def _fit(
        self,
        X: NDArray,
        conditions: object,
        datum: Tensor,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> FlowDensity:
        mean, deviation = X.mean(axis=0), X.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        standard = torch.from_numpy(((X - mean) / deviation).astype(np.float32))
        order = generator.permutation(len(X))
        held_out, training = np.split(order, [max(2, round(self.validation * len(X)))])

        def draw(members: NDArray) -> tuple[Tensor, Tensor]:
            return standard[members], conditions(members)  # type: ignore[operator]

        with seeded(generator):
            flow = conditional_glow((X.shape[1],), datum.shape[1], self.options)
        told = None if progress is None else (lambda done, total: progress("training the flow", done, total))
        record = train(flow, draw, training, [draw(held_out) for _ in range(5)], self.training, generator, told)
        return FlowDensity(flow, datum, mean, deviation, record)


def data_units(predicted: Ensemble, noise: Covariance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation ``(d,)`` of the noisy data of the members."""
    HX = predicted.pack()
    return HX.mean(axis=0), np.sqrt(HX.var(axis=0) + noise.variance)


@dataclass(frozen=True)
class VectorFlow(Analysis):
    """Conditional-flow analysis of packed states, for small models; fields on grids have
    :class:`~seisflow.analysis.flow.FlowAnalysis`.

    Known failure: a flow knows what it has seen. Data outside the cloud of the members' data are answered by
    extrapolation, and with few members the spread is that of an overfitted network.

    Parameters
    ----------
    learned
        The flow and its training.
    sampling
        ``"joint"`` or ``"reference"``.
    """

    learned: LearnedFlow = field(default_factory=LearnedFlow)
    sampling: Literal["joint", "reference"] = "joint"
    name: str = "vector_flow"

    def __post_init__(self) -> None:
        if self.sampling not in ("joint", "reference"):
            raise InputError("sampling", self.sampling, 'give "joint" or "reference"')

    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        plain = without_weights(forecast)
        fields = plain.names if self.learned.fields is None else self.learned.fields
        density = self.learned.proposal(plain, predicted, observed, noise, generator, progress)
        X = plain.pack(fields)
        if self.sampling == "joint":
            centre, scale = data_units(predicted, noise)
            data = (predicted.pack() + noise.sample(len(X), generator) - centre) / scale
            latent = density.to_latent(X, torch.from_numpy(data.astype(np.float32)))
        else:
            latent = generator.standard_normal(X.shape)
        record = density.record
        statistics = {"loss_validation": record.validation, "best_epoch": record.best_epoch, "seconds": record.seconds}
        weights = {f"flow.{k}": v.numpy() for k, v in density.flow.state_dict().items()}
        return Posterior(plain.unpack(density.from_latent(latent), fields), statistics, weights)
