r"""Lorenz' convection model, three variables, chaotic (Lorenz 1963, J. Atmos. Sci. 20, 130–141):

dx/dt = σ (y − x),   dy/dt = ρ x − y − x z,   dz/dt = x y − β z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.vector_model import VectorModel, rk4_adjoint, rk4_step, rk4_tangent
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["Lorenz63"]


@dataclass(frozen=True)
class Lorenz63(VectorModel):
    """The Lorenz-63 model; the state at rest is the motionless fluid, x = 0.

    Parameters
    ----------
    sigma, rho, beta
        σ (Prandtl number), ρ (Rayleigh number over its critical value), β (geometry).
    step
        Runge–Kutta step.
    """

    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8.0 / 3.0
    step: float = 0.01

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise InputError("step", self.step, "give a positive time step")

    @property
    def size(self) -> int:
        return 3

    def initial_state(self, members: int) -> Ensemble:
        return Ensemble({"state": np.zeros((members, 3))})

    def tendency(self, x: NDArray) -> NDArray:
        """f(x) of states ``(..., 3)``."""
        a, b, c = x[..., 0], x[..., 1], x[..., 2]
        out = np.empty_like(x)
        out[..., 0] = self.sigma * (b - a)
        out[..., 1] = a * (self.rho - c) - b
        out[..., 2] = a * b - self.beta * c
        return out

    def tendency_tangent(self, x: NDArray, dx: NDArray) -> NDArray:
        """f'(x) δ."""
        (a, b, c), (da, db, dc) = np.moveaxis(x, -1, 0), np.moveaxis(dx, -1, 0)
        return np.stack(
            [self.sigma * (db - da), (self.rho - c) * da - db - a * dc, b * da + a * db - self.beta * dc], axis=-1
        )

    def tendency_adjoint(self, x: NDArray, dual: NDArray) -> NDArray:
        """f'(x)ᵀ λ."""
        (a, b, c), (la, lb, lc) = np.moveaxis(x, -1, 0), np.moveaxis(dual, -1, 0)
        return np.stack(
            [-self.sigma * la + (self.rho - c) * lb + b * lc, self.sigma * la - lb + a * lc, -a * lb - self.beta * lc],
            axis=-1,
        )

    def forward_step(self, x: NDArray) -> NDArray:
        return rk4_step(self.tendency, x, self.step)

    def tangent_step(self, x: NDArray, dx: NDArray) -> NDArray:
        return rk4_tangent(self.tendency, self.tendency_tangent, x, dx, self.step)

    def adjoint_step(self, x: NDArray, dual: NDArray) -> NDArray:
        return rk4_adjoint(self.tendency, self.tendency_adjoint, x, dual, self.step)
