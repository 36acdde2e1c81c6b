"""Tables of the inference: the ensemble, and one table for every analysis that has choices to make."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seisflow.study.tables.base import Count, NonNegative, Positive, Share, Table

__all__ = [
    "DenkfTable",
    "EnkfTable",
    "EnsembleTable",
    "EnsembleTransformTable",
    "EsMdaTable",
    "EtkfTable",
    "FlowTable",
    "HybridTable",
    "ImplicitEqualWeightsTable",
    "LetkfTable",
    "LocalizedEnkfTable",
    "Method",
    "ParticleFilterTable",
    "ParticleFlowTable",
    "ProposalTable",
    "ThreeDVarTable",
]

Method = Literal[
    "open_loop",
    "enkf",
    "etkf",
    "denkf",
    "letkf",
    "localized_enkf",
    "es_mda",
    "hybrid",
    "three_d_var",
    "particle_filter",
    "ensemble_transform",
    "implicit_equal_weights",
    "particle_flow",
    "proposal",
    "flow",
]
"""Names of the analyses that a study file can ask for."""

Inflation = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class EnsembleTable(Table):
    """The ensemble."""

    members: Annotated[int, Field(ge=2)] = 128
    """Ensemble size M."""
    permeability: Literal["redrawn", "kept"] = "redrawn"
    """``"redrawn"``: every member draws K anew for every survey interval; ``"kept"``: it keeps its first."""
    max_failed_share: Share = 0.1
    """Share of members that may fail in the simulator and be replaced by fresh draws."""


class DataTable(Table):
    """What all analyses share that are told the covariance R of the data's noise."""

    noise_inflation: Inflation = 1.0
    """Factor on R that the update reckons with, for what an ensemble cannot match; the data keep R."""


class EnkfTable(DataTable):
    """Stochastic ensemble Kalman filter."""

    inflation: Inflation = 1.0
    """Factor on the analysis anomalies."""


class EtkfTable(DataTable):
    """Ensemble transform Kalman filter (symmetric square root)."""

    inflation: Inflation = 1.0
    """Factor on the analysis anomalies."""
    rotation: bool = True
    """Whether the anomalies are rotated at random, their mean and covariance kept."""


class DenkfTable(DataTable):
    """Deterministic ensemble Kalman filter."""

    inflation: Inflation = 1.0
    """Factor on the analysis anomalies."""


class LetkfTable(DataTable):
    """Local ensemble transform Kalman filter: image and log samples act around their place."""

    radius_m: tuple[Positive, Positive] = (100.0, 50.0)
    """Distance in x and in z at which the taper of the data is about exp(−½)."""
    inflation: Inflation = 1.0
    """Factor on the analysis anomalies."""


class LocalizedEnkfTable(DataTable):
    """Stochastic ensemble Kalman filter with tapered covariances."""

    radius_m: tuple[Positive, Positive] = (50.0, 25.0)
    """Distance in x and in z at which the taper of the covariances is about exp(−½)."""
    inflation: Inflation = 1.0
    """Factor on the analysis anomalies."""


class EsMdaTable(DataTable):
    """Ensemble smoother with multiple data assimilation of the state at the survey."""

    steps: Count = 4
    """Number of steps N, each with N R for noise; all but the first predict the data anew."""
    inflation: Inflation = 1.0
    """Factor on the anomalies after the last step."""


class HybridTable(DataTable):
    """Stochastic ensemble Kalman filter with a share of the prior's covariance."""

    static_share: Share = 0.5
    """Share β of the static covariance, that of an open loop of its own."""
    static_members: Annotated[int, Field(ge=2)] = 32
    """Size of that open loop; its data are predicted, too."""
    inflation: Inflation = 1.0
    """Factor on the analysis anomalies."""


class ThreeDVarTable(DataTable):
    """Three-dimensional variational analysis under the prior's covariance."""

    static_members: Annotated[int, Field(ge=2)] = 32
    """Size of the open loop whose covariance is B; its data are predicted, too."""
    scale: Positive = 1.0
    """Factor on B."""


class ParticleFilterTable(DataTable):
    """Bootstrap particle filter with systematic resampling at every survey."""

    jitter: NonNegative = 0.0
    """Factor on the bandwidth M^(−1/(n+4)) by which copies are told apart; 0 for none."""


class EnsembleTransformTable(DataTable):
    """Ensemble transform particle filter; needs the extra ``transport``."""

    entropy: NonNegative = 0.0
    """ε of the transport plan in units of the mean cost; 0 for the exact plan."""
    second_order: bool = True
    """Whether the covariance is corrected to that of the weights."""
    rejuvenation: NonNegative = 0.0
    """Share of the forecast anomalies that is mixed in at random."""


class ImplicitEqualWeightsTable(DataTable):
    """Implicit equal-weights particle filter on a forecast that is a mixture of Gaussian kernels."""

    kernel_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the forecast covariance that is in the kernels; the rest is the spread of their centres."""
    two_stage: bool = True
    """Whether a second draw keeps the size of the spread."""


class ParticleFlowTable(DataTable):
    """Particle flow filter with a localised prior covariance."""

    radius_m: tuple[Positive, Positive] = (100.0, 50.0)
    """Distance in x and in z at which the taper of the prior covariance is about exp(−½)."""
    kernel: Literal["matrix", "scalar"] = "matrix"
    """Kernel of every variable alone, or of all together."""
    iterations: Count = 100
    """Euler steps at most."""


class ProposalTable(DataTable):
    """Particle filter whose proposal is a flow learned on the leading components of state and data."""

    components: Count = 8
    """Leading components of the state."""
    draws: Count = 1
    """Draws a member; the data of every draw are predicted."""
    jitter: NonNegative = 0.0
    """Factor on the bandwidth by which copies are told apart."""
    epochs: Count = 200
    """Most passes over the training members."""


class FlowTable(Table):
    """Conditional normalizing flow; what is left out is chosen from the field and ensemble sizes."""

    update: Literal["joint", "reference"] = "joint"
    """``"joint"``: move each member, x̂ = f⁻¹(f(x; y); y°); ``"reference"``: x = f⁻¹(z; y°), z ~ N(0, I)."""
    folds: Annotated[int, Field(ge=2)] = 3
    """Networks of mean and spread; each is trained without its own part of the members."""
    scales: Count | None = None
    """Multiscale levels L."""
    steps: Count | None = None
    """Flow steps K a level."""
    hidden: Count | None = None
    """Hidden channels of the coupling networks."""
    epochs: Count | None = None
    """Most passes over the training members."""
    batch_size: Count | None = None
    """Members a training step."""
    learning_rate: Positive | None = None
    """Learning rate of Adam."""
    threads: Count = 1
    """Threads of torch; more than the free cores make it many times slower."""
