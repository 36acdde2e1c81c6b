r"""Lorenz' ring of n variables, chaotic for n = 40, F = 8 (Lorenz 1996, ECMWF Seminar on Predictability 1, 1–18):

dx_i/dt = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F,   indices modulo n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.vector_model import VectorModel, rk4_adjoint, rk4_step, rk4_tangent
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["Lorenz96"]


def _shift(x: NDArray, by: int) -> NDArray:
    """Element i of the result is x_{i+by}; faster than ``np.roll``."""
    return np.concatenate([x[..., by:], x[..., :by]], axis=-1)


@dataclass(frozen=True)
class Lorenz96(VectorModel):
    """The Lorenz-96 model; the state at rest is x_i = F.

    Parameters
    ----------
    variables
        n, 4 or more.
    forcing
        F.
    step
        Runge–Kutta step; 0.05 stands for six hours of weather.
    """

    variables: int = 40
    forcing: float = 8.0
    step: float = 0.05

    def __post_init__(self) -> None:
        if self.variables < 4:
            raise InputError("variables", self.variables, "give 4 or more")
        if not self.step > 0:
            raise InputError("step", self.step, "give a positive time step")

    @property
    def size(self) -> int:
        return self.variables

    def initial_state(self, members: int) -> Ensemble:
        return Ensemble({"state": np.full((members, self.variables), self.forcing)})

    def tendency(self, x: NDArray) -> NDArray:
        """f(x) of states ``(..., n)``."""
        return (_shift(x, 1) - _shift(x, -2)) * _shift(x, -1) - x + self.forcing

    def tendency_tangent(self, x: NDArray, dx: NDArray) -> NDArray:
        """f'(x) δ."""
        advected = (_shift(dx, 1) - _shift(dx, -2)) * _shift(x, -1)
        return advected + (_shift(x, 1) - _shift(x, -2)) * _shift(dx, -1) - dx

    def tendency_adjoint(self, x: NDArray, dual: NDArray) -> NDArray:
        """f'(x)ᵀ λ."""
        product = _shift(x, -1) * dual
        gradient = (_shift(x, 1) - _shift(x, -2)) * dual
        return _shift(product, -1) - _shift(product, 2) + _shift(gradient, 1) - dual

    def forward_step(self, x: NDArray) -> NDArray:
        return rk4_step(self.tendency, x, self.step)

    def tangent_step(self, x: NDArray, dx: NDArray) -> NDArray:
        return rk4_tangent(self.tendency, self.tendency_tangent, x, dx, self.step)

    def adjoint_step(self, x: NDArray, dual: NDArray) -> NDArray:
        return rk4_adjoint(self.tendency, self.tendency_adjoint, x, dual, self.step)
