"""What an analysis is given."""

import numpy as np
import pytest

from seisflow.analysis.base import Evidence
from seisflow.covariance import DiagonalCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_that_a_datum_that_is_not_finite_is_refused_by_its_name(bad):
    predicted = Ensemble({"image": np.zeros((3, 2, 2)), "logs": np.zeros((3, 4))})
    observed = Ensemble({"image": np.zeros((1, 2, 2)), "logs": np.array([[0.0, bad, 1.0, bad]])})
    with pytest.raises(InputError, match=r"observed\.logs.*2 values"):
        Evidence(predicted, observed, DiagonalCovariance(np.ones(8)))
