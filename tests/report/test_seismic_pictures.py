import numpy as np
import pytest

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation import Survey
from seisflow.report.seismic_pictures import gather_figure, image_figure, survey_figure, time_lapse_figure

GRID = Grid((40, 30), (25.0, 20.0))
SURVEY = Survey.seabed(GRID, 10.0, 1.0, n_sources=3, n_receivers=12, source_depth=100.0)
RANDOM = np.random.default_rng(0)


def scales(figure):
    """(vmin, vmax) of every picture."""
    return [(m.norm.vmin, m.norm.vmax) for axes in figure.axes for m in (*axes.images, *axes.collections) if m.get_array() is not None]  # fmt: skip # noqa: E501


def test_that_gathers_share_one_symmetric_scale_and_time_runs_down():
    gather = RANDOM.standard_normal((SURVEY.n_samples, 12))
    figure = gather_figure(SURVEY, {"baseline": gather, "difference": 0.01 * gather}, clip=1.0)
    found = scales(figure)
    assert found[0] == found[1] == (-np.abs(gather).max(), np.abs(gather).max())
    low, high = figure.axes[0].get_ylim()
    assert low > high
    with pytest.raises(InputError, match="gathers"):
        gather_figure(SURVEY, {"a": gather[:-1]})


def test_that_a_clipped_scale_says_so():
    image = RANDOM.standard_normal(GRID.shape)
    labels = [axes.get_ylabel() for axes in image_figure(GRID, image, clip=0.9).axes]
    assert any("90 %" in label for label in labels)
    (low, high), *_ = scales(image_figure(GRID, image, clip=0.9))
    assert low == -high == pytest.approx(-np.quantile(np.abs(image), 0.9))
    with pytest.raises(InputError, match="clip"):
        image_figure(GRID, image, clip=0.0)


def test_that_vintages_share_a_scale_and_their_difference_is_centred():
    velocity = 2000 + GRID.depth
    figure = time_lapse_figure(GRID, velocity, velocity - 100.0 * (GRID.depth > 300))
    baseline, monitor, change = scales(figure)[:3]
    assert baseline == monitor
    assert change == (-100.0, 100.0)


def test_that_an_exchanged_survey_is_drawn_as_the_field_had_it():
    axes = survey_figure(GRID, 2000 + GRID.depth, SURVEY).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert (drawn["shots"] == 10.0).all()
    assert (drawn["receivers"] == 100.0).all()
