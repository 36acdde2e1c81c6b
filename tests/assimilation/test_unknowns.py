"""Unknowns by name: a parameter of every member that is inferred with the state, carried, kept, or drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

from seisflow.analysis.base import Analysis
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.localization import LocalDomains
from seisflow.assimilation.executors import ExecutorWorkers, Workers
from seisflow.assimilation.loop import Step, assimilate
from seisflow.assimilation.scenario import Scenario, simulate_truth
from seisflow.covariance import DiagonalCovariance
from seisflow.dynamics.base import Advanced, Dynamics
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError, SimulationError
from seisflow.observation.vector import VectorObservation
from seisflow.prior.base import Prior
from seisflow.storage.recorder import MemoryRecorder, Recorder
from seisflow.storage.store import Store
from tests.oracles import kalman

A = 0.95 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
MEAN, DEVIATION = np.array([1.0, -0.5, 0.5]), np.array([1.0, 0.8, 0.6])
"""Of x_0 (two variables) and θ, independent."""
H, R = np.array([[1.0, 0.0, 0.0]]), np.array([[0.05]])
MEMBERS = 1000


class StateAndParameter(Prior):
    """x_0 and θ of every member, Gaussian."""

    name = "unknowns"
    fields = ("state", "theta")

    def draw(self, generators: Sequence[np.random.Generator]) -> Ensemble:
        z = np.stack([MEAN + DEVIATION * g.standard_normal(3) for g in generators])
        return Ensemble({"state": z[:, :2], "theta": z[:, 2]})


@dataclass(frozen=True)
class Driven(Dynamics):
    """x ← A x + b θ in every unit of time; from a time on, members with a θ above a limit fail, with finite numbers."""

    b: tuple[float, float] = (1.0, -0.3)
    fails_above: float = np.inf
    fails_from: float = 0.0

    state = ("state",)

    def initial_state(self, members: int) -> Ensemble:
        return Ensemble({"state": np.zeros((members, 2))})

    def advance(
        self, ensemble: Ensemble, start: float, stop: float, progress: MemberProgress | None = None
    ) -> Advanced:
        x, theta = ensemble["state"], ensemble["theta"]
        for _ in range(round(stop - start)):
            x = x[:, :1] * A[:, 0] + x[:, 1:] * A[:, 1] + theta[:, None] * np.array(self.b)  # each member by itself
        beyond = np.flatnonzero((theta > self.fails_above) & (start >= self.fails_from))
        return Advanced(ensemble.replace(stop, state=x), {int(m): f"θ = {theta[m]:.3f} is too much" for m in beyond})


def scenario(dynamics: Dynamics | None = None, **options: object) -> Scenario:
    observation = VectorObservation(DiagonalCovariance(R[0]), np.array([0]))
    given = {"members": MEMBERS, "seed": 3, "carried": ("state", "theta"), "inferred": ("state", "theta"), **options}
    return Scenario(StateAndParameter(), dynamics or Driven(), observation, (1.0, 2.0, 4.0), **given)


def chain(
    scenario: Scenario, analysis: Analysis, recorder: Recorder | None = None, workers: Workers | None = None
) -> tuple[list[Ensemble], list[Step]]:
    """The data of a truth that does not fail, and the steps of an analysis."""
    kind = replace(scenario, dynamics=replace(scenario.dynamics, fails_above=np.inf))
    _, observed = simulate_truth(kind, MemoryRecorder())
    return observed, assimilate(scenario, observed, analysis, recorder, workers=workers)


def exact(
    scenario: Scenario, observed: list[Ensemble], mean: np.ndarray, P: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The Kalman filter of (x, θ), from the moments at time 0."""
    F, answers = np.eye(3), []
    F[:2, :2], F[:2, 2] = A, scenario.dynamics.b
    for k, datum in enumerate(observed):
        start, stop = scenario.interval(k)
        for _ in range(round(stop - start)):
            mean, P = F @ mean, F @ P @ F.T
        mean, P = kalman(mean, P, H, R, datum["data"][0])
        answers.append((mean, P))
    return answers


def joint(step: Step) -> np.ndarray:
    return step.posterior.ensemble.pack(("state", "theta"))


ENKF = EnKF(fields=None)
HERE = np.zeros(1)
LETKF_EVERYWHERE = LETKF(LocalDomains(1.0, {"state": np.zeros(2), "theta": HERE}, {"data": HERE}))
"""All data lie where the state and the parameter do: no taper."""


@pytest.mark.parametrize("analysis", [ENKF, LETKF_EVERYWHERE], ids=["enkf", "letkf"])
def test_that_a_parameter_inferred_with_the_state_has_the_exact_posterior(analysis):
    one = scenario()
    observed, steps = chain(one, analysis)
    answers = exact(one, observed, MEAN, np.diag(DEVIATION**2))
    for step, (mean, P) in zip(steps, answers, strict=True):
        z = joint(step)
        # A filter starts from the moments of M draws of the prior: standard errors σ/√M of a mean and √(2/M) σ² of a
        # variance, σ the largest of the prior; perturbed data add less. Three of them.
        largest = DEVIATION.max()
        np.testing.assert_allclose(z.mean(axis=0), mean, atol=3 * largest / np.sqrt(MEMBERS))
        np.testing.assert_allclose(np.cov(z.T), P, atol=3 * np.sqrt(2 / MEMBERS) * largest**2)
    assert answers[-1][1][2, 2] < 0.2 * DEVIATION[2] ** 2  # the data know the parameter: the test can tell


