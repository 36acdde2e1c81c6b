"""The composed observation on a small layered section: exact promises first, then physics."""

import numpy as np
import pytest

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import (
    Encoding,
    HertzMindlin,
    Imaging,
    Joint,
    Migration,
    Propagator,
    Repeatability,
    RockPhysics,
    Seismic,
    Survey,
    Wells,
    coloured_noise,
)
from tests.observation.models import DENSITY, FLOW, SURVEY, VELOCITY, WAVES, build, plumes


def test_that_no_change_gives_an_image_of_exact_zeros(predicted):
    assert predicted["image"].dtype == np.float32
    assert predicted["image"].shape == (3, 20, 12)
    assert (predicted["image"][0] == 0).all()


def test_that_the_image_of_a_plume_lies_at_the_plume(predicted):
    for member, expected in ((1, 9.0), (2, 12.0)):
        energy = predicted["image"][member].astype(float) ** 2
        x, z = np.unravel_index(energy.argmax(), FLOW.shape)
        assert abs(x - expected) <= 2  # plume cells, centre ± half its width
        assert 3 <= z <= 6  # plume cells 4 and 5, within the vertical resolution of 100 m
        centre = (energy.sum(axis=1) * np.arange(20)).sum() / energy.sum()
        assert abs(centre - expected) < 1.5


def test_that_a_lowered_impedance_images_positive(predicted):
    assert predicted["image"][1, 7:12, 4:6].mean() > 0.3 * np.abs(predicted["image"][1]).max()


@pytest.mark.parametrize("condition", ["inverse_scattering", "zero_lag"])
def test_that_the_image_of_a_point_scatterer_peaks_at_the_point(condition):
    grid = Grid((60, 50), (20.0, 20.0))
    survey = Survey.seabed(grid, 10.0, 1.2, n_sources=6, n_receivers=30, source_depth=50.0)
    propagator = Propagator(grid, survey, 2000.0)
    uniform = np.full(grid.shape, 2000.0)
    migration = Migration(propagator, uniform, uniform, Encoding.plain(6), Imaging(condition, mute_depth=250.0))
    point = np.zeros(grid.shape)
    point[33, 30] = 1e-8 if condition == "zero_lag" else 1.0
    image = migration.image(migration.model(point))
    assert np.unravel_index(image.argmax(), grid.shape) == (33, 30)


def test_that_noise_records_have_exactly_the_stated_level(seismic):
    noise = coloured_noise(SURVEY, seismic.noise_norm, np.random.default_rng(3))
    ratio = np.linalg.norm(noise.astype(float)) / np.linalg.norm(seismic.baseline_records.astype(float))
    assert ratio == pytest.approx(10 ** (-20 / 20), rel=1e-6)  # float32 records
    spectrum = np.abs(np.fft.rfft(noise, axis=1)).mean(axis=(0, 2))
    frequency = np.fft.rfftfreq(SURVEY.n_samples, SURVEY.interval)
    assert frequency[spectrum.argmax()] == pytest.approx(10.0, abs=2.5)  # the wavelet's colour
    assert spectrum[frequency > 30].max() < 0.05 * spectrum.max()


def test_that_the_image_of_noisy_data_is_the_sum_of_the_images(seismic, predicted):
    truth = plumes().members([1])
    observed = seismic.observe(truth, np.random.default_rng(5))["image"]
    noise = coloured_noise(SURVEY, seismic.noise_norm, np.random.default_rng(5))
    (alone,) = seismic._dispatch.map("image", [None], [noise])
    error = observed[0] - (predicted["image"][1] + alone / seismic.unit)
    assert np.abs(error).max() < 1e-4 * np.abs(observed).max()  # float32 waves


def test_that_the_noise_covariance_is_that_of_the_imaged_noise(seismic):
    covariance = seismic.noise
    assert covariance.size == FLOW.size
    assert covariance is seismic.noise
    # Images are in units of one draw's rms; draws differ by some 20 % in rms in this small image.
    assert np.sqrt(covariance.variance.mean()) == pytest.approx(1.0, abs=0.4)


def test_that_channels_are_the_images_as_they_are(seismic, predicted):
    channels = seismic.channels(predicted)
    assert channels.shape == (3, 1, 20, 12)
    assert channels.dtype == np.float32
    np.testing.assert_array_equal(channels[:, 0], predicted["image"])


def test_that_records_from_elsewhere_take_the_place_of_the_simulated(seismic, predicted):
    records = seismic.records(plumes().members([1]))[0]
    datum = seismic.from_records(records, time=3.0)
    assert datum.time == 3.0
    np.testing.assert_allclose(datum["image"][0], predicted["image"][1], atol=1e-5 * np.abs(predicted["image"]).max())
    with pytest.raises(InputError, match="records"):
        seismic.from_records(records[:, :-1])


