r"""The proposal-density particle filter: importance sampling from wherever the posterior is thought to lie.

    x_i ~ q(x | y°) ,     β_i ∝ p(y° | x_i) p(x_i) / q(x_i | y°) ,     N_eff = 1 / Σ β_i² ,

then systematic resampling of the draws by β. With q = p(x | y°) all weights are equal; with q = p it is the bootstrap
filter. Doucet, Godsill & Andrieu 2000 (Statistics and Computing 10, 197–208).

q and p are densities that can be drawn from and evaluated, made anew at each update from what is known there: a learned
conditional flow as q and a learned unconditional one as p, a Gaussian, a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations
from seisflow.analysis.components import OnComponents
from seisflow.analysis.importance import (
    jitter_duplicates,
    log_likelihood,
    normalise,
    systematic_resampling,
    without_weights,
)
from seisflow.analysis.table import InformedTable, Site
from seisflow.diagnostics import effective_size
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.tables import Count, NonNegative

__all__ = ["Density", "Prior", "Proposal", "ProposalParticleFilter", "ProposalTable"]


class Density(Protocol):
    """A probability density on packed states ``(D,)``."""

    def log_prob(self, x: NDArray) -> NDArray[np.float64]:
        """Log density of every row of ``(n, D)``, ``(n,)``; a constant may be missing from p or q as a whole."""

    def sample(self, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """n independent draws ``(n, D)``."""


Prior = Callable[[Ensemble, np.random.Generator], Density]
"""(forecast, generator) ↦ p(x)."""

Proposal = Callable[[Ensemble, Evidence, np.random.Generator], Density]
"""(forecast, evidence, generator) ↦ q(x | y°)."""


@dataclass(frozen=True, eq=False)
class ProposalParticleFilter(Analysis):
    """Particle filter whose members are drawn from a proposal density and weighted by how wrong it is.

    Known failure: the weights are as good as the densities. In many dimensions small errors of log p − log q add up and
    N_eff falls to 1; and where q has no mass no weight can put any.

    Parameters
    ----------
    proposal
        Makes q(x | y°) at each update.
    prior
        Makes p(x) at each update.
    fields
        Fields of the state, packed in this order for the densities. None: all. Others keep their place and are not drawn.
    draws
        Draws per member, 1 or more: the best members of a larger sample.
    jitter
        Of the copies, as for :class:`~seisflow.analysis.particle.particle_filter.ParticleFilter`.
    bounds
        Field → (lowest, highest) physical value, applied after the jitter.

    The draws are new states, so their data are predicted by the evidence's operator.
    """

    proposal: Proposal
    prior: Prior
    fields: tuple[str, ...] | None = None
    draws: int = 1
    jitter: float = 0.0
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = "proposal_particle"

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise InputError("draws", self.draws, "give 1 draw per member or more")
        if not self.jitter >= 0:
            raise InputError("jitter", self.jitter, "give a factor of 0 or more")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        plain = without_weights(forecast)
        fields = plain.names if self.fields is None else self.fields
        p = self.prior(forecast, generator)
        q = self.proposal(forecast, evidence, generator)

        X = q.sample(self.draws * forecast.size, generator)
        drawn = evidence.predict(plain.select(fields).unpack(X, fields))
        log_weights = log_likelihood(replace(evidence, predicted=drawn)) + p.log_prob(X) - q.log_prob(X)
        weights = normalise(log_weights)
        chosen = systematic_resampling(weights, generator, forecast.size)
        analysed = plain.unpack(jitter_duplicates(X, chosen, weights, self.jitter, generator), fields)

        statistics = {"effective_size": effective_size(weights), "draws": len(X)}
        return Posterior(analysed.clipped(self.bounds), statistics, mean=weights @ X)


class ProposalTable(InformedTable):
    """Particle filter whose proposal is a flow learned on the leading components of state and data."""

    name: ClassVar[str] = "proposal"
    label: ClassVar[str] = "flow as proposal"
    colour: ClassVar[str] = "steelblue"
    trains_networks: ClassVar[bool] = True
    least_members: ClassVar[int] = 8

    components: Count = 8
    """Leading components of the state."""
    draws: Count = 1
    """Draws a member; the data of every draw are predicted."""
    jitter: NonNegative = 0.0
    """Factor on the bandwidth by which copies are told apart."""
    epochs: Count = 200
    """Most passes over the training members."""

    def analysis(self, site: Site) -> OnComponents:
        from seisflow.analysis.learned.vector_flow import LearnedFlow  # imports torch
        from seisflow.learning.training.options import TrainingOptions

        learned = LearnedFlow(training=TrainingOptions(epochs=self.epochs, batch=25, learning_rate=2e-3, patience=50))
        inner = ProposalParticleFilter(learned.proposal, learned.prior, draws=self.draws, jitter=self.jitter)
        return OnComponents(inner, site.transform, self.components, name=self.name)

    def simulations(self, members: int) -> Simulations:
        return Simulations(images=members * self.draws)
