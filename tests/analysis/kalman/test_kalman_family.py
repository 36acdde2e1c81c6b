"""What relates the Kalman analyses to each other and to dense formulas; `tests/test_contracts.py` has the rest."""

import numpy as np
import pytest

from seisflow.analysis.adjustments import Inflation, Rotation, mixing
from seisflow.analysis.base import Evidence
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.esmda import ESMDA
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.hybrid import HybridEnKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.kalman.localized_enkf import LocalizedEnKF
from seisflow.analysis.localization import GridTaper, LocalDomains, gaspari_cohn, taper
from seisflow.analysis.static_covariance import StaticCovariance
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.covariance import DiagonalCovariance, LowRankCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

AXES = (np.arange(9) * 50.0, np.arange(7) * 25.0)


def fields(rng, M=12):
    """Two fields on 9 × 7 cells; an image of every second column, and one well."""
    s = rng.standard_normal((M, 9, 7)).cumsum(axis=1)
    state = Ensemble({"s": s, "p": 1e7 + 1e4 * s**2})
    data = Ensemble({"image": s[:, ::2].copy(), "well": state["p"][:, [4]] / 1e4})
    observed = Ensemble({"image": rng.standard_normal((1, 5, 7)), "well": 1e3 + rng.standard_normal((1, 1, 7))})
    return state, data, observed


def domains(radius, **options):
    def points(*axes):
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)

    grid = points(*AXES)
    well = points(AXES[0][[4]], AXES[1])
    return LocalDomains(
        radius, {"s": grid, "p": grid}, {"image": points(AXES[0][::2], AXES[1]), "well": well}, **options
    )


NOISE = DiagonalCovariance(np.full(42, 0.7))


def test_that_the_taper_is_near_the_gaussian_of_its_radius_and_zero_far_away():
    assert gaspari_cohn(np.array([0.0, 2.0, 5.0])).tolist() == [1.0, 0.0, 0.0]
    assert gaspari_cohn(np.array([1.0 - 1e-9, 1.0 + 1e-9])) == pytest.approx(5 / 24)  # 4.10 at z = 1, from both sides
    # The curvature at 0 is that of exp(−d²/2r²), so they agree to fourth order, and within 0.03 at the radius.
    assert 1 - taper(np.array([0.03]), 3.0)[0] == pytest.approx(0.5e-4, rel=0.02)
    assert taper(np.array([3.0]), 3.0)[0] == pytest.approx(np.exp(-0.5), abs=0.03)


@pytest.mark.parametrize("adjustment", [Inflation(1.3), Rotation()])
def test_that_adjustments_keep_the_mean_and_scale_the_covariance_as_stated(adjustment, rng):
    x = rng.standard_normal((13, 4))
    y = mixing([adjustment], 13, rng) @ x
    np.testing.assert_allclose(y.mean(axis=0), x.mean(axis=0), atol=1e-13)
    scale = 1.69 if isinstance(adjustment, Inflation) else 1.0
    np.testing.assert_allclose(np.cov(y.T), scale * np.cov(x.T), atol=1e-12)
    assert np.abs(y - x).max() > 0.1


