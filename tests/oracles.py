"""Exact answers that tests compare with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def kalman(mean: NDArray, covariance: NDArray, H: NDArray, R: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Mean and covariance of x | y for x ~ N(mean, covariance), y = H x + e, e ~ N(0, R)."""
    gain = covariance @ H.T @ np.linalg.inv(H @ covariance @ H.T + R)
    return mean + gain @ (y - H @ mean), (np.eye(len(mean)) - gain @ H) @ covariance
