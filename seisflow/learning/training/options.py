r"""How to train a flow, and the record of a training; see :mod:`~seisflow.learning.training.train`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from seisflow.errors import InputError

__all__ = ["TrainingOptions", "TrainingRecord", "schedule"]


def schedule(done: float) -> float:
    """Factor of the step size when a share of the training is done: warm-up over 5 %, then a cosine down to 5 %."""
    return min(1.0, 0.05 + done / 0.05) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    epochs
        Passes over the members, at most.
    batch
        Members per step (of all processes together); the last batch of an epoch may be smaller.
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
    explosion
        A loss this many nats per variable above the best validation loss counts as broken down; far more than a batch of
        outliers gives, whose gradient is clipped anyway.
    precision
        ``"bfloat16"`` and ``"float16"`` compute the networks in mixed precision (autocast); bijections stay in float32.
        float16 has more digits but a small range: its loss is scaled up, and a step that overflows is left out.
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
    explosion: float = 1000.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience"):
            if getattr(self, name) < 1:
                raise InputError(name, getattr(self, name), "give an integer of at least 1")
        for name in ("learning_rate", "clip", "explosion"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(name, getattr(self, name), "give a positive number")
        if not 0 < self.noise[1] <= self.noise[0]:
            raise InputError("noise", self.noise, "give two positive numbers, the first not below the second")
        if not 0 <= self.average < 1:
            raise InputError("average", self.average, "give a decay in [0, 1)")
        if self.precision not in ("float32", "bfloat16", "float16"):
            raise InputError("precision", self.precision, 'give "float32", "bfloat16" or "float16"')


@dataclass
class TrainingRecord:
    """What happened.

    Attributes
    ----------
    training, validation
        Losses in nats per variable, by epoch; validation has one more, the untrained network, in front.
    epoch_seconds
        Wall time of every epoch with its validation.
    best_epoch
        The epoch whose weights were kept, 0 for the untrained network.
    rescues
        Returns to the best weights.
    seconds
        Wall time, of all parts of a resumed training.
    peak_memory
        Largest memory in use [bytes]: of the GPU by this process, or of the whole process on a CPU.
    """

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    rescues: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
