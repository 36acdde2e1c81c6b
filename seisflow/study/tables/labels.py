"""How the methods are named and coloured for readers: tables on a terminal, charts, figures."""

from __future__ import annotations

__all__ = ["COLOURS", "LABELS"]

LABELS = {
    "open_loop": "open loop",
    "enkf": "EnKF",
    "etkf": "ETKF",
    "denkf": "DEnKF",
    "letkf": "LETKF",
    "localized_enkf": "localised EnKF",
    "es_mda": "ES-MDA",
    "hybrid": "hybrid EnKF",
    "three_d_var": "3D-Var",
    "particle_filter": "particle filter",
    "ensemble_transform": "ensemble transform",
    "implicit_equal_weights": "implicit equal weights",
    "particle_flow": "particle flow",
    "proposal": "flow as proposal",
    "flow": "flow",
}
"""Method of the study file → its name for readers."""
COLOURS = {
    "open_loop": "0.45",
    "enkf": "tab:orange",
    "etkf": "goldenrod",
    "denkf": "sandybrown",
    "letkf": "tab:red",
    "localized_enkf": "tab:green",
    "es_mda": "tab:purple",
    "hybrid": "tab:olive",
    "three_d_var": "yellowgreen",
    "particle_filter": "tab:brown",
    "ensemble_transform": "tab:pink",
    "implicit_equal_weights": "mediumorchid",
    "particle_flow": "tab:cyan",
    "proposal": "steelblue",
    "flow": "tab:blue",
}
"""Method of the study file → its colour, by a name of matplotlib."""
