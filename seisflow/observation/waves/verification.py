r"""Tests that a user can put to any linear operator, or to any function and its linearisation.

* :func:`dot_test` : ⟨F x, y⟩ = ⟨x, Fᵀ y⟩ for an operator and its adjoint.
* :func:`taylor_slopes` : for a function f with linearisation J at x, ‖f(x + εd) − f(x)‖ falls as ε and
  ‖f(x + εd) − f(x) − εJd‖ as ε²; the slopes of both in log–log are 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["dot_test", "taylor_slopes"]


def dot_test(
    forward: Callable[[NDArray], NDArray], adjoint: Callable[[NDArray], NDArray], x: NDArray, y: NDArray
) -> float:
    """How well two linear operators are adjoint: |⟨F x, y⟩ − ⟨x, Fᵀ y⟩| / (‖F x‖ ‖y‖).

    Parameters
    ----------
    forward, adjoint
        F and its claimed adjoint Fᵀ.
    x, y
        A vector of F's domain and one of its range, of any shape.

    Returns
    -------
    float
        The relative mismatch; inner products are summed in float64.
    """
    image = np.asarray(forward(x), np.float64).ravel()
    back = np.asarray(adjoint(y), np.float64).ravel()
    x, y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
    return float(abs(image @ y - x @ back) / (np.linalg.norm(image) * np.linalg.norm(y)))


def taylor_slopes(
    function: Callable[[float], NDArray | float], linear: NDArray | float, steps: Sequence[float] = (1.0, 0.5, 0.25)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slopes of the remainders of order one and two of a function along a line.

    Parameters
    ----------
    function
        ε ↦ f(x + εd).
    linear
        J d: the derivative along d at x, of the shape of f.
    steps
        The values of ε, falling.

    Returns
    -------
    tuple
        Slopes between successive steps, without the linear term (1 when f is differentiable) and with it (2 when ``linear``
        is the derivative).
    """
    start = np.asarray(function(0.0), np.float64)
    first, second = [], []
    for eps in steps:
        change = np.asarray(function(eps), np.float64) - start
        first.append(np.linalg.norm(change))
        second.append(np.linalg.norm(change - eps * np.asarray(linear, np.float64)))
    ratios = [np.log(b / a) for a, b in pairwise(steps)]
    return tuple(  # type: ignore[return-value]
        np.array([np.log(b / a) / r for (a, b), r in zip(pairwise(errors), ratios, strict=True)])
        for errors in (first, second)
    )
