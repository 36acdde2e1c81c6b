"""From the keys of a study to the parts of the flow."""

import numpy as np
import pytest

from seisflow.analysis.metered import MeteredMass
from seisflow.dynamics.two_phase.model import BrooksCorey, BrooksCoreyCurves, Fluids, StepControl, VanGenuchtenCurves
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.runner import run_study
from seisflow.storage.store import Store
from seisflow.study import Study
from seisflow.study.build import build, build_analyses, driven, limited
from seisflow.units import BAR, DAY

WELLS = {"surveys": {"days": [200.0, 900.0], "modalities": ["wells"]}}


def flow(**tables):
    with build(Study.from_dict({**WELLS, **tables}), workers=1) as parts:
        return parts.dynamics


def test_that_the_defaults_of_a_study_are_the_defaults_of_the_fluids():
    dynamics = flow()
    assert dynamics.fluids == Fluids(brine_compressibility=1e-6 / BAR, co2_compressibility=1e-4 / BAR)
    assert dynamics.steps == StepControl()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"relative_permeability": "brooks_corey", "pore_size_index": 3.0, "capillary_entry_pressure_bar": 0.2},
            {"relative_permeability": BrooksCoreyCurves(3.0), "capillarity": BrooksCorey(0.2 * BAR, 3.0)},
        ),
        (
            {"relative_permeability": "van_genuchten", "van_genuchten_m": 0.7},
            {"relative_permeability": VanGenuchtenCurves(0.7), "capillarity": None},
        ),
        (
            {"co2_density_law": "linear", "brine_density_law": "quadratic", "land_coefficient": 2.0},
            {"co2_density_law": "linear", "brine_density_law": "quadratic", "land_coefficient": 2.0},
        ),
    ],
)
def test_that_the_choices_of_a_study_reach_the_fluids(keys, expected):
    fluids = flow(fluids=keys).fluids
    assert {name: getattr(fluids, name) for name in expected} == expected


def test_that_the_linear_solver_of_a_study_reaches_the_steps():
    assert flow(solver={"linear_solver": "cpr"}).steps.solver == "cpr"


def test_that_a_study_with_trapping_and_a_shut_well_runs_through(tmp_path):
    study = Study.from_dict(
        {
            **WELLS,
            "methods": ["open_loop"],
            "grid": {"shape": [20, 18], "spacing_m": [160.0, 85.0]},
            "solver": {"max_step_days": 60.0},
            "injection": {"stop_day": 200.0},
            "fluids": {"land_coefficient": 2.0},
            "ensemble": {"members": 3},
        }
    )
    run_study(study, tmp_path / "run", workers=1)
    truth = Store(tmp_path / "run").find("truth/survey_2").ensemble
    assert np.all(truth["maximum_saturation"] >= truth["saturation"])
    assert np.any(truth["maximum_saturation"] > truth["saturation"])


def test_that_the_choices_of_a_study_reach_the_seismic_observation():
    changes = {"sources": 4, "encoded_shots": 3, "codes": "random", "reference": "forecast_mean"}
    study = Study.from_dict({"surveys": {"days": [200.0], "modalities": ["seismic"]}, "seismic": changes})
    with build(study, workers=1) as parts:
        (seismic,) = parts.scenario.observation.parts
        assert seismic.reference == "forecast_mean"
        assert seismic.encoding.weights.shape == (3, 4)
        assert (seismic.encoding.shifts > 0).any()
    with build(study.changed(seismic={"codes": "orthogonal"}), workers=1) as parts:
        assert (parts.scenario.observation.parts[0].encoding.shifts == 0).all()
    alone = {"sources": 4, "shots": [3, 1], "encoded_shots": None}
    with build(study.changed(seismic=alone), workers=1) as parts:
        np.testing.assert_array_equal(parts.scenario.observation.parts[0].encoding.weights, np.eye(4)[[3, 1]])


METERED = {
    "grid": {"shape": [20, 18], "spacing_m": [160.0, 85.0]},
    "solver": {"max_step_days": 60.0},
    "surveys": {"days": [300.0, 600.0], "modalities": ["wells", "injector"]},
    "ensemble": {"members": 8},
}


def readings(*masses):
    return [Ensemble({"log_injected_mass": np.log([mass])}) for mass in masses]


