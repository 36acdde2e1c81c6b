r"""One step of the flow: actnorm, mixing of the channels, coupling, the first two computed as one matrix.

    h = W diag(e^s) x + W (e^s ∘ b) ,     log|det| = n_cells (Σ s + log|det W|)      then the coupling on h.

One pass over the field instead of two. Backward from the output (:meth:`Bijector.reverse`) needs no graph over cells for
it: with M = W diag(e^s) and g = ∂ℓ/∂h, ∂ℓ/∂x = Mᵀ g, ∂ℓ/∂M = Σ_cells g xᵀ, and only the small matrices are differentiated.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seisflow.flows.actnorm import ActNorm
from seisflow.flows.bijector import Bijector, Chain, Gradients, pull
from seisflow.flows.mixing import Mixing, per_cell

__all__ = ["FlowStep"]


class FlowStep(Chain):
    """Actnorm → mixing → coupling of ``(B, C, *field)``.

    Parameters
    ----------
    actnorm, mixing, coupling
        The three layers.
    """

    def __init__(self, actnorm: ActNorm, mixing: Mixing, coupling: Bijector) -> None:
        super().__init__([actnorm, mixing, coupling])

    @property
    def parts(self) -> tuple[ActNorm, Mixing, Bijector]:
        """The three layers."""
        actnorm, mixing, coupling = self.bijectors
        assert isinstance(actnorm, ActNorm)
        assert isinstance(mixing, Mixing)
        assert isinstance(coupling, Bijector)
        return actnorm, mixing, coupling

    def _matrix(self) -> tuple[Tensor, Tensor, Tensor]:
        """M, its bias and the log-determinant per cell."""
        actnorm, mixing, _ = self.parts
        with torch.autocast(actnorm.shift.device.type, enabled=False):
            matrix = mixing.weight() * actnorm.log_scale.exp()
            return matrix, matrix @ actnorm.shift, actnorm.log_scale.sum() + mixing.log_determinant()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        actnorm, _, coupling = self.parts
        actnorm.start(x)
        matrix, bias, logdet = self._matrix()
        z, term = coupling(per_cell(x, matrix, bias), condition)
        return z, term + logdet * x[0, 0].numel()

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        matrix, bias, _ = self._matrix()
        back = torch.linalg.inv(matrix.double())
        h = self.parts[2].inverse(z, condition)
        return per_cell(h, back, -(back @ bias.double()).to(h.dtype))

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        actnorm, mixing, coupling = self.parts
        h, grad_h, grad_c = coupling.reverse(z, condition, grad_z, grad_logdet, gradients)
        with torch.enable_grad():
            matrix, bias, logdet = self._matrix()
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            back = torch.linalg.inv(matrix.double())
            x = per_cell(h, back, -(back @ bias.double()).to(h.dtype))
            grad_x = per_cell(grad_h, matrix.T)
            rows, cells = grad_h.movedim(1, -1).flatten(0, -2), x.movedim(1, -1).flatten(0, -2)
            grads = rows.T @ cells, rows.sum(0), grad_logdet.sum() * x[0, 0].numel()
        pull((matrix, bias, logdet), grads, [], [*actnorm.parameters(), *mixing.parameters()], gradients)
        return x, grad_x, grad_c
