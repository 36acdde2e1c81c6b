"""A study so small that the whole way takes seconds."""

# 20 × 18 cells and 9 members on purpose: neither is divisible by the network's squeezes or batches.
TINY = {
    "name": "tiny",
    "seed": 5,
    "grid": {"shape": [20, 18], "spacing_m": [160.0, 85.0]},
    "solver": {"max_step_days": 60.0},
    "surveys": {"days": [300.0, 600.0]},
    "seismic": {
        "spacing_m": [32.0, 32.0],
        "peak_frequency_Hz": 6.0,
        "sources": 4,
        "receivers": 24,
        "encoded_shots": 2,
        "absorbing_cells": 20,
        "noise_images": 8,
    },
    "ensemble": {"members": 9},
    "flow": {"epochs": 2, "steps": 2, "hidden": 8},
}
