"""Acoustic waves: surveys, the time step, its adjoint, images. Knows grids, and nothing of CO2."""
