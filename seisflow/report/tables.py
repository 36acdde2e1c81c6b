r"""Tables of a page: any, and that of the scores at one survey."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from seisflow.runs.methods import Methods

__all__ = ["score_table", "table"]

COLUMNS = [
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


def score_table(caption: str, scores: Mapping[str, Mapping[str, float | None]], methods: Methods) -> str:
    """Scores of all methods at one survey; the best of a column is bold where there is a best, "–" stands for no number."""
    best = {}
    for key, _, _, rule in COLUMNS:
        numbers = [value for s in scores.values() if (value := s[key]) is not None]
        if rule is not None and numbers:
            best[key] = rule(numbers)
    rows = []
    for name, values in scores.items():
        cells = [
            f"<td{' class=best' if key in best and best[key] == values[key] else ''}>{_spelled(values[key], form)}</td>"
            for key, _, form, _ in COLUMNS
        ]
        rows.append([html.escape(methods[name].label), *cells])
    return table(caption, ["method", *(label for _, label, _, _ in COLUMNS)], rows)


def _spelled(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value).replace("-", "−")
