r"""A vector model written in torch: its tangent and adjoint by automatic differentiation, forward and reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seisflow.dynamics.vector_model import VectorModel
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["TorchModel"]


@dataclass(frozen=True, eq=False)
class TorchModel(VectorModel):
    """A model whose step is a torch function; what 4D-Var needs of it comes from autograd.

    Parameters
    ----------
    function
        One step of states ``(..., n)``, float64, differentiable, every state on its own.
    variables
        n.
    step
        Time of one step.
    """

    function: Callable[[Tensor], Tensor]
    variables: int
    step: float = 1.0

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise InputError("step", self.step, "give a positive time step")

    @property
    def size(self) -> int:
        return self.variables

    def initial_state(self, members: int) -> Ensemble:
        return Ensemble({"state": np.zeros((members, self.variables))})

    def forward_step(self, x: NDArray) -> NDArray:
        with torch.no_grad():
            return self.function(torch.from_numpy(np.ascontiguousarray(x))).numpy()

    def tangent_step(self, x: NDArray, dx: NDArray) -> NDArray:
        shape = np.broadcast_shapes(x.shape, dx.shape)
        point, direction = (torch.from_numpy(np.broadcast_to(a, shape).copy()) for a in (x, dx))
        return torch.func.jvp(self.function, (point,), (direction,))[1].detach().numpy()

    def adjoint_step(self, x: NDArray, dual: NDArray) -> NDArray:
        shape = np.broadcast_shapes(x.shape, dual.shape)
        point, weight = (torch.from_numpy(np.broadcast_to(a, shape).copy()) for a in (x, dual))
        pull = torch.func.vjp(self.function, point)[1]
        return pull(weight)[0].detach().numpy()
