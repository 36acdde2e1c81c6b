"""Several observations of one state side by side, with independent noises."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import BlockCovariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.observation.base import Observation
from seisflow.observation.seismic.seismic import Seismic

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
        When there is no part, or (at the first prediction) two parts give a field of the same name.
    """

    def __init__(self, parts: Sequence[Observation]) -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise InputError("parts", self.parts, "give at least one observation")

    def _merge(self, listed: list[Ensemble]) -> Ensemble:
        names = [name for data in listed for name in data.names]
        if len(set(names)) != len(names):
            raise InputError("parts", names, "the fields of the observations need different names")
        return Ensemble({name: data[name] for data in listed for name in data.names}, listed[0].time)

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        # Members are counted by the part that takes the time.
        slowest = next((part for part in self.parts if isinstance(part, Seismic)), self.parts[0])
        return self._merge([part.predict(ensemble, progress if part is slowest else None) for part in self.parts])

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        return self._merge([part.observe(truth, generator) for part in self.parts])

    def refer(self, forecast: Ensemble, *data: Ensemble) -> tuple[Ensemble, ...]:
        for part in self.parts:
            data = part.refer(forecast, *data)
        return data

    @property
    def noise(self) -> BlockCovariance:
        return BlockCovariance(tuple(part.noise for part in self.parts))

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        return np.concatenate([part.channels(data) for part in self.parts], axis=1)

    def close(self) -> None:
        """End the worker processes of the parts."""
        for part in self.parts:
            part.close()