def test_that_the_letkf_is_the_kalman_filter_of_the_moments_of_its_first_draws():
    one = scenario(members=60)
    observed, steps = chain(one, LETKF_EVERYWHERE)
    drawn = one.draw(0, range(60))
    z = np.column_stack([drawn["state"], drawn["theta"]])
    for step, (mean, P) in zip(steps, exact(one, observed, z.mean(axis=0), np.cov(z.T)), strict=True):
        # Without Monte Carlo error: rounding of numbers of order one.
        np.testing.assert_allclose(joint(step).mean(axis=0), mean, atol=1e-10)
        np.testing.assert_allclose(np.cov(joint(step).T), P, atol=1e-10)


@pytest.mark.parametrize("analysis", [ENKF, LETKF_EVERYWHERE], ids=["enkf", "letkf"])
def test_that_a_parameter_that_the_data_do_not_see_keeps_its_prior(analysis):
    _, steps = chain(scenario(Driven(b=(0.0, 0.0))), analysis)
    theta = steps[-1].posterior.ensemble["theta"]
    # As above: four standard errors of M draws.
    assert theta.mean() == pytest.approx(MEAN[2], abs=4 * DEVIATION[2] / np.sqrt(MEMBERS))
    assert theta.std() == pytest.approx(DEVIATION[2], rel=4 / np.sqrt(2 * MEMBERS))
    assert steps[-1].posterior.ensemble["state"][:, 0].std() < 0.5 * DEVIATION[0]  # while the state has moved


def test_that_a_parameter_that_is_carried_and_not_inferred_stays_as_it_was_drawn():
    one = scenario(members=20, inferred=("state",))
    _, steps = chain(one, ENKF)
    drawn = one.draw(0, range(20))["theta"]
    for step in steps:
        assert step.posterior.ensemble.names == ("state", "theta")
        np.testing.assert_array_equal(step.posterior.ensemble["theta"], drawn)


def test_that_a_parameter_that_is_not_carried_is_drawn_for_every_interval_or_once():
    for unknowns, alike in (("redrawn", False), ("kept", True)):
        one = scenario(members=20, carried=("state",), inferred=("state",), unknowns=unknowns)
        _, steps = chain(one, OpenLoop())
        drawn = [step.forecast.ensemble["theta"] for step in steps]
        assert steps[0].posterior.ensemble.names == ("state",)
        np.testing.assert_array_equal(drawn[0], one.draw(0, range(20))["theta"])
        assert np.array_equal(drawn[0], drawn[1]) == np.array_equal(drawn[0], drawn[2]) == alike


def test_that_a_failed_member_with_a_carried_parameter_starts_from_another_one(tmp_path):
    """The model gives up a large θ after the first survey; nothing is drawn anew then."""
    limit = 0.9
    one = scenario(Driven(fails_above=limit, fails_from=1.0), members=40, max_failed_share=0.6)
    _, steps = chain(one, OpenLoop())
    before, after = steps[0].posterior.ensemble, steps[1].forecast
    told = after.attributes["replaced_members"]
    failed = np.flatnonzero(before["theta"] > limit)
    assert {one["member"] for one in told} == set(failed)
    assert len(failed) >= 3
    assert {one["attempt"] for one in told} >= {1, 2}  # some were given another one that fails
    last = {entry["member"]: entry["from_member"] for entry in told}
    assert all(entry["member"] != entry["from_member"] for entry in told)
    assert all(entry["reason"].endswith("is too much") for entry in told)
    sources = [last.get(m, m) for m in range(40)]
    np.testing.assert_array_equal(after.ensemble["theta"], before["theta"][sources])
    advanced = one.dynamics.advance(before.members(sources), 1.0, 2.0)
    assert not advanced.failed
    np.testing.assert_array_equal(after.ensemble["state"], advanced.ensemble["state"])
    with ThreadPoolExecutor(2) as threads:  # by reference, block by block: the same members
        _, elsewhere = chain(one, OpenLoop(), Store(tmp_path / "run"), ExecutorWorkers(threads, 3))
    assert elsewhere[1].forecast.attributes["replaced_members"] == told
    np.testing.assert_array_equal(elsewhere[1].forecast.ensemble["state"], after.ensemble["state"])


def test_that_a_failure_counts_though_the_numbers_are_finite():
    one = scenario(Driven(fails_above=-np.inf), members=4, max_failed_share=1.0)
    with pytest.raises(SimulationError, match=r"4 of 4 members failed .* 4 times each(.|\n)*is too much"):
        chain(one, OpenLoop())
    with pytest.raises(SimulationError, match=r"the truth \(seed 3\) failed in the simulator.* is too much"):
        simulate_truth(one, MemoryRecorder())


def test_that_failed_positions_lie_in_the_ensemble():
    with pytest.raises(InputError, match="failed"):
        Advanced(Ensemble({"state": np.zeros((3, 2))}), {3: "why"})


def test_that_a_scenario_whose_next_forecast_would_lack_the_state_is_refused():
    with pytest.raises(InputError, match="carried"):
        scenario(carried=("theta",))
