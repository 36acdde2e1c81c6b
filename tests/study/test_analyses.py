"""Every analysis that a study file can name, on a tiny study: Julia, Devito and torch are the real ones."""

from dataclasses import replace

import matplotlib.colors
import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.analysis.connected import Connected
from seisflow.analysis.metered import MeteredMass
from seisflow.analysis.methods import METHODS as TABLES
from seisflow.assimilation.open_loop_covariance import OpenLoopCovariance
from seisflow.assimilation.scenario import simulate_truth
from seisflow.errors import InputError
from seisflow.runner import run_study
from seisflow.seeds import generator
from seisflow.storage.store import MemoryRecorder
from seisflow.study import Study
from seisflow.study.build import build, build_analysis
from tests.test_run import TINY

METHODS = [table.name for table in TABLES]
FAST = {"hybrid": {"static_members": 4}, "three_d_var": {"static_members": 4}, "es_mda": {"steps": 2}}
FAST |= {"proposal": {"epochs": 3}, "particle_flow": {"iterations": 10}}


@pytest.fixture(scope="module")
def tiny():
    """A study of one survey, its parts, the datum, the forecast and its data."""
    study = Study.from_dict({**TINY, **FAST, "surveys": {"days": [300.0]}})
    with build(study, workers=1) as parts:
        scenario = parts.scenario
        _, observed = simulate_truth(scenario, MemoryRecorder())
        forecast = scenario.forecast(scenario.dynamics.initial_state(9), 0).ensemble
        predicted = scenario.observation.predict(forecast)
        yield study, parts, observed[0], forecast.select(["saturation", "pressure"]), predicted, forecast


def operator(tiny):
    """H of states as the loop gives it to analyses: the pressure in the well beside its cell is that of the forecast."""
    _, parts, *_, whole = tiny
    return lambda states: parts.scenario.observation.predict(
        states.replace(well_overpressure=whole["well_overpressure"][np.arange(states.size) % whole.size])
    )


def posterior(tiny, analysis, observed=None, stream=0):
    _, parts, datum, forecast, predicted, _ = tiny
    evidence = Evidence(predicted, observed or datum, parts.scenario.observation.noise, operator(tiny))
    return analysis.update(forecast, evidence, generator(stream, analysis.name))


def test_that_names_labels_and_colours_tell_methods_apart():
    for said in ("name", "label", "colour"):
        assert len({getattr(table, said) for table in TABLES}) == len(TABLES)
    assert all(matplotlib.colors.is_color_like(table.colour) for table in TABLES)
    assert [table.name for table in Study(methods=METHODS).chosen] == METHODS


def test_that_what_analyses_simulate_themselves_is_counted(tiny, monkeypatch):
    study, parts, *_ = tiny

    def own(*names):
        found = [table.simulations(9) for table in study.changed(methods=names).chosen]
        return sum(s.intervals for s in found), sum(s.images for s in found)

    assert own("open_loop", "enkf", "flow") == (0, 0)
    counts = {"advance": 0, "predict": 0}

    def counting(name, owner):
        original = getattr(owner, name)

        def count(ensemble, *rest):
            counts[name] += ensemble.size
            return original(ensemble, *rest)

        monkeypatch.setattr(owner, name, count)

    counting("advance", parts.dynamics)
    counting("predict", parts.scenario.observation)
    for method in ("es_mda", "hybrid"):
        posterior(tiny, build_analysis(study, method, parts))
    # One survey: four static members simulated, and their data and those of the second of two steps predicted.
    assert own("es_mda", "hybrid") == (4, 4 + 9)
    assert counts == {"advance": 4, "predict": 4 + 9}


@pytest.mark.parametrize("method", METHODS)
def test_that_every_method_gives_whole_posteriors_within_the_bounds(tiny, method):
    study, parts, _, forecast, *_ = tiny
    if method == "ensemble_transform":
        pytest.importorskip("ot")
    analysis = build_analysis(study, method, parts)
    assert analysis.name == method  # the stages of a run are found by it
    if not analysis.uses_data:
        return
    before = {name: array.copy() for name, array in forecast.fields.items()}
    found = posterior(tiny, analysis).ensemble
    assert set(found.names) == {"saturation", "pressure"}
    for name, array in found.fields.items():
        assert array.shape == forecast[name].shape
        assert np.isfinite(array).all()
        assert not np.array_equal(array, forecast[name])
        np.testing.assert_array_equal(forecast[name], before[name])
    assert found["saturation"].min() >= 0
    assert found["saturation"].max() <= parts.highest_saturation + 1e-12


