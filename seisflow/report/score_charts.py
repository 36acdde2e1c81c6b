r"""How good and how honest a run is, as charts: scores over the surveys, and calibration."""

from __future__ import annotations

from seisflow.report.calibration import calibration
from seisflow.report.charts import Series, bars, lines
from seisflow.report.methods import method_legend
from seisflow.report.scores import Scores
from seisflow.report.tables import COLUMNS, PLAUSIBILITY, score_table
from seisflow.runs.reading import RunFolder

__all__ = ["calibration_charts", "score_charts"]

CHARTS: list[tuple[str, str, float | None, tuple[float, float] | None]] = [
    ("rmse", "RMSE of saturation [–]", 0.0, None),
    ("crps", "CRPS of saturation [–]", 0.0, None),
    ("ssim", "SSIM of saturation [–]", 1.0, (0.0, 1.05)),
    ("reliability", "spread over RMSE [–]", 1.0, None),
    ("coverage_90", "90 % coverage, plume region [–]", 0.9, (0.0, 1.05)),
    ("mass_error", "error of the CO₂ mass [–]", 0.0, None),
    ("extent_error_m", "error of the plume's extent [m]", 0.0, None),
    ("pressure_rmse_bar", "RMSE of pressure [bar]", 0.0, None),
    ("ghost_share", "ghost CO₂, share of the mass [–]", 0.0, None),
    ("bodies", "connected bodies in a member [–]", None, None),
    ("pressure_crps_wells_bar", "CRPS of well pressure [bar]", 0.0, None),
    ("pressure_spread_ratio_wells", "spread ratio of well pressure [–]", None, None),
]


def score_charts(run: RunFolder, found: Scores) -> str:
    """Scores over the surveys, as charts and as tables."""
    if not found:
        return '<section id="scores"><h2>Scores over time</h2><p>There are none.</p></section>'
    days, methods, shown = run.study.surveys.days, list(found), run.methods

    def value(step: dict[str, float | None], key: str) -> float | None:
        if key != "reliability":
            return step.get(key)
        spread, rmse = step.get("spread"), step.get("rmse")
        return spread / rmse if spread is not None and rmse else None

    charts = [
        lines(
            title,
            [
                Series(
                    shown[m].label, shown[m].colour, i, [(days[k], value(step, key)) for k, step in enumerate(found[m])]
                )
                for i, m in enumerate(methods)
            ],
            "day",
            days,
            level=ideal,
            y_range=span,
        )
        for key, title, ideal, span in CHARTS
        if any(value(step, key) is not None for steps in found.values() for step in steps)
    ]
    tables = "".join(
        score_table(f"Survey {k + 1}, day {day:g}", {m: s[k] for m, s in found.items() if len(s) > k}, shown, columns)
        for k, day in enumerate(days)
        if any(len(s) > k for s in found.values())
        for columns in (COLUMNS, PLAUSIBILITY)
    )
    return (
        f'<section id="scores"><h2>Scores over time</h2>{method_legend(shown, methods)}'
        f'<div class="charts">{"".join(charts)}</div>'
        '<p class="soft">Dotted: the value of a perfect answer. Point at a mark to read it.</p>'
        f"<details><summary>All scores as tables</summary>{tables}</details></section>"
    )


def calibration_charts(run: RunFolder) -> str:
    """Rank histograms and coverage of every method at its last survey."""
    found = {m: c for m, done in run.done.items() if (c := calibration(run, m, done - 1)) is not None}
    if not found:
        return (
            '<section id="calibration"><h2>Calibration</h2><p>There is none without a truth; the misfits of the data above '
            "say how well the forecasts explain what was observed.</p></section>"
        )
    methods, shown = list(found), run.methods
    coverage = lines(
        "covered over nominal probability",
        [
            Series(shown[m].label, shown[m].colour, i, list(zip(found[m]["nominal"], found[m]["covered"], strict=True)))
            for i, m in enumerate(methods)
        ],
        "nominal probability of the interval",
        (0.0, 0.5, 1.0),
        diagonal=True,
        y_range=(0.0, 1.0),
    )
    histograms = "".join(
        bars(
            f"{shown[m].label}, survey {run.done[m]}: ranks",
            c["counts"],
            c["expected"],
            shown[m].colour,
            "rank of the truth among the members",
        )
        for m, c in found.items()
    )
    cells = next(iter(found.values()))["cells"]
    return (
        f'<section id="calibration"><h2>Calibration</h2>{method_legend(shown, methods)}'
        f'<div class="charts">{coverage}{histograms}</div>'
        f'<p class="soft">Saturation in the {cells} cells of the plume region at each method\'s last survey. Coverage: on '
        "the dotted diagonal if calibrated; below, the posterior is too sure. Where truth and most members are dry, the "
        "interval is the single value zero and counts as covered, which lifts the left end. Rank histograms: count over "
        "expected count; flat if calibrated, ∪ if too sure, ∩ if not sure enough. Neighbouring cells are not independent: "
        "read shapes, not single bars.</p>"
        "</section>"
    )  # fmt: skip
