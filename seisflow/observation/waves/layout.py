r"""Sizes of the wave fields and loops, and the memory of kept fields, for :mod:`seisflow.observation.waves.kernel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seisflow.errors import InputError

__all__ = ["KeptSteps", "WaveLayout"]


@dataclass(frozen=True)
class WaveLayout:
    """Sizes of the fields and loops.

    Parameters
    ----------
    model
        Nodes of the model along every axis.
    spacing, origin
        Node distance, and the corner of the model's first cell [m].
    layer
        Nodes of the absorbing layer.
    order
        Order of the differences in space.
    free_surface
        Whether a free surface replaces the layer at the top.
    n_sources, n_receivers, n_steps
        Lengths of the source and receiver arrays.
    every
        A background field is kept every n-th step.
    dtype
        float32 or float64.
    threads
        OpenMP threads inside one simulation.
    """

    model: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    layer: int
    order: int
    free_surface: bool
    n_sources: int
    n_receivers: int
    n_steps: int
    every: int
    dtype: np.dtype
    threads: int

    def __post_init__(self) -> None:
        if self.layer < 0 or self.layer == 1:
            raise InputError("layer", self.layer, "give 2 nodes or more, or 0 for none")
        if self.every < 1:
            raise InputError("every", self.every, "give 1 or more steps")
        if self.threads < 1:
            raise InputError("threads", self.threads, "give at least 1")

    @property
    def top(self) -> int:
        """Rows above the model: the layer, or the mirror images."""
        return self.order // 2 if self.free_surface else self.layer

    @property
    def pads(self) -> tuple[tuple[int, int], ...]:
        """Nodes below and above the model along every axis."""
        return (*((self.layer, self.layer) for _ in self.model[:-1]), (self.top, self.layer))

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes of the padded grid."""
        return tuple(n + low + high for n, (low, high) in zip(self.model, self.pads, strict=True))

    @property
    def slabs(self) -> tuple[tuple[int, int], ...]:
        """Nodes from either end of every axis over which ψ and ζ are computed: the layer, and as far as D sees it.

        Along the last axis, the one of the vectorised loops, both take whole cache lines: beyond the layer they are zero,
        and a rest of the loop that does not fill a vector takes longer than another vector.
        """
        wide, line = self.layer + self.order // 2, 64 // self.dtype.itemsize
        last = -(-wide // line) * line
        if 2 * last > self.shape[-1]:  # both ends would meet
            last = wide
        return (*((self.layer, wide) for _ in self.model[:-1]), (last, last))

    @property
    def first_node(self) -> tuple[float, ...]:
        """Coordinates of the first padded node [m]."""
        return tuple(o + (0.5 - low) * h for o, h, (low, _) in zip(self.origin, self.spacing, self.pads, strict=True))

    @property
    def inner(self) -> tuple[slice, ...]:
        """The model within the padded grid."""
        return tuple(slice(low, low + n) for n, (low, _) in zip(self.model, self.pads, strict=True))

    @property
    def kind(self) -> tuple:
        """What the generated code depends on."""
        return (len(self.model), self.layer > 0, self.order, self.free_surface, self.dtype.str, self.threads > 1)


@dataclass(frozen=True, eq=False)
class KeptSteps:
    """Memory for the kept steps of a background field.

    Parameters
    ----------
    field
        The kept steps.
    series
        ``src`` and ``rec`` over as many steps.
    prepared
        Arguments prepared for the operators that use it.
    """

    field: Any
    series: dict[str, Any]
    prepared: dict[str, tuple[Any, list[str], list]]

    @property
    def nbytes(self) -> int:
        """Size of the memory."""
        return int(np.prod(self.field.shape_allocated)) * np.dtype(self.field.dtype).itemsize
