"""The schedule of checkpoints against an exhaustive search."""

from functools import cache
from math import comb

import pytest

from seisflow.observation.waves.revolve import advances, next_checkpoint


@cache
def least(segments, checkpoints):
    """Bellman's equation of the problem itself: advance m, copy, deal with the rest, then with the first m."""
    if segments == 1:
        return 0
    if checkpoints == 1:
        return segments - 1 + least(segments - 1, 1)
    return min(
        m + least(m, checkpoints) + least(segments - m, checkpoints - 1) for m in range(1, segments)
    )  # every place is tried


def spent(segments, checkpoints):
    """What following :func:`next_checkpoint` costs."""
    if segments == 1:
        return 0
    m = next_checkpoint(segments, checkpoints)
    assert 1 <= m < segments
    assert checkpoints > 1 or m == segments - 1
    return m + spent(m, checkpoints) + spent(segments - m, max(checkpoints - 1, 1))


@pytest.mark.parametrize("checkpoints", [1, 2, 3, 4, 7, 12])
def test_that_no_schedule_needs_fewer_steps(checkpoints):
    for segments in range(1, 61):
        assert advances(segments, checkpoints) == spent(segments, checkpoints) == least(segments, checkpoints)


def test_that_s_checkpoints_and_r_repetitions_reach_as_far_as_the_binomial_coefficient():
    for s in range(1, 7):
        for r in range(1, 5):
            reach = comb(s + r, s)
            # One segment more would have to be advanced r + 1 times instead of at most r.
            assert advances(reach + 1, s) - advances(reach, s) == r + 1
            assert advances(reach, s) - advances(reach - 1, s) == r
    assert advances(10, 1) == 45  # one state only: 9 + 8 + … + 1
    assert advances(10, 10) == 9  # a state for every segment
