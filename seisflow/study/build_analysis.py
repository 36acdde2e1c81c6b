r"""From a name in ``study.methods`` and its table to the analysis.

Every analysis has the study's name for it, updates saturation and pressure, and puts saturations back into [0, 1 − S_wr]. A
table's ``noise_inflation`` multiplies R for any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.adjustments import Inflation, Rotation
from seisflow.analysis.base import Analysis
from seisflow.analysis.baselines.open_loop import OpenLoop
from seisflow.analysis.inflated_noise import InflatedNoise
from seisflow.analysis.kalman.denkf import DEnKF
from seisflow.analysis.kalman.enkf import EnKF
from seisflow.analysis.kalman.esmda import ESMDA
from seisflow.analysis.kalman.etkf import ETKF
from seisflow.analysis.kalman.hybrid import HybridEnKF
from seisflow.analysis.kalman.letkf import LETKF
from seisflow.analysis.kalman.localized_enkf import LocalizedEnKF
from seisflow.analysis.localization import GridTaper, LocalDomains
from seisflow.analysis.particle.ensemble_transform import EnsembleTransform
from seisflow.analysis.particle.implicit_equal_weights import ImplicitEqualWeights
from seisflow.analysis.particle.kernel_mixture import KernelMixture
from seisflow.analysis.particle.localized_prior import LocalizedPrior
from seisflow.analysis.particle.particle_filter import ParticleFilter
from seisflow.analysis.particle.particle_flow import ParticleFlow
from seisflow.analysis.variational.three_d_var import ThreeDVar
from seisflow.assimilation.climatology import StudyClimatology
from seisflow.errors import InputError
from seisflow.observation.data import cell_positions
from seisflow.study import Study

if TYPE_CHECKING:
    from seisflow.analysis.learned.transform import StateTransform
    from seisflow.study.build import Parts

__all__ = ["build_analysis", "own_simulations"]

FIELDS = ("saturation", "pressure")


def build_analysis(study: Study, method: str, parts: Parts) -> Analysis:
    """The analysis of a name in ``study.methods``.

    Raises
    ------
    InputError
        When there is no analysis of that name.
    """
    if method not in BUILDERS:
        raise InputError("methods", method, f"choose among {', '.join(BUILDERS)}")
    analysis = BUILDERS[method](study, parts)
    factor = getattr(getattr(study, method, None), "noise_inflation", 1.0)
    return InflatedNoise(analysis, factor) if factor > 1 else analysis


def own_simulations(study: Study) -> tuple[int, int]:
    """What analyses simulate themselves, beside forecasts and predicted data: intervals of members, and their images."""
    K, M, methods = len(study.surveys.days), study.ensemble.members, study.methods
    static = sum(getattr(study, name).static_members for name in ("hybrid", "three_d_var") if name in methods)
    steps = study.es_mda.steps - 1 if "es_mda" in methods else 0
    draws = study.proposal.draws if "proposal" in methods else 0
    return K * static, K * (static + M * (steps + draws))


def _common(study: Study, method: str, parts: Parts) -> dict[str, Any]:
    """What all analyses with fields, inflation and bounds are given."""
    inflation = Inflation(getattr(study, method).inflation)
    return {"fields": FIELDS, "adjustments": (inflation,), "bounds": _bounds(parts), "name": method}


def _bounds(parts: Parts) -> dict[str, tuple[float, float]]:
    return {"saturation": (0.0, parts.highest_saturation)}


def _etkf(study: Study, parts: Parts) -> Analysis:
    settings = _common(study, "etkf", parts)
    if study.etkf.rotation:
        settings["adjustments"] += (Rotation(),)
    return ETKF(**settings)


def _cells(parts: Parts) -> NDArray[np.float64]:
    """Positions of the flow grid's cells [m], ``(*shape, ndim)``."""
    return cell_positions(parts.scenario.prior.grid)


def _localized_enkf(study: Study, parts: Parts) -> Analysis:
    grid = parts.scenario.prior.grid
    axes = tuple(grid.centres(axis) for axis in range(grid.ndim))
    data = {}
    for name, about in parts.scenario.observation.data.items():
        lattice = about.lattice()
        if lattice is None:
            remedy = f"{name} has no positions on a grid, which this method needs; take another, such as letkf"
            raise InputError("methods", "localized_enkf", remedy)
        data[name] = lattice
    taper = GridTaper(study.localized_enkf.radius_m, dict.fromkeys(FIELDS, axes), data)
    return LocalizedEnKF(taper, **_common(study, "localized_enkf", parts))


def _letkf(study: Study, parts: Parts) -> Analysis:
    radius, data = np.array(study.letkf.radius_m), {}
    for name, about in parts.scenario.observation.data.items():
        if about.positions is None:
            raise InputError("methods", "letkf", f"{name} has no positions, which this method needs; take another")
        data[name] = about.positions / radius
    cells = _cells(parts) / radius
    return LETKF(LocalDomains(1.0, dict.fromkeys(FIELDS, cells), data), **_common(study, "letkf", parts))


