r"""The learned analysis: a conditional normalizing flow trained on the forecast's own pairs (x_i, y_i).

    x = μ(y) + σ(y) u ,   u = g⁻¹(z; y) ,   z ~ N(0, I) ,

μ, σ a cross-fitted conditional Gaussian (:mod:`seisflow.analysis.learned.crossfit`), g a conditional Glow on its honest
residuals u, all on the transformed state (:mod:`seisflow.analysis.learned.transform`). With f = g ∘ (· − μ)/σ the
posterior members are

    joint       x̂_i = f⁻¹( τ f(x_i; y_i) ; y° )     each member keeps its own innovation (Spantini et al. 2022)
    reference   x̂_i = f⁻¹( τ z_i ; y° ) ,  z_i ~ N(0, I)

with y_i = H(x_i) + e_i. The temperature τ undoes what training on few members left too narrow or too wide: it minimises
the continuous ranked probability score of members that did not train g, in physical units, where bounds and dry cells
count (a τ that fits z alone puts CO2 into dry cells, because saturations below zero are cut off and those above are not),
and stays at 1 where they cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from seisflow.analysis.base import Analysis, Posterior, Progress
from seisflow.analysis.learned.condition import ConditionChannels
from seisflow.analysis.learned.crossfit import CrossFittedGaussian, Pairs
from seisflow.analysis.learned.transform import StateTransform
from seisflow.covariance import Covariance
from seisflow.diagnostics.scores import crps
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.learning.flows.bijector import ConditionalFlow
from seisflow.learning.flows.glow import GlowOptions, conditional_glow
from seisflow.learning.training.train import TrainingOptions, TrainingRecord, seeded, train

__all__ = ["FlowAnalysis"]

TEMPERATURES = (0.7, 0.85, 1.15, 1.35, 1.6, 2.0)
GAUSSIAN_EPOCHS, GLOW_EPOCHS = 60, 30
"""Epochs of the trainings at 64 members (:func:`_epochs`)."""
JUDGES = 32
"""Samples by which every member left out judges a temperature."""


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
    glow: GlowOptions | None = field(default_factory=GlowOptions)
    folds: int = 3
    width: int = 24
    dropout: float = 0.1
    gaussian_training: TrainingOptions | None = None
    glow_training: TrainingOptions | None = None
    validation: float = 0.125
    threads: int = 1
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

    def epochs(self, members: int) -> int:
        gaussian, glow = _epochs(members, GAUSSIAN_EPOCHS), _epochs(members, GLOW_EPOCHS)
        if self.gaussian_training is not None:
            gaussian = self.gaussian_training.epochs
        if self.glow_training is not None:
            glow = self.glow_training.epochs
        # A fold's network sees all members but its own part; a pass of the flow takes as long as two of such a network.
        return (self.folds - 1) * gaussian + (0 if self.glow is None else 2 * glow)

    def _checkpoint(self, name: str) -> Path | None:
        return None if self.checkpoints is None else self.checkpoints / f"{name}.pt"

    def update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with threadpool_limits(1, user_api="blas"):
                return self._update(forecast, predicted, observed, noise, generator, progress)
        finally:
            torch.set_num_threads(before)

    def _update(
        self,
        forecast: Ensemble,
        predicted: Ensemble,
        observed: Ensemble,
        noise: Covariance,
        generator: np.random.Generator,
        progress: Progress | None,
    ) -> Posterior:
        size, say = forecast.size, progress or (lambda what, done, total: None)
        if size < 8:
            raise InputError("forecast", f"{size} members", "a flow needs at least 8 members to learn from")
        levels = 3 if self.glow is None else self.glow.scales
        fitted = self.transform.fit(forecast, multiple=2 ** max(levels, 3))
        state, packed = fitted.forward(forecast), predicted.pack()
        if not np.isfinite(packed).all():
            raise InputError("predicted", "not finite", "remove the members whose data are not finite")

        def channels(data: NDArray) -> NDArray:
            return self.channels(_unpack(data, predicted))

        condition = ConditionChannels(channels(packed + noise.sample(size, generator)), fitted)
        pairs = Pairs(state, packed, noise, channels, condition)
        gaussian = CrossFittedGaussian(pairs, self.folds, self.width, 3, self.dropout)
        options = self.gaussian_training or TrainingOptions(
            epochs=_epochs(size, GAUSSIAN_EPOCHS), learning_rate=4e-3, weight_decay=1e-2
        )
        gaussian_records = gaussian.train(
            options, generator, lambda a, b: say("training the Gaussian", a, b), self.checkpoints
        )
        mean, deviation, query = gaussian.predict(observed.pack())

        everyone = np.arange(size)
        residual, conditions = gaussian.residuals(everyone, pairs.data(everyone, generator))
        flow: ConditionalFlow | None = None
        records = {f"gaussian {k}": r for k, r in enumerate(gaussian_records)}
        latent, temperature = residual, 1.0
        held_out = np.sort(generator.permutation(size)[: max(2, round(self.validation * size))])
        training = np.setdiff1d(everyone, held_out)
        if self.glow is not None:
            flow, records["glow"] = self._train_glow(
                self.glow, gaussian, pairs, training, held_out, generator, lambda a, b: say("training the flow", a, b)
            )
            latent = _batched(lambda u, c: flow.forward(u, c)[0], residual, conditions)
        if self.sampling == "reference":
            latent = torch.from_numpy(generator.standard_normal(latent.shape, dtype=np.float32))

        def members(latent: Tensor, mean: Tensor, deviation: Tensor, condition: Tensor) -> Ensemble:
            if flow is not None:
                latent = flow(condition).draw(latent)
            like = forecast if len(latent) == size else forecast.members(slice(len(latent)))
            return fitted.inverse((mean + deviation * latent).numpy(), like)

        if flow is not None:
            moments = gaussian.honest_moments(held_out, pairs.data(held_out, generator))
            judges = self._judges(latent[training], len(held_out), generator)

            def score(j: int, temperature: float) -> float:
                samples = members(temperature * judges(j), *(m[j : j + 1] for m in moments))
                return _score(samples, forecast, held_out[j], self.transform.maps)

            temperature = _temperature(score, len(held_out))
        ensemble = members(temperature * latent, mean, deviation, query)
        return Posterior(ensemble, _statistics(records, temperature), _weights(gaussian, flow))

    def _judges(self, latent: Tensor, members: int, generator: np.random.Generator) -> Callable[[int], Tensor]:
        """Latent samples by which each member left out judges, of its own; made when asked for, because all are large.

        Were they common to all, a spread that is too wide or narrow by the chance of 32 draws would look like a gain that
        all members agree on, and the standard error over the members would not know of it.
        """
        if self.sampling == "reference":
            shape, seeds = (JUDGES, *latent.shape[1:]), generator.integers(2**63, size=members)
            return lambda j: torch.from_numpy(np.random.default_rng(seeds[j]).standard_normal(shape, dtype=np.float32))
        chosen = [generator.permutation(len(latent))[:JUDGES] for _ in range(members)]
        return lambda j: latent[chosen[j]]

    def _train_glow(
        self,
        glow: GlowOptions,
        gaussian: CrossFittedGaussian,
        pairs: Pairs,
        training: NDArray,
        held_out: NDArray,
        generator: np.random.Generator,
        progress: Callable[[int, int], None],
    ) -> tuple[ConditionalFlow, TrainingRecord]:
        """A Glow of the honest residuals; data noise, and with it the residuals, are fresh in every batch."""

        def draw(members: NDArray) -> tuple[Tensor, Tensor]:
            return gaussian.residuals(members, pairs.data(members, generator))

        validation = [draw(held_out) for _ in range(3)]
        u, condition = validation[0]
        with seeded(generator):
            flow = conditional_glow(tuple(u.shape[1:]), condition.shape[1], glow)
        options = self.glow_training or TrainingOptions(
            epochs=_epochs(len(pairs.state), GLOW_EPOCHS), learning_rate=1e-3
        )
        file = self._checkpoint("glow")
        return flow, train(flow, draw, training, validation, options, generator, progress, checkpoint=file)


def _epochs(members: int, at_64: int) -> int:
    """Epochs that keep the number of steps near that of 64 members, but never fewer than a quarter of the epochs."""
    return int(np.clip(round(at_64 * 64 / max(members, 1)), at_64 // 4, at_64))


def _unpack(data: NDArray, like: Ensemble) -> Ensemble:
    """Packed data ``(n, D)`` as an ensemble of n members with the fields of ``like``."""
    widths = [int(np.prod(like[name].shape[1:])) for name in like.names]
    parts = np.split(data, np.cumsum(widths)[:-1], axis=1)
    fields = {name: p.reshape(len(data), *like[name].shape[1:]) for name, p in zip(like.names, parts, strict=True)}
    return Ensemble(fields, like.time)


@torch.no_grad()
def _batched(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, condition: Tensor, batch: int = 32) -> Tensor:
    """Apply a map to all members, a few at a time; the last batch may be smaller."""
    return torch.cat([function(a, b) for a, b in zip(x.split(batch), condition.split(batch), strict=True)])


def _score(samples: Ensemble, forecast: Ensemble, member: int, names: Iterable[str]) -> float:
    """CRPS of samples for a member of the forecast: mean over fields, each in units of the forecast's spread."""
    scores = []
    for name in names:
        spread = float(np.sqrt(forecast[name].var(axis=0).mean()))
        if spread > 0:
            scores.append(crps(samples[name], forecast[name][member]) / spread)
    return float(np.mean(scores)) if scores else 0.0


