"""What ``compare_analyses.py`` runs: the methods, each rival's tuned settings, and the candidates they were chosen from."""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "open_loop": ("open_loop", {}),
    "enkf": ("enkf", {"inflation": 8.0}),
    "localized_enkf": ("localized_enkf", {"radius_m": (50.0, 25.0), "inflation": 1.5}),
    "letkf": ("letkf", {"radius_m": (25.0, 12.5), "inflation": 1.5}),
    "letkf_level_set": ("letkf", {"radius_m": (200.0, 100.0), "transform": "level_set"}),
    "letkf_fields": ("letkf", {"radius_m": (200.0, 100.0), "transform": "none"}),
    "particle_filter": ("particle_filter", {}),
    "es_mda": ("es_mda", {"steps": 4, "inflation": 8.0}),
    "flow": ("flow", {"update": "joint"}),
    "flow_reference": ("flow", {"update": "reference"}),
    "localized_regression": ("localized_regression", {}),
}
"""Label → name in study files and what of its table differs from the defaults, as tuned (``--tune``) with both."""

TUNED: dict[str, dict[str, dict[str, Any]]] = {
    "seismic": {"localized_enkf": {"radius_m": (25.0, 12.5), "inflation": 1.5}},
    "wells": {
        "enkf": {"inflation": 3.0},
        "localized_enkf": {"radius_m": (200.0, 100.0), "inflation": 1.2},
        "letkf": {"radius_m": (100.0, 25.0)},
        "es_mda": {"steps": 4, "inflation": 3.0},
    },
    "both:64": {
        # Single updates of stored forecasts on truths 1, 101 and 102, first and third survey; the best of three coordinates.
        "enkf": {"noise_inflation": 10.0, "transform": "normal_score"},
        "localized_enkf": {"radius_m": (200.0, 100.0), "transform": "normal_score"},
        "letkf": {"radius_m": (200.0, 100.0), "inflation": 1.3, "noise_inflation": 3.0, "transform": "normal_score"},
        "letkf_level_set": {
            "radius_m": (200.0, 100.0),
            "inflation": 1.3,
            "noise_inflation": 3.0,
            "transform": "level_set",
        },
        "letkf_fields": {
            "radius_m": (200.0, 100.0),
            "inflation": 1.5,
            "noise_inflation": 3.0,
            "transform": "none",
        },
        "particle_filter": {"noise_inflation": 300.0},
        "es_mda": {"steps": 4, "noise_inflation": 10.0, "transform": "normal_score"},
    },
    "seismic:64": {
        "enkf": {"inflation": 1.5, "noise_inflation": 100.0},
        # The localised filters over three surveys, on truths 101 to 104, as with both.
        "localized_enkf": {"radius_m": (200.0, 100.0), "inflation": 1.2, "noise_inflation": 30.0},
        "letkf": {"radius_m": (200.0, 100.0), "inflation": 1.5, "noise_inflation": 3.0},
        "particle_filter": {"noise_inflation": 3000.0},  # 1000: as good at the first survey, 13 % worse at the third
        "es_mda": {"steps": 4, "inflation": 1.5, "noise_inflation": 100.0},
    },
    "wells:64": {
        "enkf": {"inflation": 1.5, "noise_inflation": 30.0},
        # The localised filters over three surveys, on truths 101 to 104, where radii and γ matter little: 3 % of the sum.
        "localized_enkf": {"radius_m": (400.0, 200.0), "inflation": 1.5, "noise_inflation": 10.0},
        "letkf": {"radius_m": (400.0, 200.0), "inflation": 1.5, "noise_inflation": 10.0},
        "particle_filter": {"noise_inflation": 300.0},
        "es_mda": {"steps": 4, "inflation": 1.5, "noise_inflation": 30.0},
    },
    "both:128": {
        # All over three surveys, the localised filters on truths 101 to 104: best in the sum of the surveys and on three of
        # the four; at the last survey a third of these γ is better in the mean, by 2 %, because of truth 102 alone.
        "enkf": {"inflation": 1.5, "noise_inflation": 30.0},
        "localized_enkf": {"radius_m": (400.0, 200.0), "inflation": 1.2, "noise_inflation": 30.0},
        "letkf": {"radius_m": (200.0, 100.0), "inflation": 1.5, "noise_inflation": 3.0},
        "particle_filter": {"noise_inflation": 3000.0},
    },
    "seismic:128": {
        # Those of both with 128 members: with 64, both and images alone came to the same settings of the localised filters.
        "enkf": {"inflation": 1.5, "noise_inflation": 30.0},
        "localized_enkf": {"radius_m": (400.0, 200.0), "inflation": 1.2, "noise_inflation": 30.0},
        "letkf": {"radius_m": (200.0, 100.0), "inflation": 1.5, "noise_inflation": 3.0},
        "particle_filter": {"noise_inflation": 3000.0},
    },
    "wells:128": {
        # All over three surveys, the localised filters on truths 101 to 104.
        "enkf": {"inflation": 1.5, "noise_inflation": 3.0},
        "localized_enkf": {"radius_m": (400.0, 200.0), "inflation": 1.5, "noise_inflation": 3.0},
        "letkf": {"radius_m": (200.0, 100.0), "inflation": 1.5},
        "particle_filter": {"noise_inflation": 300.0},
        "es_mda": {"steps": 4, "inflation": 2.0, "noise_inflation": 10.0},
    },
}
"""What differs from that where it was tuned apart: modality, or modality:members → label → settings."""

