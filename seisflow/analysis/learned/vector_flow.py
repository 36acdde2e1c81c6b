r"""Learned flows of packed states: a prior p(x), a proposal or posterior q(x | y), and the analysis that samples it.

A conditional flow f (Glow or HINT for vectors, :mod:`seisflow.learning.flows.glow`) is trained at the update on the
forecast's own pairs (x_i, y_i), y_i = H(x_i) + e_i with fresh e_i in every batch. It sees data and states standardised;
with ``linear`` states are what the Kalman regression leaves of them, so that an untrained flow is the EnKF:

    u(x; y) = (x − x̄ − K (y − ȳ)) / s ,      K = X'ᵀ Y' (Y'ᵀ Y' + (M − 1) R)⁻¹  or 0 ,   s the deviations of the numerator,
    q(x | y) = N(f(u(x; y); y); 0, I) |det ∂f/∂u| / Π s .

The analysis then takes

    joint       u_i = f⁻¹( f(u(x_i; y_i); y_i); y° )       each member keeps its own innovation (Spantini et al. 2022)
    reference   u_i = f⁻¹( z_i; y° ) ,  z_i ~ N(0, I)      and  x_i ← x̄ + K (y° − ȳ) + s u_i .

In a cycle, training may go on from the weights of the last update (``warm``), for a few epochs.

:meth:`LearnedFlow.proposal` and :meth:`LearnedFlow.prior` make the densities of a
:class:`~seisflow.analysis.particle.proposal_particle.ProposalParticleFilter`, the latter of a flow without condition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.adjustments import Adjustment, mixing
from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.ensemble_space import DataSpace, transformed
from seisflow.analysis.importance import without_weights
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.learning.flows.bijector import ConditionalFlow
from seisflow.learning.flows.glow import GlowOptions, conditional_glow
from seisflow.learning.training.train import TrainingOptions, TrainingRecord, seeded, train
from seisflow.learning.training.weights import warm_start

__all__ = ["FlowDensity", "LearnedFlow", "Units", "VectorFlow"]


@dataclass(frozen=True, eq=False)
class Units:
    """The affine layer in front of the flow: u(x; y), and the standardised data.

    Parameters
    ----------
    mean, deviation
        x̄ and s ``(D,)``.
    gain
        Kᵀ ``(d, D)``; None for no regression.
    centre, scale
        Mean and deviation of the noisy data ``(d,)``; empty without data.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    gain: NDArray[np.float64] | None
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    def forward(self, x: NDArray, y: NDArray) -> Tensor:
        """u of states ``(n, D)`` and data ``(n, d)`` or ``(1, d)``."""
        return torch.from_numpy(((x - self._middle(y)) / self.deviation).astype(np.float32))

    def inverse(self, u: Tensor, y: NDArray) -> NDArray[np.float64]:
        """The states of u."""
        return self._middle(y) + self.deviation * u.double().numpy()

    def condition(self, y: NDArray) -> Tensor:
        """The data as the flow sees them."""
        return torch.from_numpy(((y - self.centre) / self.scale).astype(np.float32))

    def _middle(self, y: NDArray) -> NDArray[np.float64]:
        return self.mean if self.gain is None else self.mean + (y - self.centre) @ self.gain


@dataclass(frozen=True, eq=False)
class FlowDensity:
    """A trained flow in the units of the state, for one datum.

    Parameters
    ----------
    flow
        f.
    units
        What stands in front of it.
    datum
        y° ``(1, d)``.
    record
        What happened in training.
    """

    flow: ConditionalFlow
    units: Units
    datum: NDArray[np.float64]
    record: TrainingRecord

    @torch.no_grad()
    def log_prob(self, x: NDArray) -> NDArray[np.float64]:
        """log q of every row of ``(n, D)``."""
        logs = self.flow(self.units.condition(self.datum)).log_prob(self.units.forward(x, self.datum))
        return logs.double().numpy() - np.log(self.units.deviation).sum()

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """n draws ``(n, D)``."""
        return self.from_latent(generator.standard_normal((n, len(self.units.mean))))

    @torch.no_grad()
    def from_latent(self, z: NDArray) -> NDArray[np.float64]:
        """The states of z for the datum, in the units of the state."""
        u = self.flow.inverse(torch.from_numpy(z.astype(np.float32)), self.units.condition(self.datum))
        return self.units.inverse(u, self.datum)

    @torch.no_grad()
    def to_latent(self, x: NDArray, y: NDArray) -> NDArray[np.float64]:
        """f(u(x_i; y_i); y_i) of states and data ``(n, d)``."""
        return self.flow.forward(self.units.forward(x, y), self.units.condition(y))[0].double().numpy()


