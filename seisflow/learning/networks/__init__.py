"""Networks that flows and others are made of."""

from seisflow.learning.networks.coupling import convolutional, dense
from seisflow.learning.networks.haar import haar_squeeze, haar_unsqueeze
from seisflow.learning.networks.modality import MultiModal
from seisflow.learning.networks.summary import MLP, UNet

__all__ = [
    "MLP",
    "MultiModal",
    "UNet",
    "convolutional",
    "dense",
    "haar_squeeze",
    "haar_unsqueeze",
]
