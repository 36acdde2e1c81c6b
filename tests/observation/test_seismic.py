"""The composed observation on a small layered section: exact promises first, then physics."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from seisflow.analysis.enkf import EnKF
from seisflow.cycle import assimilate
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
from seisflow.recorder import Memory
from seisflow.twin import simulate_truth
from tests.toy import toy

WAVES = Grid((60, 50), (20.0, 20.0))
FLOW = Grid((20, 12), (60.0, 50.0), (0.0, 400.0))
VELOCITY = np.where(WAVES.depth < 300, 1800.0, np.where(WAVES.depth < 600, 2500.0, 3900.0))
DENSITY = np.where(WAVES.depth < 300, 1600.0, np.where(WAVES.depth < 600, 2100.0, 2500.0))
SURVEY = Survey.seabed(WAVES, 10.0, 1.2, n_sources=4, n_receivers=24, source_depth=150.0)


PROGRAM = """
import os
import sys
import numpy as np
from seisflow.errors import SimulationError
from seisflow.observation.processes import Processes
from tests.observation.test_seismic import build, plumes

def has_torch():
    return "torch" in sys.modules

def die_once(marker, value):
    if not os.path.exists(marker):
        open(marker, "w").close()
        os._exit(1)
    return value

if __name__ == "__main__":
    with build(workers=2) as observation:
        images = observation.predict(plumes())["image"]
        single = observation.predict(plumes().members([1]))["image"]
        assert (single == images[1:2]).all()
        sections = observation.wave_images(plumes().members([1]))
        records = observation.records(plumes().members([1]))
        observed = observation.observe(plumes().members([1]), np.random.default_rng(5))["image"]
        draws = observation.noise.draws
        assert not observation._dispatch.processes.pool.submit(has_torch).result()
    processes = Processes(1)
    marker = sys.argv[1] + ".marker"
    assert list(processes.map(die_once, [(marker, 3), (marker, 4)])) == [3, 4]
    try:
        list(processes.map(os._exit, [(1,)]))
    except SimulationError as error:
        assert "member 0" in str(error) and "fewer workers" in str(error)
    else:
        raise AssertionError("a task that always kills its worker went unnoticed")
    np.savez(sys.argv[1], images=images, observed=observed, draws=draws, sections=sections, records=records)
"""

ORPHANS = """
import os
import sys
import time
from seisflow.observation.processes import Processes

if __name__ == "__main__":
    processes = Processes(1)
    print(next(processes.map(os.getpid, [()])), flush=True)
    time.sleep(60)
"""


def build(**options):
    options = {"imaging": Imaging(mute_depth=200.0), "noise_images": 4, "snr": 20.0, **options}
    return Seismic(FLOW, WAVES, VELOCITY, DENSITY, 0.25, SURVEY, **options)


def plumes():
    """No CO2, a plume under the interface at 600 m, the same plume displaced: ``(3, 20, 12)``."""
    saturation = np.zeros((3, *FLOW.shape))
    saturation[1, 7:12, 4:6] = 0.5
    saturation[2, 10:15, 4:6] = 0.5
    return Ensemble({"saturation": saturation})


@pytest.fixture(scope="module")
def seismic():
    with build() as observation:
        yield observation


@pytest.fixture(scope="module")
def predicted(seismic):
    return seismic.predict(plumes())


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


def test_that_the_forecast_mean_can_be_the_reference(seismic, predicted):
    mean = Ensemble({"saturation": plumes()["saturation"].mean(axis=0, keepdims=True)})
    direct = seismic.records(plumes()) - seismic.records(mean)
    shifted = seismic.relative_to(predicted, mean)["image"]
    for member in range(3):
        image = seismic.from_records(direct[member] + seismic.baseline_records)["image"][0]
        # Float32 waves, whose rounding is relative to whole records, not to their small differences.
        assert np.abs(shifted[member] - image).max() < 2e-3 * np.abs(shifted).max()


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


def test_that_members_do_not_depend_on_each_other_and_are_counted(seismic, predicted):
    calls = []
    turned = seismic.predict(plumes().members([2, 1]), lambda done, total: calls.append((done, total)))
    np.testing.assert_array_equal(turned["image"], predicted["image"][[2, 1]])
    assert calls == [(1, 2), (2, 2)]


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
        def update(self, forecast, predicted, observed, *rest):
            seen.setdefault(reference, []).append((predicted["image"], observed["image"]))
            return super().update(forecast, predicted, observed, *rest)

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


def test_that_two_workers_give_the_same_bits_as_one_and_never_import_torch_and_are_replaced_when_they_die(
    seismic, predicted, tmp_path
):
    # A program of its own: spawned workers import the main module again, here one without torch.
    script, out, root = tmp_path / "program.py", tmp_path / "out.npz", Path(__file__).parents[2]
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, str(script), str(out)], check=True, timeout=400, env=environment)
    with np.load(out) as two:
        np.testing.assert_array_equal(two["images"], predicted["image"])
        observed = seismic.observe(plumes().members([1]), np.random.default_rng(5))["image"]
        np.testing.assert_array_equal(two["observed"], observed)
        np.testing.assert_array_equal(two["draws"], seismic.noise.draws)
        np.testing.assert_array_equal(two["sections"], seismic.wave_images(plumes().members([1])))
        np.testing.assert_array_equal(two["records"], seismic.records(plumes().members([1])))


@pytest.mark.parametrize(
    "options", [{}, {"encoded_shots": 3}, {"encoded_shots": 3, "codes": "random"}, {"shots": (3, 1)}]
)
def test_that_an_image_in_pieces_is_the_whole_one_bit_for_bit(options):
    errors = Repeatability(position=5.0, amplitude=0.02, delay=1e-3)
    with build(repeatability=errors, **options) as observation:
        (state,) = observation._settings.states(plumes().members([1]))
        noise = coloured_noise(SURVEY, 1.0, np.random.default_rng(0))
        vintage = errors.draw(SURVEY, WAVES, np.random.default_rng(1))
        for row in ((state, None, None), (None, noise, None), (state, noise, vintage)):
            (whole,) = observation._dispatch.map("image", *([one] for one in row))
            pieces = [[0], list(range(1, observation.encoding.n_experiments))]
            parts = [next(observation._dispatch.map("correlations", *([one] for one in (*row, p)))) for p in pieces]
            (image,) = observation._dispatch.map("stacked", [np.concatenate(parts)], [False])
            np.testing.assert_array_equal(image, whole)


def test_that_workers_end_when_their_parent_is_killed(tmp_path):
    script, root = tmp_path / "orphans.py", Path(__file__).parents[2]
    script.write_text(ORPHANS)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as parent:
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)  # it lives
        parent.kill()
    for _ in range(200):
        try:
            state = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":  # ended; nobody has collected it
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent by 20 s")


def test_that_importing_the_package_imports_no_engine():
    code = "import sys, seisflow.observation; print(sorted({'devito', 'torch', 'juliacall'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


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
