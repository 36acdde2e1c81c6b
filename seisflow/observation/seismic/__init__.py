"""Seismic images of a CO2 saturation: rock physics, waves, image, noise."""
