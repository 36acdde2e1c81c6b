import warnings

import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import Encoding, Survey

GRID = Grid((100, 60), (20.0, 20.0), (500.0, 0.0))


def test_that_the_wavelet_starts_from_nothing_and_has_its_spectrum_at_the_peak_frequency():
    survey = Survey([[600, 10]], [[700, 10]], 10.0, 2.0)
    time = np.arange(4000) * 1e-3
    wavelet = survey.wavelet(time)
    assert abs(wavelet[0]) < 1e-5
    assert wavelet.max() == pytest.approx(1.0, abs=1e-6)
    spectrum = np.abs(np.fft.rfft(wavelet))
    frequency = np.fft.rfftfreq(4000, 1e-3)
    assert frequency[spectrum.argmax()] == pytest.approx(10.0, abs=0.25)  # spacing of the discrete frequencies
    assert spectrum[frequency > survey.wavelet.highest_frequency].max() < 0.04 * spectrum.max()


def test_that_a_seabed_survey_spreads_its_points_evenly_inside_the_section():
    survey = Survey.seabed(GRID, 10.0, 2.0, n_sources=4, n_receivers=20, source_depth=210.0)
    np.testing.assert_allclose(survey.sources[:, 0], 500 + np.array([250.0, 750, 1250, 1750]))
    assert (survey.sources[:, 1] == 210).all()
    assert survey.receivers.shape == (20, 2)
    assert survey.n_samples == 501


def test_that_a_vertical_profile_fires_whichever_side_is_smaller():
    few = Survey.vertical_profile(GRID, 10.0, 2.0, well=900.0, depths=np.arange(400.0, 800.0, 50.0), n_shots=40)
    assert (len(few.sources), len(few.receivers), few.exchanged) == (8, 40, True)
    assert (few.sources[:, 0] == 900).all()
    many = Survey.vertical_profile(GRID, 10.0, 2.0, well=900.0, depths=np.arange(400.0, 800.0, 5.0), n_shots=40)
    assert (len(many.sources), len(many.receivers), many.exchanged) == (40, 80, False)
    twice = few.exchange().exchange()
    assert not few.exchange().exchanged
    np.testing.assert_array_equal(twice.sources, few.sources)


def test_that_a_survey_cannot_be_changed():
    survey = Survey([[600, 10]], [[700, 10]], 10.0, 2.0)
    with pytest.raises(ValueError, match="read-only"):
        survey.sources[0, 0] = 0


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"sources": [600.0, 10.0]}, "sources"),
        ({"receivers": [[600.0, 10.0, 5.0]]}, "receivers"),
        ({"receivers": [[np.nan, 10.0]]}, "receivers"),
        ({"wavelet": 0.0}, "peak_frequency"),
        ({"duration": 0.1}, "duration"),
        ({"interval": 0.05}, "interval"),
    ],
)
def test_that_impossible_surveys_are_refused_by_name(changes, name):
    good = {"sources": [[600, 10]], "receivers": [[700, 10]], "wavelet": 10.0, "duration": 2.0, "interval": 4e-3}
    with pytest.raises(InputError, match=name):
        Survey(**{**good, **changes})


def test_that_sources_outside_the_model_are_refused():
    velocity = np.full(GRID.shape, 2000.0)
    with pytest.raises(InputError, match=r"sources.*499.*outside"):
        Survey([[499.0, 10]], [[700, 10]], 10.0, 3.0).check(GRID, velocity)
    with pytest.raises(InputError, match=r"receivers.*outside"):
        Survey([[600, 10]], [[700, 1201.0]], 10.0, 3.0).check(GRID, velocity)


def test_that_a_wavelet_beyond_the_grid_is_refused_with_the_spacing_that_would_do():
    survey = Survey([[600, 10]], [[700, 10]], 20.0, 3.0)
    # 1500 m/s, highest frequency 50 Hz, 3 nodes per wavelength: 10 m
    with pytest.raises(InputError, match="at most 10 m"):
        survey.check(GRID, np.full(GRID.shape, 1500.0))
    fine = Grid((200, 120), (10.0, 10.0), (500.0, 0.0))
    survey.check(fine, np.full(fine.shape, 1500.0))


