r"""How honest a run's posteriors are, against the truth of a twin experiment.

* Ranks: how many members lie below the truth, cell by cell of the plume region. If truth and members come from one
  distribution, every rank is as likely as another and the histogram is flat; a ∪ is too little spread, a ∩ too much.
* Coverage: the share of those cells whose truth lies in the central interval of a nominal probability; on the diagonal if
  calibrated.

Cells of one section are neighbours and not independent cases, and there is one truth: read shapes, not single bars.
Saturations that are exactly zero in truth and members tie; their ranks are drawn at random among the equal places.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.diagnostics import coverage, plume, rank_histogram, ranks
from seisflow.runs.reading import RunFolder
from seisflow.seeds import generator

__all__ = ["calibration", "plume_region"]

NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MOST_BINS = 16


def plume_region(run: RunFolder, survey: int) -> NDArray[np.bool_]:
    """Cells that are wet in the truth or in any forecast member of the open loop (without one: of the first method)."""
    truth = run.truth(survey)
    method = "open_loop" if "open_loop" in run.done else next(iter(run.done))
    reference = run.ensemble(method, survey, "forecast")
    known = [ensemble["saturation"] for ensemble in (truth, reference) if ensemble is not None]
    if not known:
        return np.zeros(run.grid.shape, bool)
    return plume.region(known[0][0], known[-1])


def _bins(members: int) -> int:
    """The largest divisor of M + 1 up to 16, or all M + 1 ranks in bins of about equal width where it has none."""
    return max((d for d in range(2, MOST_BINS + 1) if (members + 1) % d == 0), default=0)


def calibration(run: RunFolder, method: str, survey: int) -> dict[str, Any] | None:
    """Rank histogram and coverages of one posterior; None where the truth is not known.

    Returns
    -------
    dict
        ``counts`` and ``expected`` of the rank histogram, ``nominal`` and ``covered`` probabilities, ``cells``.
    """
    truth, posterior = run.truth(survey), run.ensemble(method, survey, "posterior")
    region = plume_region(run, survey) if truth is not None else np.zeros(0, bool)
    if truth is None or posterior is None or not region.any():
        return None
    S, true = posterior["saturation"], truth["saturation"][0]
    found = ranks(S[:, region], true[region], generator(run.study.seed, "report ranks", survey))
    M, bins = len(S), _bins(len(S))
    if bins:
        counts = rank_histogram(found, M, bins)
        expected = np.full(bins, found.size / bins)
    else:  # M + 1 is prime: bins of unequal numbers of ranks, each with what it may expect
        bins = min(MOST_BINS, M + 1)
        which = np.arange(M + 1) * bins // (M + 1)
        counts = np.bincount(which[found], minlength=bins)
        expected = np.bincount(which, minlength=bins) / (M + 1) * found.size
    covered = [coverage(S, true, p, region) for p in NOMINAL]
    return {
        "counts": counts.tolist(),
        "expected": expected.tolist(),
        "nominal": list(NOMINAL),
        "covered": covered,
        "cells": int(region.sum()),
    }
