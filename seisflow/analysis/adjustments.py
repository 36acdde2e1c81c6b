r"""What is done to an analysis ensemble after any update: a mean-preserving M × M mixing of members.

Every adjustment is a matrix A whose rows sum to one and whose column means are 1/M, so that X ← A X keeps the mean:

    inflation   A = J + λ (I − J)            anomalies times λ, variance times λ²
    rotation    A = J + Ω (I − J)            Ω a random orthogonal matrix with Ω 1 = 1: the covariance stays, too

with J = 1 1ᵀ / M. Inflation makes good what sampling errors take from the spread; rotation breaks up the outliers that
deterministic updates grow (Sakov & Oke 2008, Mon. Wea. Rev. 136, 1042–1053; Nerger, Janjić, Schröter & Hiller 2012).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["Adjustment", "Inflation", "Rotation", "mixing"]


class Adjustment(ABC):
    """A mean-preserving mixing of members."""

    @abstractmethod
    def matrix(self, members: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """A, ``(M, M)``."""


@dataclass(frozen=True)
class Inflation(Adjustment):
    """Anomalies times a factor.

    Parameters
    ----------
    factor
        λ, 1 or more.
    """

    factor: float

    def __post_init__(self) -> None:
        if not self.factor >= 1:
            raise InputError("inflation", self.factor, "give a factor of 1 or more")

    def matrix(self, members: int, generator: np.random.Generator) -> NDArray[np.float64]:
        return self.factor * np.eye(members) + (1 - self.factor) / members


@dataclass(frozen=True)
class Rotation(Adjustment):
    """Anomalies rotated at random among the members, uniformly over the rotations that keep the mean.

    In a basis whose first vector is 1/√M, Ω = diag(1, Q) with Q from the QR factorisation of a Gaussian matrix, signs of
    R's diagonal put right so that Q is uniform (Mezzadri 2007, Notices AMS 54, 592–604).
    """

    def matrix(self, members: int, generator: np.random.Generator) -> NDArray[np.float64]:
        Q, upper = np.linalg.qr(generator.standard_normal((members - 1, members - 1)))
        Q *= np.sign(np.diag(upper))
        basis = _mean_first_basis(members)
        return basis[:, :1] @ basis[:, :1].T + basis[:, 1:] @ Q @ basis[:, 1:].T


def _mean_first_basis(M: int) -> NDArray[np.float64]:
    """An orthogonal matrix whose first column is 1/√M: the Householder reflection that takes e₁ there."""
    v = np.full(M, -1 / np.sqrt(M))
    v[0] += 1
    length = v @ v
    return np.eye(M) - (2 / length) * np.outer(v, v) if length > 0 else np.eye(M)


def mixing(adjustments: Iterable[Adjustment], members: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """The product A of all adjustments, applied in their order."""
    A = np.eye(members)
    for adjustment in adjustments:
        A = adjustment.matrix(members, generator) @ A
    return A