def test_that_a_record_shorter_than_the_two_way_time_warns():
    velocity = np.full(GRID.shape, 2000.0)  # two ways of 1190 m from 10 m: 1.19 s, and 0.125 s for the wavelet's peak
    with pytest.warns(UserWarning, match="deepest part"):
        Survey([[600, 10]], [[700, 10]], 10.0, 1.29).check(GRID, velocity)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Survey([[600, 10]], [[700, 10]], 10.0, 1.34).check(GRID, velocity)


def test_that_an_encoding_sums_shifted_and_signed_shots():
    encoding = Encoding(np.array([[1.0, -2.0]]), np.array([[0, 3]]))
    records = np.random.default_rng(0).standard_normal((5, 2, 7, 4))
    encoded = encoding.apply(records)
    assert encoded.shape == (5, 1, 7, 4)
    np.testing.assert_array_equal(encoded[:, 0, :3], records[:, 0, :3])
    np.testing.assert_allclose(encoded[:, 0, 3:], records[:, 0, 3:] - 2 * records[:, 1, :4], rtol=1e-15)


def test_that_every_source_fires_once_and_the_seed_fixes_how():
    encoding = Encoding.random(7, 3, longest=20, seed=5)
    assert ((encoding.weights != 0).sum(axis=0) == 1).all()
    assert set(np.abs(encoding.weights[encoding.weights != 0])) == {1.0}
    assert encoding.shifts.max() <= 20
    same, other = Encoding.random(7, 3, 20, seed=5), Encoding.random(7, 3, 20, seed=6)
    np.testing.assert_array_equal(encoding.shifts, same.shifts)
    assert (encoding.shifts != other.shifts).any()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 12])
def test_that_as_many_orthogonal_supershots_as_sources_have_no_crosstalk(n):
    encoding = Encoding.orthogonal(n, n, seed=3)
    W = encoding.weights
    np.testing.assert_allclose(W.T @ W, np.eye(n), atol=1e-14)  # rounding of a matrix of norm 1
    assert (encoding.shifts == 0).all()
    if n in (1, 2, 4, 8):
        np.testing.assert_array_equal(np.abs(W), 1 / np.sqrt(n))


def test_that_fewer_orthogonal_supershots_keep_every_source_and_crosstalk_between_distant_ones_only():
    for n in (2, 4):
        P = (W := Encoding.orthogonal(8, n).weights).T @ W
        s, t = np.indices((8, 8))
        np.testing.assert_allclose(P, (s - t) % n == 0, atol=1e-15)
    for n in (3, 5, 7):
        W = Encoding.orthogonal(8, n).weights
        np.testing.assert_allclose((W**2).sum(axis=0), 1, rtol=1e-14)  # as strong as in the plain image
    W = Encoding.orthogonal(12, 5).weights
    np.testing.assert_allclose(W @ W.T, 12 / 5 * np.eye(5), atol=1e-14)
    assert np.trace(W.T @ W) == pytest.approx(12)


def test_that_a_subset_fires_the_chosen_sources_alone():
    encoding = Encoding.subset(5, [3, 0])
    records = np.random.default_rng(0).standard_normal((5, 7, 4))
    np.testing.assert_array_equal(encoding.apply(records), records[[3, 0]])
    for chosen in ([], [5], [1, 1]):
        with pytest.raises(InputError, match="shots"):
            Encoding.subset(5, chosen)


def test_that_more_supershots_than_sources_are_refused():
    with pytest.raises(InputError, match="encoded_shots"):
        Encoding.random(4, 5, 10)
    with pytest.raises(InputError, match="encoded_shots"):
        Encoding.orthogonal(4, 5)
    with pytest.raises(InputError, match="encoded_shots"):
        Encoding.orthogonal(4, 0)
