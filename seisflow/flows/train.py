r"""Training of a conditional flow by maximum likelihood on pairs (x_i, y_i).

    minimise over θ   −(1/D) E log p_θ(x + η | c(y)) ,     η ~ N(0, σ² I),  σ falling from 0.1 to 0.005 ,

D the number of variables, Adam with decoupled weight decay, gradient norm clipped, step size warmed up and then
lowered along a cosine. Data noise is fresh in every batch (the caller draws it). After each epoch the exponential average
of the weights is judged by the likelihood of validation pairs that never give a gradient; the best average is kept,
the untrained network included. A loss or gradient that is not finite takes training back to the best weights with a
smaller step; after a few such rescues it is a :class:`~seisflow.errors.TrainingError`.

Same generator state and same number of threads give the same weights, bit by bit; torch's global state is left as found.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seisflow.errors import InputError, TrainingError
from seisflow.flows.bijector import ConditionalFlow

__all__ = ["Draw", "TrainingOptions", "TrainingRecord", "seeded", "train"]

Draw = Callable[[NDArray[np.int64]], tuple[Tensor, Tensor]]
"""Pairs (x, c), each ``(B, C, *field)``, of the members with the given numbers, with fresh data noise."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    epochs
        Passes over the members, at most.
    batch
        Members per step; the last batch of an epoch may be smaller.
    learning_rate
        Largest step size of Adam.
    noise
        σ of the noise on x at the first and last epoch, in standardised units.
    clip
        Largest gradient norm.
    weight_decay
        Decoupled weight decay (AdamW).
    average
        Decay per step of the exponential average of the weights.
    patience
        Epochs without a better validation loss before stopping.
    rescues
        Returns to the best weights before giving up.
    """

    epochs: int = 120
    batch: int = 8
    learning_rate: float = 5e-4
    noise: tuple[float, float] = (0.1, 0.005)
    clip: float = 3.0
    weight_decay: float = 1e-4
    average: float = 0.98
    patience: int = 40
    rescues: int = 3

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience"):
            if getattr(self, name) < 1:
                raise InputError(name, getattr(self, name), "give an integer of at least 1")
        for name in ("learning_rate", "clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(name, getattr(self, name), "give a positive number")
        if not 0 < self.noise[1] <= self.noise[0]:
            raise InputError("noise", self.noise, "give two positive numbers, the first not below the second")
        if not 0 <= self.average < 1:
            raise InputError("average", self.average, "give a decay in [0, 1)")


@dataclass
class TrainingRecord:
    """Losses in nats per variable, by epoch (validation has one more: the untrained network), and what happened."""

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0
    rescues: int = 0
    seconds: float = 0.0


@contextlib.contextmanager
def seeded(generator: np.random.Generator) -> Iterator[None]:
    """Within the block, torch's default random numbers follow ``generator``; afterwards they go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(2**63)))
        yield


