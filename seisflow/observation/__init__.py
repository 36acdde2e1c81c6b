"""The observation H: rock physics, waves, images, wells. Devito is imported only when waves are first simulated."""

from seisflow.observation.base import Observation
from seisflow.observation.encoding import Encoding
from seisflow.observation.imaging import Imaging, Migration
from seisflow.observation.joint import Joint
from seisflow.observation.medium import Medium
from seisflow.observation.noise import Repeatability, coloured_noise
from seisflow.observation.pressure_effect import HertzMindlin, LinearPressure
from seisflow.observation.rock_physics import RockPhysics
from seisflow.observation.segy import ShotRecords, read_segy, write_segy
from seisflow.observation.seismic import Seismic
from seisflow.observation.survey import Survey
from seisflow.observation.verification import dot_test, taylor_slopes
from seisflow.observation.wave import Propagator
from seisflow.observation.wavelet import Ricker, SampledWavelet, Wavelet
from seisflow.observation.wells import Wells

__all__ = [
    "Encoding",
    "HertzMindlin",
    "Imaging",
    "Joint",
    "LinearPressure",
    "Medium",
    "Migration",
    "Observation",
    "Propagator",
    "Repeatability",
    "Ricker",
    "RockPhysics",
    "SampledWavelet",
    "Seismic",
    "ShotRecords",
    "Survey",
    "Wavelet",
    "Wells",
    "coloured_noise",
    "dot_test",
    "read_segy",
    "taylor_slopes",
    "write_segy",
]
