r"""What the learned analysis learns from one forecast, and how it draws posterior members: fit → calibrate → draw.

    fit         cross-fitted Gaussian (μ, σ), Glow g on its honest residuals, latents z_i = f(x_i; y_i) of all members
    calibrate   the temperature τ at which members that g has not seen are scored best
    posterior   x̂_i = f⁻¹(τ z_i; y°)

The formulas stand at the head of :mod:`seisflow.analysis.learned.flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.base import Evidence, Posterior, Progress
from seisflow.analysis.learned.condition import ConditionChannels
from seisflow.analysis.learned.crossfit import CrossFittedGaussian, Pairs
from seisflow.analysis.learned.flow import GAUSSIAN_EPOCHS, GLOW_EPOCHS, epochs
from seisflow.analysis.transform import FittedTransform
from seisflow.diagnostics.scores import crps
from seisflow.ensemble import Ensemble
from seisflow.learning.flows.bijector import ConditionalFlow
from seisflow.learning.flows.glow import GlowOptions, conditional_glow
from seisflow.learning.training.options import TrainingOptions, TrainingRecord
from seisflow.learning.training.train import seeded, train

if TYPE_CHECKING:
    from seisflow.analysis.learned.flow import FlowAnalysis

__all__ = ["Fitted", "calibrate", "fit", "posterior", "torch_threads"]

TEMPERATURES = (0.7, 0.85, 1.15, 1.35, 1.6, 2.0)
JUDGES = 32
"""Samples by which every member left out judges a temperature."""


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Torch with this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was learned from one forecast.

    Parameters
    ----------
    analysis
        What was chosen.
    forecast
        The members x_i.
    transform
        Their transform, fitted to them.
    pairs
        Transformed states and predicted data.
    gaussian
        μ and σ.
    flow
        g; None where there is none.
    latent
        z_i ``(M, C, …)`` of every member; draws of N(0, I) where the reference is sampled.
    training, held_out
        Members that trained g, and that did not.
    records
        Of every training, by its name.
    """

    analysis: FlowAnalysis
    forecast: Ensemble
    transform: FittedTransform
    pairs: Pairs
    gaussian: CrossFittedGaussian
    flow: ConditionalFlow | None
    latent: Tensor
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    records: dict[str, TrainingRecord]

    def members(self, latent: Tensor, mean: Tensor, deviation: Tensor, condition: Tensor) -> Ensemble:
        """The states of latents ``(n, C, …)`` for the datum of these moments and condition."""
        if self.flow is not None:
            latent = self.flow(condition).draw(latent)
        like = self.forecast if len(latent) == self.forecast.size else self.forecast.members(slice(len(latent)))
        return self.transform.inverse((mean + deviation * latent).numpy(), like)


def fit(
    analysis: FlowAnalysis, forecast: Ensemble, evidence: Evidence, generator: np.random.Generator, say: Progress
) -> Fitted:
    """Train the Gaussian and the Glow on a forecast's pairs, and carry every member to its latent."""
    size, predicted, noise = forecast.size, evidence.predicted, evidence.noise
    levels = 3 if analysis.glow is None else analysis.glow.scales
    transform = analysis.transform.fit(forecast, multiple=2 ** max(levels, 3))
    state, packed = transform.forward(forecast), predicted.pack()

    def channels(data: NDArray) -> NDArray:
        return analysis.channels(_unpack(data, predicted))

    condition = ConditionChannels(channels(packed + noise.sample(size, generator)), transform)
    pairs = Pairs(state, packed, noise, channels, condition)
    gaussian = CrossFittedGaussian(pairs, analysis.folds, analysis.width, 3, analysis.dropout)
    default = TrainingOptions(epochs=epochs(size, GAUSSIAN_EPOCHS), learning_rate=4e-3, weight_decay=1e-2)
    trained = gaussian.train(
        analysis.gaussian_training or default,
        generator,
        lambda done, total: say("training the Gaussian", done, total),
        analysis.checkpoints,
    )
    records = {f"gaussian {k}": record for k, record in enumerate(trained)}

    everyone = np.arange(size)
    latent, conditions = gaussian.residuals(everyone, pairs.data(everyone, generator))
    held_out = np.sort(generator.permutation(size)[: max(2, round(analysis.validation * size))])
    training = np.setdiff1d(everyone, held_out)
    flow: ConditionalFlow | None = None
    if analysis.glow is not None:
        flow, records["glow"] = _train_glow(analysis, gaussian, pairs, training, held_out, generator, say)
        latent = _batched(lambda u, c: flow.forward(u, c)[0], latent, conditions)
    if analysis.sampling == "reference":
        latent = torch.from_numpy(generator.standard_normal(latent.shape, dtype=np.float32))
    return Fitted(analysis, forecast, transform, pairs, gaussian, flow, latent, training, held_out, records)


