"""Drawing many from one condition, and what is computed for all steps of a scale together: the same numbers, only sooner."""

import contextlib

import pytest
import torch
from torch import nn

from seisflow.errors import InputError
from seisflow.learning.flows import (
    ActNorm,
    AffineCoupling,
    Chain,
    ConditionalAffine,
    ConditionalFlow,
    FlowStep,
    GlowOptions,
    HouseholderMixing,
    InvertibleConv1x1,
    Permutation,
    conditional_glow,
)
from seisflow.learning.flows.step import StepChain
from seisflow.learning.networks import MultiModal, convolutional, dense
from seisflow.learning.networks.coupling import PerCell
from seisflow.learning.networks.summary import UNetHead
from tests.learning.flows.test_layers import shaken

KINDS = {
    "field": ((2, 8, 8), 3, {}),
    "field, no condition": ((2, 8, 8), 0, {}),
    "field, recursive": ((2, 8, 8), 3, {"coupling": "recursive"}),
    "line, additive, householder": ((2, 8), 3, {"coupling": "additive", "mixing": "householder"}),
    "volume, checkerboard, permutation": ((1, 4, 4, 4), 3, {"squeeze": "checkerboard", "mixing": "permutation"}),
    "vector, recursive": ((5,), 3, {"coupling": "recursive", "depth": 3, "scales": 1}),
}
EXACT = {"rtol": 0, "atol": 1e-10}  # roundoff of float64 through a handful of layers


@pytest.fixture(autouse=True)
def _double_precision():
    with torch.random.fork_rng():
        torch.manual_seed(11)
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(torch.float32)


def make(name, **changes):
    shape, conditions, kind = KINDS[name]
    options = GlowOptions(**{"scales": 2, "steps": 3, "hidden": 8, "summary": 4, **kind, **changes})
    return shaken(conditional_glow(shape, conditions, options)).eval()


def one_condition(flow, conditions):
    return torch.randn(1, conditions, *flow.event_shape[1:]) if conditions else None


@pytest.mark.parametrize("name", KINDS)
def test_that_draws_are_the_inverse_of_their_latents(name):
    flow = make(name)
    c = one_condition(flow, KINDS[name][1])
    z = torch.randn(7, *flow.event_shape)
    x = flow(c).draw(z, batch=3)  # 7 = 3 + 3 + 1: no member may be lost
    assert x.shape == z.shape
    torch.testing.assert_close(x, flow(c).from_latent(z), **EXACT)
    torch.testing.assert_close(flow(c).to_latent(x), z, **EXACT)
    torch.testing.assert_close(flow(c).draw(z), x, **EXACT)


def test_that_draws_follow_the_weights_and_the_condition():
    flow = make("field")
    c, z = one_condition(flow, 3), torch.randn(2, 2, 8, 8)
    before = flow(c).draw(z)
    assert not torch.allclose(flow(c + 1).draw(z), before, atol=1e-3)
    shaken(flow)
    assert not torch.allclose(flow(c).draw(z), before, atol=1e-3)
    torch.testing.assert_close(flow(c).draw(z), flow(c).from_latent(z), **EXACT)


def test_that_draws_can_be_learned_from():
    # Drawn in inference mode, whose tensors autograd refuses: what comes out must be an ordinary one.
    flow = make("field")
    x = flow(one_condition(flow, 3)).sample(3)
    assert not x.requires_grad
    assert not x.is_inference()
    flow(one_condition(flow, 3)).log_prob(x).sum().backward()


