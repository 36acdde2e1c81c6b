"""Conditional normalizing flows: bijectors, Glow and HINT, summary networks, state transforms, training."""

from seisflow.flows.actnorm import ActNorm
from seisflow.flows.affine import ConditionalAffine
from seisflow.flows.bijector import Bijector, Chain, ConditionalDistribution, ConditionalFlow
from seisflow.flows.conv1x1 import InvertibleConv1x1
from seisflow.flows.coupling import AdditiveCoupling, AffineCoupling
from seisflow.flows.glow import Glow, GlowOptions, conditional_glow, conditional_hint
from seisflow.flows.hint import RecursiveCoupling
from seisflow.flows.householder import HouseholderMixing
from seisflow.flows.modality import MultiModal
from seisflow.flows.multiscale import MultiScale
from seisflow.flows.networks import convolutional, dense
from seisflow.flows.pairs import PairSet, fit, split
from seisflow.flows.permutation import Permutation
from seisflow.flows.progress import ProgressLine
from seisflow.flows.sizes import suggest_glow, suggest_training
from seisflow.flows.squeeze import CheckerboardSqueeze, HaarSqueeze, haar_squeeze, haar_unsqueeze
from seisflow.flows.step import FlowStep
from seisflow.flows.summary import MLP, UNet
from seisflow.flows.train import TrainingOptions, TrainingRecord, train
from seisflow.flows.transform import FieldMap, LevelSetSaturation, Relative, StateTransform
from seisflow.flows.weights import warm_start

__all__ = [
    "MLP",
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijector",
    "Chain",
    "CheckerboardSqueeze",
    "ConditionalAffine",
    "ConditionalDistribution",
    "ConditionalFlow",
    "FieldMap",
    "FlowStep",
    "Glow",
    "GlowOptions",
    "HaarSqueeze",
    "HouseholderMixing",
    "InvertibleConv1x1",
    "LevelSetSaturation",
    "MultiModal",
    "MultiScale",
    "PairSet",
    "Permutation",
    "ProgressLine",
    "RecursiveCoupling",
    "Relative",
    "StateTransform",
    "TrainingOptions",
    "TrainingRecord",
    "UNet",
    "conditional_glow",
    "conditional_hint",
    "convolutional",
    "dense",
    "fit",
    "haar_squeeze",
    "haar_unsqueeze",
    "split",
    "suggest_glow",
    "suggest_training",
    "train",
    "warm_start",
]
