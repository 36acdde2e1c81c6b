"""Weights, transports and flows of particles: no Gaussian is assumed."""
