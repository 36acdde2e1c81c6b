"""From the keys of a study to the parts of the flow."""

import numpy as np
import pytest

from seisflow.dynamics.two_phase.model import BrooksCorey, BrooksCoreyCurves, Fluids, StepControl, VanGenuchtenCurves
from seisflow.runner import run_study
from seisflow.storage.store import Store
from seisflow.study import Study
from seisflow.study.build import build
from seisflow.units import BAR

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
