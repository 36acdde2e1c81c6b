"""Images of encoded shots, and relative to another reference model than the baseline."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from seisflow.analysis.kalman.enkf import EnKF
from seisflow.assimilation.loop import assimilate
from seisflow.assimilation.scenario import simulate_truth
from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.observation import Joint, Seismic, Wells
from seisflow.storage.recorder import Memory
from tests.observation.models import DENSITY, FLOW, SURVEY, VELOCITY, WAVES, build, plumes
from tests.toy import toy


def test_that_the_forecast_mean_can_be_the_reference(seismic, predicted):
    mean = Ensemble({"saturation": plumes()["saturation"].mean(axis=0, keepdims=True)})
    direct = seismic.records(plumes()) - seismic.records(mean)
    shifted = seismic.relative_to(predicted, mean)["image"]
    for member in range(3):
        image = seismic.from_records(direct[member] + seismic.baseline_records)["image"][0]
        # Float32 waves, whose rounding is relative to whole records, not to their small differences.
        assert np.abs(shifted[member] - image).max() < 2e-3 * np.abs(shifted).max()


def test_that_as_many_orthogonal_supershots_as_shots_give_the_same_images(seismic, predicted):
    with build(encoded_shots=4) as encoded:
        image = encoded.predict(plumes())["image"]
        observed = encoded.observe(plumes().members([1]), np.random.default_rng(5))["image"]
        assert encoded.unit == pytest.approx(seismic.unit, rel=1e-4)
    # Float32 waves, whose rounding is relative to whole records, not to their small differences.
    assert (image[0] == 0).all()
    assert np.abs(image - predicted["image"]).max() < 2e-3 * np.abs(predicted["image"]).max()
    plain = seismic.observe(plumes().members([1]), np.random.default_rng(5))["image"]
    assert np.abs(observed - plain).max() < 2e-3 * np.abs(plain).max()


def test_that_a_change_of_reference_moves_members_and_data_alike(seismic, predicted):
    forecast = plumes().members([1, 2])
    observed = seismic.observe(plumes().members([1]), np.random.default_rng(5))
    data = (predicted.members([1, 2]), observed)
    assert seismic.refer(forecast, *data) == data  # the baseline is the reference by default
    with build(reference="forecast_mean") as other:
        moved = other.refer(forecast, *data)
        shift = other.predict(forecast.mean())["image"]
        wells = Wells(FLOW, [600.0], np.full(FLOW.shape, 1e7))
        logs = Ensemble({"well_saturation": np.zeros((2, 1, 12)), "image": data[0]["image"]})
        (joint,) = Joint([wells, other]).refer(forecast, logs)
        np.testing.assert_array_equal(joint["image"], moved[0]["image"])
        assert joint["well_saturation"] is logs["well_saturation"]
        (still,) = other.refer(forecast.members([0, 0, 0]), data[0].members([0]))
    assert np.abs(shift).max() > 0.1 * np.abs(data[0]["image"]).max()
    for before, after in zip(data, moved, strict=True):
        np.testing.assert_array_equal(after["image"], before["image"] - shift)
        assert after["image"].dtype == np.float32
    # Two float32 subtractions of the same image.
    eps = 4 * np.finfo(np.float32).eps * np.abs(data[0]["image"]).max()
    np.testing.assert_allclose(
        moved[1]["image"] - moved[0]["image"], observed["image"] - data[0]["image"], rtol=0, atol=eps
    )
    assert (still["image"] == 0).all()  # the mean of equal members is that member


def test_that_the_loop_gives_analyses_data_relative_to_the_reference_and_a_kalman_filter_does_not_mind():
    flow, seen, posteriors = Grid((6, 5), (200.0, 120.0), (0.0, 400.0)), {}, {}

    @dataclass(frozen=True)
    class Watched(EnKF):
        def update(self, forecast, evidence, *rest):
            seen.setdefault(reference, []).append((evidence.predicted["image"], evidence.observed["image"]))
            return super().update(forecast, evidence, *rest)

    for reference in ("baseline", "forecast_mean"):
        with Seismic(
            flow, WAVES, VELOCITY, DENSITY, 0.25, SURVEY, snr=20.0, noise_images=4, reference=reference
        ) as observation:
            scenario = replace(toy(4), observation=observation)
            _, observed = simulate_truth(scenario, Memory())
            posteriors[reference] = assimilate(scenario, observed, Watched(bounds={"saturation": (0, 1)}))
    (members, datum), (moved, moved_datum) = (seen[key][0] for key in seen)
    assert np.abs(members - moved).max() > 0.1 * np.abs(members).max()
    tolerance = 1e-6 * np.abs(members).max()  # float32 subtractions
    np.testing.assert_allclose(moved_datum - moved, datum - members, rtol=0, atol=tolerance)
    first, second = (posteriors[key][0].posterior.ensemble["saturation"] for key in seen)
    assert not np.array_equal(first, posteriors["baseline"][0].forecast.ensemble["saturation"])
    np.testing.assert_allclose(first, second, atol=1e-4)  # float32 data, through a gain of order one


@pytest.mark.parametrize("codes", ["orthogonal", "random"])
def test_that_encoded_images_see_the_plume_too(predicted, codes):
    with build(encoded_shots=2, codes=codes) as encoded:
        image = encoded.predict(plumes().members([1]))["image"][0].astype(float)
    plain = predicted["image"][1].astype(float)
    cosine = (image * plain).sum() / np.linalg.norm(image) / np.linalg.norm(plain)
    assert cosine > 0.6  # crosstalk of pairs of sources; shuffled images give about 0
