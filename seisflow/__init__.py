"""Sequential Bayesian inference for seismic monitoring of CO2 storage."""

__version__ = "0.1.0"
