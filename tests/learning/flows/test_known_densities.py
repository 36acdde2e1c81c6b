"""Conditional densities whose answer is known: learned by Glow and HINT, judged against it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from seisflow.learning.flows import GlowOptions, conditional_glow, conditional_hint
from seisflow.learning.training import PairSet, TrainingOptions, fit
from tests.oracles import kalman

MAKERS = [pytest.param(conditional_glow, id="glow"), pytest.param(conditional_hint, id="hint")]
VECTOR = GlowOptions(scales=1, steps=10, hidden=64, summary=8, dropout=0.0, bound=2.0)
LONG = TrainingOptions(epochs=40, batch=64, learning_rate=3e-3, patience=40)


def single(array):
    return torch.from_numpy(np.asarray(array, np.float32))


def learn(make, x, y, options, training, seed=0):
    """A flow trained on standardised pairs, and a sampler in the units of x."""
    centre, scale, where, size = x.mean(0), x.std(0), y.mean(0), y.std(0)
    torch.manual_seed(seed)
    flow = make(x.shape[1:], y.shape[1], options)
    fit(flow, PairSet(single((x - centre) / scale), single((y - where) / size)), training, np.random.default_rng(seed))

    def sample(datum, n):
        z = flow(single((np.asarray(datum) - where) / size)[None]).sample(n, torch.Generator().manual_seed(seed))
        return z.numpy().astype(np.float64) * scale + centre

    return sample


def classifier_score(one, two, seed=0):
    """C2ST (Lopez-Paz & Oquab 2017): share of held-out samples that a trained network tells apart; 0.5 for equal laws."""
    rng = np.random.default_rng(seed)
    both = np.concatenate([one, two])
    both = single((both - both.mean(0)) / both.std(0))
    label = torch.cat([torch.zeros(len(one)), torch.ones(len(two))])
    order = torch.from_numpy(rng.permutation(len(both)))
    training, held = order[: len(both) // 2], order[len(both) // 2 :]
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(both.shape[1], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(300):
        optimiser.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(both[training])[:, 0], label[training]).backward()
        optimiser.step()
    with torch.no_grad():
        return float(((network(both[held])[:, 0] > 0) == label[held].bool()).float().mean())


def test_that_the_classifier_tells_what_differs_and_only_that():
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((3, 2000, 2))
    assert classifier_score(normal[0], normal[1]) < 0.54  # ½ ± 2 × 0.011, and the best of two noisy thresholds
    assert classifier_score(normal[0], 1.5 * normal[2]) > 0.58
    assert classifier_score(normal[0], normal[2] + 1) > 0.65


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_that_a_linear_gaussian_field_has_its_exact_posterior(make):
    n, members = 8, 3000
    rng = np.random.default_rng(1)
    place = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), -1).reshape(-1, 2)
    P = np.exp(-((place[:, None] - place[None]) ** 2).sum(-1) / (2 * (n / 3) ** 2)) + 0.05 * np.eye(n * n)
    H = np.diag((np.arange(n * n) % n >= n // 2).astype(float))[np.arange(n * n) % n >= n // 2]
    x = rng.multivariate_normal(np.zeros(n * n), P, size=members)
    noiseless = x @ H.T
    datum = H @ rng.multivariate_normal(np.zeros(n * n), P) + 0.5 * rng.standard_normal(len(H))
    mean, covariance = kalman(np.zeros(n * n), P, H, 0.25 * np.eye(len(H)), datum)

    def field(y):
        full = np.zeros((len(y), 1, n, n))
        full[:, 0].reshape(len(y), -1)[:, H.sum(0) > 0] = y
        return full

    torch.manual_seed(0)
    flow = make((1, n, n), 1, GlowOptions(scales=2, steps=4, hidden=24, summary=8, dropout=0.0))
    pairs = PairSet(
        single(x.reshape(-1, 1, n, n)),
        single(field(noiseless)),
        # Fresh noise in every batch: with noise drawn once a network learns it by heart.
        lambda count: single(field(0.5 * rng.standard_normal((count, len(H))))),
    )
    fit(flow, pairs, TrainingOptions(epochs=30, batch=32, learning_rate=4e-3), np.random.default_rng(0))
    samples = flow(single(field(datum[None]))).sample(4000, torch.Generator().manual_seed(0))
    samples = samples.flatten(1).double().numpy()
    errors = (
        np.sqrt(((samples.mean(0) - mean) ** 2).mean()),
        np.sqrt(((samples.std(0) / np.sqrt(np.diag(covariance)) - 1) ** 2).mean()),
        np.linalg.norm(np.cov(samples.T) - covariance) / np.linalg.norm(covariance),
    )
    print(f"mean {errors[0]:.3f}, deviation {errors[1]:.3f}, covariance {errors[2]:.3f}")
    # Root mean squares over cells of deviation about 0.6: the error of training. Without data the mean is off by 0.7,
    # deviations by 0.8 and the covariance by 2.
    assert errors[0] < 0.2
    assert errors[1] < 0.2
    assert errors[2] < 0.4


def two_modes(n, noise, rng):
    """Issue's example: x in two narrow clusters, y = x_1 + noise."""
    m = np.where(rng.random(n) < 0.5, 3.0, 0.8)
    x = m[:, None] + 0.1 * rng.standard_normal((n, 2))
    return x, x[:, :1] + noise * rng.standard_normal((n, 1))


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_that_both_modes_of_a_posterior_are_found(make):
    """The example with y = x_1 + N(0, 0.8²), for which a datum between the modes lies among the training pairs.

    With the noise of 0.1 no training datum comes within 7 deviations of y = 1.9, and a posterior there is extrapolation.
    """
    noise = 0.8
    x, y = two_modes(2000, noise, np.random.default_rng(0))
    sample = learn(make, x, y, VECTOR, LONG)
    for datum in (1.9, 2.4):
        evidence = [np.exp(-((datum - m) ** 2) / (2 * (noise**2 + 0.01))) for m in (3.0, 0.8)]
        draws = sample([datum], 4000)
        upper = draws[:, 1] > 1.9
        weight = evidence[0] / sum(evidence)
        exact = [((m * noise**2 + datum * 0.01) / (noise**2 + 0.01), m) for m in (3.0, 0.8)]
        # Medians: a continuous map of one Gaussian leaves a thread of a few percent of the samples between two clusters.
        found = [np.median(draws[upper], axis=0), np.median(draws[~upper], axis=0)]
        thread = np.mean(np.abs(draws - np.where(upper[:, None], exact[0], exact[1])).max(axis=1) > 0.5)
        print(f"y = {datum}: weight {upper.mean():.3f} ({weight:.3f}), modes {found} ({exact}), thread {thread:.3f}")
        assert upper.mean() == pytest.approx(weight, abs=0.1)
        # At 2.4 the lower mode has an eighth of the weight, and few pairs to be learned from (seen: off by 0.07).
        np.testing.assert_allclose(found, exact, atol=0.05 if datum == 1.9 else 0.1)
        assert thread < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_what_comes_out_of_the_example_with_little_noise(make):
    x, y = two_modes(2000, 0.1, np.random.default_rng(0))
    sample = learn(make, x, y, VECTOR, LONG)
    draws = sample([3.0], 4000)
    # Exact: N((3, 3), diag(0.005, 0.01)); bounds of 0.05 in mean as the issue's, deviations within a quarter.
    np.testing.assert_allclose(draws.mean(0), [3, 3], atol=0.05)
    np.testing.assert_allclose(draws.std(0), np.sqrt([0.005, 0.01]), rtol=0.25)
    for datum in (3.0, 1.9, 4.0):  # the last two beyond the training pairs: printed, not judged
        draws = sample([datum], 4000)
        upper = draws[:, 1] > 1.9
        modes = [np.median(draws[side], axis=0).round(3) if side.any() else None for side in (upper, ~upper)]
        covariance = np.cov(draws.T).round(4).tolist()
        print(f"y = {datum}: mean {draws.mean(0).round(3)}, {covariance = }, share {upper.mean():.3f}, {modes = }")
        assert np.isfinite(draws).all()


