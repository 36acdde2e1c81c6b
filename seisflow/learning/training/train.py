r"""Training of a network on pairs (x_i, y_i): of a conditional flow by maximum likelihood, or of any network by a loss.

    minimise over θ   −(1/D) E log p_θ(x + η | c(y)) ,     η ~ N(0, σ² I),  σ falling from 0.1 to 0.005 ,

or E loss_θ(x + η, c(y)); D the number of variables, Adam with decoupled weight decay, gradient norm clipped, step size
warmed up and then lowered along a cosine. Data noise is fresh in every batch (the caller draws it). After each epoch the
exponential average of the weights is judged by the loss of validation pairs that never give a gradient; the best average is
kept, the untrained network included. A loss or gradient that is not finite, or a loss far above where it has been, takes
training back to the best weights with a smaller step; after a few such rescues it is a
:class:`~seisflow.errors.TrainingError`.

Same generator state and same number of threads give the same weights, bit by bit, also across a stop and a resume from a
checkpoint file; torch's global state is left as found. Runs where the flow's parameters are, and in several processes
(:mod:`~seisflow.learning.training.parallel`).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seisflow.errors import InputError, TrainingError
from seisflow.learning.flows.bijector import Condition
from seisflow.learning.training import checkpoint as checkpoints
from seisflow.learning.training import parallel
from seisflow.learning.training.memory import peak_memory
from seisflow.learning.training.options import TrainingOptions, TrainingRecord, schedule
from seisflow.learning.training.parallel import Loss, negative_log_likelihood
from seisflow.learning.training.weights import Average

__all__ = ["Draw", "Pair", "TrainingOptions", "TrainingRecord", "seeded", "train"]

Pair = tuple[Tensor, Any]
"""States ``(B, C, *field)`` and their condition: a tensor, tensors by name, or None."""

Draw = Callable[[NDArray[np.int64]], Pair]
"""Pairs (x, c), each ``(B, C, *field)``, of the members with the given numbers, with fresh data noise."""


@contextlib.contextmanager
def seeded(generator: np.random.Generator) -> Iterator[None]:
    """Within the block, torch's default random numbers follow ``generator``; afterwards they go on as before."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(int(generator.integers(2**63)))
        yield


