"""Three ways to keep activations: the same gradients, less memory; mixed precision and compilation."""

import shutil

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from seisflow.errors import InputError
from seisflow.learning.flows import Chain, ConditionalFlow, GlowOptions, RecursiveCoupling, conditional_glow
from seisflow.learning.flows.recompute import forward_chain
from seisflow.learning.networks.coupling import dense

KINDS = {
    "glow, field": ((2, 8, 8), {}),
    "hint, field": ((2, 8, 8), {"coupling": "recursive"}),
    "additive, line, householder": ((2, 8), {"coupling": "additive", "mixing": "householder"}),
    "volume, checkerboard, permutation": ((1, 4, 4, 4), {"squeeze": "checkerboard", "mixing": "permutation"}),
    "hint, vector": ((5,), {"coupling": "recursive", "depth": 3, "scales": 1}),
    "hint, vector, two scales": ((7,), {"coupling": "recursive", "scales": 2}),
}


def shaken(flow, size=0.1):
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(size * torch.randn_like(p))
    return flow


def make(name, dtype=torch.float64, **changes):
    torch.manual_seed(3)
    shape, kind = KINDS[name]
    options = GlowOptions(**{"scales": 2, "steps": 3, "hidden": 8, "summary": 4, "dropout": 0.0, **kind, **changes})
    return shaken(conditional_glow(shape, 3, options).to(dtype))


def gradients(flow, memory, x, c, scale=1.0):
    flow.bijector.memory = memory
    x, c = x.clone().requires_grad_(), c.clone().requires_grad_()
    flow.zero_grad()
    (flow(c).log_prob(x).mean() * scale).backward()
    return [x.grad, c.grad, *(p.grad.clone() for p in flow.parameters())]


@pytest.mark.parametrize("name", KINDS)
def test_that_the_three_ways_give_the_same_gradients(name):
    flow = make(name)
    x = torch.randn(4, *flow.event_shape, dtype=torch.float64)
    c = torch.randn(4, 3, *flow.event_shape[1:], dtype=torch.float64)
    plain = gradients(flow, "store", x, c)
    # The summary network's gradients, and that of the condition, come through the couplings: none may be zero.
    assert all(g.abs().sum() > 0 for g in [*plain[:2], *(p.grad for p in flow.bijector.summary.parameters())])
    # By default "invert" keeps the last steps; with kept = 0 it inverts all of them.
    for memory, kept in (("checkpoint", None), ("invert", None), ("invert", 0), ("invert", 2)):
        scale = flow.bijector.scale
        while scale is not None:
            scale.kept, scale = scale.kept if kept is None else kept, scale.inner
        for a, b in zip(plain, gradients(flow, memory, x, c), strict=True):
            # Roundoff of float64 through six inverted steps.
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", ["glow, field", "hint, vector"])
def test_that_gradients_by_inversion_are_slopes(name):
    flow = make(name, memory="invert", steps=2)
    x = torch.randn(2, *flow.event_shape, dtype=torch.float64, requires_grad=True)
    c = torch.randn(2, 3, *flow.event_shape[1:], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, c: flow.forward(x, c), (x, c), fast_mode=True)


def test_that_one_condition_for_the_whole_batch_gets_the_sum_of_gradients():
    flow = make("hint, field")
    x = torch.randn(3, 2, 8, 8, dtype=torch.float64)
    one = torch.randn(1, 3, 8, 8, dtype=torch.float64)
    for memory in ("store", "invert"):
        single, copies = gradients(flow, memory, x, one)[1], gradients(flow, memory, x, one.expand(3, -1, -1, -1))[1]
        torch.testing.assert_close(single, copies.sum(0, keepdim=True), rtol=1e-9, atol=1e-12)


def test_that_float32_gradients_by_inversion_keep_their_digits():
    flow = make("glow, field", torch.float32, steps=16)
    x, c = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 8, 8)
    exact = gradients(make("glow, field", steps=16), "store", x.double(), c.double())
    errors = {}
    for memory in ("store", "invert"):
        pairs = zip(gradients(flow, memory, x, c), exact, strict=True)
        errors[memory] = max(float((a - b).abs().max() / b.abs().max().clamp_min(1e-3)) for a, b in pairs)
    # Inverting 32 steps adds rounding of its own, of the order of that of float32 through them (seen: 1e-5 and 2e-5).
    assert errors["invert"] < max(10 * errors["store"], 1e-4)


def allocated(flow, x, c):
    """Peak bytes that torch allocates in a forward and backward pass, above gradients."""
    flow.zero_grad()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        (-flow(c).log_prob(x).mean()).backward()
    events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    total = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        total += event.nbytes()
        peak = max(peak, total)
    return peak - sum(p.numel() * p.element_size() for p in flow.parameters())


