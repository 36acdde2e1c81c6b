import math

import numpy as np
import pytest
import torch

from seisflow.errors import InputError, TrainingError
from seisflow.flows import GlowOptions, TrainingOptions, conditional_glow, train
from seisflow.flows.train import seeded

OPTIONS = TrainingOptions(epochs=6, batch=8, learning_rate=2e-3)
SMALL = GlowOptions(scales=2, steps=2, hidden=8, summary=4)


def problem(rng, n=27, size=8):
    """x = smooth pattern × a + noise, c = noisy view of a: learnable, of odd size."""
    a = rng.standard_normal((n, 1, 1, 1))
    pattern = np.sin(np.arange(size))[:, None] * np.ones((2, size, size))
    x = torch.from_numpy((a * pattern + 0.3 * rng.standard_normal((n, 2, size, size))).astype(np.float32))

    def draw(index):
        noisy = a[index] + 0.1 * rng.standard_normal((len(index), 1, 1, 1))
        return x[index], torch.from_numpy(np.broadcast_to(noisy, (len(index), 1, size, size)).astype(np.float32))

    return draw


def run(seed, options=OPTIONS, draw=None):
    rng = np.random.default_rng(seed)
    draw = draw or problem(rng)
    with seeded(rng):
        flow = conditional_glow((2, 8, 8), 1, SMALL)
    record = train(flow, draw, np.arange(22), [draw(np.arange(22, 27))], options, rng)
    return flow, record


def test_that_training_raises_the_likelihood_of_members_it_has_not_seen():
    _, record = run(0, TrainingOptions(epochs=20, learning_rate=5e-3))
    assert len(record.training) == 20
    assert record.validation[record.best_epoch] == min(record.validation)
    # 22 members teach it about 0.15 nats per variable (seen); an untaught network stays at 0.
    assert min(record.validation) < record.validation[0] - 0.08


def test_that_the_same_seed_gives_the_same_weights_bit_by_bit():
    (one, first), (two, second), (other, _) = run(3), run(3), run(4)
    assert first.validation == second.validation
    states = one.state_dict(), two.state_dict()
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not all(torch.equal(v, other.state_dict()[k]) for k, v in states[0].items())


def test_that_torch_is_left_as_it_was_found():
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    run(1, TrainingOptions(epochs=1))
    after = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_that_a_trained_flow_inverts_from_random_latents(dtype, bound):
    flow, _ = run(2, TrainingOptions(epochs=15, learning_rate=5e-3))
    flow = flow.to(dtype)
    c = torch.linspace(-2, 2, 9, dtype=dtype).view(-1, 1, 1, 1).expand(9, 1, 8, 8)
    z = torch.randn((9, 2, 8, 8), generator=torch.Generator().manual_seed(0), dtype=dtype)
    with torch.no_grad():
        assert float((flow.forward(flow.inverse(z, c), c)[0] - z).abs().max()) < bound  # the design's bounds


def test_that_a_bad_batch_is_survived_from_the_last_good_weights():
    rng = np.random.default_rng(5)
    good, calls = problem(rng), [0]

    def draw(index):
        calls[0] += 1
        x, c = good(index)
        return (x * math.nan if calls[0] == 9 else x), c

    flow, record = run(5, draw=draw)
    assert record.rescues == 1
    assert all(torch.isfinite(v).all() for v in flow.state_dict().values())
    assert min(record.validation) < record.validation[0]


def test_that_training_that_cannot_be_rescued_says_so():
    rng = np.random.default_rng(6)
    good, calls = problem(rng), [0]

    def draw(index):
        calls[0] += 1
        x, c = good(index)
        return (x * math.nan if calls[0] > 6 else x), c

    with pytest.raises(TrainingError, match="learning rate"):
        run(6, draw=draw)


def test_that_a_flow_that_only_gets_worse_comes_back_as_it_started():
    # White noise that is already standard: nothing to learn, so a wild step size can only lose.
    rng = np.random.default_rng(7)

    def draw(index):
        x = torch.from_numpy(rng.standard_normal((len(index), 2, 8, 8)).astype(np.float32))
        return x, torch.zeros(len(index), 1, 8, 8)

    flow, record = run(7, TrainingOptions(epochs=3, learning_rate=0.3, patience=2), draw)
    assert record.best_epoch == 0
    z = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        _, logdet = flow.forward(z, torch.zeros(4, 1, 8, 8))
    # Only actnorm, set from 22 members × 16 cells and more, differs from a rotation.
    assert float(logdet.abs().max()) < 0.1 * 128


def test_that_no_members_are_refused():
    with pytest.raises(InputError, match="members"):
        train(
            conditional_glow((2, 8, 8), 1, SMALL), lambda i: None, np.arange(0), [], OPTIONS, np.random.default_rng(0)
        )


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"learning_rate": -1.0}, {"noise": (0.0, 0.1)}, {"average": 1.0}])
def test_that_impossible_options_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        TrainingOptions(**bad)
