"""Plume numbers of fields that are made by hand."""

import numpy as np

from seisflow.diagnostics.plume import PLUME, probability


def test_that_a_probability_is_the_share_of_members_above_the_threshold():
    S = np.array([[[0.0, 0.06], [PLUME, 0.9]], [[0.0, 0.0], [0.051, 0.9]], [[0.0, 0.06], [0.0, 0.9]], [[0.0] * 2] * 2])
    np.testing.assert_array_equal(probability(S), [[0, 0.5], [0.25, 0.75]])
    np.testing.assert_array_equal(probability(S, 0.5), [[0, 0], [0, 0.75]])
