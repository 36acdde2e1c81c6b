"""The observation H: rock physics, waves, images, wells. Devito is imported only when waves are first simulated."""

from seisflow.observation.base import Observation
from seisflow.observation.imaging import Imaging, Migration
from seisflow.observation.joint import Joint
from seisflow.observation.rock_physics import RockPhysics
from seisflow.observation.seismic import Seismic
from seisflow.observation.survey import Encoding, Survey
from seisflow.observation.wave import Medium, Propagator, dot_test
from seisflow.observation.wells import Wells

__all__ = [
    "Encoding",
    "Imaging",
    "Joint",
    "Medium",
    "Migration",
    "Observation",
    "Propagator",
    "RockPhysics",
    "Seismic",
    "Survey",
    "Wells",
    "dot_test",
]