def moons(y, rng):
    """Two moons given the shift y (n, 2), as in simulation-based inference (Greenberg et al. 2019), without its fold."""
    angle, radius = rng.uniform(-np.pi / 2, np.pi / 2, len(y)), rng.normal(0.1, 0.01, len(y))
    arc = np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], axis=1) - y
    sign = np.where(rng.random(len(y)) < 0.5, -1.0, 1.0)
    u, v = arc[:, 0], arc[:, 1]
    return np.stack([sign * u + v, v - sign * u], axis=1) / np.sqrt(2)


def banana(y, rng):
    """x_1 ~ N(y, 1), x_2 = x_1² / 2 + y + N(0, 0.3²)."""
    first = y[:, 0] + rng.standard_normal(len(y))
    return np.stack([first, first**2 / 2 + y[:, 0] + 0.3 * rng.standard_normal(len(y))], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("law", "draw_y"), [(moons, lambda n, r: r.uniform(-0.1, 0.1, (n, 2))), (banana, None)])
def test_that_curved_posteriors_pass_the_classifier(make, law, draw_y):
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, (4000, 1)) if draw_y is None else draw_y(4000, rng)
    sample = learn(make, law(y, rng), y, VECTOR, replace(LONG, epochs=25))
    datum = 0.3 * np.abs(y).max(axis=0)
    exact = law(np.repeat(datum[None], 2000, axis=0), rng)
    score = classifier_score(exact, sample(datum, 2000))
    print(f"C2ST {score:.3f}")
    assert score <= 0.6  # the bound
