"""A scenario without Julia or waves, for tests of what goes round one: it obeys the contracts; can be slow, fail or die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisflow.assimilation.scenario import Scenario
from seisflow.covariance import DiagonalCovariance
from seisflow.dynamics.base import Advanced, Dynamics
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.observation.base import Observation
from seisflow.observation.data import DataAxis, DataField
from seisflow.prior.base import Prior

SHAPE = (6, 5)


class ToyPrior(Prior):
    """K ~ exp(N(0, 1)), independent."""

    name = "permeability"
    fields = ("permeability",)

    def draw(self, generators: Sequence[np.random.Generator]) -> Ensemble:
        return Ensemble({"permeability": np.stack([np.exp(g.standard_normal(SHAPE)) for g in generators])})


@dataclass
class ToyDynamics(Dynamics):
    """S ← 1 − (1 − S) exp(−K Δt), p ← p + K: each member by itself.

    A member fails whose first K is above ``fails_above``, though its numbers are finite; it ends its process where that
    is above ``dies_above``, and takes ``seconds``. Every member that is begun leaves its first K in ``diary``.
    """

    state = ("saturation", "pressure")

    seconds: float = 0.0
    fails_above: float = np.inf
    dies_above: float = np.inf
    diary: Path | None = None

    def initial_state(self, members: int) -> Ensemble:
        return Ensemble({"saturation": np.zeros((members, *SHAPE)), "pressure": np.ones((members, *SHAPE))})

    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: MemberProgress | None = None
    ) -> Advanced:
        K, failed = ensemble["permeability"], {}
        S = 1 - (1 - ensemble["saturation"]) * np.exp(-K * (stop - start))
        for m, first in enumerate(K[:, 0, 0]):
            if self.diary is not None:
                with self.diary.open("a") as diary:
                    diary.write(f"{os.getpid()} {first!r}\n")
            time.sleep(self.seconds)
            if first > self.dies_above:
                os.kill(os.getpid(), signal.SIGKILL)
            if first > self.fails_above:
                failed[m] = f"K = {first:.3f} is too much"
            if progress is not None:
                progress(m + 1, len(K))
        return Advanced(ensemble.replace(time=stop, saturation=S, pressure=ensemble["pressure"] + K), failed)


class ToyObservation(Observation):
    """The first column of S."""

    noise = DiagonalCovariance(np.full(SHAPE[1], 0.01))

    @property
    def data(self) -> Mapping[str, DataField]:
        return {"log": DataField((DataAxis("cell", SHAPE[1]),), label="S of the first column", dtype=np.float32)}

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        return Ensemble({"log": ensemble["saturation"][:, 0].astype(np.float32)}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        exact = self.predict(truth)
        return exact.unpack(exact.pack() + self.noise.sample(truth.size, generator))

    def channels(self, data: Ensemble) -> np.ndarray:
        return data["log"][:, None, None]  # for networks; no test here trains one


def toy(members: int, **options: object) -> Scenario:
    share = options.pop("max_failed_share", 0.5)
    return Scenario(ToyPrior(), ToyDynamics(**options), ToyObservation(), (1.0, 2.0), members, 7, "redrawn", share)
