import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seisflow.errors import InputError, TrainingError
from seisflow.learning.flows import GlowOptions, conditional_glow
from seisflow.learning.networks import MultiModal
from seisflow.learning.training import (
    PairSet,
    ProgressLine,
    TrainingOptions,
    fit,
    split,
    suggest_glow,
    suggest_training,
    train,
    warm_start,
)
from seisflow.learning.training.train import seeded

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


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_that_a_stopped_training_goes_on_as_if_it_had_not(tmp_path, precision):
    options = replace(OPTIONS, precision=precision)

    class StopError(Exception):
        pass

    def stop(done, total):
        if done == 3:
            raise StopError

    def go(progress=None, checkpoint=None):
        rng = np.random.default_rng(8)
        draw = problem(rng)
        with seeded(rng):
            flow = conditional_glow((2, 8, 8), 1, SMALL)
        pairs = [draw(np.arange(22, 27))]
        return flow, train(flow, draw, np.arange(22), pairs, options, rng, progress, checkpoint=checkpoint)

    whole, record = go()
    path = tmp_path / "deep" / "state.pt"
    with pytest.raises(StopError):
        go(stop, path)
    resumed, second = go(checkpoint=path)
    assert second.validation == record.validation
    assert second.training == record.training
    assert len(second.epoch_seconds) == OPTIONS.epochs
    assert all(torch.equal(v, resumed.state_dict()[k]) for k, v in whole.state_dict().items())
    # Finished: a third call only reads the result.
    third, again = go(checkpoint=path)
    assert again.validation == record.validation
    assert all(torch.equal(v, third.state_dict()[k]) for k, v in whole.state_dict().items())
    assert not list(path.parent.glob("*.part"))


def test_that_a_checkpoint_of_another_training_is_refused(tmp_path):
    rng = np.random.default_rng(8)
    draw = problem(rng)
    flow, pairs, path = conditional_glow((2, 8, 8), 1, SMALL), [draw(np.arange(22, 27))], tmp_path / "state.pt"
    train(flow, draw, np.arange(22), pairs, TrainingOptions(epochs=1), rng, checkpoint=path)
    with pytest.raises(InputError, match="options"):
        train(flow, draw, np.arange(22), pairs, TrainingOptions(epochs=2), rng, checkpoint=path)
    with pytest.raises(InputError, match="members"):
        train(flow, draw, np.arange(21), pairs, TrainingOptions(epochs=1), rng, checkpoint=path)


def test_that_a_warm_start_begins_where_the_last_one_ended():
    flow, record = run(0, TrainingOptions(epochs=20, learning_rate=5e-3))
    weights = {f"glow.{k}": v.numpy().copy() for k, v in flow.state_dict().items()}
    rng = np.random.default_rng(0)
    draw = problem(rng)
    with seeded(rng):
        later = conditional_glow((2, 8, 8), 1, SMALL)
    assert warm_start(later, weights, "glow.") == []
    second = train(later, draw, np.arange(22), [draw(np.arange(22, 27))], TrainingOptions(epochs=3), rng)
    # Fresh data noise in the validation pairs moves the likelihood by less than what was learned (0.15 nats).
    assert second.validation[0] == pytest.approx(min(record.validation), abs=0.05)
    assert all(np.array_equal(weights[f"glow.{k}"], v.numpy()) for k, v in flow.state_dict().items())
    larger = conditional_glow((2, 8, 8), 1, GlowOptions(scales=2, steps=3, hidden=8, summary=4))
    missing = warm_start(larger, weights, "glow.")
    assert missing
    assert all("steps.bijectors.2." in name for name in missing)


def test_that_an_explosion_is_taken_back():
    rng = np.random.default_rng(5)
    good, calls = problem(rng), [0]

    def draw(index):
        calls[0] += 1
        x, c = good(index)
        return (x * 200 if calls[0] == 9 else x), c

    record = run(5, draw=draw)[1]
    assert record.rescues == 1
    assert max(record.training) < 3  # the step with a loss of some 20,000 nats per variable left no trace
    assert min(record.validation) < record.validation[0]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_that_mixed_precision_learns_as_well(precision):
    full = run(0, TrainingOptions(epochs=15, learning_rate=5e-3))[1]
    flow, mixed = run(0, TrainingOptions(epochs=15, learning_rate=5e-3, precision=precision))
    assert all(v.dtype in (torch.float32, torch.bool) for v in flow.state_dict().values())
    assert mixed.rescues == 0  # a step that overflows float16 is left out, not taken back
    # They round the networks' answers, the gain in likelihood (0.15 nats per variable) must not suffer by a third.
    assert min(mixed.validation) == pytest.approx(min(full.validation), abs=0.05)


def test_that_a_split_never_leaks():
    rng = np.random.default_rng(0)
    groups = np.arange(53) // 4
    for _ in range(20):
        training, held = split(53, 0.2, rng, groups)
        assert sorted([*training, *held]) == list(range(53))
        assert not set(groups[training]) & set(groups[held])
    training, held = split(2, 0.01, rng)
    assert (len(training), len(held)) == (1, 1)
    with pytest.raises(InputError, match="share"):
        split(5, 0.5, rng, np.zeros(5))


