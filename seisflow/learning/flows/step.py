r"""Steps of the flow: actnorm, mixing of the channels, coupling, the first two computed as one matrix.

    h = M x + m ,  M = W diag(e^s) ,  m = M b ,   log|det| = n_cells (Σ s + log|det W|)      then the coupling on h.

One pass over the field instead of two; the matrices of all K steps of a scale, and their inverses (in double precision), are
computed together. Backward from the output (:meth:`Bijector.reverse`) needs no graph over cells for it: with g = ∂ℓ/∂h,
∂ℓ/∂x = Mᵀ g, ∂ℓ/∂M = Σ_cells g xᵀ, and only the small matrices are differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

import torch
from torch import Tensor

from seisflow.learning.flows.actnorm import ActNorm
from seisflow.learning.flows.bijector import Bijector, Chain, Gradients, Link, pull
from seisflow.learning.flows.mixing import Mixing, per_cell

__all__ = ["FlowStep", "StepChain"]


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

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.parts[0].start(x)
        matrix, bias, logdet = _matrices([self])
        return self.with_matrix(matrix[0], bias[0], logdet[0], x, condition)

    def with_matrix(
        self, matrix: Tensor, bias: Tensor, logdet: Tensor, x: Tensor, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """:meth:`forward` with M ``(C, C)``, m ``(C,)`` and log|det| per cell at hand."""
        z, term = self.parts[2](per_cell(x, matrix, bias), condition)
        return z, term + logdet * x[0, 0].numel()

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        back, bias = _backs(*_matrices([self])[:2])
        return per_cell(self.parts[2].inverse(z, condition), back[0], bias[0])

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        return StepChain([self]).inverse_given(condition)

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        return StepChain([self]).reverse(z, condition, grad_z, grad_logdet, gradients)


class StepChain(Chain):
    """Flow steps one after another, with mixings of one kind; their matrices are computed together.

    Parameters
    ----------
    steps
        The steps, all of the same number of channels.
    """

    def __init__(self, steps: Iterable[FlowStep]) -> None:
        super().__init__(steps)

    @property
    def steps(self) -> list[FlowStep]:
        """The steps."""
        return [cast(FlowStep, step) for step in self.bijectors]

    def part(self, start: int, stop: int | None) -> Chain:
        return StepChain(self.steps[start:stop])

    def links(self) -> list[Link]:
        steps = self.steps
        if steps[0].training and not all(step.parts[0].ready for step in steps):
            return list(steps)  # actnorm starts from data: its matrix is known only on the way
        matrices = (m.unbind() for m in _matrices(steps))
        return [partial(step.with_matrix, *m) for step, *m in zip(steps, *matrices, strict=True)]

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        backs, biases = _backs(*_matrices(self.steps)[:2])
        for step, back, bias in reversed(list(zip(self.steps, backs.unbind(), biases.unbind(), strict=True))):
            z = per_cell(step.parts[2].inverse(z, condition), back, bias)
        return z

    def inverse_given(self, condition: Tensor | None) -> Callable[[Tensor], Tensor]:
        couplings = [step.parts[2].inverse_given(condition) for step in self.steps]
        links = list(zip(couplings, *_backs(*_matrices(self.steps)[:2]), strict=True))

        def inverse(z: Tensor) -> Tensor:
            for coupling, back, bias in reversed(links):
                z = per_cell(coupling(z), back, bias)
            return z

        return inverse

    def reverse(
        self, z: Tensor, condition: Tensor | None, grad_z: Tensor, grad_logdet: Tensor, gradients: Gradients
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        steps = self.steps
        with torch.enable_grad():
            matrices, biases, logdets = _matrices(steps)
        total: Tensor | None = None
        with torch.no_grad():
            backs, back_biases = _backs(matrices, biases)
            grads = torch.empty_like(matrices), torch.empty_like(biases)
        for k in reversed(range(len(steps))):
            z, grad_z, term = steps[k].parts[2].reverse(z, condition, grad_z, grad_logdet, gradients)
            if term is not None:
                total = term if total is None else total.add_(term)
            with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
                rows = grad_z.movedim(1, -1).flatten(0, -2)
                z, grad_z = per_cell(z, backs[k], back_biases[k]), per_cell(grad_z, matrices[k].T)
                torch.mm(rows.T, z.movedim(1, -1).flatten(0, -2), out=grads[0][k])
                torch.sum(rows, 0, out=grads[1][k])
        share = (grad_logdet.sum() * z[0, 0].numel()).expand_as(logdets)
        small = [p for step in steps for part in step.parts[:2] for p in part.parameters()]
        pull((matrices, biases, logdets), (*grads, share), [], small, gradients)
        return z, grad_z, total


def _matrices(steps: list[FlowStep]) -> tuple[Tensor, Tensor, Tensor]:
    """M ``(K, C, C)``, m ``(K, C)`` and the log-determinant per cell ``(K,)``."""
    actnorms, mixings = [step.parts[0] for step in steps], [step.parts[1] for step in steps]
    with torch.autocast(actnorms[0].shift.device.type, enabled=False):
        log_scales, shifts = torch.stack([a.log_scale for a in actnorms]), torch.stack([a.shift for a in actnorms])
        weights, logdets = type(mixings[0]).all_weights(mixings)
        matrices = weights * log_scales.exp()[:, None, :]
        return matrices, (matrices @ shifts[:, :, None])[:, :, 0], log_scales.sum(1) + logdets


def _backs(matrices: Tensor, biases: Tensor) -> tuple[Tensor, Tensor]:
    """M⁻¹ and −M⁻¹ m: inverted in double precision, rounded once."""
    back = torch.linalg.inv(matrices.double())
    bias = -(back @ biases.double()[:, :, None])[:, :, 0]
    return back.to(matrices.dtype), bias.to(biases.dtype)