@dataclass(frozen=True)
class LearnedFlow:
    """How a flow of packed states is built and trained.

    Parameters
    ----------
    options
        Size and kind (``coupling="recursive"`` is HINT); vectors have one scale.
    training
        See :class:`~seisflow.learning.training.train.TrainingOptions`.
    validation
        Share of the members that judge the training without taking part.
    fields
        Fields of the state that are inferred. None: all.
    linear
        Whether the flow learns on what the Kalman regression leaves.
    """

    options: GlowOptions = field(default_factory=lambda: GlowOptions(scales=1, steps=6, dropout=0.0))
    training: TrainingOptions = field(
        default_factory=lambda: TrainingOptions(epochs=200, batch=25, learning_rate=2e-3, patience=50)
    )
    validation: float = 0.2
    fields: tuple[str, ...] | None = None
    linear: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise InputError("validation", self.validation, "give a share of the members in (0, 1)")

    def prior(self, forecast: Ensemble, generator: np.random.Generator) -> FlowDensity:
        """p(x) learned from the forecast members."""
        X = self._states(forecast)
        none = np.zeros(0)
        units = Units(X.mean(axis=0), _deviation(X), None, none, none)
        return self._fit(X, units, lambda members: np.zeros((len(members), 0)), np.zeros((1, 0)), generator)

    def proposal(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
        start: Mapping[str, Tensor] | None = None,
        training: TrainingOptions | None = None,
    ) -> FlowDensity:
        """q(x | y°) learned from the forecast members and their noisy data.

        ``start`` are weights to go on from, ``training`` replaces the options for them.
        """
        noise, predicted = evidence.noise, evidence.predicted
        X, HX = self._states(forecast), predicted.pack()
        mean, centre = X.mean(axis=0), HX.mean(axis=0)
        gain, left = None, X - mean
        if self.linear:
            data = DataSpace.of(evidence)
            small = data.gram + (len(X) - 1) * np.eye(len(X))
            gain = np.linalg.solve(small, data.whitened).T @ left  # Y'Rinv'(S + (M-1)I)^-1 X' = Kᵀ, see enkf.py
            left = left - (HX - centre + noise.sample(len(X), generator)) @ gain
        units = Units(mean, _deviation(left), gain, centre, np.sqrt(HX.var(axis=0) + noise.variance))

        def noisy(members: NDArray) -> NDArray:
            return HX[members] + noise.sample(len(members), generator)

        return self._fit(X, units, noisy, evidence.observed.pack(predicted.names), generator, progress, start, training)

    def _states(self, forecast: Ensemble) -> NDArray[np.float64]:
        if forecast.size < 8:
            raise InputError("forecast", f"{forecast.size} members", "a flow needs at least 8 members to learn from")
        return without_weights(forecast).pack(self.fields)

    def _fit(
        self,
        X: NDArray,
        units: Units,
        data: Callable[[NDArray], NDArray],
        datum: NDArray,
        generator: np.random.Generator,
        progress: Progress | None = None,
        start: Mapping[str, Tensor] | None = None,
        training: TrainingOptions | None = None,
    ) -> FlowDensity:
        order = generator.permutation(len(X))
        held_out, members = np.split(order, [max(2, round(self.validation * len(X)))])

        def draw(members: NDArray) -> tuple[Tensor, Tensor]:
            y = data(members)
            return units.forward(X[members], y), units.condition(y)

        with seeded(generator):
            flow = conditional_glow((X.shape[1],), datum.shape[1], self.options)
        if start:
            warm_start(flow, start)
        told = None if progress is None else (lambda done, total: progress("training the flow", done, total))
        options = training or self.training
        record = train(flow, draw, members, [draw(held_out) for _ in range(5)], options, generator, told)
        return FlowDensity(flow, units, datum, record)


def _deviation(x: NDArray) -> NDArray[np.float64]:
    deviation = x.std(axis=0)
    return np.where(deviation > 0, deviation, 1.0)


@dataclass(frozen=True)
class VectorFlow(Analysis):
    """Conditional-flow analysis of packed states, for small models; fields on grids have
    :class:`~seisflow.analysis.learned.flow.FlowAnalysis`.

    Known failure: a flow knows what it has seen. Data outside the cloud of the members' data are answered by
    extrapolation, and with few members the spread is that of an overfitted network.

    Parameters
    ----------
    learned
        The flow and its training.
    sampling
        ``"joint"`` or ``"reference"``.
    warm
        Training of an update that starts from the weights of this object's last one of the same sizes; None: every update
        starts anew. Answers then depend on the updates before.
    adjustments
        What is done to the analysed members afterwards, in their order.
    """

    learned: LearnedFlow = field(default_factory=LearnedFlow)
    sampling: Literal["joint", "reference"] = "joint"
    name: str = "vector_flow"
    warm: TrainingOptions | None = None
    adjustments: tuple[Adjustment, ...] = ()
    _last: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.sampling not in ("joint", "reference"):
            raise InputError("sampling", self.sampling, 'give "joint" or "reference"')

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        plain, learned = without_weights(forecast), self.learned
        fields = plain.names if learned.fields is None else learned.fields
        warm = (dict(self._last), self.warm) if self.warm is not None and self._last else (None, None)
        density = learned.proposal(plain, evidence, generator, progress, *warm)
        X = plain.pack(fields)
        if self.sampling == "joint":
            errors = evidence.noise.sample(len(X), generator)
            if learned.linear:  # re-centred, as the EnKF has them
                errors -= errors.mean(axis=0)
            latent = density.to_latent(X, evidence.predicted.pack() + errors)
        else:
            latent = generator.standard_normal(X.shape)
        record, state = density.record, density.flow.state_dict()
        if self.warm is not None:
            self._last.update(state)
        statistics = {"loss_validation": record.validation, "best_epoch": record.best_epoch, "seconds": record.seconds}
        weights = {f"flow.{k}": v.numpy() for k, v in state.items()}
        analysed = plain.unpack(density.from_latent(latent), fields)
        if self.adjustments:
            analysed = transformed(analysed, mixing(self.adjustments, len(X), generator), fields)
        return Posterior(analysed, statistics, weights)
