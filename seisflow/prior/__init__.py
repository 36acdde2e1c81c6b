"""The prior: permeability from velocity, p(K)."""

from seisflow.prior.base import Prior
from seisflow.prior.gaussian_field import gaussian_field
from seisflow.prior.permeability import PermeabilityPrior, permeability_from_velocity

__all__ = ["PermeabilityPrior", "Prior", "gaussian_field", "permeability_from_velocity"]
