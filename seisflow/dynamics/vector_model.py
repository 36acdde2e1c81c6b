r"""Models of a state vector x ∈ Rⁿ with a fixed step, and the classical Runge–Kutta step with its derivatives.

Ordinary differential equations dx/dt = f(x) are carried by (Runge 1895, Kutta 1901)

    k₁ = f(x),  k₂ = f(x + h k₁/2),  k₃ = f(x + h k₂/2),  k₄ = f(x + h k₃),  x ← x + h (k₁ + 2 k₂ + 2 k₃ + k₄)/6.

The tangent-linear step differentiates these lines in their order, the adjoint step transposes them in reverse, so
⟨λ, M' δ⟩ = ⟨M'ᵀ λ, δ⟩ holds to rounding. Both are what variational methods need of a model.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.base import Advanced, Dynamics, not_finite
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError

__all__ = ["VectorModel", "rk4_adjoint", "rk4_step", "rk4_tangent"]

Map = Callable[[NDArray], NDArray]
Derivative = Callable[[NDArray, NDArray], NDArray]


class VectorModel(Dynamics):
    """A dynamics whose state is the field ``state`` ``(M, n)``; every other field comes back unchanged.

    A model gives one step, its tangent and its adjoint; carrying them over many steps is written here, once.
    """

    state = ("state",)
    step: float
    """Time step h, in the model's own unit of time."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of variables n."""

    @abstractmethod
    def forward_step(self, x: NDArray) -> NDArray:
        """One step of every state ``(..., n)``."""

    @abstractmethod
    def tangent_step(self, x: NDArray, dx: NDArray) -> NDArray:
        """M'(x) δ of one step, for states and perturbations ``(..., n)`` that broadcast."""

    @abstractmethod
    def adjoint_step(self, x: NDArray, dual: NDArray) -> NDArray:
        """M'(x)ᵀ λ of one step."""

    def steps(self, start: float, stop: float) -> int:
        """Number of steps between two times."""
        count = round((stop - start) / self.step)
        if count < 0 or abs(count * self.step - (stop - start)) > 1e-6 * self.step * max(count, 1):
            raise InputError("stop", stop, f"it must lie a whole number of steps of {self.step} after {start}")
        return count

    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: MemberProgress | None = None
    ) -> Advanced:
        x = np.asarray(ensemble["state"], np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # a member that explodes has failed
            for _ in range(self.steps(start, stop)):
                x = self.forward_step(x)
        x = np.where(np.isfinite(x).all(axis=-1, keepdims=True), x, np.nan)
        if progress:
            progress(len(x), len(x))
        return Advanced(ensemble.replace(stop, state=x), not_finite(x))

    def tangent(self, x: NDArray, dx: NDArray, start: float, stop: float) -> NDArray:
        """M'(x) δ from one time to another, x the state at ``start``."""
        for _ in range(self.steps(start, stop)):
            dx, x = self.tangent_step(x, dx), self.forward_step(x)
        return dx

    def adjoint(self, x: NDArray, dual: NDArray, start: float, stop: float) -> NDArray:
        """M'(x)ᵀ λ from ``stop`` back to ``start``, x the state at ``start``."""
        trajectory = [x]
        for _ in range(self.steps(start, stop) - 1):
            trajectory.append(self.forward_step(trajectory[-1]))
        for state in reversed(trajectory[: self.steps(start, stop)]):
            dual = self.adjoint_step(state, dual)
        return dual


def rk4_step(f: Map, x: NDArray, h: float) -> NDArray:
    """One step of length h."""
    k1 = f(x)
    k2 = f(x + h / 2 * k1)
    k3 = f(x + h / 2 * k2)
    k4 = f(x + h * k3)
    return x + h / 6 * (k1 + 2 * (k2 + k3) + k4)


def rk4_tangent(f: Map, df: Derivative, x: NDArray, dx: NDArray, h: float) -> NDArray:
    """The derivative of :func:`rk4_step` applied to ``dx``; ``df(x, δ)`` is f'(x) δ."""
    k1, d1 = f(x), df(x, dx)
    x2, dx2 = x + h / 2 * k1, dx + h / 2 * d1
    k2, d2 = f(x2), df(x2, dx2)
    x3, dx3 = x + h / 2 * k2, dx + h / 2 * d2
    k3, d3 = f(x3), df(x3, dx3)
    d4 = df(x + h * k3, dx + h * d3)
    return dx + h / 6 * (d1 + 2 * (d2 + d3) + d4)


def rk4_adjoint(f: Map, dft: Derivative, x: NDArray, dual: NDArray, h: float) -> NDArray:
    """The transpose of :func:`rk4_tangent` applied to ``dual``; ``dft(x, λ)`` is f'(x)ᵀ λ."""
    x2 = x + h / 2 * f(x)
    x3 = x + h / 2 * f(x2)
    x4 = x + h * f(x3)
    g4 = dft(x4, h / 6 * dual)
    g3 = dft(x3, h / 3 * dual + h * g4)
    g2 = dft(x2, h / 3 * dual + h / 2 * g3)
    g1 = dft(x, h / 6 * dual + h / 2 * g2)
    return dual + g1 + g2 + g3 + g4
