r"""Three ways to pay for the activations of a chain of bijectors, with the same gradients.

    "store"       plain autograd: fastest, memory grows with depth;
    "checkpoint"  keeps the input of every bijector, computes the rest again in backward: memory grows slowly;
    "invert"      keeps only the output; backward goes through the chain from its end, inverting bijector by bijector:
                  memory of one bijector, whatever the depth (Gomez et al. 2017, "The reversible residual network").

"invert" computes a coupling network twice in all (once forward, once backward, where one evaluation serves both the
inversion and the gradient), so a step takes about 4/3 of the time. The last few bijectors, which backward meets first, may
be kept as in "store": a number that does not depend on depth costs no more memory the deeper the chain. Coupling networks
must give the same answer twice: no dropout, no batch statistics. It gives first derivatives only.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from seisflow.errors import InputError
from seisflow.learning.flows.bijector import Chain, Gradients

__all__ = ["Memory", "forward_chain", "require_repeatable"]

Memory = Literal["store", "checkpoint", "invert"]


def forward_chain(
    chain: Chain, x: Tensor, condition: Tensor | None, memory: Memory, kept: int = 0
) -> tuple[Tensor, Tensor]:
    """``chain(x, condition)``, z and log|det|, with the activations kept as ``memory`` says.

    ``kept`` is the number of last bijectors that "invert" does not invert.
    """
    inverted = max(0, len(chain.bijectors) - kept)
    if memory == "store" or not torch.is_grad_enabled() or (memory == "invert" and inverted == 0):
        return chain(x, condition)
    if memory == "invert":
        first = chain.part(0, inverted)
        parameters = [p for p in first.parameters() if p.requires_grad]
        z, logdet = _Inverting.apply(first, x, condition, *parameters)
        if kept == 0:
            return z, logdet
        z, term = chain.part(inverted, None)(z, condition)
        return z, logdet + term
    logdet = x.new_zeros(len(x))
    for link in chain.links():
        x, term = checkpoint(link, x, condition, use_reentrant=False)
        logdet = logdet + term
    return x, logdet


def require_repeatable(module: nn.Module) -> None:
    """Refuse coupling networks that "invert" cannot compute twice."""
    random = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    for name, part in module.named_modules():
        if isinstance(part, random):
            remedy = 'memory="invert" computes coupling networks twice: leave it out, or use memory="store"'
            raise InputError("network", f"{type(part).__name__} at {name}", remedy)


class _Inverting(torch.autograd.Function):
    """The chain as one operation whose backward is :meth:`Chain.reverse`."""

    @staticmethod
    def forward(ctx: Any, chain: Chain, x: Tensor, condition: Tensor | None, *parameters: nn.Parameter) -> Any:
        with torch.no_grad():
            z, logdet = chain(x, condition)
        ctx.chain = chain
        ctx.device = x.device.type
        ctx.autocast = torch.is_autocast_enabled(ctx.device), torch.get_autocast_dtype(ctx.device)
        # Saving the parameters costs nothing and lets torch notice when they change before backward.
        ctx.save_for_backward(z, condition, *parameters)
        return z, logdet

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_z: Tensor, grad_logdet: Tensor) -> Any:
        z, condition, *parameters = ctx.saved_tensors
        gradients: Gradients = {}
        enabled, dtype = ctx.autocast
        with torch.autocast(ctx.device, dtype=dtype, enabled=enabled):
            _, grad_x, grad_c = ctx.chain.reverse(z, condition, grad_z, grad_logdet, gradients)
        return None, grad_x, grad_c, *(gradients.get(p) for p in parameters)