def test_that_every_table_of_an_analysis_that_is_told_of_the_noise_inflates_it(tiny):
    study, parts, datum, forecast, predicted, _ = tiny
    noise = parts.scenario.observation.noise
    told = [m for m in METHODS if hasattr(getattr(study, m, None), "noise_inflation")]
    assert set(METHODS) - set(told) == {"open_loop", "localized_regression", "flow"}
    for method in told:
        plain = build_analysis(study, method, parts)
        inflated = build_analysis(study.changed(**{method: {"noise_inflation": 30.0}}), method, parts)
        inner = inflated
        while isinstance(inner, MeteredMass | Connected):
            inner = inner.analysis
        assert (inflated.name, inner.factor) == (method, 30.0)
        if method in ("ensemble_transform", "proposal", "particle_flow"):
            continue  # seconds each, or an extra; the wrapper is the same
        evidence = Evidence(predicted, datum, noise.scaled(30.0), operator(tiny))
        expected = plain.update(forecast, evidence, generator(0, method)).ensemble
        found = posterior(tiny, inflated).ensemble
        for name in expected.names:
            np.testing.assert_array_equal(found[name], expected[name])
        assert not np.array_equal(found["saturation"], posterior(tiny, plain).ensemble["saturation"])


def test_that_a_tempered_likelihood_keeps_more_particles_alive(tiny):
    study, parts, datum, forecast, predicted, _ = tiny
    noise, sizes = parts.scenario.observation.noise, []
    for factor in (1.0, 1e2, 1e4, 1e8):
        settings = study.changed(particle_filter={"noise_inflation": factor})
        analysis = build_analysis(settings, "particle_filter", parts)
        update = analysis.update(forecast, Evidence(predicted, datum, noise), generator(0, "tempered"))
        sizes.append(update.statistics["effective_size"])
    assert sizes == sorted(sizes)
    assert sizes[0] < 2
    assert sizes[-1] > 8.9  # of nine


@pytest.mark.parametrize("method", ["enkf", "etkf", "denkf", "letkf", "localized_enkf", "three_d_var"])
def test_that_linear_updates_fit_the_logs_better_than_the_forecast(tiny, method):
    study, parts, datum, forecast, predicted, _ = tiny
    found = posterior(tiny, build_analysis(study, method, parts)).ensemble
    wells = parts.scenario.observation.parts[1]

    def misfit(ensemble):
        mean = wells.predict(ensemble).mean()
        return sum(((mean[n] - datum[n]) ** 2).mean() / predicted[n].var() for n in mean.names)

    assert misfit(found) < misfit(forecast)


def test_that_far_data_leave_a_localised_analysis_alone(tiny):
    study, parts, _, forecast, *_ = tiny
    x = parts.scenario.prior.grid.centres(0)
    # Only the logs, at x = 1900 m: with a radius of 40 m the taper is zero beyond 2 · 1.82 · 40 = 146 m.
    wells = parts.scenario.observation.parts[1]
    only = replace(parts, scenario=replace(parts.scenario, observation=wells))
    near = {"radius_m": (40.0, 40.0)}
    for method in ("localized_enkf", "letkf"):
        analysis = build_analysis(study.changed(**{method: near}), method, only)
        data, datum = wells.predict(forecast), tiny[2].select(["well_saturation", "well_pressure"])
        found = analysis.update(forecast, Evidence(data, datum, wells.noise), generator(0, method)).ensemble
        moved = np.abs(found["pressure"] - forecast["pressure"]).max(axis=(0, 2)) > 0
        assert moved.any()
        assert np.abs(x[moved] - 1900).max() < 146 + 80  # the well's cell is 160 m wide


def test_that_the_climatology_is_independent_of_the_forecast_and_known_at_surveys_only(tiny):
    _, parts, _, forecast, *_ = tiny
    climatology = OpenLoopCovariance(parts.scenario, 3)
    covariance = climatology(forecast)
    assert climatology(forecast) is covariance
    assert covariance.states.size == covariance.data.size == 3
    # Rows are anomalies over √(members − 1): their sum is zero to rounding of pressures of 10⁷ Pa.
    np.testing.assert_allclose(covariance.states.pack().sum(axis=0), 0, atol=1e-6)
    own = climatology._states[0]["saturation"]
    assert not any(np.array_equal(a, b) for a in own for b in forecast["saturation"])
    with pytest.raises(InputError, match="surveys are at"):
        climatology(forecast.replace(time=1.0))


@pytest.mark.slow
def test_that_a_study_of_all_methods_runs_to_its_page(tmp_path):
    pytest.importorskip("ot")
    summary = run_study(Study.from_dict({**TINY, **FAST, "methods": list(METHODS)}), tmp_path / "run")
    assert set(summary["scores"]) == set(METHODS)
    assert all(np.isfinite(v) for steps in summary["scores"].values() for step in steps for v in step.values())
    page = (tmp_path / "run" / "index.html").read_text()
    assert all(table.label in page for table in TABLES)
