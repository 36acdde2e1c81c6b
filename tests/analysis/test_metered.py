"""The correction of the members' mass: exact answers of a Gaussian latent, and plumes that stay plumes."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from seisflow.analysis.base import Analysis, Evidence, Posterior
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.metered import MeteredMass
from seisflow.analysis.transform import LevelSetSaturation, Relative
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

M = 31
SHAPES = [(24, 18), (12, 10, 9)]
FULL = 5e4
"""CO2 [kg] of a full cell at the first pressure; 10 % more for every 100 bar."""


def capacity(pressure: np.ndarray) -> np.ndarray:
    return FULL * (1 + 1e-8 * (pressure - 1e7))


def mass(ensemble: Ensemble) -> np.ndarray:
    return (capacity(ensemble["pressure"]) * ensemble["saturation"]).reshape(ensemble.size, -1).sum(axis=1)


def plumes(rng, shape=SHAPES[0], members: int = M, radius: float = 4.0) -> Ensemble:
    """Balls of CO2 about the middle, of different places and sizes."""
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    centre = np.array(shape) / 2 + rng.normal(0, 0.7, (members, len(shape)))
    distance = np.sqrt(((cells - centre[(slice(None), *(None,) * len(shape))]) ** 2).sum(axis=-1))
    sizes = rng.uniform(0.7, 1.3, members).reshape(-1, *(1,) * len(shape)) * radius
    saturation = np.clip(0.25 * (sizes - distance), 0, 0.9)
    saturation[saturation < 1e-3] = 0.0
    return Ensemble({"saturation": saturation, "pressure": 1e7 + 1e6 * rng.standard_normal((members, *shape))}, 3.0)


def evidence(forecast: Ensemble, metered: float) -> Evidence:
    predicted = Ensemble({"log_mass": np.log(np.maximum(mass(forecast), 1.0))}, forecast.time)
    observed = Ensemble({"log_mass": np.log([metered])}, forecast.time)
    return Evidence(predicted, observed, DiagonalCovariance(np.array([1e-4])))


def metered(analysis: Analysis | None = None, **changes) -> MeteredMass:
    keys = {"datum": "log_mass", "std": 0.0, "capacity": capacity, **changes}
    return MeteredMass(analysis or OpenLoop(), **keys)


class Answers(Analysis):
    """Answers with a given posterior, behind so many random numbers."""

    name = "answers"

    def __init__(self, posterior: Ensemble, draws: int = 0) -> None:
        self.posterior, self.draws = posterior, draws

    def update(self, forecast, evidence, generator, progress=None) -> Posterior:
        generator.standard_normal(self.draws)
        return Posterior(self.posterior)


def test_that_the_correction_of_a_gaussian_latent_is_its_conditional_draw(rng):
    # Without bounds: u ~ N(·, diag(σ²)), told that w·u is m.  û + K (m − w·û),  K = Σw / (wᵀΣw).
    u = 3 + rng.standard_normal((M, 6, 5)) * rng.uniform(0.5, 2, (6, 5))
    state = Ensemble({"saturation": u, "pressure": np.full((M, 6, 5), 1e7) + 1e6 * rng.standard_normal((6, 5))})
    w, variance = capacity(state["pressure"])[0], u.var(axis=0, ddof=1)
    m = 80 * FULL
    gain = variance * w / (variance * w**2).sum()
    exact = u + gain * (m - (w * u).sum(axis=(1, 2)))[:, None, None]
    found = metered(saturation=Relative()).update(state, evidence(state, m), np.random.default_rng(1)).ensemble
    np.testing.assert_allclose(found["saturation"], exact, rtol=1e-9)  # of the bisection, which stops at 1e-12


def test_that_masses_have_the_spread_of_the_meter_and_its_reading_for_mean(rng):
    state = plumes(rng, members=400)
    wanted = 1.1 * mass(state).mean()
    found = metered(std=0.01).update(state, evidence(state, wanted), np.random.default_rng(1))
    relative = mass(found.ensemble) / wanted - 1
    # 400 draws: the mean is known to 0.01/√400, the deviation to 0.01/√800; four times that.
    assert abs(relative.mean()) < 4 * 0.01 / np.sqrt(400)
    assert relative.std(ddof=1) == pytest.approx(0.01, abs=4 * 0.01 / np.sqrt(800))
    np.testing.assert_allclose(found.statistics["mass_after"], mass(found.ensemble), rtol=1e-12)
    np.testing.assert_allclose(found.statistics["mass_before"], mass(state), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=["section", "volume"])
@pytest.mark.parametrize("share", [0.6, 0.97, 1.0, 1.03, 1.8])
def test_that_every_member_holds_the_mass_and_stays_a_plume(shape, share, rng):
    state = plumes(rng, shape)
    S, wanted = state["saturation"], share * mass(state).mean()
    before = S.copy()
    found = metered().update(state, evidence(state, wanted), np.random.default_rng(1))
    after = found.ensemble["saturation"]
    np.testing.assert_allclose(mass(found.ensemble), wanted, rtol=1e-6)
    assert found.statistics["members_mass_unmet"] == 0
    assert after.min() >= 0
    assert after.max() <= 0.9
    np.testing.assert_array_equal(S, before)  # what is given stays as it is
    np.testing.assert_array_equal(found.ensemble["pressure"], state["pressure"])
    possible = (S > 0).any(axis=0)
    for old, new in zip(S, after, strict=True):
        more = new.sum() > old.sum()
        assert ((new >= old) if more else (new <= old)).all()  # one way for all cells
        assert not (new > 0)[~(binary_dilation(old > 0) | possible)].any()  # no CO2 out of nowhere
        moved = np.abs(new - old) > 1e-12
        assert not moved[S.std(axis=0) + possible == 0].any()


def test_that_a_member_of_the_right_mass_is_left_alone(rng):
    state = plumes(rng, members=2).members([0, 0, 1])
    found = metered().update(state, evidence(state, float(mass(state)[0])), np.random.default_rng(1)).ensemble
    # To the rounding of the logarithm of the mass.
    np.testing.assert_allclose(found["saturation"][:2], state["saturation"][:2], atol=1e-12)
    assert np.abs(found["saturation"][2] - state["saturation"][2]).max() > 1e-3


def test_that_cells_move_as_far_as_the_members_disagree(rng):
    state = plumes(rng)
    S = state["saturation"]
    found = metered().update(state, evidence(state, 1.02 * mass(state).mean()), np.random.default_rng(1)).ensemble
    variance = LevelSetSaturation().forward(S).var(axis=0, ddof=1) * capacity(state["pressure"])[0]
    inside = (S[0] > 0) & (found["saturation"][0] < 0.9)
    shift = (found["saturation"][0] - S[0])[inside]
    np.testing.assert_allclose(shift, shift.max() * variance[inside] / variance[inside][shift.argmax()], rtol=1e-6)


def test_that_members_that_agree_everywhere_are_left_and_counted(rng, caplog):
    state = plumes(rng, members=1).members([0] * 5)
    with caplog.at_level(logging.WARNING, "seisflow"):
        found = metered().update(state, evidence(state, 2 * float(mass(state)[0])), np.random.default_rng(1))
    np.testing.assert_array_equal(found.ensemble["saturation"], state["saturation"])
    assert found.statistics["members_mass_unmet"] == 5
    assert "cannot be met by 5 of 5 members" in caplog.text


def test_that_no_plume_and_no_mass_are_no_failure():
    state = Ensemble({"saturation": np.zeros((4, 6, 5)), "pressure": np.full((4, 6, 5), 1e7)})
    found = metered().update(state, evidence(state, 1.0), np.random.default_rng(1))  # ln 1 stands for nothing injected
    assert found.statistics["members_mass_unmet"] == 0
    assert not found.ensemble["saturation"].any()


def test_that_a_member_at_an_outlet_is_held_from_above_alone(rng):
    state = plumes(rng)
    outlets = np.zeros(SHAPES[0], bool)
    outlets[:, 0] = True
    S = state["saturation"].copy()
    S[0, 12, :10] = 0.5  # a chimney to the cell beside the outlet
    S[1, 12, 1:10] = 0.5
    state = state.replace(saturation=S)
    for share in (0.8, 1.7):
        wanted = share * mass(state).mean()
        found = metered(outlets=outlets).update(state, evidence(state, wanted), np.random.default_rng(1))
        assert found.statistics["members_at_outlet"] == 2
        np.testing.assert_allclose(mass(found.ensemble)[2:], wanted, rtol=1e-6)
        np.testing.assert_allclose(mass(found.ensemble)[:2], np.minimum(wanted, mass(state)[:2]), rtol=1e-6)
    # CO2 that only the analysis has put there has not left the grid.
    inside = state.replace(saturation=np.where(np.arange(18) < 2, 0.0, S))
    found = metered(Answers(state), outlets=outlets).update(inside, evidence(inside, 1.2e6), np.random.default_rng(1))
    assert found.statistics["members_at_outlet"] == 0


def test_that_the_analysis_inside_is_undisturbed(rng):
    state = plumes(rng)
    seen = []

    class Watched(EnKF):
        def update(self, *arguments) -> Posterior:
            seen.append(super().update(*arguments))
            return seen[-1]

    data = evidence(state, 1.2 * mass(state).mean())
    plain = EnKF().update(state, data, np.random.default_rng(7))
    wrapped = metered(Watched(bounds={"saturation": (0.0, 0.9)}), std=0.01)
    found = wrapped.update(state, data, np.random.default_rng(7))
    np.testing.assert_array_equal(seen[0].ensemble["pressure"], plain.ensemble["pressure"])
    np.testing.assert_array_equal(found.ensemble["pressure"], plain.ensemble["pressure"])
    assert found.statistics["innovation_chi2"] == plain.statistics["innovation_chi2"]
    assert (wrapped.name, metered(name="other").name) == ("enkf", "other")
    again = wrapped.update(state, data, np.random.default_rng(7)).ensemble
    np.testing.assert_array_equal(again["saturation"], found.ensemble["saturation"])


def test_that_co2_of_one_member_far_from_all_forecasts_does_not_come_into_others(rng):
    state = plumes(rng)
    S = state["saturation"].copy()
    S[0, :3, :3] = 0.9  # nobody can say where this comes from
    analysed = state.replace(saturation=S)
    found = metered(Answers(analysed)).update(
        state, evidence(state, 1.8 * mass(state).mean()), np.random.default_rng(1)
    )
    np.testing.assert_allclose(mass(found.ensemble), 1.8 * mass(state).mean(), rtol=1e-6)
    assert not found.ensemble["saturation"][1:, :3, :3].any()


def test_that_masses_do_not_depend_on_how_much_the_analysis_draws(rng):
    # Behind an interruption a learned analysis has its networks already, and draws less.
    state = plumes(rng)
    data = evidence(state, 1.1 * mass(state).mean())
    few, many = (metered(Answers(state, n), std=0.01).update(state, data, np.random.default_rng(5)) for n in (1, 100))
    np.testing.assert_array_equal(few.ensemble["saturation"], many.ensemble["saturation"])


def test_that_masses_within_the_jump_of_a_cell_that_becomes_wet_are_met_too():
    # Two fronts, one three cells ahead of the other; a cell between them holds nothing, or the threshold of 0.05 and more.
    ramps = [np.clip(0.9 - 0.1 * np.arange(16) + ahead, 0, 0.9) for ahead in (0.0, 0.3)]
    S = np.stack([np.tile(ramp, (4, 1)) for ramp in ramps])
    state = Ensemble({"saturation": S, "pressure": np.full(S.shape, 1e7)})
    coarse = LevelSetSaturation(threshold=0.05, residual_brine=0.0)
    for wanted in mass(state)[0] + np.linspace(0, 3 * FULL, 40):
        found = metered(saturation=coarse).update(state, evidence(state, wanted), np.random.default_rng(1))
        np.testing.assert_allclose(mass(found.ensemble), wanted, rtol=1e-9)


def test_that_forecast_members_short_of_mass_are_counted(rng):
    state = plumes(rng)
    wanted = float(np.median(mass(state)))
    found = metered(std=0.01).update(state, evidence(state, wanted), np.random.default_rng(1))
    assert found.statistics["members_short_of_mass"] == (mass(state) < 0.97 * wanted).sum() > 0


def test_that_wrong_input_is_named(rng):
    state = plumes(rng)
    with pytest.raises(InputError, match=r"std = 1.5"):
        metered(std=1.5)
    with pytest.raises(InputError, match="lacks the metered mass, mass"):
        metered(datum="mass").update(state, evidence(state, 1e6), np.random.default_rng(1))
