"""What the tests of waves and images share, once per file."""

import numpy as np
import pytest

from seisflow.observation import Propagator
from tests.observation.models import SMALL, build, plumes, small_survey


@pytest.fixture(scope="module")
def double():
    return Propagator(SMALL, small_survey(SMALL), 3100.0, layer=10, every=1, dtype=np.float64)


@pytest.fixture(scope="module")
def single():
    return Propagator(SMALL, small_survey(SMALL), 3100.0)


@pytest.fixture(scope="module")
def seismic():
    with build() as observation:
        yield observation


@pytest.fixture(scope="module")
def predicted(seismic):
    return seismic.predict(plumes())
