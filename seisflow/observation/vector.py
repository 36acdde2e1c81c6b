r"""Observations of a state vector: y = h(C x) + e, e ~ N(0, R), C a choice of components or any matrix, h a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.observation.base import Observation
from seisflow.observation.data import DataAxis, DataField

__all__ = ["VectorObservation"]


@dataclass(frozen=True, eq=False)
class VectorObservation(Observation):
    """Data of the field ``state`` ``(M, n)``, in the field ``data`` ``(M, d)``.

    Parameters
    ----------
    covariance
        R of the d data.
    components
        Indices of the observed components ``(d,)``, or a matrix C ``(d, n)``; default: all, in order.
    function
        h, applied to C x element by element; default: none, H is linear.
    """

    covariance: Covariance
    components: NDArray | None = None
    function: Callable[[NDArray], NDArray] | None = None

    def __post_init__(self) -> None:
        if self.components is not None:
            components = np.asarray(self.components)
            object.__setattr__(self, "components", components)
            if components.ndim not in (1, 2) or len(components) != self.covariance.size:
                raise InputError("components", components.shape, f"choose {self.covariance.size} data, the size of R")

    @property
    def data(self) -> Mapping[str, DataField]:
        return {"data": DataField((DataAxis("datum", self.covariance.size),), label="data")}

    def apply(self, x: NDArray) -> NDArray:
        """h(C x) of states ``(..., n)``."""
        C = self.components
        chosen = x if C is None else x[..., C] if C.ndim == 1 else x @ C.T
        return chosen if self.function is None else self.function(chosen)

    def matrix(self, size: int) -> NDArray[np.float64]:
        """C as a matrix ``(d, n)``, for small problems and exact answers."""
        C = np.eye(size) if self.components is None else self.components
        return np.eye(size)[C] if C.ndim == 1 else np.asarray(C, np.float64)

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        if progress:
            progress(ensemble.size, ensemble.size)
        return Ensemble({"data": self.apply(ensemble["state"])}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        clean = self.predict(truth)
        return clean.replace(data=clean["data"] + self.covariance.sample(truth.size, generator))

    @property
    def noise(self) -> Covariance:
        return self.covariance

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        """The data as they are, one channel ``(M, 1, d)``."""
        return np.asarray(data["data"], np.float32)[:, None]
