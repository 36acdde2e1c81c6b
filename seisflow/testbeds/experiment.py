r"""Twin experiments on vector models: one truth, its data, and any analysis scored against the truth over many cycles.

x_0° ~ N(m, C),   x_k° = M(x_{k-1}°) + q_k,   y_k = H(x_k°) + e_k,   q ~ N(0, Q) or none,   k = 1 … K.

Members start from the same N(m, C) and follow the same model. Scores of a cycle:

    rmse      sqrt( mean over the state of (analysis mean − truth)² ), weighted mean where the ensemble is weighted, and the
              method's own mean where it reports one (``Posterior.mean``: before resampling, or a mode)
    spread    sqrt( mean over the state of the unbiased variance )
    ranks     number of members below the truth, per variable
    crps      fair CRPS, weighted where the ensemble is, mean over the state

and a score of a run is the mean over the cycles after the burn-in, as in the published tables of Lorenz-63 and Lorenz-96
filters. Weighted ensembles carry the field ``log_weight`` ``(M,)``, which dynamics leave alone; fields that a method adds to
the ensemble travel with it from cycle to cycle.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence
from seisflow.analysis.importance import member_weights
from seisflow.covariance import Covariance
from seisflow.diagnostics import crps, effective_size
from seisflow.dynamics.base import Advanced
from seisflow.dynamics.vector_model import VectorModel
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SimulationError
from seisflow.observation.vector import VectorObservation
from seisflow.seeds import generator

__all__ = ["Experiment", "Scores", "Twin"]


@dataclass(frozen=True, eq=False)
class Twin:
    """A truth ``(K, n)`` at the observation times and its data ``(K, d)``."""

    truth: NDArray[np.float64]
    data: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """What one run of one analysis reached; arrays over the cycles ``(K,)``, not-a-number after a divergence.

    Parameters
    ----------
    times
        Observation times.
    rmse, spread, crps
        Of the analysis.
    rmse_forecast, spread_forecast
        Of the forecast.
    ranks
        ``(K, n)``; -1 after a divergence, and where the ensemble is weighted.
    effective_size
        N_eff = 1/Σ w² (the number of members without weights).
    burn_in
        Time before which cycles do not count.
    seconds
        Wall time in all, and of the analyses alone.
    """

    times: NDArray[np.float64]
    rmse: NDArray[np.float64]
    spread: NDArray[np.float64]
    crps: NDArray[np.float64]
    rmse_forecast: NDArray[np.float64]
    spread_forecast: NDArray[np.float64]
    ranks: NDArray[np.int64]
    effective_size: NDArray[np.float64]
    burn_in: float
    seconds: float
    seconds_analysis: float
    members: int

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which cycles lie after the burn-in."""
        return self.times > self.burn_in

    def mean(self, name: str = "rmse") -> float:
        """Mean of one of the arrays over the counted cycles (root mean square for the spreads)."""
        values = getattr(self, name)[self.counted]
        return float(np.sqrt((values**2).mean()) if name.startswith("spread") else values.mean())