def _temperature(score: Callable[[int, float], float], members: int) -> float:
    """The τ of the lowest mean of score(member, τ) over the members left out; 1 unless better by two standard errors."""
    if members < 5:  # too few to tell
        return 1.0

    def scores(temperature: float) -> NDArray[np.float64]:
        return np.array([score(j, temperature) for j in range(members)])

    usual = scores(1.0)
    gains = {t: usual - scores(t) for t in TEMPERATURES}
    best = max(gains, key=lambda t: gains[t].mean())
    gain = gains[best]
    return best if gain.mean() > 2 * gain.std(ddof=1) / np.sqrt(len(gain)) else 1.0


def _statistics(records: dict[str, TrainingRecord], temperature: float) -> dict[str, object]:
    statistics: dict[str, object] = {"temperature": temperature}
    for stage, record in records.items():
        statistics[stage] = {
            "loss_training": record.training,
            "loss_validation": record.validation,
            "best_epoch": record.best_epoch,
            "rescues": record.rescues,
            "seconds": record.seconds,
        }
    return statistics


def _weights(gaussian: CrossFittedGaussian, flow: ConditionalFlow | None) -> dict[str, object]:
    networks = {f"gaussian{k}": f for k, f in enumerate(gaussian.flows)} | ({} if flow is None else {"glow": flow})
    return {f"{n}.{key}": v.numpy() for n, f in networks.items() for key, v in f.state_dict().items()}
