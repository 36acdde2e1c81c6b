r"""The end of a page: what the run cost, its study file, and the versions."""

from __future__ import annotations

import base64
import html
from typing import Any

from seisflow.report.methods import label
from seisflow.report.tables import cost_table, folder_bytes, replaced, table
from seisflow.runs.reading import RunFolder

__all__ = ["cost", "study"]


def cost(run: RunFolder) -> str:
    """Seconds, bytes, and members that had to be replaced."""
    sizes = ", ".join(f"{n / 1e6:.1f} MB of {name}" for name, n in folder_bytes(run).items() if n)
    seconds: dict[str, Any] = run.summary.get("seconds", {})
    more = f" The command that finished the run took {seconds['in all']:.0f} s in all." if "in all" in seconds else ""
    lost = replaced(run)
    failed = (
        table(
            "Members that failed in the simulator, and were replaced by fresh draws",
            ["method", "survey", "member", "attempt", "why"],
            [
                [html.escape(label(e["method"])), str(e["survey"]), str(e.get("member", "")), str(e.get("attempt", "")),
                 html.escape(str(e.get("reason", e.get("why", ""))))]
                for e in lost
            ],
        )
        if lost
        else '<p class="soft">No member failed in the simulator.</p>'
    )  # fmt: skip
    return f'<section id="cost"><h2>Cost</h2>{cost_table(run)}<p class="soft">On disk: {sizes}.{more}</p>{failed}</section>'


def study(run: RunFolder) -> str:
    """The study file, to read and to keep, where data came from, and the versions."""
    text = base64.b64encode(run.study_text.encode()).decode("ascii")
    sessions = [", ".join(f"{name} {number}" for name, number in used.items()) for used in run.versions]
    used = "; later ".join(sessions) or "Versions are not known"
    rows = [
        [f"survey {k}", html.escape(n), f"<code>{s}</code>"] for k, files in run.sources().items() for n, s in files
    ]
    sources = table("Data from files", ["survey", "file", "SHA-256"], rows) if rows else ""
    return (
        '<section id="study"><h2>Study file and versions</h2>'
        f'<p><a download="{html.escape(run.study.name)}.toml" href="data:application/toml;base64,{text}">Download the study '
        f"file</a>; <code>seisflow run {html.escape(run.study.name)}.toml</code> repeats the run.</p>"
        f"<details><summary>Study file</summary><pre tabindex=0>{html.escape(run.study_text)}</pre></details>{sources}"
        f'<p class="soft">{html.escape(used)}.</p></section>'
    )
