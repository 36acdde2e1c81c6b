"""One Julia worker for all tests of the two-phase flow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seisflow.dynamics.julia import JuliaEngine


@pytest.fixture(scope="session")
def engine() -> Iterator[JuliaEngine]:
    with JuliaEngine(threads=1) as running:
        yield running
