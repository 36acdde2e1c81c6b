"""The prior: permeability from velocity, p(K), and the state at rest, p(x_0)."""
