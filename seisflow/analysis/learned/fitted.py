r"""What the learned analysis learns from one forecast, and how it draws posterior members: fit → posterior.

    fit         first guess x̂, networks of mean μ and spread σ with their weights, honest residuals u_i;
                a Glow g of these, latents z_i = g(u_i; y_i), kept where members that it has not seen score better with it
    posterior   x̂_i = μ(y°) + σ(y°) û_i ,   û_i = τ g⁻¹(z_i; y°) with a Glow, u_i without

The formulas stand at the head of :mod:`seisflow.analysis.learned.flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.analysis.base import Evidence, Posterior, Progress
from seisflow.analysis.learned.crossfit import CrossFittedGaussian
from seisflow.analysis.learned.flow import GAUSSIAN_EPOCHS, GLOW_EPOCHS, epochs
from seisflow.analysis.learned.localized_guess import LocalizedGuess
from seisflow.analysis.learned.pairs import Pairs
from seisflow.analysis.learned.tiles import Tiles
from seisflow.analysis.transform import FittedTransform
from seisflow.diagnostics.scores import crps
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, TrainingError
from seisflow.learning.flows.bijector import ConditionalFlow
from seisflow.learning.flows.glow import GlowOptions, conditional_glow
from seisflow.learning.training.options import TrainingOptions, TrainingRecord
from seisflow.learning.training.train import seeded, train

if TYPE_CHECKING:
    from seisflow.analysis.learned.flow import FlowAnalysis

__all__ = ["Fitted", "fit", "posterior", "temperature", "torch_threads"]

PATIENCE = 10
"""Epochs without a better validation loss before a network stops."""
JUDGES = 32
"""Samples by which every member judges a spread."""


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
class _Glow:
    """A Glow that earned its place.

    Parameters
    ----------
    flow
        g.
    latent
        z_i ``(M, C, …)`` of every member.
    temperature
        τ of every field, ``(C,)``.
    """

    flow: ConditionalFlow
    latent: Tensor
    temperature: NDArray[np.float64]

    def draw(self, latent: Tensor, condition: Tensor, device: torch.device) -> Tensor:
        """û ``(n, C, …)`` of latents for the datum of a condition ``(1, channels, …)``."""
        found = self.flow(condition.to(device)).draw(latent.to(device)).cpu()
        return found * torch.as_tensor(self.temperature, dtype=found.dtype).view(-1, *[1] * (found.ndim - 2))


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was learned from one forecast.

    Parameters
    ----------
    forecast
        The members x_i.
    transform
        Their transform, fitted to them.
    pairs
        Transformed states and predicted data.
    gaussian
        μ and σ.
    residuals
        u_i ``(M, C, …)`` of every member; for the reference, Gaussian draws with their covariance.
    glow
        g, where it earned its place.
    statistics
        What the parts say of themselves.
    device
        Where the networks are.
    """

    forecast: Ensemble
    transform: FittedTransform
    pairs: Pairs
    gaussian: CrossFittedGaussian
    residuals: Tensor
    glow: _Glow | None
    statistics: Mapping[str, object]
    device: torch.device


def fit(
    analysis: FlowAnalysis, forecast: Ensemble, evidence: Evidence, generator: np.random.Generator, say: Progress
) -> Fitted:
    """Find the first guess, train the Gaussian and the Glow on a forecast's pairs, and let each earn its weight."""
    device = _device(analysis.device)
    levels = 3 if analysis.glow is None else analysis.glow.scales
    transform = analysis.transform.fit(forecast, multiple=2 ** max(levels, 3))
    physical = transform.physical(forecast)
    pairs, guessed = _pairs(analysis, forecast, evidence, transform, physical, generator)
    size, judge = forecast.size, Judge(forecast, transform, generator)

    gaussian = CrossFittedGaussian(pairs, analysis.folds, analysis.width, 3, analysis.dropout, device)
    default = TrainingOptions(
        epochs=epochs(size, GAUSSIAN_EPOCHS),
        learning_rate=1e-3,
        weight_decay=1e-2,
        noise=(1e-3, 1e-3),
        patience=PATIENCE,
    )
    trained = gaussian.train(
        analysis.gaussian_training or default,
        generator,
        lambda done, total: say("training the Gaussian", done, total),
        analysis.checkpoints,
    )
    weights = gaussian.weigh(physical, judge, generator)
    records = {f"gaussian {k}": record for k, record in enumerate(trained)}

    everyone = np.arange(size)
    conditions = pairs.draw(everyone, generator)
    residuals, glow = gaussian.residuals(everyone, conditions), None
    earned: dict[str, object] = {}
    if analysis.glow is not None and size >= analysis.least_glow:
        try:
            glow, records["glow"], earned = _glow(
                analysis, gaussian, pairs, residuals, conditions, judge, device, generator, say
            )
        except TrainingError as error:  # the residuals are as good as they were without it
            earned = {"glow_used": False, "glow_failed": str(error)}
    if analysis.sampling == "reference":
        residuals = _gaussian_draws(residuals, generator)
        if glow is not None:
            z = generator.standard_normal(glow.latent.shape, dtype=np.float32)
            glow = _Glow(glow.flow, torch.from_numpy(z), glow.temperature)
    statistics = {**guessed, **weights, **earned, **_losses(records)}
    return Fitted(forecast, transform, pairs, gaussian, residuals, glow, statistics, device)


