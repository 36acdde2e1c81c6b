r"""Scores of what a run folder holds, finished or not: those of the summary, or computed from the stages."""

from __future__ import annotations

from seisflow.errors import InputError
from seisflow.report.calibration import plume_region
from seisflow.runs.reading import RunFolder
from seisflow.runs.scoring import score
from seisflow.storage.stage_attributes import json_ready
from seisflow.study.build import build

__all__ = ["scores_of"]

Scores = dict[str, list[dict[str, float | None]]]
"""Method → one table of scores a survey; None for a score that is no finite number."""


def scores_of(run: RunFolder) -> Scores:
    """Method → one table of scores a survey, as far as the method got; empty where no truth is known.

    A summary that is up to date has them. For an unfinished run they are computed, which needs the study's velocity
    section; where that is no longer there, there are no scores.
    """
    known = run.summary.get("scores")
    if run.truth(0) is None:
        return {}
    if known and {method: len(steps) for method, steps in known.items()} == run.done:
        return dict(known)
    found: Scores = {}
    try:
        with build(run.study, workers=1) as parts:
            for method, done in run.done.items():
                found[method] = []
                for k in range(done):
                    truth, posterior = run.truth(k), run.ensemble(method, k, "posterior")
                    if truth is None or posterior is None:
                        break
                    found[method].append(json_ready(score(parts, truth, posterior, plume_region(run, k))))
    except InputError:
        return {}
    return {method: steps for method, steps in found.items() if steps}