def test_that_memory_by_inversion_does_not_grow_with_depth():
    x, c = torch.randn(8, 2, 32, 32), torch.randn(8, 3, 32, 32)
    peaks = {}
    for memory in ("store", "invert"):
        for steps in (4, 12):
            options = GlowOptions(scales=2, steps=steps, hidden=32, summary=4, dropout=0.0, memory=memory)
            flow = shaken(conditional_glow((2, 32, 32), 3, options))
            allocated(flow, x, c)
            peaks[memory, steps] = allocated(flow, x, c)
    print({k: round(v / 1e6, 2) for k, v in peaks.items()})
    assert peaks["store", 12] > 2 * peaks["store", 4]  # three times the activations, and the same summary network
    # What is left of the growth are small tensors, one a layer (matrices, sums).
    assert peaks["invert", 12] < 1.15 * peaks["invert", 4]


def test_that_weights_changed_before_backward_are_noticed():
    flow = make("glow, field", memory="invert")
    loss = (
        flow(torch.randn(2, 3, 8, 8, dtype=torch.float64)).log_prob(torch.randn(2, 2, 8, 8, dtype=torch.float64)).sum()
    )
    shaken(flow)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_that_networks_that_cannot_be_repeated_are_refused():
    def random_network(inputs, outputs):
        return torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(inputs, outputs))

    with pytest.raises(InputError, match="Dropout"):
        conditional_glow((4,), 0, GlowOptions(scales=1, memory="invert"), network=random_network)
    flow = conditional_glow((4,), 0, GlowOptions(scales=1), network=random_network)
    with pytest.raises(InputError, match="Dropout"):
        flow.bijector.memory = "invert"


def test_that_a_chain_without_condition_can_be_inverted_too():
    chain = Chain([RecursiveCoupling(4, 0, dense(8), depth=1) for _ in range(3)]).double()
    shaken(chain)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    (plain,) = torch.autograd.grad(chain(x)[0].sum(), x)
    (inverted,) = torch.autograd.grad(forward_chain(chain, x, None, "invert")[0].sum(), x)
    torch.testing.assert_close(plain, inverted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("memory", ["store", "checkpoint", "invert"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_that_mixed_precision_stays_close_and_invertible(memory, dtype):
    flow = make("glow, field", torch.float32, memory=memory)
    x, c = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 8, 8)
    full = gradients(flow, memory, x, c)
    # bfloat16 has the range of float32; float16 needs its loss scaled up, and the gradients scaled down again.
    scale = 1.0 if dtype == torch.bfloat16 else 1024.0
    with torch.autocast("cpu", dtype=dtype):
        mixed = [g / scale for g in gradients(flow, memory, x, c, scale)]
        z, _ = flow.forward(x, c)
        back = flow.inverse(z, c)
    assert z.dtype == torch.float32
    # The networks round to 8 bits (float16: 11), the bijections do not: both directions ask the networks the same question.
    assert float((back - x).detach().abs().max()) < (2e-2 if dtype == torch.bfloat16 else 4e-3)
    for a, b in zip(full, mixed, strict=True):
        # bfloat16 has 2-3 digits, and some gradients are small differences (seen: 0.13 at worst, the same in all three).
        assert float((a - b).norm() / a.norm()) < (0.25 if dtype == torch.bfloat16 else 0.05)


@pytest.mark.parametrize("memory", ["store", "invert"])
def test_that_an_own_loop_may_scale_its_loss(memory):
    flow = make("glow, field", torch.float32, memory=memory)
    x, c = torch.randn(16, 2, 8, 8), torch.randn(16, 3, 8, 8)
    optimiser, scaler = torch.optim.Adam(flow.parameters(), lr=3e-3), torch.amp.GradScaler("cpu", init_scale=2.0**14)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = -flow(c).log_prob(x).mean() / x[0].numel()
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        losses.append(float(loss.detach()))
    assert all(torch.isfinite(p).all() for p in flow.parameters())
    assert losses[-1] < losses[0] - 0.02


COMPILED = [("store", "aot_eager"), ("invert", "aot_eager"), ("store", "inductor"), ("invert", "inductor")]


@pytest.mark.parametrize(
    ("memory", "backend"), [c if c == COMPILED[0] else pytest.param(*c, marks=pytest.mark.slow) for c in COMPILED]
)
def test_that_compilation_changes_nothing(memory, backend):
    if backend == "inductor" and shutil.which("g++") is None:
        pytest.skip("needs g++")
    torch.compiler.reset()
    # Of two steps "invert" keeps the last and inverts the first.
    flow = make("glow, field", torch.float32, memory=memory, steps=1 if memory == "store" else 2, scales=1)
    x, c = torch.randn(4, 2, 8, 8), torch.randn(4, 3, 8, 8)
    plain = gradients(flow, memory, x, c)
    # "aot_eager" traces forward and backward as the default does, without generating code.
    compiled = ConditionalFlow(torch.compile(flow.bijector, backend=backend), flow.event_shape)
    flow.zero_grad()
    compiled(c).log_prob(x).mean().backward()
    for a, p in zip(plain[2:], flow.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, rtol=1e-4, atol=1e-5)  # float32, operations in another order