def train(
    flow: ConditionalFlow,
    draw: Draw,
    members: NDArray[np.int64],
    validation: Sequence[tuple[Tensor, Tensor]],
    options: TrainingOptions,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingRecord:
    """Train ``flow`` in place; at the end it holds the best weights and is in evaluation mode.

    Parameters
    ----------
    flow
        The network; parameters with ``requires_grad=False`` stay as they are.
    draw
        Gives the pairs of a batch.
    members
        Numbers of the training members.
    validation
        Fixed pairs for the validation likelihood, of other members.
    options
        See :class:`TrainingOptions`.
    generator
        Source of the order, of the noise on x and of dropout.
    progress
        Called with (epochs done, epochs).

    Raises
    ------
    InputError
        When there are no members or no validation pairs.
    TrainingError
        When the loss keeps becoming not finite.
    """
    if not len(members) or not len(validation):
        raise InputError("members", len(members), "give at least one training member and one validation pair")
    with seeded(generator):
        return _train(flow, draw, np.asarray(members), validation, options, generator, progress)


def _loss(flow: ConditionalFlow, x: Tensor, condition: Tensor) -> Tensor:
    return -flow(condition).log_prob(x).mean() / x[0].numel()


@torch.no_grad()
def _validate(flow: ConditionalFlow, pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    flow.eval()
    total = sum(float(_loss(flow, x, c)) * len(x) for x, c in pairs)
    return total / sum(len(x) for x, _ in pairs)


def _train(
    flow: ConditionalFlow,
    draw: Draw,
    members: NDArray[np.int64],
    validation: Sequence[tuple[Tensor, Tensor]],
    options: TrainingOptions,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> TrainingRecord:
    start, record = time.perf_counter(), TrainingRecord()
    parameters = [p for p in flow.parameters() if p.requires_grad]
    _first_pass(flow, draw, members[: 4 * options.batch])
    average = _Average(flow, options.average)
    best = average.copy()
    record.validation.append(_validate(flow, validation))
    best_loss = record.validation[0] if math.isfinite(record.validation[0]) else math.inf
    per_epoch = -(-len(members) // options.batch)
    total, shrink, step = options.epochs * per_epoch, 1.0, 0
    optimiser = _optimiser(parameters, options)
    for epoch in range(options.epochs):
        low, high = options.noise[1], options.noise[0]
        sigma = high * (low / high) ** (epoch / max(options.epochs - 1, 1))
        losses = []
        for index in np.array_split(generator.permutation(members), per_epoch):
            for group in optimiser.param_groups:
                group["lr"] = shrink * options.learning_rate * _schedule(step / total)
            flow.train()
            x, condition = draw(index)
            loss = _loss(flow, x + sigma * torch.randn_like(x), condition)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(parameters, options.clip)
            step += 1
            if not (torch.isfinite(loss) and torch.isfinite(norm)):
                record.rescues += 1
                if record.rescues > options.rescues:
                    flow.load_state_dict(best)
                    raise TrainingError(
                        f"The loss became {float(loss.detach())} for the {record.rescues}th time (epoch {epoch + 1}). Lower "
                        f"the learning rate ({options.learning_rate:g}) or the bound of the couplings, and look at the data."
                    )
                shrink *= 0.3
                flow.load_state_dict(best)
                average, optimiser = _Average(flow, options.average), _optimiser(parameters, options)
                continue
            optimiser.step()
            average.update(flow)
            losses.append(float(loss.detach()))
        record.training.append(float(np.mean(losses)) if losses else math.nan)
        with average.applied(flow):
            record.validation.append(_validate(flow, validation))
        if record.validation[-1] < best_loss:
            best_loss, best, record.best_epoch = record.validation[-1], average.copy(), epoch + 1
        if progress is not None:
            progress(epoch + 1, options.epochs)
        if epoch + 1 - record.best_epoch >= options.patience:
            break
    flow.load_state_dict(best)
    flow.eval()
    record.seconds = time.perf_counter() - start
    return record


def _schedule(done: float) -> float:
    """Warm-up over the first 5 %, then a cosine down to 5 %."""
    return min(1.0, 0.05 + done / 0.05) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def _optimiser(parameters: list[nn.Parameter], options: TrainingOptions) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=options.weight_decay)


@torch.no_grad()
def _first_pass(flow: ConditionalFlow, draw: Draw, members: NDArray[np.int64]) -> None:
    """Layers that start from data (actnorm) see one larger batch before anything is judged."""
    flow.train()
    x, condition = draw(members)
    flow.forward(x, condition)


class _Average:
    """Exponential average of the floating-point entries of a state dictionary."""

    def __init__(self, flow: nn.Module, decay: float) -> None:
        self.decay, self.count = decay, 0
        self.state = {k: v.detach().clone() for k, v in flow.state_dict().items()}

    @torch.no_grad()
    def update(self, flow: nn.Module) -> None:
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in flow.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)

    def copy(self) -> dict[str, Tensor]:
        return {k: v.clone() for k, v in self.state.items()}

    @contextlib.contextmanager
    def applied(self, flow: nn.Module) -> Iterator[None]:
        """Within the block ``flow`` has the averaged weights."""
        own = {k: v.detach().clone() for k, v in flow.state_dict().items()}
        flow.load_state_dict(self.state)
        yield
        flow.load_state_dict(own)
