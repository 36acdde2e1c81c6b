r"""Sensible sizes: what network and what training for these fields and this many members.

Rules, not laws; every number can be replaced (``dataclasses.replace``). With n_min the shortest field axis, M members:

    scales    until the coarsest field is 8 cells wide, at most 5         (receptive field over the whole field)
    steps     4 (M / 64)^¼, between 2 and 16                             (64 → 4, 1024 → 8)
    hidden    32 (M / 64)^⅓, in multiples of 8, between 16 and 128       (64 → 32, 1024 → 80)
    memory    "invert" where plain autograd would keep more than 1 GiB
    batch     M / 8, between 8 and 32
    epochs    as many as make 500 steps at 64 members, growing as √M, never fewer than 20
"""

from __future__ import annotations

import math

from seisflow.errors import InputError
from seisflow.learning.flows.glow import GlowOptions
from seisflow.learning.training.train import TrainingOptions

__all__ = ["stored_bytes", "suggest_glow", "suggest_training"]


def stored_bytes(event_shape: tuple[int, ...], options: GlowOptions, batch: int) -> int:
    """About what plain autograd keeps for one batch of the flow, float32, without the summary network [bytes].

    Per step and cell: two hidden arrays, the coupling network's input (half of x and the condition's features), and six
    arrays of the size of x.
    """
    channels, cells = event_shape[0], math.prod(event_shape[1:])
    halving = 2 ** (len(event_shape) - 1)
    total = 0.0
    for _ in range(options.scales):
        channels, cells = channels * halving, cells // halving
        total += options.steps * cells * (2 * options.hidden + options.summary + 6.5 * channels)
        channels //= 2
    return round(4 * batch * total)


def suggest_glow(event_shape: tuple[int, ...], members: int) -> GlowOptions:
    """Sizes of the flow for x of ``event_shape`` ``(C, *field)`` and an ensemble of ``members``."""
    if members < 2 or not event_shape:
        raise InputError("members", members, "give at least 2 members, and the shape (C, *field) of one")
    if len(event_shape) == 1:
        scales = 1
    else:
        shortest = min(event_shape[1:])
        divisible = min((n & -n).bit_length() - 1 for n in event_shape[1:])
        scales = max(1, min(5, divisible, round(math.log2(max(shortest / 8, 2)))))
    steps = int(min(16, max(2, round(4 * (members / 64) ** 0.25))))
    hidden = 8 * int(min(16, max(2, round(4 * (members / 64) ** (1 / 3)))))
    options = GlowOptions(scales=scales, steps=steps, hidden=hidden, summary=16 if hidden <= 32 else 24)
    store = stored_bytes(event_shape, options, suggest_training(members).batch) < 2**30
    return options if store else GlowOptions(scales, steps, hidden, options.summary, memory="invert")


def suggest_training(members: int) -> TrainingOptions:
    """Length and batch of the training for an ensemble of ``members``."""
    batch = int(min(32, max(8, members // 8)))
    steps = 500 * math.sqrt(max(members, 1) / 64)
    return TrainingOptions(epochs=max(20, round(steps * batch / max(members, batch))), batch=batch, learning_rate=1e-3)
