r"""Scores of what a run folder holds, finished or not: those of the summary, or computed from the stages.

Without a truth they are those that need none (:func:`seisflow.runs.scoring.plausibility`).
"""

from __future__ import annotations

from seisflow.errors import InputError
from seisflow.report.calibration import plume_region
from seisflow.runs.reading import RunFolder
from seisflow.runs.scoring import plausibility, score
from seisflow.storage.stage_attributes import json_ready
from seisflow.study.build import build

__all__ = ["against_truth", "scores_of"]

Scores = dict[str, list[dict[str, float | None]]]
"""Method → one table of scores a survey; None for a score that is no finite number."""


def scores_of(run: RunFolder) -> Scores:
    """Method → one table of scores a survey, as far as the method got.

    A summary that is up to date has them. For an unfinished run they are computed, which needs the study's velocity
    section; where that is no longer there, there are no scores.
    """
    known = run.summary.get("scores")
    if known and {method: len(steps) for method, steps in known.items()} == run.done:
        return dict(known)
    found: Scores = {}
    try:
        with build(run.study, workers=1) as parts:
            for method, done in run.done.items():
                found[method] = []
                for k in range(done):
                    truth, ahead = run.truth(k), run.ensemble(method, k, "forecast")
                    posterior = run.ensemble(method, k, "posterior")
                    if ahead is None or posterior is None:
                        break
                    if truth is None:
                        step = plausibility(parts, ahead, posterior)
                    else:
                        step = score(parts, truth, ahead, posterior, plume_region(run, k))
                    found[method].append(json_ready(step))
    except InputError:
        return {}
    return {method: steps for method, steps in found.items() if steps}


def against_truth(found: Scores) -> bool:
    """Whether scores are those against a truth, or those alone that need none."""
    return any("rmse" in step for steps in found.values() for step in steps)