def posterior(fitted: Fitted, observed: Ensemble) -> Posterior:
    """Members for the datum, what the trainings say, and the networks' weights."""
    condition = fitted.pairs.datum(observed.pack())
    mean, deviation = fitted.gaussian.predict(condition)
    u = fitted.residuals
    if fitted.glow is not None:
        u = fitted.glow.draw(fitted.glow.latent, condition, fitted.device)
    ensemble = fitted.transform.inverse((mean + deviation * u).numpy(), fitted.forecast)
    return Posterior(ensemble, fitted.statistics, _weights(fitted.gaussian, fitted.glow))


def _pairs(
    analysis: FlowAnalysis,
    forecast: Ensemble,
    evidence: Evidence,
    transform: FittedTransform,
    physical: Callable[[NDArray], NDArray],
    generator: np.random.Generator,
) -> tuple[Pairs, dict[str, object]]:
    """The pairs with their first guess, and what was chosen for it."""
    state, predicted, noise = transform.forward(forecast), evidence.predicted.pack(), evidence.noise
    names = evidence.predicted.names
    if analysis.axes is None or analysis.data is None:
        tiles = Tiles.whole(transform.mean.shape[1:], evidence.predicted)
    else:
        tiles = Tiles.of(analysis.axes, {name: analysis.data[name] for name in names}, forecast.size)
    guess = LocalizedGuess(transform.inside(state), predicted, noise, tiles, physical, generator)

    def channels(data: NDArray) -> NDArray:
        return analysis.channels(_unpack(data, evidence.predicted))

    chosen = guess.described(tuple(analysis.transform.maps))
    units = transform.units(forecast)
    return Pairs(state, predicted, noise, guess, transform, channels, units, generator), chosen


def _glow(
    analysis: FlowAnalysis,
    gaussian: CrossFittedGaussian,
    pairs: Pairs,
    residuals: Tensor,
    conditions: Tensor,
    judge: Judge,
    device: torch.device,
    generator: np.random.Generator,
    say: Progress,
) -> tuple[_Glow | None, TrainingRecord, dict[str, object]]:
    """A Glow of the honest residuals, if members that it has not seen are scored better with it."""
    size = len(residuals)
    held_out = np.sort(generator.permutation(size)[: max(2, round(analysis.validation * size))])
    training = np.setdiff1d(np.arange(size), held_out)
    flow, record = _train_glow(analysis, gaussian, pairs, training, held_out, device, generator, say)
    latent = _batched(lambda u, c: flow.forward(u.to(device), c.to(device))[0].cpu(), residuals, conditions)
    raw = _Glow(flow, latent, np.ones(pairs.fields))
    chosen = [generator.permutation(training)[:JUDGES] for _ in held_out]
    drawn = [raw.draw(latent[c], conditions[j : j + 1], device) for j, c in zip(held_out, chosen, strict=True)]
    tau = temperature(residuals[held_out], drawn)
    scale = torch.as_tensor(tau, dtype=latent.dtype).view(-1, *[1] * (latent.ndim - 2))
    moments = gaussian.honest_moments(held_out, conditions[held_out])
    gains = np.array(
        [
            judge.score(j, mean, deviation, residuals[c]) - judge.score(j, mean, deviation, u * scale)
            for j, mean, deviation, c, u in zip(held_out, *moments, chosen, drawn, strict=True)
        ]
    ).mean(axis=1)
    earned = bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))
    said: dict[str, object] = {"glow_gain": float(gains.mean()), "glow_used": earned, "temperature": tau.tolist()}
    return (_Glow(flow, latent, tau) if earned else None), record, said