def _train_glow(
    analysis: FlowAnalysis,
    gaussian: CrossFittedGaussian,
    pairs: Pairs,
    training: NDArray,
    held_out: NDArray,
    generator: np.random.Generator,
    say: Progress,
) -> tuple[ConditionalFlow, TrainingRecord]:
    """A Glow of the honest residuals; data noise, and with it the residuals, are fresh in every batch."""

    def draw(members: NDArray) -> tuple[Tensor, Tensor]:
        return gaussian.residuals(members, pairs.data(members, generator))

    validation = [draw(held_out) for _ in range(3)]
    u, condition = validation[0]
    with seeded(generator):
        flow = conditional_glow(tuple(u.shape[1:]), condition.shape[1], analysis.glow or GlowOptions())
    default = TrainingOptions(epochs=epochs(len(pairs.state), GLOW_EPOCHS), learning_rate=1e-3)
    file = None if analysis.checkpoints is None else analysis.checkpoints / "glow.pt"
    record = train(
        flow,
        draw,
        training,
        validation,
        analysis.glow_training or default,
        generator,
        lambda done, total: say("training the flow", done, total),
        checkpoint=file,
    )
    return flow, record


def calibrate(fitted: Fitted, generator: np.random.Generator) -> float:
    """The temperature τ of the Glow's samples, by the members that did not train it; 1 without a Glow."""
    if fitted.flow is None:
        return 1.0
    held_out, names = fitted.held_out, fitted.analysis.transform.maps
    moments = fitted.gaussian.honest_moments(held_out, fitted.pairs.data(held_out, generator))
    latent = fitted.latent[fitted.training]
    judges = _judges(latent, len(held_out), fitted.analysis.sampling, generator)

    def score(j: int, temperature: float) -> float:
        samples = fitted.members(temperature * judges(j), *(m[j : j + 1] for m in moments))
        return _score(samples, fitted.forecast, held_out[j], names)

    return _temperature(score, len(held_out))


def posterior(fitted: Fitted, observed: Ensemble, temperature: float) -> Posterior:
    """Members for the datum, what the trainings say, and the networks' weights."""
    ensemble = fitted.members(temperature * fitted.latent, *fitted.gaussian.predict(observed.pack()))
    return Posterior(ensemble, _statistics(fitted.records, temperature), _weights(fitted.gaussian, fitted.flow))


def _judges(latent: Tensor, members: int, sampling: str, generator: np.random.Generator) -> Callable[[int], Tensor]:
    """Latent samples by which each member left out judges, of its own; made when asked for, because all are large.

    Were they common to all, a spread that is too wide or narrow by the chance of 32 draws would look like a gain that
    all members agree on, and the standard error over the members would not know of it.
    """
    if sampling == "reference":
        shape, seeds = (JUDGES, *latent.shape[1:]), generator.integers(2**63, size=members)
        return lambda j: torch.from_numpy(np.random.default_rng(seeds[j]).standard_normal(shape, dtype=np.float32))
    chosen = [generator.permutation(len(latent))[:JUDGES] for _ in range(members)]
    return lambda j: latent[chosen[j]]


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