@dataclass(frozen=True, eq=False)
class Experiment:
    """Settings of a twin experiment.

    Parameters
    ----------
    dynamics
        M.
    observation
        H and R.
    start_mean, start_covariance
        m ``(n,)`` and C of the state at time 0.
    interval
        Time between observations.
    cycles
        K.
    burn_in
        Time whose cycles are not counted.
    model_noise
        Q added to truth and members at every observation time; default: none.
    """

    dynamics: VectorModel
    observation: VectorObservation
    start_mean: NDArray[np.float64]
    start_covariance: Covariance
    interval: float
    cycles: int = 1000
    burn_in: float = 0.0
    model_noise: Covariance | None = None
    _times: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        mean = np.asarray(self.start_mean, np.float64)
        object.__setattr__(self, "start_mean", mean)
        if mean.shape != (self.dynamics.size,) or self.start_covariance.size != self.dynamics.size:
            raise InputError("start_mean.shape", mean.shape, f"the model has {self.dynamics.size} variables")
        if self.cycles < 1:
            raise InputError("cycles", self.cycles, "give 1 or more")
        object.__setattr__(self, "_times", self.interval * np.arange(1, self.cycles + 1))
        self.dynamics.steps(0.0, self.interval)
        if not self._times[-1] > self.burn_in:
            raise InputError("burn_in", self.burn_in, f"no cycle would count: the last is at {self._times[-1]}")

    def start(self, members: int, stream: np.random.Generator) -> Ensemble:
        """Draws of the state at time 0."""
        return Ensemble({"state": self.start_mean + self.start_covariance.sample(members, stream)})

    def forecast(self, ensemble: Ensemble, cycle: int, stream: np.random.Generator) -> Advanced:
        """The ensemble at the time of the given cycle's data (from 0), from one interval before; members that failed."""
        stop = self._times[cycle]
        ahead = self.dynamics.advance(ensemble, stop - self.interval, stop)
        if self.model_noise is None:
            return ahead
        x = ahead.ensemble["state"]
        return Advanced(ahead.ensemble.replace(state=x + self.model_noise.sample(len(x), stream)), ahead.failed)

    def simulate(self, seed: int) -> Twin:
        """The truth and the data of a seed; no member shares their random streams.

        Raises
        ------
        SimulationError
            When the model cannot follow the truth.
        """
        state = self.start(1, generator(seed, "truth"))
        truth, data = [], []
        for k in range(self.cycles):
            state = _arrived(self.forecast(state, k, generator(seed, "truth", k + 1)), f"the truth of seed {seed}")
            truth.append(state["state"][0])
            data.append(self.observation.observe(state, generator(seed, "data noise", k))["data"][0])
        return Twin(np.array(truth), np.array(data))

    def climatology(self, seed: int = 0, draws: int = 2000, runs: int = 40) -> Ensemble:
        """States of some long runs of their own, one per interval, after the burn-in; ``draws`` of them."""
        state = self.start(runs, generator(seed, "climatology"))
        spin_up = int(np.ceil(self.burn_in / self.interval)) + 1
        kept = []
        for k in range(spin_up + -(-draws // runs)):
            state = _arrived(self.dynamics.advance(state, 0.0, self.interval), "a long run")
            if k >= spin_up:
                kept.append(state["state"])
        return Ensemble({"state": np.concatenate(kept)[:draws]})

    def run(
        self, analysis: Analysis, members: int, seed: int, twin: Twin | None = None, weighted: bool = False
    ) -> Scores:
        """Follow the truth of a seed with one analysis.

        Parameters
        ----------
        analysis
            Conditions each forecast on its datum.
        members
            Ensemble size M.
        seed
            Of truth, data, members and everything the analysis draws.
        twin
            The seed's truth and data if they are at hand; they are simulated otherwise.
        weighted
            Whether members carry ``log_weight`` from cycle to cycle (filters that resample only when they must).
        """
        begun = time.perf_counter()
        twin = twin or self.simulate(seed)
        K, n = twin.truth.shape
        table = {
            name: np.full(K, np.nan)
            for name in ("rmse", "spread", "crps", "rmse_forecast", "spread_forecast", "effective_size")
        }
        ranks = np.full((K, n), -1)
        analysing = 0.0
        ensemble = self.start(members, generator(seed, "members"))
        if weighted:
            ensemble = ensemble.replace(log_weight=np.zeros(members))
        for k in range(K):
            ahead = self.forecast(ensemble, k, generator(seed, "model noise", k))
            if ahead.failed:
                break
            ensemble = ahead.ensemble
            table["rmse_forecast"][k], table["spread_forecast"][k] = _error_and_spread(ensemble, twin.truth[k])
            before = time.perf_counter()
            posterior = analysis.update(
                ensemble,
                Evidence(
                    self.observation.predict(ensemble),
                    Ensemble({"data": twin.data[k : k + 1]}, self._times[k]),
                    self.observation.noise,
                    self.observation.predict,
                ),
                generator(seed, "analysis", k),
            )
            analysing += time.perf_counter() - before
            ensemble = posterior.ensemble
            if not np.isfinite(ensemble["state"]).all():
                break
            x = ensemble["state"]
            table["rmse"][k], table["spread"][k] = _error_and_spread(ensemble, twin.truth[k], posterior.mean)
            weights = member_weights(ensemble)
            table["effective_size"][k] = effective_size(weights)
            if table["effective_size"][k] > 1 + 1e-6:
                table["crps"][k] = crps(x, twin.truth[k], weights=weights if "log_weight" in ensemble else None)
            if "log_weight" not in ensemble:
                ranks[k] = (x < twin.truth[k]).sum(axis=0)
        return Scores(
            times=self._times,
            ranks=ranks,
            burn_in=self.burn_in,
            seconds=time.perf_counter() - begun,
            seconds_analysis=analysing,
            members=members,
            **table,
        )


def _arrived(advanced: Advanced, what: str) -> Ensemble:
    """The ensemble of a forecast in which no member may fail."""
    for reason in advanced.failed.values():
        raise SimulationError(f"{what} failed: {reason}")
    return advanced.ensemble


def _error_and_spread(ensemble: Ensemble, truth: NDArray, mean: NDArray | None = None) -> tuple[float, float]:
    w, x = member_weights(ensemble), ensemble["state"]
    centre = w @ x
    unbiased = 1 - (w**2).sum()
    with np.errstate(over="ignore"):  # a filter on its way to divergence
        variance = w @ (x - centre) ** 2 / unbiased if unbiased > 1e-12 else np.zeros_like(centre)
    error = (centre if mean is None else mean) - truth
    return float(np.linalg.norm(error) / np.sqrt(error.size)), float(np.sqrt(variance.mean()))
