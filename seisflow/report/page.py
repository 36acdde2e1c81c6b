r"""One self-contained HTML page of a run: pictures inlined, no network, no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seisflow.plotting import LABELS

__all__ = ["write_page"]

STYLE = """
:root { color-scheme: light; --ink: #1b2430; --soft: #5b6675; --line: #d9dee5; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper);
       font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p, li { max-width: 75ch; } .soft { color: var(--soft); }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
figcaption { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td.best { font-weight: 700; }
pre { background: #f5f7fa; padding: 1rem; overflow-x: auto; border-radius: 4px; font-size: .85rem; }
nav a { margin-right: 1rem; }
"""

COLUMNS = [
    ("rmse", "RMSE", "{:.4f}", min),
    ("ssim", "SSIM", "{:.3f}", max),
    ("crps", "CRPS", "{:.5f}", min),
    ("spread", "spread", "{:.4f}", None),
    ("coverage_90", "90 % coverage", "{:.2f}", None),
    ("mass_error", "mass error", "{:+.1%}", None),
    ("extent_error_m", "extent error [m]", "{:+.0f}", None),
    ("pressure_rmse_bar", "pressure RMSE [bar]", "{:.2f}", min),
]


def _table(scores: Mapping[str, Mapping[str, float]]) -> str:
    head = "".join(f"<th>{html.escape(label)}</th>" for _, label, _, _ in COLUMNS)
    best = {key: rule(s[key] for s in scores.values()) for key, _, _, rule in COLUMNS if rule is not None}
    rows = ""
    for name, values in scores.items():
        cells = "".join(
            f"<td{' class=best' if best.get(key) == values[key] else ''}>{form.format(values[key])}</td>"
            for key, _, form, _ in COLUMNS
        )
        rows += f"<tr><td>{html.escape(LABELS.get(name, name))}</td>{cells}</tr>"
    return f'<div class="scroll"><table><tr><th>method</th>{head}</tr>{rows}</table></div>'


def _seconds(summary: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{html.escape(k)}</td><td>{v:.1f}</td></tr>" for k, v in summary["seconds"].items())
    return f'<div class="scroll"><table><tr><th>stage</th><th>seconds</th></tr>{rows}</table></div>'


def _picture(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def write_page(
    path: Path, summary: Mapping[str, Any], pictures: Sequence[tuple[str, str, Path]], study_text: str
) -> Path:
    """Write the page.

    Parameters
    ----------
    path
        Where to.
    summary
        What ``summary.json`` holds.
    pictures
        (heading, caption, PNG) in the order of the page; equal headings are grouped.
    study_text
        The study file.
    """
    title = html.escape(f"seisflow: {summary['name']}")
    body = [f"<h1>{title}</h1>"]
    body.append(
        f'<p class="soft">seed {summary["seed"]}, {summary["members"]} members, {len(summary["survey_days"])} surveys, '
        f"{html.escape(', '.join(summary['modalities']))}; seisflow {html.escape(summary['versions']['seisflow'])}</p>"
    )
    for k, day in enumerate(summary["survey_days"]):
        body.append(f"<h2>Scores at survey {k + 1} (day {day:g})</h2>")
        body.append(_table({name: steps[k] for name, steps in summary["scores"].items()}))
    body.append(
        '<p class="soft">RMSE, SSIM and CRPS of saturation over all cells; coverage over the plume region (cells that are '
        "wet in the truth or in any open-loop member); bold: best of the column. One truth decides nothing: compare several "
        "seeds.</p>"
    )
    heading = ""
    for section, caption, picture in pictures:
        if section != heading:
            body.append(f"<h2>{html.escape(section)}</h2>")
            heading = section
        body.append(_picture(picture, caption))
    body.append("<h2>Cost</h2>" + _seconds(summary))
    body.append(f"<h2>Study file</h2><pre>{html.escape(study_text)}</pre>")
    versions = html.escape(", ".join(f"{k} {v}" for k, v in summary["versions"].items()))
    body.append(f'<p class="soft">{versions}</p>')
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>",
        encoding="utf-8",
    )
    return path