def train(
    network: nn.Module,
    draw: Draw,
    members: NDArray[np.int64],
    validation: Sequence[Pair],
    options: TrainingOptions,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
    *,
    loss: Loss = negative_log_likelihood,
    record: TrainingRecord | None = None,
    checkpoint: Path | None = None,
) -> TrainingRecord:
    """Train ``network`` in place; at the end it holds the best weights and is in evaluation mode.

    Parameters
    ----------
    network
        A :class:`~seisflow.learning.flows.bijector.ConditionalFlow`, or what ``loss`` understands, where it shall be
        computed; parameters with ``requires_grad=False`` stay as they are. To start from
        earlier weights see :func:`~seisflow.learning.training.weights.warm_start`.
    draw
        Gives the pairs of a batch, on any device.
    members
        Numbers of the training members.
    validation
        Fixed pairs for the validation likelihood, of other members.
    options
        See :class:`TrainingOptions`.
    generator
        Source of the order, of the noise on x and of dropout. What ``draw`` takes from it is resumed exactly, too.
    progress
        Called with (epochs done, epochs).
    loss
        What is minimised; for a flow the negative log-likelihood.
    record
        A new record to fill, for those who want to read it on the way.
    checkpoint
        File written after every epoch; if it is there, training goes on from it.

    Raises
    ------
    InputError
        When there are no members or no validation pairs, or the checkpoint belongs to another training.
    TrainingError
        When the loss keeps becoming not finite or exploding.
    """
    if not len(members) or not len(validation):
        raise InputError("members", len(members), "give at least one training member and one validation pair")
    batches = -(-len(members) // options.batch)
    if len(members) // batches < parallel.processes():
        remedy = (
            f"some batch would leave one of the {parallel.processes()} processes without a member: give a larger one"
        )
        raise InputError("batch", options.batch, remedy)
    with seeded(generator):
        run = _Training(
            network, draw, np.asarray(members), validation, options, generator, loss, record or TrainingRecord()
        )
        run.begin(checkpoint)
        while not run.finished:
            run.epoch_done()
            if checkpoint is not None:
                run.save(checkpoint)
            if progress is not None:
                progress(run.epoch, options.epochs)
        return run.end()


class _Training:
    """One training on its way; :func:`train` drives it."""

    def __init__(
        self,
        network: nn.Module,
        draw: Draw,
        members: NDArray[np.int64],
        validation: Sequence[Pair],
        options: TrainingOptions,
        generator: np.random.Generator,
        loss: Loss,
        record: TrainingRecord,
    ) -> None:
        self.network, self.draw, self.members, self.validation = network, draw, members, validation
        self.options, self.generator, self.record = options, generator, record
        self.objective = parallel.Objective(network, loss)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.device = next(network.parameters()).device
        self.per_epoch = -(-len(members) // options.batch)
        self.epoch, self.step, self.shrink, self.best_loss = 0, 0, 1.0, math.inf
        self.started = time.perf_counter()

    @property
    def finished(self) -> bool:
        """All epochs done, or none of the last ones better."""
        return self.epoch >= self.options.epochs or self.epoch - self.record.best_epoch >= self.options.patience

    def begin(self, path: Path | None) -> None:
        """From the first pass over data, or from the file."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        saved = None if path is None else checkpoints.load(path, self._identity(), self.device)
        if saved is None:
            self._first_pass()
        self.loss = parallel.wrap(self.objective, self.device)
        self.average = Average(self.network, self.options.average)
        self.optimiser = self._optimiser()
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.options.precision == "float16")
        if saved is not None:
            self._restore(saved)
            return
        self.best = self.average.copy()
        self.record.validation.append(self._validate())
        if math.isfinite(self.record.validation[0]):
            self.best_loss = self.record.validation[0]

    def epoch_done(self) -> None:
        """Train one epoch and judge it."""
        options, start = self.options, time.perf_counter()
        low, high = options.noise[1], options.noise[0]
        sigma = high * (low / high) ** (self.epoch / max(options.epochs - 1, 1))
        order = parallel.shared_value(self.generator.permutation(self.members), self.device)
        losses = [self._step(index, sigma) for index in np.array_split(order, self.per_epoch)]
        good = [loss for loss in losses if loss is not None]
        self.epoch += 1
        self.record.training.append(float(np.mean(good)) if good else math.nan)
        with self.average.applied(self.network):
            self.record.validation.append(self._validate())
        if self.record.validation[-1] < self.best_loss:
            self.best_loss, self.best = self.record.validation[-1], self.average.copy()
            self.record.best_epoch = self.epoch
        self.record.epoch_seconds.append(time.perf_counter() - start)

    def end(self) -> TrainingRecord:
        """The best weights."""
        self.network.load_state_dict(self.best)
        self.network.eval()
        self.record.seconds += time.perf_counter() - self.started
        self.record.peak_memory = max(self.record.peak_memory, peak_memory(self.device))
        return self.record

    def _step(self, index: NDArray[np.int64], sigma: float) -> float | None:
        """One step; its loss, or None when it had to be undone."""
        options = self.options
        for group in self.optimiser.param_groups:
            group["lr"] = self.shrink * options.learning_rate * schedule(self.step / (options.epochs * self.per_epoch))
        self.network.train()
        own, weight = parallel.deal(index)
        x, condition = self._here(self.draw(own))
        with self._autocast():
            loss = self.loss(x + sigma * torch.randn_like(x), condition)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss if weight == 1.0 else loss * weight).backward()
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.parameters, options.clip)
        self.step += 1
        shared = parallel.shared_sum([float(loss.detach()) * weight, float(norm)], self.device)
        value = shared[0] / parallel.processes()
        self.scaler.update()
        if (
            math.isfinite(value)
            and not math.isfinite(shared[1])
            and self.scaler.is_enabled()
            and self.scaler.get_scale() >= 1
        ):
            return None  # float16 has overflowed: the scale of the loss has just been halved
        if math.isfinite(shared[1]) and math.isfinite(value) and value < self.best_loss + options.explosion:
            self.optimiser.step()
            self.average.update(self.network)
            return value
        self.record.rescues += 1
        self.network.load_state_dict(self.best)
        if self.record.rescues > options.rescues:
            raise TrainingError(
                f"The loss became {value:g} for the {self.record.rescues}th time (epoch {self.epoch + 1}; the best was "
                f"{self.best_loss:g}). Lower the learning rate ({options.learning_rate:g}) or the bound of the couplings, "
                f"and look at the data."
            )
        self.shrink *= 0.3
        self.average, self.optimiser = Average(self.network, options.average), self._optimiser()
        return None

    @torch.no_grad()
    def _validate(self) -> float:
        self.network.eval()
        total, count = 0.0, 0
        for pair in self.validation[parallel.rank() :: parallel.processes()]:
            x, condition = self._here(pair)
            with self._autocast():
                total += float(self.objective(x, condition)) * len(x)
            count += len(x)
        total, number = parallel.shared_sum([total, count], self.device)
        return total / number

    @torch.no_grad()
    def _first_pass(self) -> None:
        """Layers that start from data (actnorm) see one larger batch before anything is judged, as noisy as the first epoch.

        Without that noise a channel that hardly varies would be blown up to a spread of 1, and its noise with it.
        """
        self.network.train()
        x, condition = self._here(self.draw(self.members[: 4 * self.options.batch]))
        self.objective(x + self.options.noise[0] * torch.randn_like(x), condition)

    def _here(self, pair: Pair) -> tuple[Tensor, Condition | None]:
        """The pair on the flow's device."""
        x, condition = pair
        if isinstance(condition, Mapping):
            return x.to(self.device), {k: v.to(self.device) for k, v in condition.items()}
        return x.to(self.device), None if condition is None else condition.to(self.device)

    def _autocast(self) -> torch.autocast:
        enabled = self.options.precision != "float32"
        dtype = torch.float16 if self.options.precision == "float16" else torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype, enabled=enabled)

    def _optimiser(self) -> torch.optim.Optimizer:
        options = self.options
        return torch.optim.AdamW(self.parameters, lr=options.learning_rate, weight_decay=options.weight_decay)

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with."""
        shapes = {name: list(value.shape) for name, value in self.network.state_dict().items()}
        return {"options": asdict(self.options), "members": self.members.tolist(), "shapes": shapes}

    def save(self, path: Path) -> None:
        """Write everything that the next epoch depends on."""
        self.record.seconds += time.perf_counter() - self.started
        self.started = time.perf_counter()
        self.record.peak_memory = max(self.record.peak_memory, peak_memory(self.device))
        state = {
            "flow": self.network.state_dict(),
            "average": self.average.state,
            "count": self.average.count,
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "record": asdict(self.record),
            "progress": [self.epoch, self.step, self.shrink, self.best_loss],
            "random": checkpoints.random_state(self.generator, self.device),
        }
        checkpoints.save(path, self._identity() | state)

    def _restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["flow"])
        self.average.state, self.average.count, self.best = saved["average"], saved["count"], saved["best"]
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scaler.load_state_dict(saved.get("scaler", {}))
        for name, value in saved["record"].items():
            setattr(self.record, name, value)
        self.epoch, self.step, self.shrink, self.best_loss = saved["progress"]
        checkpoints.restore_random_state(saved["random"], self.generator, self.device)
