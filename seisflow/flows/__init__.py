"""Conditional normalizing flows: bijectors, Glow, summary networks, state transforms, training."""

from seisflow.flows.actnorm import ActNorm
from seisflow.flows.affine import ConditionalAffine
from seisflow.flows.bijector import Bijector, Chain, ConditionalDistribution, ConditionalFlow
from seisflow.flows.conv1x1 import InvertibleConv1x1
from seisflow.flows.coupling import AffineCoupling
from seisflow.flows.glow import Glow, GlowOptions, conditional_glow
from seisflow.flows.squeeze import haar_squeeze, haar_unsqueeze
from seisflow.flows.summary import UNet
from seisflow.flows.train import TrainingOptions, TrainingRecord, train
from seisflow.flows.transform import FieldMap, LevelSetSaturation, Relative, StateTransform

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "Bijector",
    "Chain",
    "ConditionalAffine",
    "ConditionalDistribution",
    "ConditionalFlow",
    "FieldMap",
    "Glow",
    "GlowOptions",
    "InvertibleConv1x1",
    "LevelSetSaturation",
    "Relative",
    "StateTransform",
    "TrainingOptions",
    "TrainingRecord",
    "UNet",
    "conditional_glow",
    "haar_squeeze",
    "haar_unsqueeze",
    "train",
]