def test_that_rotations_are_uniform(rng):
    # Any anomaly goes anywhere: the mean rotation of the anomalies is zero. 2000 draws: 0.3/√2000 = 0.007; 5 of them.
    mean = np.mean([mixing([Rotation()], 5, rng) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(mean, 1 / 5, atol=0.035)


def test_that_the_etkf_has_kalmans_mean_and_covariance_of_its_own_ensemble(rng):
    state, data, observed = fields(rng)
    x = state.pack(["s"])
    M, Y = len(x), data.pack() - data.pack().mean(axis=0)
    A = x - x.mean(axis=0)
    S = Y.T @ Y / (M - 1) + 0.7 * np.eye(42)
    gain = A.T @ Y / (M - 1) @ np.linalg.inv(S)
    mean = x.mean(axis=0) + gain @ (observed.pack() - data.pack().mean(axis=0))[0]
    covariance = A.T @ A / (M - 1) - gain @ S @ gain.T
    analysed = ETKF(("s",)).update(state, Evidence(data, observed, NOISE), rng).ensemble.pack(["s"])
    np.testing.assert_allclose(analysed.mean(axis=0), mean, atol=1e-9)
    np.testing.assert_allclose(np.cov(analysed.T), covariance, atol=1e-9)
    # The two deterministic filters have one mean.
    half = DEnKF(("s",)).update(state, Evidence(data, observed, NOISE), rng).ensemble.pack(["s"])
    np.testing.assert_allclose(half.mean(axis=0), mean, atol=1e-9)


def test_that_the_letkf_with_everything_near_is_the_etkf_whatever_the_threads_and_tiles(rng):
    state, data, observed = fields(rng)
    whole = ETKF().update(state, Evidence(data, observed, NOISE), rng).ensemble
    for options, threads in (({}, 1), ({}, 3), ({"tile": 120.0}, 2)):
        analysis = LETKF(domains(1e9, **options), threads=threads)
        local = analysis.update(state, Evidence(data, observed, NOISE), rng).ensemble
        np.testing.assert_allclose(local["s"], whole["s"], atol=1e-9)
        np.testing.assert_allclose(local["p"], whole["p"], rtol=1e-12)


def test_that_the_letkf_leaves_far_points_alone_and_uses_the_nearest_datum(rng):
    x = rng.standard_normal((20, 30))
    place = np.arange(30.0)
    analysis = LETKF(LocalDomains(2.0, {"x": place}, {"y": place[[0]]}, period=30.0))
    y = Ensemble({"y": np.array([[3.0]])})
    after = analysis.update(
        Ensemble({"x": x}), Evidence(Ensemble({"y": x[:, [0]]}), y, DiagonalCovariance(np.array([1e-6]))), rng
    )
    new = after.ensemble["x"]
    np.testing.assert_allclose(new[:, 0], 3.0, atol=0.02)  # noise of 0.001, and the neighbours' regression
    np.testing.assert_allclose(new[:, 10:20], x[:, 10:20], atol=1e-14)  # rounding of mean plus anomaly
    assert np.abs(new[:, 28] - x[:, 28]).max() > 0.01  # across the seam of the ring


@pytest.mark.parametrize(("direct", "atol"), [(0, 1e-6), (8192, 1e-11)])  # the solver's tolerance; rounding
@pytest.mark.parametrize("correlated", [False, True])
def test_that_the_localised_enkf_solves_the_dense_equations(correlated, direct, atol, rng):
    state, data, observed = fields(rng)
    noise = LowRankCovariance(rng.standard_normal((20, 42)), 0.3) if correlated else NOISE
    radius = 90.0
    grid = GridTaper(
        radius, {"s": AXES, "p": AXES}, {"image": (AXES[0][::2], AXES[1]), "well": (AXES[0][[4]], AXES[1])}
    )
    analysis = LocalizedEnKF(grid, ("s",), direct=direct, tolerance=1e-11)
    posterior = analysis.update(state, Evidence(data, observed, noise), np.random.default_rng(3))
    assert (posterior.statistics["iterations"] > 0) == (direct == 0)
    analysed = posterior.ensemble.pack(["s"])

    local = domains(radius)
    at, to = (
        np.concatenate([local.data_positions[n].reshape(-1, 2) for n in data.names]),
        local.state_positions["s"].reshape(-1, 2),
    )

    def rho(a, b):
        return taper(a[:, None, 0] - b[None, :, 0], radius) * taper(a[:, None, 1] - b[None, :, 1], radius)

    x, HX = state.pack(["s"]), data.pack()
    A, Y = x - x.mean(axis=0), HX - HX.mean(axis=0)
    M = len(x)
    perturbed = noise.sample(M, np.random.default_rng(3))
    perturbed += observed.pack() - perturbed.mean(axis=0)
    R = np.linalg.inv(noise.solve(np.eye(42)))
    gain = rho(to, at) * (A.T @ Y / (M - 1)) @ np.linalg.inv(rho(at, at) * (Y.T @ Y / (M - 1)) + R)
    np.testing.assert_allclose(analysed, x + (perturbed - HX) @ gain.T, atol=atol)


def test_that_the_localised_enkf_agrees_with_itself_whether_it_eliminates_or_iterates(rng):
    axes = (np.arange(30) * 50.0, np.arange(20) * 25.0)  # 600 data, more than are eliminated at a time
    state = Ensemble({"s": rng.standard_normal((8, 30, 20)).cumsum(axis=1)})
    data, observed = Ensemble({"image": state["s"]}), Ensemble({"image": rng.standard_normal((1, 30, 20))})
    noise = LowRankCovariance(rng.standard_normal((20, 600)), 0.3)
    grid = GridTaper((100.0, 60.0), {"s": axes}, {"image": axes})
    both = [
        LocalizedEnKF(grid, direct=direct, tolerance=1e-10, iterations=2000).update(
            state, Evidence(data, observed, noise), np.random.default_rng(3)
        )
        for direct in (600, 599)
    ]
    assert both[0].statistics["iterations"] == 0
    assert 0 < both[1].statistics["iterations"] < 2000
    # Residuals of 1e-10 of the innovation; the solution errs more, by the condition of I + (ρ ∘ P) R⁻¹: about 1e3 here.
    np.testing.assert_allclose(both[0].ensemble["s"], both[1].ensemble["s"], atol=1e-7)


def test_that_a_localised_enkf_refuses_a_negative_number_of_data(rng):
    with pytest.raises(InputError, match="direct"):
        LocalizedEnKF(GridTaper(1.0, {"s": AXES}, {"image": AXES}), direct=-1)


def test_that_a_hybrid_of_no_static_part_is_the_enkf(rng):
    state, data, observed = fields(rng)
    static = StaticCovariance.of(
        *(Ensemble({n: rng.standard_normal(e[n].shape) for n in e.names}) for e in (state, data))
    )
    one = HybridEnKF(static, 0.0).update(state, Evidence(data, observed, NOISE), np.random.default_rng(1)).ensemble
    two = EnKF(None).update(state, Evidence(data, observed, NOISE), np.random.default_rng(1)).ensemble
    np.testing.assert_allclose(one["s"], two["s"], atol=1e-10)
    other = HybridEnKF(static, 0.5).update(state, Evidence(data, observed, NOISE), np.random.default_rng(1)).ensemble
    assert np.abs(other["s"] - two["s"]).max() > 0.1


def test_that_a_static_covariance_keeps_its_products_when_it_is_compressed(rng):
    x, y = rng.standard_normal((500, 4)), rng.standard_normal((500, 2))
    static = StaticCovariance.of(Ensemble({"x": x}), Ensemble({"y": y}), scale=0.3)
    F, G = static.states.pack(), static.image(["y"])
    assert len(F) == 6
    joint = 0.3 * np.cov(np.concatenate([x, y], axis=1).T)
    np.testing.assert_allclose(F.T @ F, joint[:4, :4], atol=1e-12)
    np.testing.assert_allclose(G.T @ F, joint[4:, :4], atol=1e-12)


def test_that_3d_var_finds_the_minimum_of_a_nonlinear_misfit(rng):
    # One unknown, y = x²: J'(x) = (x − 1)/4 − 2 x (9 − x²)/0.1² has its minimum nearest to x_b = 1 close to 3.
    static = StaticCovariance(Ensemble({"x": np.array([[2.0]])}))
    analysis = ThreeDVar(static, nonlinear=True, iterations=50)
    start = Ensemble({"x": np.array([[1.0]])})
    y = Ensemble({"y": np.array([[9.0]])})

    def square(ensemble):
        return Ensemble({"y": ensemble["x"] ** 2})

    evidence = Evidence(square(start), y, DiagonalCovariance(np.array([0.01])), square)
    posterior = analysis.update(start, evidence, rng)
    x = posterior.ensemble["x"][0, 0]
    assert (x - 1) / 4 == pytest.approx(2 * x * (9 - x**2) / 0.01, abs=1e-3)  # steps stop at 1e-3 of the spread
    assert x == pytest.approx(3, abs=0.01)


def test_that_one_step_of_es_mda_is_the_enkf_and_wrong_factors_are_refused(rng):
    state, data, observed = fields(rng)
    one = ESMDA(inflations=(1.0,)).update(state, Evidence(data, observed, NOISE), np.random.default_rng(1)).ensemble
    two = EnKF(None).update(state, Evidence(data, observed, NOISE), np.random.default_rng(1)).ensemble
    np.testing.assert_array_equal(one["s"], two["s"])
    with pytest.raises(InputError, match="inverses sum to one"):
        ESMDA(inflations=(2.0, 3.0))


def two_modes(rng, y, members=100):
    mode = rng.integers(0, 2, members)
    x = np.where(mode[:, None] == 0, 3.0, 0.8) + 0.1 * rng.standard_normal((members, 2))
    R = DiagonalCovariance(np.array([0.01]))
    return Ensemble({"state": x}), Evidence(Ensemble({"data": x[:, :1]}), Ensemble({"data": np.array([[y]])}), R)


@pytest.mark.parametrize("analysis", [EnKF(None), ETKF(), ESMDA()], ids=lambda a: a.name)
def test_that_the_known_failure_on_two_modes_is_there(analysis, rng):
    found = [analysis.update(*two_modes(rng, 4.0, 200), rng).ensemble["state"] for _ in range(20)]
    # The linear limit (3.983, 3.966), far from the exact (3.5, 3). The error of its gain 0.984 is 0.09/√4000 = 0.0014, times
    # the innovation 2.1 is 0.003; four of them. A covariance of 4000 members is known to √(2/4000) = 2 %; four of them.
    np.testing.assert_allclose(np.mean([x.mean(axis=0) for x in found], axis=0), [3.983, 3.966], atol=0.012)
    covariance = np.mean([np.cov(x.T) for x in found], axis=0)
    np.testing.assert_allclose(covariance, [[0.00992, 0.00984], [0.00984, 0.02967]], atol=0.0025)


def test_that_large_states_form_no_large_matrix(rng):
    # With 20 members, 60 000 unknowns and 20 000 data any matrix of state or data size would take 3 GB or more.
    M, D, d = 20, 60_000, 20_000
    x = rng.standard_normal((M, D))
    arguments = (
        Ensemble({"x": x}),
        Evidence(Ensemble({"y": x[:, :d]}), Ensemble({"y": np.zeros((1, d))}), DiagonalCovariance(np.ones(d))),
    )
    import tracemalloc

    for analysis in (EnKF(None), ETKF(), DEnKF(), ESMDA()):
        tracemalloc.start()
        analysis.update(*arguments, rng)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * x.nbytes
