r"""Where a run's results come from: its study file, the files of its data, and the versions that computed it."""

from __future__ import annotations

import base64
import html

from seisflow.report.tables import table
from seisflow.runs.reading import RunFolder

__all__ = ["provenance"]


def provenance(run: RunFolder) -> str:
    """The study file, to read and to keep, where data came from, and the versions."""
    text = base64.b64encode(run.study_text.encode()).decode("ascii")
    sessions = [", ".join(f"{name} {number}" for name, number in used.items()) for used in run.versions]
    used = "; later ".join(sessions) or "Versions are not known"
    rows = [
        [f"survey {k}", html.escape(n), f"<code>{s}</code>"] for k, files in run.sources().items() for n, s in files
    ]
    own = "".join(
        f"<p>{kind.capitalize()} of the user's own, which that command does not bring: "
        f"<code>{html.escape(', '.join(parts.values()))}</code>.</p>"
        for kind, parts in run.own.items()
    )
    sources = table("Data from files", ["survey", "file", "SHA-256"], rows) if rows else ""
    return (
        '<section id="study"><h2>Study file and versions</h2>'
        f'<p><a download="{html.escape(run.study.name)}.toml" href="data:application/toml;base64,{text}">Download the study '
        f"file</a>; <code>seisflow run {html.escape(run.study.name)}.toml</code> repeats the run.</p>{own}"
        f"<details><summary>Study file</summary><pre tabindex=0>{html.escape(run.study_text)}</pre></details>{sources}"
        f'<p class="soft">{html.escape(used)}.</p></section>'
    )
