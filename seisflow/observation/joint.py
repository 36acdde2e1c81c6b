"""Several observations of one state side by side, with independent noises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import BlockCovariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.observation.base import Observation, Work
from seisflow.observation.data import DataField, FileArray

__all__ = ["Joint"]


class Joint(Observation):
    """Observations side by side: their fields, channels and noise blocks, in the order given.

    Parameters
    ----------
    parts
        The observations; the names of their fields must differ.

    Raises
    ------
    InputError
        When there is no part, or two parts have a field of the same name.
    """

    def __init__(self, parts: Sequence[Observation]) -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise InputError("parts", self.parts, "give at least one observation")
        names = [name for part in self.parts for name in part.data]
        if len(set(names)) != len(names):
            raise InputError("parts", names, "the fields of the observations need different names")

    @property
    def data(self) -> Mapping[str, DataField]:
        return {name: about for part in self.parts for name, about in part.data.items()}

    def _merge(self, listed: list[Ensemble]) -> Ensemble:
        return Ensemble({name: data[name] for data in listed for name in data.names}, listed[0].time)

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        slowest = max(self.parts, key=lambda part: sum(work.node_steps for work in part.work(1)))  # counts the members
        return self._merge([part.predict(ensemble, progress if part is slowest else None) for part in self.parts])

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        return self._merge([part.observe(truth, generator) for part in self.parts])

    def compare(self, arrays: Mapping[str, FileArray | NDArray]) -> dict[str, NDArray]:
        return {name: array for part in self.parts for name, array in part.compare(arrays).items()}

    def accept(self, arrays: Mapping[str, FileArray | NDArray], time: float = 0.0) -> Ensemble:
        return self._merge([part.accept(arrays, time) for part in self.parts])

    def refer(self, forecast: Ensemble, *data: Ensemble) -> tuple[Ensemble, ...]:
        for part in self.parts:
            data = part.refer(forecast, *data)
        return data

    @property
    def noise(self) -> BlockCovariance:
        return BlockCovariance(tuple(part.noise for part in self.parts))

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        return np.concatenate([part.channels(data) for part in self.parts], axis=1)

    def work(self, members: int, noise: bool = False) -> tuple[Work, ...]:
        return tuple(work for part in self.parts for work in part.work(members, noise))

    def close(self) -> None:
        for part in self.parts:
            part.close()
