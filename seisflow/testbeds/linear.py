r"""A linear model, the one whose filtering problem the Kalman filter solves exactly:  x ← A x + b at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.vector_model import VectorModel
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["LinearModel"]


@dataclass(frozen=True, eq=False)
class LinearModel(VectorModel):
    """x ← A x + b.

    Parameters
    ----------
    matrix
        A, ``(n, n)``.
    shift
        b, a number or ``(n,)``. The state at rest is the zero vector when b is zero, the fixed point otherwise.
    step
        Time that one application takes.
    """

    matrix: NDArray[np.float64]
    shift: float | NDArray = 0.0
    step: float = 1.0

    def __post_init__(self) -> None:
        A = np.asarray(self.matrix, np.float64)
        object.__setattr__(self, "matrix", A)
        if A.ndim != 2 or A.shape[0] != A.shape[1]:
            raise InputError("matrix.shape", A.shape, "give a square matrix")
        if not self.step > 0:
            raise InputError("step", self.step, "give a positive time step")

    @property
    def size(self) -> int:
        return len(self.matrix)

    def initial_state(self, members: int) -> Ensemble:
        shift = np.broadcast_to(np.asarray(self.shift, np.float64), (self.size,))
        rest = np.linalg.solve(np.eye(self.size) - self.matrix, shift) if shift.any() else np.zeros(self.size)
        return Ensemble({"state": np.tile(rest, (members, 1))})

    def forward_step(self, x: NDArray) -> NDArray:
        return x @ self.matrix.T + self.shift

    def tangent_step(self, x: NDArray, dx: NDArray) -> NDArray:
        return dx @ self.matrix.T

    def adjoint_step(self, x: NDArray, dual: NDArray) -> NDArray:
        return dual @ self.matrix