def _train_glow(
    analysis: FlowAnalysis,
    gaussian: CrossFittedGaussian,
    pairs: Pairs,
    training: NDArray,
    held_out: NDArray,
    device: torch.device,
    generator: np.random.Generator,
    say: Progress,
) -> tuple[ConditionalFlow, TrainingRecord]:
    """A Glow of the honest residuals; data noise, and with it the residuals, are fresh in every batch."""

    def draw(members: NDArray) -> tuple[Tensor, Tensor]:
        condition = pairs.draw(members, generator)
        return gaussian.residuals(members, condition), condition

    validation = [draw(held_out) for _ in range(3)]
    u, condition = validation[0]
    with seeded(generator):
        flow = conditional_glow(tuple(u.shape[1:]), condition.shape[1], analysis.glow or GlowOptions()).to(device)
    default = TrainingOptions(epochs=epochs(len(pairs.state), GLOW_EPOCHS), learning_rate=1e-3, patience=PATIENCE)
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


def temperature(truth: Tensor, drawn: Sequence[Tensor]) -> NDArray[np.float64]:
    """τ of every field: how much larger members left out are than what is drawn for them, as far as that is sure.

    Parameters
    ----------
    truth
        u_j of the members left out, ``(n, C, …)``.
    drawn
        Draws for each of them, ``(m, C, …)``.

    Returns
    -------
    NDArray
        √(1 + t max(0, 1 − e²/t²)) with t = mean_j ⟨u_j²⟩/⟨û²⟩ − 1 and its standard error e: the positive-part estimator of
        James & Stein 1961 (Proc. 4th Berkeley Symp.) for one number.
    """
    over = tuple(range(1, truth.ndim - 1))
    ratios = np.stack(
        [
            ((u**2).mean(dim=over) / (one**2).mean(dim=(0, *range(2, one.ndim))).clamp_min(1e-30)).double().numpy()
            for u, one in zip(truth, drawn, strict=True)
        ]
    )
    excess, error = ratios.mean(axis=0) - 1, ratios.std(axis=0, ddof=1) / np.sqrt(len(ratios))
    sure = np.maximum(0.0, 1 - error**2 / np.maximum(excess**2, 1e-30))
    return np.sqrt(1 + excess * sure)


class Judge:
    """Scores spreads by the members of the forecast: CRPS of their physical fields, in units of the forecast's spread.

    Parameters
    ----------
    forecast, transform
        The members and their transform.
    generator
        For the others by which every member judges, of its own: were they common to all, a spread that is too wide by the
        chance of 32 draws would look like a gain that all members agree on.
    """

    def __init__(self, forecast: Ensemble, transform: FittedTransform, generator: np.random.Generator) -> None:
        self._forecast, self._transform = forecast, transform
        everyone = np.arange(forecast.size)
        self._others = [generator.permutation(np.delete(everyone, j))[:JUDGES] for j in everyone]
        self._spread = {name: float(np.sqrt(forecast[name].var(axis=0).mean())) for name in transform.transform.maps}

    def __call__(self, mean: Tensor, deviation: Tensor, u: Tensor) -> NDArray[np.float64]:
        """Score of every member and field ``(M, C)``: as :data:`seisflow.analysis.learned.crossfit.Judge` says."""
        return np.stack([self.score(j, mean[j], deviation[j], u[some]) for j, some in enumerate(self._others)])

    def score(self, member: int, mean: Tensor, deviation: Tensor, u: Tensor) -> NDArray[np.float64]:
        """Score of every field ``(C,)`` for a member, by μ and σ ``(C, …)`` of its datum and latents ``(n, C, …)``."""
        like = self._forecast.members(slice(len(u)))
        samples = self._transform.inverse((mean + deviation * u).numpy(), like)
        scores = [
            crps(samples[name], self._forecast[name][member]) / spread if spread > 0 else 0.0
            for name, spread in self._spread.items()
        ]
        return np.array(scores)


def _gaussian_draws(residuals: Tensor, generator: np.random.Generator) -> Tensor:
    """As many draws of N(0, U Uᵀ/M) as there are residuals U: random combinations of them."""
    M = len(residuals)
    z = torch.from_numpy(generator.standard_normal((M, M), dtype=np.float32) / np.float32(np.sqrt(M)))
    return torch.tensordot(z, residuals, dims=1)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError("device", name, f'give "auto", "cpu" or a device of this machine ({error})') from None
    return device


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


def _losses(records: Mapping[str, TrainingRecord]) -> dict[str, object]:
    return {
        stage: {
            "loss_training": record.training,
            "loss_validation": record.validation,
            "best_epoch": record.best_epoch,
            "rescues": record.rescues,
            "seconds": record.seconds,
        }
        for stage, record in records.items()
    }


def _weights(gaussian: CrossFittedGaussian, glow: _Glow | None) -> dict[str, object]:
    networks = {f"gaussian{k}": one for k, one in enumerate(gaussian.networks)} | (
        {} if glow is None else {"glow": glow.flow}
    )
    return {f"{n}.{key}": v.cpu().numpy() for n, f in networks.items() for key, v in f.state_dict().items()}
