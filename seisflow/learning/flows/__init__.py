"""Bijectors, Glow and HINT: conditional normalizing flows."""

from seisflow.learning.flows.actnorm import ActNorm
from seisflow.learning.flows.affine import ConditionalAffine
from seisflow.learning.flows.bijector import Bijector, Chain, ConditionalDistribution, ConditionalFlow
from seisflow.learning.flows.conv1x1 import InvertibleConv1x1
from seisflow.learning.flows.coupling import AdditiveCoupling, AffineCoupling
from seisflow.learning.flows.glow import Glow, GlowOptions, conditional_glow, conditional_hint
from seisflow.learning.flows.hint import RecursiveCoupling
from seisflow.learning.flows.householder import HouseholderMixing
from seisflow.learning.flows.multiscale import MultiScale
from seisflow.learning.flows.permutation import Permutation
from seisflow.learning.flows.squeeze import CheckerboardSqueeze, HaarSqueeze
from seisflow.learning.flows.step import FlowStep

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijector",
    "Chain",
    "CheckerboardSqueeze",
    "ConditionalAffine",
    "ConditionalDistribution",
    "ConditionalFlow",
    "FlowStep",
    "Glow",
    "GlowOptions",
    "HaarSqueeze",
    "HouseholderMixing",
    "InvertibleConv1x1",
    "MultiScale",
    "Permutation",
    "RecursiveCoupling",
    "conditional_glow",
    "conditional_hint",
]