def test_that_own_networks_and_summaries_draw_too():
    class Own(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.layer = nn.Conv2d(inputs, outputs, 1)

        def forward(self, known):
            return torch.sin(self.layer(known))

    summary = MultiModal({"image": 1, "wells": 2}, 4, 2, context=1)
    flow = conditional_glow((2, 8, 8), 3, GlowOptions(2, 2, 8, 4), network=Own, summary=summary)
    flow = shaken(flow).eval()
    c = {"image": torch.randn(1, 1, 8, 8), "context": torch.randn(1, 1)}
    z = torch.randn(5, 2, 8, 8)
    torch.testing.assert_close(flow(c).draw(z, 2), flow(c).from_latent(z), **EXACT)


def test_that_a_layer_by_itself_draws_too():
    c, z = torch.randn(1, 5, 4, 4), torch.randn(3, 2, 4, 4)
    layers = [
        AffineCoupling(2, 5, convolutional(8)),
        AffineCoupling(2, 5, convolutional(8), passed=0),  # the condition alone steers
        ConditionalAffine(2, UNetHead(5, 4, 4, 2)),
        Chain([ActNorm(2), InvertibleConv1x1(2), AffineCoupling(2, 5, convolutional(8))]),
    ]
    for layer in map(shaken, layers):
        flow = ConditionalFlow(layer.eval(), (2, 4, 4))
        torch.testing.assert_close(flow(c).draw(z, 2), flow(c).from_latent(z), **EXACT)


def test_that_draws_from_several_conditions_are_refused():
    flow = make("field")
    with pytest.raises(InputError, match="conditions"):
        flow(torch.randn(3, 3, 8, 8)).draw(torch.randn(5, 2, 8, 8))
    with pytest.raises(InputError, match="single condition"):
        flow(torch.randn(3, 3, 8, 8)).draw(torch.randn(3, 2, 8, 8), batch=2)


@pytest.mark.parametrize("mixing", [InvertibleConv1x1, HouseholderMixing, Permutation])
@pytest.mark.parametrize("shape", [(4,), (4, 3, 2)])
def test_that_steps_taken_together_are_their_layers_one_by_one(mixing, shape):
    network = convolutional(8) if len(shape) > 1 else dense(8)
    steps = [FlowStep(ActNorm(4), mixing(4), AffineCoupling(4, 3, network)) for _ in range(3)]
    chain, x, c = StepChain(steps), 2 + 3 * torch.randn(6, *shape), torch.randn(6, 3, *shape[1:])
    with torch.no_grad():
        for started in (False, True):  # in its first pass actnorm takes its scales from x
            z, logdet = chain(x, c)
            h, total = x, torch.zeros(6)
            for step in steps:
                for layer in step.parts:
                    h, term = layer(h, c)
                    total = total + term
            torch.testing.assert_close(z, h, **EXACT)
            torch.testing.assert_close(logdet, total, **EXACT)
            if not started:
                assert all(step.parts[0].ready for step in steps)
                shaken(chain)
        for step in reversed(steps):
            for layer in reversed(step.parts):
                h = layer.inverse(h, c)
        torch.testing.assert_close(h, x, **EXACT)
        torch.testing.assert_close(chain.inverse(z, c), x, **EXACT)
        alone = steps[1]
        torch.testing.assert_close(alone.inverse(alone(x, c)[0], c), x, **EXACT)


@pytest.mark.parametrize("shape", [(8, 16, 16, 16), (2, 4096), (3, 16, 16, 16), (8, 2, 2)])
def test_that_a_convolution_of_width_one_is_a_matrix_product(shape):
    torch.set_default_dtype(torch.float32)  # float64 takes the product itself
    layer = PerCell(5, 7)
    members, *field = shape
    x = torch.randn(members, *field, 5).movedim(-1, 1).requires_grad_()  # channels last in memory
    g = torch.randn(members, *field, 7).movedim(-1, 1)
    expected = nn.functional.linear(x.movedim(1, -1), layer.weight, layer.bias).movedim(-1, 1)
    inputs = [x, layer.weight, layer.bias]
    found, wanted = (torch.autograd.grad(y, inputs, g) for y in (layer(x), expected))
    torch.testing.assert_close(layer(x), expected)
    for a, b in zip(found, wanted, strict=True):
        # Sums over up to 32,768 cells of order one in float32, in another order: 1e-6 of √32768 × a few.
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize(
    ("coupling", "mixing"), [("affine", "lu"), ("recursive", "householder"), ("affine", "permutation")]
)
def test_that_everything_is_computed_where_the_weights_are(coupling, mixing, monkeypatch):
    # "meta" stands for any device that is not the CPU: tensors without numbers, which refuse to meet those of a CPU.
    # Only autocast does not know it.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda _: torch.float32)
    summary = MultiModal({"image": 1, "wells": 2}, 4, 2, context=1)
    options = GlowOptions(2, 2, 8, 4, coupling=coupling, mixing=mixing)
    flow = conditional_glow((2, 8, 8), 3, options, summary=summary).to("meta")
    c = {"image": torch.randn(1, 1, 8, 8, device="meta"), "context": torch.randn(1, 1, device="meta")}
    for memory in ("store", "checkpoint", "invert"):
        flow.bijector.memory = memory
        flow.zero_grad()
        flow(c).log_prob(torch.randn(3, 2, 8, 8, device="meta")).sum().backward()
        assert all(p.grad.device.type == "meta" for p in flow.bijector.scale.parameters())
    assert flow(c).sample(3).shape == (3, 2, 8, 8)
    assert flow(c).from_latent(torch.randn(3, 2, 8, 8, device="meta")).device.type == "meta"
