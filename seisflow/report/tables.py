r"""Tables of a page: any, and that of the scores at one survey."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

from seisflow.runs.methods import Methods

__all__ = ["COLUMNS", "PLAUSIBILITY", "score_table", "table"]

Column = tuple[str, str, str, Callable[[list[float]], float] | None]
"""A score, its heading, how it is spelt, and which value of a column is the best, where one is."""

COLUMNS: list[Column] = [
    ("rmse", "RMSE", "{:.4f}", min),
    ("ssim", "SSIM", "{:.3f}", max),
    ("crps", "CRPS", "{:.5f}", min),
    ("spread", "spread", "{:.4f}", None),
    ("coverage_50", "50 % coverage", "{:.2f}", None),
    ("coverage_90", "90 % coverage", "{:.2f}", None),
    ("mass_error", "mass error", "{:+.1%}", None),
    ("extent_error_m", "extent error [m]", "{:+.0f}", None),
    ("pressure_rmse_bar", "pressure RMSE [bar]", "{:.2f}", min),
]
"""Against the truth."""

PLAUSIBILITY: list[Column] = [
    ("ghost_share", "ghost CO₂", "{:.2%}", None),
    ("ghost_share_largest", "worst member", "{:.2%}", None),
    ("ghost_members", "with ghosts", "{:.1%}", None),
    ("bodies", "bodies", "{:.1f}", None),
    ("bodies_forecast", "forecast", "{:.1f}", None),
    ("bodies_truth", "truth", "{:.0f}", None),
    ("pressure_crps_wells_bar", "well p CRPS [bar]", "{:.3f}", min),
    ("pressure_spread_ratio_wells", "p spread ratio, wells", "{:.2f}", None),
    ("pressure_spread_ratio", "field", "{:.2f}", None),
    ("pressure_spread_ratio_largest", "worst cell", "{:.2f}", None),
]
"""Whether such a plume and such pressures can be; most of it needs no truth."""


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways where it is too wide; cells are HTML, a leading ``<td`` is kept."""
    cells = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) + "</tr>" for row in rows
    )
    label = html.escape(caption)
    return (
        f'<p class="soft caption">{label}</p><div class="scroll" role="region" aria-label="{label}" tabindex="0"><table>'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def score_table(
    caption: str,
    scores: Mapping[str, Mapping[str, float | None]],
    methods: Methods,
    columns: Sequence[Column] = COLUMNS,
) -> str:
    """Scores of all methods at one survey; the best of a column is bold where there is a best, "–" stands for no number.

    Columns that no method has are left out; without any there is no table.
    """
    shown = [column for column in columns if any(column[0] in s for s in scores.values())]
    if not shown:
        return ""
    best = {}
    for key, _, _, rule in shown:
        numbers = [value for s in scores.values() if (value := s.get(key)) is not None]
        if rule is not None and numbers:
            best[key] = rule(numbers)
    rows = []
    for name, values in scores.items():
        cells = [
            f"<td{' class=best' if key in best and best[key] == values.get(key) else ''}>"
            f"{_spelled(values.get(key), form)}</td>"
            for key, _, form, _ in shown
        ]
        rows.append([html.escape(methods[name].label), *cells])
    return table(caption, ["method", *(label for _, label, _, _ in shown)], rows)


def _spelled(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value).replace("-", "−")
