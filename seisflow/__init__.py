"""Sequential Bayesian inference for seismic monitoring of CO2 storage.

The nouns of a study and the verb :func:`assimilate`, each loaded when it is first asked for: importing this loads neither
Devito nor Julia nor torch, and nothing at all beyond the standard library, so that the installer of Julia runs anywhere.
"""

from importlib import import_module

__all__ = [
    "Ensemble",
    "Grid",
    "InputError",
    "JuliaError",
    "JuliaNotFoundError",
    "MemberProgress",
    "MemoryRecorder",
    "Posterior",
    "Scenario",
    "SeisflowError",
    "SimulationError",
    "Step",
    "Store",
    "Study",
    "TrainingError",
    "assimilate",
    "load_study",
    "open_run",
    "run_study",
    "simulate_truth",
]

__version__ = "0.1.0"

_HOME = {
    "Ensemble": "ensemble",
    "Grid": "grid",
    "MemberProgress": "ensemble",
    "MemoryRecorder": "storage.recorder",
    "Posterior": "analysis.base",
    "Scenario": "assimilation.scenario",
    "Step": "assimilation.loop",
    "Store": "storage.store",
    "Study": "study",
    "assimilate": "assimilation.loop",
    "load_study": "study",
    "open_run": "runner",
    "run_study": "runner",
    "simulate_truth": "assimilation.scenario",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'seisflow' has no attribute {name!r}")
    return getattr(import_module(f"seisflow.{_HOME.get(name, 'errors')}"), name)
