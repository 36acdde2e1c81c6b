"""Two real processes with gloo: the gradients of one, and one training."""

import os
import socket

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from seisflow.errors import InputError
from seisflow.learning.flows import GlowOptions, conditional_glow
from seisflow.learning.training import TrainingOptions, parallel, train

OPTIONS = TrainingOptions(epochs=2, batch=5, learning_rate=2e-3)


def problem():
    rng = np.random.default_rng(0)
    c = rng.standard_normal((15, 1, 4, 4))
    x = np.concatenate([c, -c], axis=1) + 0.3 * rng.standard_normal((15, 2, 4, 4))
    return torch.from_numpy(x), torch.from_numpy(c)


def flow(memory):
    torch.manual_seed(0)
    return conditional_glow((2, 4, 4), 1, GlowOptions(1, 2, 4, 3, dropout=0.0, memory=memory)).double()


def gradients(memory):
    """Gradients of one batch of 5, and the validation losses of a training."""
    x, c = problem()
    one = flow(memory)
    one.forward(x, c)
    objective = parallel.wrap(parallel.Objective(one), torch.device("cpu"))
    own, weight = parallel.deal(np.arange(5))
    (objective(x[own], c[own]) * weight).backward()
    found = [p.grad.clone() for p in one.parameters()]
    two = flow(memory)
    pairs = [(x[10:13], c[10:13]), (x[13:], c[13:])]
    record = train(two, lambda i: (x[i], c[i]), np.arange(10), pairs, OPTIONS, np.random.default_rng(1))
    return found, record.validation, [p.detach().clone() for p in two.parameters()]


def work(rank, port, folder):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    result = [gradients(memory) for memory in ("store", "invert")]
    with pytest.raises(InputError, match="batch"):
        train(flow("store"), None, np.arange(3), [problem()], TrainingOptions(batch=1), np.random.default_rng(0))
    torch.save(result, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_that_two_processes_train_one_flow(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(work, args=(port, tmp_path), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for memory, first, second in zip(("store", "invert"), one, two, strict=True):
        alone = gradients(memory)
        for a, b, c in zip(alone[0], first[0], second[0], strict=True):
            # A batch of five over two processes (three and two): sums in another order, float64.
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
            assert torch.equal(b, c)
        assert first[1] == second[1]
        assert first[1][-1] < first[1][0]
        # Weights stay the same in both processes, bit by bit.
        assert all(torch.equal(a, b) for a, b in zip(first[2], second[2], strict=True))
        assert first[1][0] == pytest.approx(alone[1][0], rel=1e-12)
