import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.observation import HertzMindlin, LinearPressure, RockPhysics

MIXINGS = ("patchy", "uniform", "brie")


@pytest.fixture
def sandstones():
    """The Compass reservoir: v_p 3.7 to 4.4 km/s, ρ about 2550 kg/m³."""
    return np.linspace(3700.0, 4400.0, 15), np.linspace(2500.0, 2580.0, 15)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_that_no_co2_leaves_the_model_untouched_bit_for_bit(mixing, sandstones):
    v, rho = sandstones
    saturation = np.zeros_like(v)
    saturation[3] = 0.4
    new_v, new_rho = RockPhysics(mixing).substitute(saturation, v, rho, 0.25)
    dry = saturation == 0
    assert (new_v[dry] == v[dry]).all()
    assert (new_rho[dry] == rho[dry]).all()
    assert new_v[3] != v[3]


def test_that_full_saturation_is_gassmanns_substitution_in_every_mixing_law(sandstones):
    v, rho = sandstones
    physics = RockPhysics()
    # Gassmann by way of the dry frame's modulus (Mavko et al. 2009, section 6.3), another route than the module's.
    shear = rho * physics.shear_velocity(v) ** 2
    K_sat, K_min, phi = rho * v**2 - 4 / 3 * shear, physics.K_mineral, 0.25
    top = K_sat * (phi * K_min / physics.K_brine + 1 - phi) - K_min
    K_dry = top / (phi * K_min / physics.K_brine + K_sat / K_min - 1 - phi)
    K_co2 = K_dry + (1 - K_dry / K_min) ** 2 / (phi / physics.K_co2 + (1 - phi) / K_min - K_dry / K_min**2)
    expected_rho = rho - phi * 300.0
    expected_v = np.sqrt((K_co2 + 4 / 3 * shear) / expected_rho)
    for mixing in MIXINGS:
        new_v, new_rho = RockPhysics(mixing).substitute(np.ones_like(v), v, rho, phi)
        np.testing.assert_allclose(new_v, expected_v, rtol=1e-12)  # the same algebra in another order
        np.testing.assert_allclose(new_rho, expected_rho, rtol=1e-15)


def test_that_patchy_velocity_falls_steadily_by_at_most_300_metres_per_second(sandstones):
    v, rho = sandstones
    saturation = np.linspace(0, 1, 21)[:, None] * np.ones_like(v)
    new_v, _ = RockPhysics().substitute(saturation, v, rho, 0.25)
    assert (np.diff(new_v, axis=0) < 0).all()
    drop = v - new_v[-1]
    assert drop.min() > 50
    assert drop.max() < 300


@pytest.mark.parametrize("mixing", MIXINGS)
def test_that_the_modulus_never_rises_with_saturation(mixing, sandstones):
    v, rho = sandstones
    saturation = np.linspace(0, 1, 21)[:, None] * np.ones_like(v)
    new_v, new_rho = RockPhysics(mixing).substitute(saturation, v, rho, 0.25)
    modulus = new_rho * new_v**2
    assert (np.diff(modulus, axis=0) < 1e-9 * modulus[0]).all()  # rounding only


def test_that_mixing_laws_are_ordered_patchy_brie_uniform(sandstones):
    v, rho = sandstones
    half = np.full_like(v, 0.3)
    patchy, brie, uniform = (RockPhysics(m).substitute(half, v, rho, 0.25)[0] for m in MIXINGS[::2] + MIXINGS[1:2])
    assert (patchy > brie).all()
    assert (brie > uniform).all()


@pytest.mark.parametrize("v", [1500.0, 2000.0, 6500.0])
def test_that_rocks_beyond_gassmann_stay_finite_and_do_not_stiffen(v):
    saturation = np.linspace(0, 1, 11)
    new_v, new_rho = RockPhysics().substitute(saturation, np.full(11, v), np.full(11, 2300.0), 0.25)
    modulus = new_rho * new_v**2
    assert np.isfinite(modulus).all()
    assert (np.diff(modulus) <= 1e-9 * modulus[0]).all()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"mixing": "voigt"}, "mixing"),
        ({"K_co2": -1.0}, "K_co2"),
        ({"K_brine": 60e9}, "K_brine"),
        ({"brie_exponent": 0.5}, "brie_exponent"),
        ({"velocity_ratio": 1.0}, "velocity_ratio"),
    ],
)
def test_that_impossible_constants_are_refused_by_name(changes, name):
    with pytest.raises(InputError, match=name):
        RockPhysics(**changes)


