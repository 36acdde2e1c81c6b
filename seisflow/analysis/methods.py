"""The methods that a study file can ask for, in the order of its tables and of all lists. A new method is one line here."""

from __future__ import annotations

from importlib import import_module

from seisflow.analysis.table import MethodTable

__all__ = ["METHODS", "method"]


def _table(path: str) -> type[MethodTable]:
    module, _, name = path.rpartition(".")
    table: type[MethodTable] = getattr(import_module(f"seisflow.analysis.{module}"), name)
    return table


METHODS: tuple[type[MethodTable], ...] = tuple(
    map(
        _table,
        (
            "baselines.open_loop.OpenLoopTable",
            "kalman.enkf.EnkfTable",
            "kalman.etkf.EtkfTable",
            "kalman.denkf.DenkfTable",
            "kalman.letkf.LetkfTable",
            "kalman.localized_enkf.LocalizedEnkfTable",
            "kalman.esmda.EsMdaTable",
            "kalman.hybrid.HybridTable",
            "variational.three_d_var.ThreeDVarTable",
            "particle.particle_filter.ParticleFilterTable",
            "particle.ensemble_transform.EnsembleTransformTable",
            "particle.implicit_equal_weights.ImplicitEqualWeightsTable",
            "particle.particle_flow.ParticleFlowTable",
            "particle.proposal_particle.ProposalTable",
            "learned.localized_regression.LocalizedRegressionTable",
            "learned.flow.FlowTable",
        ),
    )
)
"""Their tables."""


def method(name: str) -> type[MethodTable]:
    """The table of a method.

    Raises
    ------
    KeyError
        When there is none of that name.
    """
    return {table.name: table for table in METHODS}[name]
