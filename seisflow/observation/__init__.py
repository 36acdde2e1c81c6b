"""The observation H: rock physics, waves, images, wells. Devito is imported only when waves are first simulated."""

from seisflow.observation.base import Observation
from seisflow.observation.imaging import Imaging, Migration
from seisflow.observation.rock_physics import RockPhysics
from seisflow.observation.seismic import Seismic
from seisflow.observation.survey import Encoding, Survey
from seisflow.observation.wave import Medium, Propagator, dot_test

__all__ = [
    "Encoding",
    "Imaging",
    "Medium",
    "Migration",
    "Observation",
    "Propagator",
    "RockPhysics",
    "Seismic",
    "Survey",
    "dot_test",
]