def test_that_a_vintage_that_repeats_badly_leaves_a_ghost_of_the_baseline_in_image_and_noise(seismic):
    errors = Repeatability(position=5.0, depth=1.0, amplitude=0.02, delay=1e-3, phase=0.02)
    dry = plumes().members([0])
    with build(snr=80.0, repeatability=errors, noise_images=8) as observation:
        ghosts = np.stack(
            [observation.observe(dry, np.random.default_rng(seed))["image"][0] for seed in range(4)]
        ).astype(float)
        assert np.sqrt((ghosts**2).mean()) > 0
        # Images are in units of one draw's rms; the noise covariance must know of vintages, not of the noise alone.
        ratio = (ghosts**2).mean() / observation.noise.variance.mean()
        assert 0.2 < ratio < 5  # of 4 and of 8 draws that each vary by half
        np.testing.assert_array_equal(observation.predict(dry)["image"], 0)
    vintage = Repeatability().draw(SURVEY, WAVES, np.random.default_rng(0))
    np.testing.assert_array_equal(vintage.receivers, SURVEY.receivers)
    records = np.random.default_rng(1).standard_normal((4, SURVEY.n_samples, 24))
    np.testing.assert_allclose(vintage.alter(records, SURVEY.interval), records, atol=1e-12)
    with pytest.raises(InputError, match=r"repeatability\.delay"):
        Repeatability(delay=-1.0)


def test_that_a_vintage_scales_delays_and_turns_the_shots_of_the_field():
    survey = Survey.surface(WAVES, 10.0, 1.2, n_sources=2, n_receivers=3)
    trace = survey.wavelet(survey.time - 0.4)
    records = np.broadcast_to(trace[None, :, None], (2, survey.n_samples, 3)).copy()
    vintage = Repeatability(amplitude=0.1, delay=2e-3).draw(survey, WAVES, np.random.default_rng(2))
    expected = [
        a * survey.wavelet(survey.time - 0.4 - d) for a, d in zip(vintage.amplitude, vintage.delay, strict=True)
    ]
    altered = vintage.alter(records, survey.interval)
    for r in range(3):
        np.testing.assert_allclose(altered[:, :, r], expected, atol=1e-4)  # the wavelet is band-limited to 1e-5


def test_that_pressure_is_seen_only_with_a_pressure_effect():
    initial = 1e7 + 1e4 * FLOW.depth
    states = Ensemble({"saturation": np.zeros((1, *FLOW.shape)), "pressure": (initial + 2e6)[None]})
    physics = RockPhysics(pressure=HertzMindlin())
    with pytest.raises(InputError, match="initial_pressure"):
        build(rock_physics=physics)
    with build(rock_physics=physics, initial_pressure=initial) as observation:
        image = observation.predict(states)["image"]
        assert np.abs(image).max() > 0
        assert (observation.predict(states.replace(pressure=initial[None]))["image"] == 0).all()
        with pytest.raises(InputError, match="pressure"):
            observation.predict(plumes())


def test_that_co2_outside_the_flow_grid_is_not_invented():
    # A plume at the top edge of the flow grid must not be continued up to the sea.
    with build() as observation:
        saturation = np.zeros((1, *FLOW.shape))
        saturation[0, :, 0] = 0.3
        observation.predict(Ensemble({"saturation": saturation}))
        (changed,) = observation._dispatch.map("monitor", [(saturation[0], None)])
        (base,) = observation._dispatch.map("monitor", [None])
        changed, base = (medium.density for medium in (changed, base))
        above = WAVES.depth < FLOW.extent[1][0]
        assert (changed[above] == base[above]).all()
        assert (changed != base).any()


def test_that_joint_observations_stand_side_by_side(seismic, predicted):
    pressure = np.full((3, *FLOW.shape), 1e7)
    states = plumes().replace(pressure=pressure)
    wells = Wells(FLOW, [600.0], pressure[0])
    joint = Joint([wells, seismic])
    data = joint.predict(states)
    assert data.names == ("well_saturation", "well_pressure", "image")
    np.testing.assert_array_equal(data["image"], predicted["image"])
    assert joint.channels(data).shape == (3, 4, 20, 12)
    assert joint.noise.size == data.pack().shape[1]
    observed = joint.observe(states.members([1]), np.random.default_rng(0))
    assert observed.names == data.names
    with pytest.raises(InputError, match="different names"):
        Joint([wells, wells]).predict(states)
    with pytest.raises(InputError, match="at least one"):
        Joint([])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"encoded_shots": 9}, "encoded_shots"),
        ({"encoded_shots": 2, "shots": (0, 1)}, "shots"),
        ({"shots": (7,)}, "shots"),
        ({"encoded_shots": 2, "codes": "walsh"}, "codes"),
        ({"reference": "truth"}, "reference"),
        ({"longest_delay": 2.0}, "longest_delay"),
        ({"snr": np.inf}, "snr"),
        ({"noise_images": 1}, "noise_images"),
        ({"workers": 0}, "workers"),
    ],
)
def test_that_bad_options_are_refused_by_name(changes, name):
    with pytest.raises(InputError, match=name):
        build(**changes)


def test_that_bad_models_and_states_are_refused_by_name(seismic):
    with pytest.raises(InputError, match="velocity"):
        Seismic(FLOW, WAVES, np.where(WAVES.depth > 900, np.nan, VELOCITY), DENSITY, 0.25, SURVEY)
    with pytest.raises(InputError, match="porosity"):
        Seismic(FLOW, WAVES, VELOCITY, DENSITY, -0.25, SURVEY)
    with pytest.raises(InputError, match="hold the flow grid"):
        Seismic(Grid((20, 12), (60.0, 60.0), (0.0, 400.0)), WAVES, VELOCITY, DENSITY, 0.25, SURVEY)
    bad = plumes()["saturation"].copy()
    bad[2, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"saturation\[2\]"):
        seismic.predict(Ensemble({"saturation": bad}))
    with pytest.raises(InputError, match="saturation"):
        seismic.predict(Ensemble({"pressure": bad}))
    with build(snr=None) as silent, pytest.raises(InputError, match="snr"):
        _ = silent.noise
