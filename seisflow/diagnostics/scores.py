r"""Scores of an ensemble x_1 … x_M of fields against a true field t. Pure functions; none of them plots.

RMSE      sqrt( mean_c (x̄_c − t_c)² ),  x̄ the ensemble mean
spread    sqrt( mean_c var_c ) with the unbiased variance; equals the RMSE on average for a reliable ensemble
ratio     spread after the data over spread before them; largest, cell by cell: max_c σ_c / max(σ_c°, ε)
CRPS      mean_c of  mean_i |x_i − t| − ½ mean_{i≠j} |x_i − x_j|     (fair: unbiased in M; Ferro 2014, QJRMS 140)
SSIM      structural similarity of mean and truth (Wang et al. 2004, IEEE TIP 13)
coverage  share of cells whose truth lies in the central interval of given probability
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from seisflow.errors import InputError

__all__ = ["coverage", "crps", "largest_spread_ratio", "rmse", "spread", "spread_ratio", "ssim"]

SSIM_WINDOW = 11
"""Width of the window of :func:`ssim` [cells]."""


def _check(samples: NDArray, truth: NDArray, least: int = 1) -> None:
    if samples.shape[1:] != truth.shape:
        raise InputError("samples.shape", samples.shape, f"it must be (members, *{truth.shape})")
    if len(samples) < least:
        raise InputError("samples.shape", samples.shape, f"this score needs at least {least} members")


def _select(values: NDArray, cells: NDArray[np.bool_] | None) -> NDArray:
    return (
        values.reshape(*values.shape[: values.ndim - cells.ndim], -1)[..., cells.ravel()]
        if cells is not None
        else values
    )


def rmse(samples: NDArray, truth: NDArray, cells: NDArray[np.bool_] | None = None) -> float:
    """Root mean square error of the ensemble mean.

    Parameters
    ----------
    samples
        ``(M, *shape)``.
    truth
        ``shape``.
    cells
        Which cells count, a mask of ``shape``; default all.
    """
    _check(samples, truth)
    return float(np.sqrt(_select((samples.mean(axis=0) - truth) ** 2, cells).mean()))


def spread(samples: NDArray, cells: NDArray[np.bool_] | None = None) -> float:
    """Root mean ensemble variance (unbiased)."""
    return float(np.sqrt(_select(samples.var(axis=0, ddof=1), cells).mean()))


def spread_ratio(after: NDArray, before: NDArray, cells: NDArray[np.bool_] | None = None) -> float:
    """Spread of the posterior over that of the forecast; not a number where the forecast has none.

    Above 1 the members are wider after the data than before, which no Bayesian update of a Gaussian does.

    Parameters
    ----------
    after, before
        Posterior and forecast, ``(M, *shape)`` and ``(N, *shape)``, two members or more.
    cells
        Which cells count, a mask of ``shape``; default all.
    """
    _check(after, before[0], least=2)
    _check(before, after[0], least=2)
    wide = spread(before, cells)
    return spread(after, cells) / wide if wide > 0 else math.nan


def largest_spread_ratio(after: NDArray, before: NDArray, resolution: float) -> float:
    """The largest ratio of standard deviations of one cell, posterior over forecast.

    Parameters
    ----------
    after, before
        As for :func:`spread_ratio`.
    resolution
        ε, in the unit of the fields, above 0: a forecast that is surer than that counts as this wide. Without it, cells that
        are as good as known would decide.
    """
    _check(after, before[0], least=2)
    _check(before, after[0], least=2)
    if not resolution > 0:
        raise InputError("resolution", resolution, "give a positive size, in the unit of the fields")
    return float((after.std(axis=0, ddof=1) / np.maximum(before.std(axis=0, ddof=1), resolution)).max())


def crps(
    samples: NDArray, truth: NDArray, cells: NDArray[np.bool_] | None = None, weights: NDArray | None = None
) -> float:
    """Fair continuous ranked probability score, mean over the cells.

    Parameters
    ----------
    samples, truth, cells
        As for :func:`rmse`; two members or more.
    weights
        w_i ``(M,)`` of weighted members, not all on one of them: then the means are Σ w_i |x_i − t| and
        Σ_{i≠j} w_i w_j |x_i − x_j| / (1 − Σ w²). Default: equal ones.
    """
    _check(samples, truth, least=2)
    M, axes = len(samples), [1] * truth.ndim
    if weights is None:
        ordered = np.sort(samples, axis=0)
        # Σ_{i<j} (x_(j) − x_(i)) = Σ_i (2i − M + 1) x_(i) for i = 0 … M−1: no M × M differences are formed.
        factors = (2 * np.arange(M) - M + 1).reshape(-1, *axes)
        pairs = (factors * ordered).sum(axis=0) * 2 / (M * (M - 1))
        return float(_select(np.abs(samples - truth).mean(axis=0) - 0.5 * pairs, cells).mean())
    w = np.asarray(weights, np.float64)
    if w.shape != (M,) or not ((w >= 0).all() and w.sum() > 0):
        raise InputError("weights", w, f"give {M} weights of 0 or more")
    w = w / w.sum()
    others = 1 - (w**2).sum()  # the weight of pairs of two different members
    if others < 1e-9:
        raise InputError("weights", float(w.max()), "one member alone has no spread to score")
    order = np.argsort(samples, axis=0, kind="stable")
    ordered, sorted_weights = np.take_along_axis(samples, order, axis=0), w[order]
    # The same sum: member i stands above the weights before it and below those behind it.
    above = 2 * np.cumsum(sorted_weights, axis=0) - sorted_weights - 1
    pairs = 2 * (sorted_weights * above * ordered).sum(axis=0) / others
    distance = (w.reshape(-1, *axes) * np.abs(samples - truth)).sum(axis=0)
    return float(_select(distance - 0.5 * pairs, cells).mean())


def ssim(samples: NDArray, truth: NDArray, data_range: float) -> float:
    """Structural similarity of the ensemble mean and the truth, in [−1, 1].

    Gaussian window of standard deviation 1.5 cells, as in the original paper. It is 11 cells wide: on a grid with fewer
    along an axis there is no such number, and the answer is not-a-number.

    Parameters
    ----------
    data_range
        Width of the range of the quantity (for a saturation: 1 − S_wr), the same for all that is compared.
    """
    _check(samples, truth)
    if min(truth.shape) < SSIM_WINDOW:
        return math.nan
    value = structural_similarity(
        np.asarray(samples.mean(axis=0), np.float64),
        np.asarray(truth, np.float64),
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def coverage(
    samples: NDArray, truth: NDArray, probability: float = 0.9, cells: NDArray[np.bool_] | None = None
) -> float:
    """Share of cells whose truth lies inside the central interval of the samples; ``probability`` is the ideal answer.

    The interval runs between empirical quantiles at (1 ∓ probability)/2 of the M samples, at plotting positions i/(M + 1),
    for which the coverage of a reliable ensemble is exact at every M.
    """
    _check(samples, truth, least=2)
    low, high = np.quantile(samples, [(1 - probability) / 2, (1 + probability) / 2], axis=0, method="weibull")
    return float(_select(((truth >= low) & (truth <= high)).astype(float), cells).mean())
