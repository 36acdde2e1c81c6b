r"""Is an ensemble honest? Ranks, spread against skill, the energy score, and how sure one may be of a mean over truths.

ranks         r = number of members below the truth; uniform on 0 … M for a calibrated ensemble. Pearson's χ² tests it.
spread–skill  E[(truth − mean)²] = (1 + 1/M) E[variance] for a calibrated ensemble: the ratio of the two roots is 1
              (Fortin, Abaza, Anctil & Turcotte 2014, J. Hydrometeorol. 15, 1708–1713).
energy score  mean_i ‖x_i − t‖ − ½ mean_{i≠j} ‖x_i − x_j‖, the CRPS of vectors, fair (Gneiting & Raftery 2007, JASA 102).
bootstrap     percentile interval of a statistic over independent cases; over blocks of them when neighbours depend on each
              other (Künsch 1989, Ann. Stat. 17, 1217–1241).

Cycles of one run are not independent, and neighbouring variables are not either: test ranks that are thinned.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import chi2

from seisflow.errors import InputError

__all__ = [
    "bootstrap_interval",
    "effective_size",
    "energy_score",
    "rank_histogram",
    "rank_test",
    "ranks",
    "spread_skill",
    "spread_skill_curve",
]


def ranks(samples: NDArray, truth: NDArray, generator: np.random.Generator | None = None) -> NDArray[np.int64]:
    """Number of members below the truth in every component, ``truth.shape``.

    Parameters
    ----------
    samples
        ``(M, *shape)``.
    truth
        ``shape``.
    generator
        Breaks ties at random (a saturation of exactly zero); without it, ties count as not below.
    """
    if samples.shape[1:] != truth.shape:
        raise InputError("samples.shape", samples.shape, f"it must be (members, *{truth.shape})")
    below = (samples < truth).sum(axis=0)
    if generator is None:
        return below
    return below + generator.integers(0, (samples == truth).sum(axis=0) + 1)


def rank_histogram(ranks: NDArray, members: int, bins: int | None = None) -> NDArray[np.int64]:
    """Counts of the ranks 0 … M in equal bins ``(bins,)``.

    Parameters
    ----------
    ranks
        Any shape, values 0 … M.
    members
        M.
    bins
        Number of bins, a divisor of M + 1; default M + 1.
    """
    bins = members + 1 if bins is None else bins
    if bins < 2 or (members + 1) % bins:
        raise InputError("bins", bins, f"give a divisor of members + 1 = {members + 1}, 2 or more")
    values = np.ravel(ranks)
    if values.size == 0 or values.min() < 0 or values.max() > members:
        raise InputError("ranks", (values.size, "values"), f"give values from 0 to {members}")
    return np.bincount(values * bins // (members + 1), minlength=bins)


def rank_test(counts: NDArray) -> tuple[float, float]:
    """Pearson's test of a flat histogram: χ² with one degree of freedom less than bins, and its p-value.

    The p-value holds for independent ranks with five or more expected in each bin.
    """
    counts = np.asarray(counts, float)
    expected = counts.sum() / counts.size
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return statistic, float(chi2.sf(statistic, counts.size - 1))


def spread_skill(errors: NDArray, variances: NDArray, members: int) -> float:
    """Root of (1 + 1/M) mean variance over mean squared error: 1 calibrated, below 1 overconfident.

    Parameters
    ----------
    errors
        Truth minus ensemble mean, any shape.
    variances
        Unbiased ensemble variances, the same shape.
    members
        M.
    """
    return float(np.sqrt((1 + 1 / members) * np.mean(variances) / np.mean(np.square(errors))))


def spread_skill_curve(
    errors: NDArray, variances: NDArray, members: int, bins: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spread and root mean square error of cases sorted by spread into equal bins: on the diagonal if calibrated."""
    order = np.argsort(np.ravel(variances), kind="stable")
    squares, spreads = np.ravel(errors)[order] ** 2, (1 + 1 / members) * np.ravel(variances)[order]
    parts = np.array_split(np.arange(order.size), bins)
    return (
        np.array([np.sqrt(spreads[part].mean()) for part in parts]),
        np.array([np.sqrt(squares[part].mean()) for part in parts]),
    )


def energy_score(samples: NDArray, truth: NDArray) -> float:
    """Fair energy score with the Euclidean norm over all components.

    Parameters
    ----------
    samples
        ``(M, *shape)``, two members or more.
    truth
        ``shape``.
    """
    if samples.shape[1:] != truth.shape or len(samples) < 2:
        raise InputError("samples.shape", samples.shape, f"it must be (two members or more, *{truth.shape})")
    x = np.asarray(samples, np.float64).reshape(len(samples), -1)
    distance = np.linalg.norm(x - np.asarray(truth, np.float64).ravel(), axis=1).mean()
    return float(distance - 0.5 * pdist(x).mean())


def effective_size(weights: NDArray) -> float:
    """N_eff = (Σ w)² / Σ w², between 1 and M."""
    w = np.asarray(weights, np.float64)
    if not ((w >= 0).all() and w.sum() > 0):
        raise InputError("weights", w, "give weights of 0 or more, one of them positive")
    return float(w.sum() ** 2 / (w**2).sum())


def bootstrap_interval(
    values: NDArray,
    generator: np.random.Generator,
    statistic: Callable[[NDArray], float] = lambda cases: float(np.mean(cases)),
    probability: float = 0.9,
    draws: int = 2000,
    block: int = 1,
) -> tuple[float, float]:
    """Percentile interval of a statistic of the cases.

    Parameters
    ----------
    values
        One row per case (truth, cycle), ``(n, ...)``.
    generator
        Source of the resampling.
    statistic
        From resampled cases to a number.
    probability
        Of the interval.
    draws
        Number of resamples.
    block
        Length of the runs of neighbouring cases that are drawn together; 1 for independent cases.
    """
    cases = np.asarray(values)
    n = len(cases)
    if n < 2 or not 0 < probability < 1 or not 1 <= block <= n:
        raise InputError("values", n, "give two cases or more, a probability in (0, 1) and blocks of at most all cases")
    starts = generator.integers(0, n - block + 1, size=(draws, -(-n // block)))
    index = (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :n]
    found = np.array([statistic(cases[row]) for row in index])
    low, high = np.quantile(found, [(1 - probability) / 2, (1 + probability) / 2])
    return float(low), float(high)
