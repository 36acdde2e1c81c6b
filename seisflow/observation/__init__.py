"""The observation H: rock physics, waves, images, wells. Devito is imported only when waves are first simulated."""

from seisflow.observation.base import Observation, Work
from seisflow.observation.data import DataAxis, DataField
from seisflow.observation.files.segy import read_segy, write_segy
from seisflow.observation.files.shot_records import ShotRecords
from seisflow.observation.injector import Injector
from seisflow.observation.joint import Joint
from seisflow.observation.seismic.noise import Repeatability, coloured_noise
from seisflow.observation.seismic.pressure_effect import HertzMindlin, LinearPressure
from seisflow.observation.seismic.rock_physics import RockPhysics
from seisflow.observation.seismic.seismic import Seismic
from seisflow.observation.waves.encoding import Encoding
from seisflow.observation.waves.imaging import Imaging, Migration
from seisflow.observation.waves.medium import Medium
from seisflow.observation.waves.propagator import Propagator
from seisflow.observation.waves.survey import Survey
from seisflow.observation.waves.verification import dot_test, taylor_slopes
from seisflow.observation.waves.wavelet import Ricker, SampledWavelet, Wavelet
from seisflow.observation.wells import Wells

__all__ = [
    "DataAxis",
    "DataField",
    "Encoding",
    "HertzMindlin",
    "Imaging",
    "Injector",
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
    "Work",
    "coloured_noise",
    "dot_test",
    "read_segy",
    "taylor_slopes",
    "write_segy",
]
