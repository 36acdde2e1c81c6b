"""Scores of states that are made by hand: every answer is known before it is computed."""

import numpy as np
import pytest
from scipy.stats import norm

from seisflow.ensemble import Ensemble
from seisflow.runs.scoring import plausibility, score
from seisflow.study.build import build
from seisflow.units import BAR
from tests.report.runs import STUDY

MEMBERS = 8
TWO_WELLS = STUDY.changed(wells={"x_m": (500.0, 2500.0)})
COLUMNS = (2, 27)
"""Cells of 80 m that hold the two wells."""


@pytest.fixture(scope="module")
def parts():
    with build(TWO_WELLS, workers=1) as built:
        yield built


def state(parts, saturation, pressure_change=0.0):
    return Ensemble(
        {"saturation": saturation, "pressure": parts.initial_pressure + BAR * (pressure_change + 0 * saturation)}
    )


@pytest.fixture
def plume(parts):
    """The same plume in every member: cells about the injector, at 0.5."""
    S = np.zeros((MEMBERS, *STUDY.grid.build().shape))
    S[:, 20:28, 21:23] = 0.5
    assert (S[0] > 0)[parts.dynamics.injected].any()
    return S


def spread_over(members, width):
    """Pressures of members whose standard deviation is a given one in every cell."""
    levels = np.linspace(-1, 1, MEMBERS)
    return (width * levels / levels.std(ddof=1))[:, None, None] * np.ones((1, *members.shape[1:]))


def test_that_a_posterior_without_ghosts_has_none_and_one_body(parts, plume):
    found = plausibility(
        parts, state(parts, plume, spread_over(plume, 2.0)), state(parts, plume, spread_over(plume, 1.0))
    )
    assert (found["ghost_share"], found["ghost_share_largest"], found["ghost_members"]) == (0, 0, 0)
    assert (found["bodies"], found["bodies_forecast"]) == (1, 1)


def test_that_ghosts_are_weighed_by_their_mass(parts, plume):
    forecast = plume.copy()
    forecast[5, 2:4, 3] = 0.5  # a body far away, in one member
    samples = plume.copy()
    samples[0, 2:4, 3] = 0.5  # may be: a forecast member wets it
    samples[1, 34, 10] = 0.5  # may not be: one cell beside sixteen
    samples[2, 34, 10:14] = 0.5  # four beside sixteen
    # No change of pressure, and one depth's density beside another's: 1 part in 100 between depths 500 m apart.
    found = plausibility(parts, state(parts, forecast, spread_over(plume, 1.0)), state(parts, samples))
    density = parts.dynamics.fluids.co2_density_at(parts.initial_pressure)
    at_plume, one, four = density[20:28, 21:23].sum(), density[34, 10], density[34, 10:14].sum()
    shares = np.array([one / (at_plume + one), four / (at_plume + four)])
    assert found["ghost_share"] == pytest.approx(shares.sum() / MEMBERS, rel=1e-12)
    assert found["ghost_share_largest"] == pytest.approx(shares.max(), rel=1e-12)
    assert found["ghost_share_largest"] == pytest.approx(4 / 20, rel=0.05)
    assert found["ghost_members"] == 2 / MEMBERS
    assert found["bodies"] == 1 + 3 / MEMBERS
    assert found["bodies_forecast"] == 1 + 1 / MEMBERS


def test_that_the_plume_at_the_perforations_is_no_ghost_where_the_forecast_is_dry(parts, plume):
    dry = state(parts, np.zeros_like(plume), spread_over(plume, 1.0))
    assert plausibility(parts, dry, state(parts, plume))["ghost_members"] == 0
    moved = np.roll(plume, 10, axis=1)
    assert plausibility(parts, dry, state(parts, moved))["ghost_members"] == 1


def test_that_spread_ratios_are_told_at_every_well_and_over_the_field(parts, plume):
    before, after = spread_over(plume, 2.0), spread_over(plume, 1.0)
    after[:, COLUMNS[0]] *= 0.2
    after[:, COLUMNS[1]] *= 3.0
    after[:, 0, 0] *= 9.0
    found = plausibility(parts, state(parts, plume, before), state(parts, plume, after))
    assert found["pressure_spread_ratio_well_1"] == pytest.approx(0.1, rel=1e-9)
    assert found["pressure_spread_ratio_well_2"] == pytest.approx(1.5, rel=1e-9)
    assert found["pressure_spread_ratio_wells"] == pytest.approx(0.8, rel=1e-9)
    assert found["pressure_spread_ratio_largest"] == pytest.approx(4.5, rel=1e-9)
    assert len([name for name in found if "_well_" in name]) == 2  # saturation is logged there, too
    cells = plume[0].size
    mean_square = (30 * 0.2**2 + 30 * 3.0**2 + 9.0**2 + cells - 61) / cells
    assert found["pressure_spread_ratio"] == pytest.approx(0.5 * np.sqrt(mean_square), rel=1e-9)


def test_that_crps_of_pressure_at_wells_is_the_closed_form(parts, plume):
    # Members at the middles of M equal shares of N(0, 2 bar) stand for it; CRPS of N(μ, σ) at t, with u = (t − μ)/σ, is
    # σ (u (2Φ(u) − 1) + 2 φ(u) − 1/√π) (Gneiting & Raftery 2007). The second well's members are 4 bar higher.
    M, sigma, true = 2000, 2.0, 1.5
    S = np.zeros((M, *plume.shape[1:]))
    S[:, 20:28, 21:23] = 0.5
    p = (sigma * norm.ppf((np.arange(M) + 0.5) / M))[:, None, None] + np.zeros((1, *plume.shape[1:]))
    p[:, COLUMNS[1]] += 4.0
    truth, samples = state(parts, S[:1], true), state(parts, S, p)
    found = score(parts, truth, samples, samples, np.ones(plume.shape[1:], bool))

    def closed(u):
        return sigma * (u * (2 * norm.cdf(u) - 1) + 2 * norm.pdf(u) - 1 / np.sqrt(np.pi))

    # The quadrature by M middles errs by about σ/M = 0.001.
    assert found["pressure_crps_well_1_bar"] == pytest.approx(closed(true / sigma), abs=0.002)
    assert found["pressure_crps_well_2_bar"] == pytest.approx(closed((true - 4.0) / sigma), abs=0.002)
    mean = 0.5 * (found["pressure_crps_well_1_bar"] + found["pressure_crps_well_2_bar"])
    assert found["pressure_crps_wells_bar"] == pytest.approx(mean, rel=1e-12)
    assert found["bodies_truth"] == 1


def test_that_a_study_without_wells_has_no_scores_at_wells(plume):
    alone = STUDY.changed(surveys={"modalities": ("seismic",)})
    with build(alone, workers=1) as parts:
        found = plausibility(parts, state(parts, plume, spread_over(plume, 1.0)), state(parts, plume))
    assert not [name for name in found if "well" in name]
    assert found["pressure_spread_ratio"] == pytest.approx(0, abs=1e-12)  # rounding of 1e7 Pa
