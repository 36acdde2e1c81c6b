"""Every layer: exact inverse, log-determinant against the autograd Jacobian, gradients to every parameter."""

import numpy as np
import pytest
import torch

from seisflow.errors import InputError
from seisflow.learning.flows import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Chain,
    CheckerboardSqueeze,
    ConditionalAffine,
    ConditionalFlow,
    Glow,
    GlowOptions,
    HaarSqueeze,
    HouseholderMixing,
    InvertibleConv1x1,
    Permutation,
    RecursiveCoupling,
    conditional_glow,
    conditional_hint,
)
from seisflow.learning.networks import MultiModal, haar_squeeze, haar_unsqueeze
from seisflow.learning.networks.coupling import convolutional, dense
from seisflow.learning.networks.summary import UNetHead


@pytest.fixture(autouse=True)
def _double_precision():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        torch.set_default_dtype(torch.float64)
        yield
        torch.set_default_dtype(torch.float32)


def shaken(module, size=0.1):
    """Move every parameter off its start, where couplings are the identity."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(size * torch.randn_like(p))
    return module


FIELD = (2, 4, 4)
CONDITION = torch.Size((5, 4, 4))


def layers():
    return {
        "actnorm": ActNorm(2),
        "conv1x1": InvertibleConv1x1(2),
        "coupling": AffineCoupling(2, 5, convolutional(8)),
        "affine": ConditionalAffine(2, UNetHead(5, 4, 4, 2)),
        "chain": Chain([ActNorm(2), InvertibleConv1x1(2), AffineCoupling(2, 5, convolutional(8))]),
        "glow": Glow(2, 5, GlowOptions(scales=2, steps=2, hidden=8, summary=3)),
        "glow, unconditional": Glow(2, 0, GlowOptions(scales=1, steps=2, hidden=8)),
        "glow, checkpointed": Glow(2, 5, GlowOptions(scales=2, steps=2, hidden=8, summary=3, memory="checkpoint")),
        "glow, inverting": Glow(2, 5, GlowOptions(scales=2, steps=2, hidden=8, summary=3, memory="invert")),
        "householder": HouseholderMixing(2),
        "permutation": Permutation(2),
        "reversal": Permutation(2, reverse_order=True),
        "haar": HaarSqueeze(),
        "checkerboard": CheckerboardSqueeze(),
        "additive": AdditiveCoupling(2, 5, convolutional(8)),
        "condition alone": AffineCoupling(2, 5, convolutional(8), passed=0),
        "recursive": Chain([CheckerboardSqueeze(), RecursiveCoupling(8, 0, convolutional(6), depth=2)]),
        "recursive, conditional": RecursiveCoupling(2, 5, convolutional(8), depth=3),
        "hint": Glow(2, 5, GlowOptions(scales=2, steps=2, hidden=8, summary=3, coupling="recursive")),
        "additive glow": Glow(2, 5, GlowOptions(2, 2, 8, 3, coupling="additive", squeeze="checkerboard")),
    }


NAMES = tuple(layers())


@pytest.mark.parametrize("name", NAMES)
def test_that_layers_invert_both_ways(name):
    layer = shaken(layers()[name]).eval()
    x, c = torch.randn(3, *FIELD), torch.randn(3, *CONDITION)
    with torch.no_grad():
        # Float64 roundoff through a handful of layers.
        torch.testing.assert_close(layer.inverse(layer(x, c)[0], c), x, rtol=0, atol=1e-10)
        z = torch.randn_like(layer(x, c)[0])
        torch.testing.assert_close(layer(layer.inverse(z, c), c)[0], z, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_that_the_log_determinant_is_that_of_the_jacobian(name):
    layer = shaken(layers()[name]).eval()
    x, c = torch.randn(2, *FIELD), torch.randn(2, *CONDITION)
    _, logdet = layer(x, c)
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda v, i=i: layer(v.view(1, *FIELD), c[i : i + 1])[0].flatten(), x[i].flatten()
        )
        # Both sides are float64 sums of 32 terms.
        torch.testing.assert_close(logdet[i], torch.linalg.slogdet(jacobian).logabsdet, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_that_gradients_reach_every_parameter(name):
    layer = shaken(layers()[name])
    if not list(layer.parameters()):
        pytest.skip("has no parameters")
    x, c = torch.randn(4, *FIELD), torch.randn(4, *CONDITION)
    z, logdet = layer(x, c)
    ((z**2).sum() - logdet.sum()).backward()
    silent = [n for n, p in layer.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # The parts of the LU factors that are masked, and matrices of one row, have no say; nothing else may be silent.
    assert silent == []


def test_that_the_condition_gets_gradients_through_the_summary_network():
    glow = shaken(layers()["glow"])
    c = torch.randn(2, *CONDITION, requires_grad=True)
    (glow(torch.randn(2, *FIELD), c)[0] ** 2).sum().backward()
    assert (c.grad.abs().flatten(2).sum(-1) > 0).all()


def test_that_checkpointing_changes_no_gradient():
    plain, spare = layers()["glow"], layers()["glow, checkpointed"]
    spare.load_state_dict(shaken(plain).state_dict())
    x, c = torch.randn(2, *FIELD), torch.randn(2, *CONDITION)
    gradients = []
    for glow in (plain.eval(), spare.eval()):
        (glow(x, c)[0] ** 2).sum().backward()
        gradients.append([p.grad for p in glow.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)  # the same operations, run twice


@pytest.mark.parametrize("shape", [(2, 3, 8), (2, 3, 4, 6), (1, 2, 4, 2, 6)])
def test_that_the_haar_squeeze_is_a_rotation_that_halves_every_axis(shape):
    x = torch.randn(shape)
    z = haar_squeeze(x)
    assert z.shape[2:] == tuple(n // 2 for n in shape[2:])
    torch.testing.assert_close((z**2).sum(), (x**2).sum())  # rotations keep lengths
    torch.testing.assert_close(haar_unsqueeze(z), x)


def test_that_an_odd_axis_is_refused_by_the_squeeze():
    with pytest.raises(InputError, match="even"):
        haar_squeeze(torch.zeros(1, 1, 4, 5))


def test_that_layers_take_vectors_and_volumes_too():
    for shape, network in [((6,), dense(8)), ((6, 2, 3, 2), lambda i, o: torch.nn.Conv3d(i, o, 3, padding=1))]:
        flow = shaken(Chain([ActNorm(6), InvertibleConv1x1(6), AffineCoupling(6, 0, network)])).eval()
        x = torch.randn(3, *shape)
        torch.testing.assert_close(flow.inverse(flow(x)[0]), x, rtol=0, atol=1e-10)


SHAPES = [(5,), (2,), (1, 8), (2, 8), (3, 4, 8), (1, 4, 8, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", [conditional_glow, conditional_hint])
@pytest.mark.parametrize("conditions", [0, 3])
def test_that_flows_of_any_dimension_invert_and_know_their_jacobian(shape, make, conditions):
    options = GlowOptions(scales=2 if len(shape) > 1 else 1, steps=2, hidden=6, summary=3)
    flow = shaken(make(shape, conditions, options)).eval()
    x = torch.randn(2, *shape)
    c = torch.randn(2, conditions, *shape[1:]) if conditions else None
    z, logdet = flow.forward(x, c)
    torch.testing.assert_close(flow.inverse(z, c), x, rtol=0, atol=1e-10)  # roundoff of float64
    one = None if c is None else c[:1]
    jacobian = torch.autograd.functional.jacobian(
        lambda v: flow.forward(v.view(1, *shape), one)[0].flatten(), x[0].flatten()
    )
    torch.testing.assert_close(logdet[0], torch.linalg.slogdet(jacobian).logabsdet, rtol=0, atol=1e-9)


def test_that_a_recursive_coupling_fills_the_triangle():
    layer = shaken(RecursiveCoupling(8, 0, dense(8), depth=3))
    jacobian = torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], torch.randn(8))
    below = torch.tril(torch.ones(8, 8), -1).bool()
    assert (jacobian[below] != 0).all()
    assert (jacobian[below.T] == 0).all()
    plain = torch.autograd.functional.jacobian(
        lambda v: shaken(AffineCoupling(8, 0, dense(8)), 0.0)(v[None])[0][0], torch.randn(8)
    )
    assert (plain[below] == 0).any()  # an affine coupling leaves entries empty


def test_that_a_householder_mixing_stays_a_rotation():
    layer = shaken(HouseholderMixing(6, reflections=4), 5.0)
    torch.testing.assert_close(layer.weight() @ layer.weight().T, torch.eye(6), rtol=0, atol=1e-12)


def test_that_a_permutation_goes_back_the_way_it_came():
    layer = Permutation(5, torch.Generator().manual_seed(0))
    assert not torch.equal(layer.order, layer.back)  # no order that is its own inverse
    x = torch.randn(3, 5, 2)
    assert torch.equal(layer.inverse(layer(x)[0]), x)
    torch.testing.assert_close(layer(x)[0], torch.einsum("ij,bjn->bin", layer.weight(), x))


def test_that_an_own_coupling_network_is_used():
    made = []

    def network(inputs, outputs):
        made.append((inputs, outputs))
        return torch.nn.Linear(inputs, outputs)

    flow = conditional_glow((6,), 0, GlowOptions(scales=1, steps=2), network=network)
    assert made == [(3, 6), (3, 6)]
    x = torch.randn(2, 6)
    torch.testing.assert_close(flow.inverse(flow.forward(x)[0]), x)


def test_that_state_comes_back_from_a_file(tmp_path):
    for memory in ("store", "invert"):
        options = GlowOptions(scales=2, steps=2, hidden=8, summary=3, memory=memory, coupling="recursive")
        flow = shaken(conditional_glow((2, 8, 8), 3, options))
        x, c = torch.randn(3, 2, 8, 8), torch.randn(3, 3, 8, 8)
        flow.train().forward(x, c)  # actnorm starts here; the other one must not start again
        torch.save(flow.state_dict(), tmp_path / "flow.pt")
        other = conditional_glow((2, 8, 8), 3, options)
        other.load_state_dict(torch.load(tmp_path / "flow.pt", weights_only=True))
        flow.eval()
        other.eval()
        assert torch.equal(flow(c).log_prob(x), other(c).log_prob(x))
        before = {k: v.clone() for k, v in other.state_dict().items()}
        other.train().forward(5 * x, c)
        assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


def test_that_actnorm_starts_from_its_first_batch():
    layer = ActNorm(3)
    z, _ = layer(5 + 3 * torch.randn(16, 3, 4, 4))
    torch.testing.assert_close(z.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-12)
    torch.testing.assert_close(z.std(dim=(0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-12)


def test_that_coupling_scales_stay_within_their_bound():
    layer = shaken(AffineCoupling(2, 0, convolutional(8), bound=0.5), 10.0)
    _, logdet = layer(100 * torch.randn(8, 2, 4, 4))
    assert logdet.abs().max() <= 0.5 * 16 + 1e-9
    assert logdet.abs().max() > 0.1  # the bound is reached for, not avoided by a dead layer


def test_that_a_new_flow_is_a_rotation_for_every_condition():
    # A fresh joint update must give back the forecast: no coupling may act before training.
    flow = conditional_glow((2, 8, 8), 3, GlowOptions(scales=2, steps=2, hidden=8)).eval()
    x = torch.randn(2, 2, 8, 8)
    z, logdet = flow.forward(x, torch.randn(2, 3, 8, 8))
    torch.testing.assert_close((z**2).flatten(1).sum(1), (x**2).flatten(1).sum(1))
    torch.testing.assert_close(flow.inverse(z, torch.randn(2, 3, 8, 8)), x)
    torch.testing.assert_close(logdet, torch.zeros(2), rtol=0, atol=1e-10)


def test_that_a_called_flow_is_a_distribution_that_samples_and_weighs():
    flow = ConditionalFlow(shaken(layers()["glow"]).eval(), FIELD)
    c = torch.randn(1, *CONDITION)
    generator = torch.Generator().manual_seed(1)
    x = flow(c).sample(5, generator)
    assert x.shape == (5, *FIELD)
    torch.testing.assert_close(x, flow(c).sample(5, torch.Generator().manual_seed(1)))
    z, logdet = flow.forward(x, c.expand(5, *CONDITION))
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1)
    torch.testing.assert_close(flow(c).log_prob(x), normal + logdet)


def test_that_one_condition_serves_many_fields_and_the_map_carries_them_over():
    flow = ConditionalFlow(shaken(layers()["hint"]).eval(), FIELD)
    c, target, x = torch.randn(1, *CONDITION), torch.randn(1, *CONDITION), torch.randn(4, *FIELD)
    torch.testing.assert_close(flow(c).log_prob(x), flow(c.expand(4, *CONDITION)).log_prob(x))
    z = flow(c).to_latent(x)
    torch.testing.assert_close(flow(c).from_latent(z), x)
    moved = flow.transport(x, c, target)
    torch.testing.assert_close(flow(target).to_latent(moved), z)
    with pytest.raises(InputError, match="conditions"):
        flow(torch.randn(3, *CONDITION)).log_prob(x)


def test_that_samples_carry_gradients_only_when_asked():
    flow = ConditionalFlow(shaken(layers()["glow"]).eval(), FIELD)
    c = torch.randn(1, *CONDITION, requires_grad=True)
    assert not flow(c).sample(3).requires_grad
    flow(c).rsample(3).sum().backward()
    assert c.grad.abs().sum() > 0
    whole = flow(c).sample(5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(whole, flow(c).sample(5, torch.Generator().manual_seed(0), batch=2))


@pytest.mark.parametrize("ndim", [0, 1, 2, 3])
def test_that_modalities_may_be_missing_and_scalars_modulate(ndim):
    field = (8, 4, 4)[:ndim]
    torch.manual_seed(2)
    summary = MultiModal({"image": 1, "wells": 2}, 4, 2 if ndim else 1, ndim=ndim, context=3)
    options = GlowOptions(scales=2 if ndim else 1, steps=2, hidden=6, summary=4)
    flow = shaken(conditional_glow((3, *field), 3, options, summary=summary)).eval()
    x = torch.randn(2, 3, *field)
    full = {"image": torch.randn(2, 1, *field), "wells": torch.randn(2, 2, *field), "context": torch.randn(2, 3)}
    z, _ = flow.forward(x, full)
    torch.testing.assert_close(flow.inverse(z, full), x)
    without = {k: v for k, v in full.items() if k != "wells"}
    unseen = full | {"wells": torch.full_like(full["wells"], torch.nan)}
    assert not torch.allclose(flow.forward(x, without)[0], z)
    # No wells at all, and wells that are not a number for every member, are the same thing.
    torch.testing.assert_close(flow.forward(x, without)[0], flow.forward(x, unseen)[0])
    only_first = {k: v.clone() for k, v in full.items()}
    only_first["wells"][1] = torch.nan
    mixed = flow.forward(x, only_first)[0]
    torch.testing.assert_close(mixed[0], z[0])
    torch.testing.assert_close(mixed[1], flow.forward(x, without)[0][1])
    later = flow.forward(x, full | {"context": full["context"] + 1})[0]
    assert not torch.allclose(later, z)
    with pytest.raises(InputError, match="context"):
        flow.forward(x, without | {"context": torch.zeros(2, 1)})
    with pytest.raises(InputError, match="known names"):
        flow.forward(x, full | {"picture": full["image"]})


@pytest.mark.parametrize("shape", [(2, 12, 16), (2, 16, 4), (16, 12)])
def test_that_fields_the_scales_do_not_divide_are_refused(shape):
    with pytest.raises(InputError, match="divisible"):
        conditional_glow(shape, 3, GlowOptions(scales=3))


def test_that_a_missing_condition_is_refused():
    with pytest.raises(InputError, match="condition"):
        layers()["glow"](torch.zeros(1, *FIELD))


def test_that_one_float32_glow_of_16_steps_inverts_from_random_latents():
    torch.set_default_dtype(torch.float32)
    flow = shaken(Glow(2, 3, GlowOptions(scales=3, steps=16, hidden=16, summary=4)), 0.02).eval()
    z, c = torch.randn(4, 2, 16, 16), torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        error = (flow(flow.inverse(z, c), c)[0] - z).abs().max()
    assert float(error) < 1e-4  # the bound of the design for float32
    assert np.isfinite(float(error))
