r"""An observation with its derivative, on packed states: H(x) and H'(x)ᵀ v.

From a matrix, from a pair of functions (automatic differentiation, an adjoint simulator), or from the ensemble itself, as
the regression of the predicted data on the members,

    H(x) ≈ ȳ + (x − x̄) X'⁺ Y' ,      H'ᵀ v ≈ X'⁺ Y' v ,      X'⁺ = X'ᵀ (X' X'ᵀ)⁺ ,

X' (M × n), Y' (M × d): exact on the members when M ≤ n + 1, of rank M − 1 at most, without a matrix of state or data size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["DifferentiableObservation"]


@dataclass(frozen=True, eq=False)
class DifferentiableObservation:
    """H and its adjoint derivative.

    Parameters
    ----------
    predict
        X ``(N, n)`` ↦ H(X) ``(N, d)``.
    adjoint
        X ``(N, n)``, V ``(N, d)`` ↦ H'(x_i)ᵀ v_i ``(N, n)``.
    """

    predict: Callable[[NDArray], NDArray]
    adjoint: Callable[[NDArray, NDArray], NDArray]

    @classmethod
    def linear(cls, matrix: NDArray) -> DifferentiableObservation:
        """H x of a matrix ``(d, n)``, dense or sparse."""
        return cls(lambda X: np.asarray((matrix @ X.T).T), lambda X, V: np.asarray((matrix.T @ V.T).T))

    @classmethod
    def regression(cls, X: NDArray, HX: NDArray) -> DifferentiableObservation:
        """The linear H that fits the members X ``(M, n)`` and their data ``(M, d)`` best, of least norm."""
        if len(X) != len(HX) or len(X) < 2:
            raise InputError("HX.shape", HX.shape, f"give data of the same {len(X)} members, two or more")
        x_mean, y_mean = X.mean(axis=0), HX.mean(axis=0)
        A, Y = X - x_mean, HX - y_mean
        # Directions with less than 1e-7 of the largest deviation are rounding of X X'ᵀ.
        inverse = np.linalg.pinv(A @ A.T, rcond=1e-14, hermitian=True)
        A_plus, Y_plus = inverse @ A, inverse @ Y
        return cls(lambda Z: y_mean + ((Z - x_mean) @ A.T) @ Y_plus, lambda Z, V: (V @ Y.T) @ A_plus)
