r"""The tables of a page: scores, cost, and what stands where."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from seisflow.report.sections import LABELS
from seisflow.runs.reading import RunFolder

__all__ = ["cost_table", "folder_bytes", "replaced", "score_table", "table"]

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
STAGES = ("forecast", "predicted", "posterior")


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


def score_table(caption: str, scores: Mapping[str, Mapping[str, float]]) -> str:
    """Scores of all methods at one survey; the best of a column is bold where there is a best."""
    best = {key: rule(s[key] for s in scores.values()) for key, _, _, rule in COLUMNS if rule is not None}
    rows = []
    for name, values in scores.items():
        cells = [
            f"<td{' class=best' if best.get(key) == values[key] else ''}>{form.format(values[key]).replace('-', '−')}</td>"
            for key, _, form, _ in COLUMNS
        ]
        rows.append([html.escape(LABELS.get(name, name)), *cells])
    return table(caption, ["method", *(label for _, label, _, _ in COLUMNS)], rows)


def cost_table(run: RunFolder) -> str:
    """Seconds of every stage of every chain, with bars; what is common to all methods is counted once."""
    ledger: list[tuple[str, list[float | None]]] = []
    for k in range(run.surveys):
        own = [run.store.find(f"{what}/survey_{k + 1}") for what in ("truth", "observed")]
        if any(own):
            ledger.append((f"truth and data, survey {k + 1}", [*(s.seconds if s else None for s in own), None]))
    if run.done:
        first = next(iter(run.done))
        common = [run.stage(first, 0, what) for what in STAGES[:2]]
        if len(run.done) > 1 and run.stage(first, 0, "predicted") is None:
            common[1] = next((s for m in run.done if (s := run.stage(m, 0, "predicted"))), None)
        ledger.append(("common to all methods, survey 1", [*(s.seconds if s else None for s in common), None]))
    for method, done in run.done.items():
        for k in range(done):
            stages = [run.stage(method, k, what) if k or what == "posterior" else None for what in STAGES]
            uses = [s.seconds if s is not None else None for s in stages]
            ledger.append((f"{LABELS.get(method, method)}, survey {k + 1}", uses))
    total = sum(v or 0.0 for _, row in ledger for v in row)
    rows = []
    for label, row in ledger:
        own_sum = sum(v or 0.0 for v in row)
        share = own_sum / total if total else 0.0
        meter = f'<td class="share"><span class="meter" style="width:{8 * share:.2f}rem"></span> {share:.0%}</td>'
        rows.append([html.escape(label), *("" if v is None else _seconds(v) for v in row), _seconds(own_sum), meter])
    rows.append(["all stages", "", "", "", f"<td class=best>{_seconds(total)}</td>", "<td></td>"])
    head = ["stage", "two-phase flow [s]", "waves, data [s]", "training, analysis [s]", "sum [s]", "share"]
    return table("Wall-clock seconds of every stage", head, rows)


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def folder_bytes(run: RunFolder) -> dict[str, int]:
    """Bytes on the disk: arrays, network weights."""
    return {
        name: sum(p.stat().st_size for p in (run.folder / sub).rglob("*") if p.is_file())
        for name, sub in (("arrays", "stages.zarr"), ("network weights", "weights"))
    }


def replaced(run: RunFolder) -> list[dict[str, Any]]:
    """Members that failed in the simulator and were replaced: method, survey, and what the stage says."""
    found: list[dict[str, Any]] = []
    for method, done in run.done.items():
        for k in range(done):
            stage = run.stage(method, k, "forecast")
            for entry in stage.attributes.get("replaced_members", []) if stage is not None else []:
                found.append({"method": method, "survey": k + 1, **entry})
    return found
