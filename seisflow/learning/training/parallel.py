r"""Data-parallel training: what changes when several processes train one flow.

Started by ``torchrun`` (or by hand with ``torch.distributed.init_process_group``), every process calls
:func:`~seisflow.learning.training.train.train` with the same flow, members, validation pairs and options, and a generator
of its own. A batch of n members is dealt out, n_r to process r of R, and its loss is the mean over the whole batch:

    ∇ℓ = (1/R) Σ_r ∇( (R n_r / n) ℓ_r )          (DistributedDataParallel averages over processes).

Decisions (stop, go back to better weights) are taken on numbers that all processes share. Without a process group these
functions do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from seisflow.learning.flows.bijector import Condition

__all__ = [
    "Loss",
    "Objective",
    "deal",
    "negative_log_likelihood",
    "processes",
    "rank",
    "shared_sum",
    "shared_value",
    "wrap",
]


Loss = Callable[[nn.Module, Tensor, Any], Tensor]
"""The network, states ``(B, C, *field)`` and their condition ↦ what is minimised, a mean over the batch."""


def negative_log_likelihood(flow: nn.Module, x: Tensor, condition: Condition | None) -> Tensor:
    """−log p(x | c) per variable of a conditional flow, averaged over the batch."""
    return -flow(condition).log_prob(x).mean() / x[0].numel()


class Objective(nn.Module):
    """A network and its loss as one module, whose call is a training step's loss."""

    def __init__(self, network: nn.Module, loss: Loss = negative_log_likelihood) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, x: Tensor, condition: Condition | None) -> Tensor:
        return self.loss(self.network, x, condition)


def processes() -> int:
    """R, 1 without a process group."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Number r of this process."""
    return distributed.get_rank() if processes() > 1 else 0


def wrap(objective: Objective, device: torch.device) -> nn.Module:
    """The objective, its gradients averaged over processes; all start from the weights of process 0."""
    if processes() == 1:
        return objective
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(objective, device_ids=devices, broadcast_buffers=False)


def deal(batch: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
    """The members of a batch that this process takes, and the weight R n_r / n of its mean loss."""
    if processes() == 1:
        return batch, 1.0
    own = batch[rank() :: processes()]
    return own, processes() * len(own) / len(batch)


def shared_sum(values: list[float], device: torch.device) -> list[float]:
    """Sums over processes."""
    if processes() == 1:
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return [float(v) for v in total]


def shared_value(array: NDArray[np.int64], device: torch.device) -> NDArray[np.int64]:
    """The integers of process 0."""
    if processes() == 1:
        return array
    tensor = torch.as_tensor(array, dtype=torch.int64, device=device)
    distributed.broadcast(tensor, 0)
    return tensor.cpu().numpy()
