"""The covariance R that an observation states, judged by draws of its own noise that R has not seen: mean rᵀ R⁻¹ r / d."""

from __future__ import annotations

import numpy as np
import pytest

from seisflow.covariance import SeparableCovariance
from seisflow.ensemble import Ensemble
from seisflow.observation import Joint, Observation, Repeatability, Wells
from seisflow.observation.vector import VectorObservation
from tests.observation.models import FLOW, build


def dry() -> Ensemble:
    return Ensemble({"saturation": np.zeros((1, *FLOW.shape)), "pressure": np.full((1, *FLOW.shape), 1e7)})


def wells() -> Wells:
    return Wells(FLOW, [500.0, 900.0], np.full(FLOW.shape, 1e7))


def vector() -> VectorObservation:
    draws = np.random.default_rng(3).standard_normal((24, 5, 6))
    return VectorObservation(SeparableCovariance.of(draws), None)


SEISMIC = {
    "single shots": {},
    "encoded": {"encoded_shots": 2},
    "badly repeated": {"repeatability": Repeatability(position=3.0, amplitude=0.02, delay=2e-4)},
}
OBSERVATIONS = {name: (lambda options=options: build(noise_images=32, **options)) for name, options in SEISMIC.items()}
OBSERVATIONS |= {
    "wells": wells,
    "both": lambda: Joint([build(noise_images=32, encoded_shots=1), wells()]),
    "vector": vector,
}


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_that_draws_of_the_noise_have_the_size_that_its_covariance_states(name):
    observation: Observation = OBSERVATIONS[name]()
    state = Ensemble({"state": np.zeros((1, 30))}) if name == "vector" else dry()
    try:
        exact = observation.predict(state)
        noise = [
            observation.observe(state, np.random.default_rng((7, draw))).pack(exact.names) - exact.pack()
            for draw in range(10)
        ]
        R, draws = observation.noise, np.concatenate(noise)
    finally:
        observation.close()
    ratio = float((draws * R.solve(draws)).sum(axis=1).mean() / draws.shape[1])
    # An R of the right size gives 1. One from 32 draws, as studies have them, is a little too sure of directions that it has
    # hardly seen.
    assert 0.8 < ratio < 1.3