def test_that_members_inject_what_was_metered_over_every_interval():
    with build(Study.from_dict(METERED), workers=2) as parts:
        chosen = driven(parts, readings(5e8, 7e8))
        assert chosen.scenario.dynamics is chosen.dynamics is not parts.dynamics
        assert chosen.scenario.observation is parts.scenario.observation
        flow, scenario = chosen.dynamics, chosen.scenario
        # 5e8 kg over 300 days and 2e8 over 300 more, then as planned: 0.05 m³/s.
        volumes = [flow.schedule.volume(300 * DAY * k, 300 * DAY * (k + 1)) for k in range(3)]
        np.testing.assert_allclose(np.multiply(700.0, volumes), [5e8, 2e8, 0.05 * 700 * 300 * DAY], rtol=1e-12)
        first = scenario.forecast(scenario.dynamics.initial_state(3), 0).ensemble
        second = scenario.forecast(first.select(["saturation", "pressure"]), 1).ensemble
        for forecast, mass, total, k in ((first, 5e8, 5e8, 0), (second, 2e8, 7e8, 1)):
            # The simulator's promise is 1e-9 per step of what the step injects.
            np.testing.assert_allclose(forecast["injected_mass"], mass, rtol=1e-9)
            np.testing.assert_allclose(flow.mass(forecast), total, rtol=1e-7)
            assert limited(chosen, forecast, k) == 0
        assert limited(parts, first, 0) == 3  # less than what was planned
        # One survey's reading alone: the second interval is as planned.
        early = driven(parts, readings(5e8)).dynamics.schedule
        assert 700 * early.volume(300 * DAY, 600 * DAY) == pytest.approx(0.05 * 700 * 300 * DAY, rel=1e-12)
        with pytest.raises(InputError, match=r"injected_mass = \S+: survey 2 must not be below survey 1"):
            driven(parts, readings(5e8, 4e8))


def test_that_without_metered_mass_the_schedule_stays_and_no_mass_is_matched():
    study = Study.from_dict({**METERED, "surveys": {"days": [300.0], "modalities": ["wells"]}})
    with build(study, workers=1) as parts:
        assert driven(parts, [Ensemble({"well_saturation": np.zeros((1, 1, 18))})]) is parts
        assert not any(isinstance(one, MeteredMass) for one in build_analyses(study, parts))


def test_that_the_mass_is_matched_behind_methods_that_move_the_state_unless_told_not_to():
    study = Study.from_dict({**METERED, "methods": ["open_loop", "enkf", "letkf", "particle_filter"]})
    with build(study, workers=1) as parts:
        wrapped = {one.name: isinstance(one, MeteredMass) for one in build_analyses(study, parts)}
        assert wrapped == {"open_loop": False, "enkf": True, "letkf": True, "particle_filter": False}
        plain = build_analyses(study.changed(injector={"match_mass": False}), parts)
        assert not any(isinstance(one, MeteredMass) for one in plain)
        enkf = build_analyses(study.changed(injector={"mass_error": 0.03}), parts)[1]
        assert (enkf.std, enkf.saturation.residual_brine) == (0.03, 0.1)
        np.testing.assert_array_equal(np.flatnonzero(enkf.outlets.all(axis=1)), [0, 19])  # the open sides
        assert enkf.outlets.sum() == 2 * 18
    closed = study.changed(geology={"open_sides": False})
    with build(closed, workers=1) as parts:
        assert build_analyses(closed, parts)[1].outlets is None


def test_that_a_truth_whose_well_met_its_limit_is_followed_with_its_mass(tmp_path):
    # At 150 bar the truth takes a sixth of what is planned; untold members inject 30 % less than it, on average.
    tables = {**METERED, "methods": ["enkf", "letkf"], "injection": {"pressure_limit_bar": 150.0}, "seed": 5}
    study = Study.from_dict({**tables, "ensemble": {"members": 12}})
    summary, store = run_study(study, tmp_path / "run", workers=2), Store(tmp_path / "run", readonly=True)
    injected = [store.find(f"truth/survey_{k}").ensemble["injected_mass"].item() for k in (1, 2)]
    assert max(np.array(injected) / (0.05 * 700 * DAY * np.array([300.0, 600.0]))) < 0.2
    for name in ("enkf", "letkf"):
        # The meter's error of 1 %, and that of the mean of 12 draws of it: three times 1.04 %.
        assert max(abs(step["mass_error"]) for step in summary["scores"][name]) < 0.032
        statistics = store.find(f"{name}/survey_2/posterior").attributes["statistics"]
        assert statistics["members_mass_unmet"] == 0
        np.testing.assert_allclose(statistics["mass_after"], statistics["metered_mass"], rtol=0.05)  # 5 σ
    assert 0 < summary["limited_members"]["enkf"][0] < 12  # some of the members, too, cannot take what was metered
