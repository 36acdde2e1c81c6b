"""How large a study is, against counts by hand; and that measured rates are rates."""

import math

import numpy as np
import pytest
import zarr

from seisflow.errors import InputError
from seisflow.runs.estimate import DOCUMENTED, Rates, check_study, estimate, measure, sizes
from seisflow.study import Study
from seisflow.study.build import build, build_analysis
from tests.tiny import TINY

SMALL = Study.from_dict(TINY)


@pytest.fixture(scope="module")
def parts():
    with build(SMALL, workers=1) as built:
        yield built


@pytest.fixture(scope="module")
def found(parts):
    return sizes(SMALL, parts)


def test_that_the_counts_are_those_of_the_study(found):
    assert found.cells == 20 * 18
    (waves,) = found.waves
    # 3200 m by 2046 m at 32 m, with 20 absorbing nodes on every side
    assert waves.nodes == (100 + 40) * (64 + 40)
    assert waves.experiments == 2
    # 3 chains: the first survey's forecast is common, the second is each chain's own; and 2 intervals of the truth
    assert found.flow_intervals == 9 + 3 * 9 + 2
    # EnKF and flow need data: the first survey's are common; and 2 of the truth
    assert waves.members == 9 + 2 * 9 + 2
    assert waves.noise == 8 + 1  # and the one that gives the images their unit


def test_that_the_bytes_on_disk_are_those_of_the_arrays_of_a_run(found, finished_tiny):
    written = 0
    for path in (finished_tiny[0] / "stages.zarr").rglob("zarr.json"):
        node = zarr.open(path.parent, mode="r")
        # Fields, logs and metered mass of members, not coordinates.
        if isinstance(node, zarr.Array) and (node.ndim > 2 or path.parent.name == "log_injected_mass"):
            written += node.nbytes
    assert written == found.disk


def inside(analysis):
    """The method itself, without what is done behind its update."""
    while hasattr(analysis, "analysis"):
        analysis = analysis.analysis
    return analysis


def test_that_a_network_of_every_fold_is_trained_and_counted(parts, found):
    # 40 epochs of each of three networks on two thirds of the members, two of the flow that take twice as long; 2 surveys.
    assert found.passes == 2 * (2 * 40 + 2 * 2)
    six = SMALL.changed(flow={"folds": 6})
    assert sizes(six, parts).passes == 2 * (5 * 40 + 2 * 2)
    assert [inside(build_analysis(study, "flow", parts)).folds for study in (SMALL, six)] == [3, 6]
    with pytest.raises(InputError, match=r"flow\.folds"):
        SMALL.changed(flow={"folds": 1})


def test_that_the_time_is_work_times_rate_spread_over_workers(found):
    one = Rates(1.0, 1.0, 1.0, "")
    seconds = estimate(SMALL, found, one, workers=1)
    assert seconds["two-phase flow"] == pytest.approx(found.flow_intervals * 360 * 300 / 60)
    (waves,) = found.waves
    runs = 2 * waves.members + waves.noise + 1
    assert seconds["waves and images"] == pytest.approx(runs * 2 * waves.nodes * waves.steps)
    two = estimate(SMALL, found, one, workers=2)
    assert two["two-phase flow"] == pytest.approx(seconds["two-phase flow"] / 2)
    assert two["networks"] == seconds["networks"]  # one process trains


def test_that_wells_alone_need_no_waves_and_an_open_loop_no_data():
    study = SMALL.changed(methods=["open_loop"], surveys={"modalities": ["wells"]})
    with build(study, workers=1) as parts:
        none = sizes(study, parts)
    assert (none.waves, none.passes) == ((), 0)
    assert estimate(study, none, DOCUMENTED, 2)["waves and images"] == 0


@pytest.mark.slow
def test_that_measured_rates_are_positive_and_say_so():
    # No comparison with the documented rates: that would be a test of the machine.
    with build(SMALL, workers=1) as parts:
        rates = measure(SMALL, parts)
    for rate in (rates.flow, rates.waves, rates.networks):
        assert 0 < rate < 1
        assert math.isfinite(rate)
    assert "this machine" in rates.basis


def test_that_the_facts_name_cells_members_shots_bytes_time_and_its_basis():
    facts = check_study(SMALL, workers=2)
    text = "\n".join(f"{name}: {fact}" for name, fact in facts.items())
    for part in ("20 × 18 cells", "9 members", "2 encoded shots a member", "kB", "with 2 workers", "measured once"):
        assert part in text.replace("MB", "kB"), part
    assert np.all([len(fact) > 0 for fact in facts.values()])


def test_that_the_files_of_a_study_are_compared_with_its_surveys(tmp_path):
    with build(SMALL, workers=1) as parts:
        grid = parts.scenario.prior.grid
    logs = {name: np.ones((1, grid.shape[1])) for name in ("well_saturation", "well_pressure")}
    group = zarr.create_group(tmp_path / "logs", zarr_format=3)
    for name, values in logs.items():
        group.create_array(name, data=values)
    study = SMALL.changed(surveys={"modalities": ["wells"], "data": [[str(tmp_path / "logs")], []]})
    assert check_study(study)["data"] == "from files that fit, of 1 of 2 surveys: 1"
    with pytest.raises(InputError, match="also measures image"):
        check_study(study.changed(surveys={"modalities": ["wells", "seismic"]}))