def test_that_held_out_members_have_no_say_in_the_weights():
    x, y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(20, 2)
    _, held = split(20, 0.2, np.random.default_rng(1))
    flows = []
    for change in (0.0, 1e-3):
        changed = x.clone()
        changed[held] += change
        torch.manual_seed(0)
        flow = conditional_glow((3,), 2, GlowOptions(scales=1, steps=2, hidden=8))
        fit(flow, PairSet(changed, y), TrainingOptions(epochs=3, patience=9), np.random.default_rng(1), 0.2)
        flows.append(flow.state_dict())
    assert all(torch.equal(v, flows[1][k]) for k, v in flows[0].items())


def test_that_an_unconditional_flow_and_one_by_modalities_are_trained_alike():
    x = torch.randn(24, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    flow = conditional_glow((2, 4, 4), 0, GlowOptions(1, 2, 8))
    record = fit(flow, PairSet(2 + x), TrainingOptions(epochs=2), np.random.default_rng(0))
    assert len(record.validation) == 3
    summary = MultiModal({"a": 1}, 4, 1, context=1)
    flow = conditional_glow((2, 4, 4), 1, GlowOptions(1, 2, 8, 4), summary=summary)

    def draw(index):
        return x[index], {"a": x[index, :1], "context": torch.ones(len(index), 1)}

    record = train(flow, draw, np.arange(20), [draw(np.arange(20, 24))], OPTIONS, np.random.default_rng(0))
    assert record.validation[-1] < record.validation[0]


def test_that_the_record_and_the_line_tell_what_is_going_on():
    stream = io.StringIO()
    line = ProgressLine(stream)
    rng = np.random.default_rng(0)
    draw = problem(rng)
    flow = conditional_glow((2, 8, 8), 1, SMALL)
    pairs = [draw(np.arange(22, 27))]
    record = train(flow, draw, np.arange(22), pairs, TrainingOptions(epochs=3), rng, line, record=line.record)
    assert record is line.record
    assert len(record.epoch_seconds) == 3
    assert record.seconds >= sum(record.epoch_seconds)
    assert record.peak_memory > 2**20
    lines = stream.getvalue().splitlines()
    assert [text.split("   ")[0] for text in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert f"{record.validation[-1]:.3f}" in lines[-1]
    assert lines[-1].endswith("0:00 left")


def test_that_sizes_follow_the_fields_and_the_ensemble():
    small, large = suggest_glow((2, 64, 64), 64), suggest_glow((2, 512, 256), 1024)
    assert (small.scales, small.steps, small.hidden, small.memory) == (3, 4, 32, "store")
    assert large.scales > small.scales
    assert large.steps > small.steps
    assert large.hidden > small.hidden
    assert large.memory == "invert"
    assert suggest_glow((7,), 64).scales == 1
    assert suggest_glow((2, 12, 20), 64).scales == 1  # never more than the axes can be halved
    assert suggest_training(1024).batch > suggest_training(64).batch
    for members in (8, 64, 1024):
        assert conditional_glow((2, 64, 64), 1, suggest_glow((2, 64, 64), members)) is not None


@pytest.mark.parametrize(
    ("coupling", "scales", "steps"),
    [
        ("affine", 1, 16),
        *(pytest.param(c, 2, k, marks=pytest.mark.slow) for c in ("affine", "recursive") for k in (16, 32)),
    ],
)
def test_that_200_training_steps_leave_deep_flows_invertible(coupling, scales, steps):
    rng = np.random.default_rng(3)
    draw = problem(rng, n=40)
    torch.manual_seed(3)
    options = GlowOptions(scales=scales, steps=steps, hidden=8, summary=4, coupling=coupling, depth=1)
    flow = conditional_glow((2, 8, 8), 1, options)
    # 50 epochs of 4 batches; large steps on purpose, and the last weights instead of an average.
    training = TrainingOptions(epochs=50, learning_rate=2e-3, patience=50, average=0.0)
    record = train(flow, draw, np.arange(32), [draw(np.arange(32, 40))], training, rng)
    assert min(record.validation) < record.validation[0] - 0.05
    for dtype, bound in ((torch.float32, 1e-4), (torch.float64, 1e-10)):
        flow = flow.to(dtype)
        generator = torch.Generator().manual_seed(0)
        c = 2 * torch.randn((32, 1, 8, 8), generator=generator, dtype=dtype)
        z = torch.randn((32, 2, 8, 8), generator=generator, dtype=dtype)
        with torch.no_grad():
            there = (flow.forward(flow.inverse(z, c), c)[0] - z).abs().max()
            back = (flow.inverse(flow.forward(z, c)[0], c) - z).abs().max()
        print(f"{coupling} {scales} {steps} {dtype}: {float(there):.1e} {float(back):.1e}")
        assert max(float(there), float(back)) < bound  # the bounds, in standard deviations