def _es_mda(study: Study, parts: Parts) -> Analysis:
    steps = study.es_mda.steps
    return ESMDA(parts.scenario.observation.predict, (float(steps),) * steps, **_common(study, "es_mda", parts))


def _hybrid(study: Study, parts: Parts) -> Analysis:
    table = study.hybrid
    climatology = StudyClimatology(parts.scenario, table.static_members, FIELDS)
    return HybridEnKF(climatology, table.static_share, **_common(study, "hybrid", parts))


def _three_d_var(study: Study, parts: Parts) -> Analysis:
    table = study.three_d_var
    climatology = StudyClimatology(parts.scenario, table.static_members, FIELDS, table.scale)
    return ThreeDVar(climatology, bounds=_bounds(parts), name="three_d_var")


def _particle_filter(study: Study, parts: Parts) -> Analysis:
    return ParticleFilter(FIELDS, 1.0, study.particle_filter.jitter, _bounds(parts), "particle_filter")


def _ensemble_transform(study: Study, parts: Parts) -> Analysis:
    t = study.ensemble_transform
    return EnsembleTransform(
        FIELDS, t.entropy, t.second_order, t.rejuvenation, _bounds(parts), name="ensemble_transform"
    )


def _implicit_equal_weights(study: Study, parts: Parts) -> Analysis:
    table = study.implicit_equal_weights
    return KernelMixture(
        lambda kernels: ImplicitEqualWeights(kernels, table.two_stage),
        table.kernel_share,
        FIELDS,
        _bounds(parts),
        "implicit_equal_weights",
    )


def _particle_flow(study: Study, parts: Parts) -> Analysis:
    table = study.particle_flow
    cells = (_cells(parts) / np.array(table.radius_m)).reshape(-1, 2)
    return ParticleFlow(
        LocalizedPrior(np.concatenate([cells] * len(FIELDS)), 1.0),
        kernel=table.kernel,
        iterations=table.iterations,
        fields=FIELDS,
        bounds=_bounds(parts),
        name="particle_flow",
    )


def _proposal(study: Study, parts: Parts) -> Analysis:
    from seisflow.analysis.components import OnComponents
    from seisflow.analysis.learned.vector_flow import LearnedFlow  # imports torch
    from seisflow.analysis.particle.proposal_particle import ProposalParticleFilter
    from seisflow.learning.training.train import TrainingOptions

    table = study.proposal
    learned = LearnedFlow(training=TrainingOptions(epochs=table.epochs, batch=25, learning_rate=2e-3, patience=50))
    return OnComponents(
        lambda operator: ProposalParticleFilter(
            learned.proposal, learned.prior, operator, draws=table.draws, jitter=table.jitter
        ),
        parts.scenario.observation.predict,
        _transform(study, parts),
        table.components,
        name="proposal",
    )


def _transform(study: Study, parts: Parts) -> StateTransform:
    from seisflow.analysis.learned.transform import LevelSetSaturation, Relative, StateTransform

    saturation = LevelSetSaturation(residual_brine=study.fluids.brine_residual)
    return StateTransform({"saturation": saturation, "pressure": Relative(parts.initial_pressure)})


def _flow(study: Study, parts: Parts) -> Analysis:
    from seisflow.analysis.learned.flow import FlowAnalysis, GlowOptions, TrainingOptions  # imports torch

    f = study.flow
    sizes: dict[str, Any] = {"scales": f.scales, "steps": f.steps, "hidden": f.hidden}
    training: dict[str, Any] = {"epochs": f.epochs, "batch": f.batch_size, "learning_rate": f.learning_rate}
    given = {name: value for name, value in training.items() if value is not None}
    return FlowAnalysis(
        parts.scenario.observation.channels,
        _transform(study, parts),
        sampling=f.update,
        glow=GlowOptions(**{name: value for name, value in sizes.items() if value is not None}),
        folds=f.folds,
        glow_training=TrainingOptions(**given) if given else None,
        threads=f.threads,
    )


BUILDERS: Mapping[str, Callable[[Study, Parts], Analysis]] = {
    "open_loop": lambda study, parts: OpenLoop(),
    "enkf": lambda study, parts: EnKF(**_common(study, "enkf", parts)),
    "etkf": _etkf,
    "denkf": lambda study, parts: DEnKF(**_common(study, "denkf", parts)),
    "letkf": _letkf,
    "localized_enkf": _localized_enkf,
    "es_mda": _es_mda,
    "hybrid": _hybrid,
    "three_d_var": _three_d_var,
    "particle_filter": _particle_filter,
    "ensemble_transform": _ensemble_transform,
    "implicit_equal_weights": _implicit_equal_weights,
    "particle_flow": _particle_flow,
    "proposal": _proposal,
    "flow": _flow,
}
"""Name → how its analysis is built."""
