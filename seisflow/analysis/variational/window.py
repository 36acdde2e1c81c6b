r"""Windows in time: what smoothers need to know of the past, carried along by the ensemble itself.

An analysis with a window of L intervals corrects the state at the window's start, t_k − ℓ Δt, by the newest datum y_k:

    y_k = H(M(x_start)) + e_k,      M the model over the ℓ ≤ L intervals of the window,

so every datum is used once, and the states in between follow from the model. When the window has reached its length, its
start moves on by one interval. The start travels with the members: for every field ``f`` of the model the field
``window_f``, and ``window_age`` = ℓ, which dynamics leave alone. At its first datum a window has length zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.vector_model import VectorModel
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["Window"]

START, AGE = "window_state", "window_age"


@dataclass(frozen=True)
class Window:
    """Length and model of a window.

    Parameters
    ----------
    dynamics
        M, deterministic.
    interval
        Δt between data.
    lag
        L, intervals; 0 corrects the state at the datum itself.
    """

    dynamics: VectorModel
    interval: float
    lag: int = 1

    def __post_init__(self) -> None:
        if self.lag < 0:
            raise InputError("lag", self.lag, "give 0 or more intervals")
        self.dynamics.steps(0.0, self.interval)

    def start(self, forecast: Ensemble) -> tuple[NDArray[np.float64], int]:
        """State at the window's start ``(M, n)``, and the number ℓ of intervals from there to the datum."""
        if START not in forecast or self.lag == 0:
            return np.asarray(forecast["state"], np.float64), 0
        return np.asarray(forecast[START], np.float64), int(forecast[AGE][0]) + 1

    def to_datum(self, x: NDArray, age: int) -> NDArray[np.float64]:
        """The states at the datum, from those at the window's start."""
        return self.dynamics.advance(Ensemble({"state": x}), 0.0, age * self.interval).ensemble["state"] if age else x

    def tangent(self, x: NDArray, dx: NDArray, age: int) -> NDArray[np.float64]:
        """Perturbations ``(r, n)`` of the start, carried to the datum along the trajectory from x ``(n,)``."""
        return self.dynamics.tangent(x[None], dx, 0.0, age * self.interval) if age else dx

    def finished(self, forecast: Ensemble, x: NDArray, age: int) -> Ensemble:
        """The analysed ensemble at the datum, from the analysed start, with the window of the next datum."""
        now = self.to_datum(x, age)
        if self.lag == 0:
            return forecast.replace(state=now)
        if age + 1 > self.lag:  # the next datum lies one interval further: move the start on
            x, age = self.to_datum(x, 1) if age else x, max(age - 1, 0)
        return Ensemble({**forecast.fields, "state": now, START: x, AGE: np.full(len(x), age)}, forecast.time)