CANDIDATES: list[tuple[str, dict[str, Any]]] = [
    *(("enkf", {"inflation": v}) for v in (1.0, 2.0, 3.0, 5.0, 8.0, 12.0)),
    *(
        ("localized_enkf", {"radius_m": (r, r / 2), "inflation": v})
        for r in (25.0, 50.0, 100.0, 200.0, 400.0)
        for v in (1.0, 1.2, 1.5, 2.0, 3.0)
    ),
    *(
        ("letkf", {"radius_m": (r, r / 2), "inflation": v})
        for r in (25.0, 50.0, 100.0, 200.0)
        for v in (1.0, 1.5, 2.0, 3.0)
    ),
    *(("particle_filter", {"jitter": v}) for v in (0.0, 0.3, 1.0)),
    *(("particle_filter", {"noise_inflation": g}) for g in (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)),
    *(("particle_filter", {"noise_inflation": g, "jitter": v}) for g in (300.0, 1000.0, 3000.0) for v in (0.3, 1.0)),
    *(
        ("enkf", {"inflation": v, "noise_inflation": g})
        for v in (1.0, 1.5, 2.0, 3.0)
        for g in (3.0, 10.0, 30.0, 100.0, 300.0)
    ),
    *(
        (method, {"radius_m": (r, r / 2), "inflation": v, "noise_inflation": g})
        for method in ("localized_enkf", "letkf")
        for r in (25.0, 50.0, 100.0, 200.0)
        for v in (1.0, 1.2, 1.5, 2.0)
        for g in (3.0, 10.0, 30.0, 100.0, 300.0)
    ),
    *(
        (method, {"radius_m": (400.0, 200.0), "inflation": v, "noise_inflation": g})
        for method in ("localized_enkf", "letkf")
        for v in (1.2, 1.5)
        for g in (3.0, 10.0, 30.0, 100.0, 300.0)
    ),
    *(
        ("es_mda", {"steps": 4, "inflation": v, "noise_inflation": g})
        for v in (1.0, 1.5, 2.0)
        for g in (10.0, 30.0, 100.0, 300.0)
    ),
    *(("es_mda", {"steps": n, "inflation": v}) for n, v in ((4, 1.0), (4, 5.0), (4, 8.0), (4, 12.0), (2, 8.0))),
    *(("flow", {"update": "joint", "folds": n}) for n in (3, 6)),
]
"""What ``--tune`` tries."""

WIDE: list[tuple[str, dict[str, Any]]] = [
    *(
        ("localized_enkf", {"radius_m": radius, "inflation": v})
        for radius in ((200.0, 50.0), (400.0, 50.0), (400.0, 100.0), (800.0, 50.0), (800.0, 100.0), (800.0, 400.0))
        for v in (1.0, 1.2, 1.5)
    ),
    *(
        ("letkf", {"radius_m": radius, "inflation": v})
        for radius in ((100.0, 25.0), (200.0, 25.0), (200.0, 50.0), (400.0, 50.0), (800.0, 50.0), (400.0, 200.0))
        for v in (1.0, 1.5)
    ),
    *(("es_mda", {"steps": 4, "inflation": v}) for v in (2.0, 3.0)),
    *(
        (method, {"radius_m": radius, "inflation": v, "noise_inflation": g})
        for method, radii in (
            ("localized_enkf", ((400.0, 100.0), (400.0, 200.0), (800.0, 400.0))),
            ("letkf", ((100.0, 25.0), (200.0, 25.0), (200.0, 50.0), (400.0, 200.0), (800.0, 400.0))),
        )
        for radius in radii
        for v in (1.0, 1.2, 1.5)
        for g in (3.0, 10.0, 30.0, 100.0)
    ),
    *(("es_mda", {"steps": 4, "inflation": v, "noise_inflation": 3.0}) for v in (1.0, 1.5, 2.0)),
]
"""Candidates for wells alone besides: what a log says reaches far along the layers."""


def chosen(label: str, modality: str, members: int) -> tuple[str, dict[str, Any]]:
    """Name and settings of a method, as tuned for a modality and ensemble size, or for the modality, or at all."""
    method, values = METHODS[label]
    for cell in (modality, f"{modality}:{members}"):
        values = TUNED.get(cell, {}).get(label, values)
    return method, values


def spelled(method: str, values: dict[str, Any]) -> str:
    """A method and its settings in words: what ``--only`` names and a chain's place in the store is called after."""

    def said(value: Any) -> str:
        return value if isinstance(value, str) else "x".join(f"{v:g}" for v in np.atleast_1d(value))

    return " ".join([method, *(f"{name}={said(value)}" for name, value in values.items())])