def test_that_impossible_fields_are_refused_by_name():
    for saturation, v, phi, name in (
        ([1.2], 4000.0, 0.25, "saturation"),
        ([np.nan], 4000.0, 0.25, "saturation"),
        ([0.5], -1.0, 0.25, "v_p"),
        ([0.5], 4000.0, 0.0, "porosity"),
    ):
        with pytest.raises(InputError, match=name):
            RockPhysics().substitute(np.array(saturation), v, 2500.0, phi)


def test_that_pressure_without_an_effect_or_without_a_change_moves_no_bit(sandstones):
    v, rho = sandstones
    zero = np.zeros_like(v)
    for physics, change in (
        (RockPhysics(), zero + 5e6),
        (RockPhysics(pressure=HertzMindlin()), zero),
        (RockPhysics(pressure=LinearPressure()), zero),
    ):
        new_v, new_rho = physics.substitute(zero, v, rho, 0.25, change, 15e6)
        assert (new_v == v).all()
        assert (new_rho == rho).all()


def test_that_hertz_mindlin_scales_the_dry_frame(sandstones):
    v, rho = sandstones
    physics, phi, effective, change = RockPhysics(pressure=HertzMindlin(1 / 3)), 0.25, 15e6, 4e6
    new_v, new_rho = physics.substitute(np.zeros_like(v), v, rho, phi, np.full_like(v, change), effective)
    # The dry frame's moduli by another route than the module's (Mavko et al. 2009, section 6.3).
    K_min, K_f, factor = physics.K_mineral, physics.K_brine, ((effective - change) / effective) ** (1 / 3)
    shear = rho * physics.shear_velocity(v) ** 2
    K_sat = rho * v**2 - 4 / 3 * shear
    K_dry = (K_sat * (phi * K_min / K_f + 1 - phi) - K_min) / (phi * K_min / K_f + K_sat / K_min - 1 - phi)
    K_dry, shear = factor * K_dry, factor * shear
    K_new = K_dry + (1 - K_dry / K_min) ** 2 / (phi / K_f + (1 - phi) / K_min - K_dry / K_min**2)
    np.testing.assert_allclose(new_v, np.sqrt((K_new + 4 / 3 * shear) / rho), rtol=1e-12)  # the same algebra
    np.testing.assert_array_equal(new_rho, rho)


@pytest.mark.parametrize("law", [HertzMindlin(), LinearPressure(-8e-6)])
def test_that_velocity_falls_steadily_with_pore_pressure_with_and_without_co2(law, sandstones):
    v, rho = sandstones
    change = np.linspace(-3e6, 20e6, 24)[:, None] * np.ones_like(v)  # beyond the effective pressure, too
    for saturation in (0.0, 0.4):
        new_v, _ = RockPhysics(pressure=law).substitute(np.full_like(change, saturation), v, rho, 0.25, change, 15e6)
        assert np.isfinite(new_v).all()
        assert (np.diff(new_v, axis=0) <= 1e-9).all()
    expected = v - 8.0 if isinstance(law, LinearPressure) else None
    if expected is not None:
        moved, _ = RockPhysics(pressure=law).substitute(np.zeros_like(v), v, rho, 0.25, np.full_like(v, 1e6))
        np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_that_impossible_pressures_are_refused_by_name(sandstones):
    v, rho = sandstones
    physics, zero = RockPhysics(pressure=HertzMindlin()), np.zeros_like(v)
    with pytest.raises(InputError, match="effective_pressure"):
        physics.substitute(zero, v, rho, 0.25, zero + 1e6)
    with pytest.raises(InputError, match="pressure_change"):
        physics.substitute(zero, v, rho, 0.25, zero * np.nan, 15e6)
    with pytest.raises(InputError, match="exponent"):
        HertzMindlin(0.0)
    with pytest.raises(InputError, match="slope"):
        LinearPressure(1.0)
