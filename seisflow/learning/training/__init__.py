"""Training of a flow: pairs, steps, checkpoints, several processes."""

from seisflow.learning.training.pairs import PairSet, fit, split
from seisflow.learning.training.progress import ProgressLine
from seisflow.learning.training.sizes import suggest_glow, suggest_training
from seisflow.learning.training.train import TrainingOptions, TrainingRecord, train
from seisflow.learning.training.weights import warm_start

__all__ = [
    "PairSet",
    "ProgressLine",
    "TrainingOptions",
    "TrainingRecord",
    "fit",
    "split",
    "suggest_glow",
    "suggest_training",
    "train",
    "warm_start",
]
