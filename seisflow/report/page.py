r"""One self-contained HTML page of a run: it opens from a disk, without network, and works by keyboard and on a phone.

What does not change is HTML and SVG (tables, charts); sections and well logs are drawn by scripts of this package
(``arrays.js``, ``drawing.js``, ``viewer.js``) from arrays that the page carries (:mod:`seisflow.report.blocks`). A content
policy in the page's head forbids any request to elsewhere.
"""

from __future__ import annotations

import base64
import html
import json
from importlib.resources import files
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Colormap

from seisflow.report import overview, viewer
from seisflow.report.cost import cost
from seisflow.report.data_fit import LARGEST_MISFIT, DataFit
from seisflow.report.fields import QUANTITIES, Fields
from seisflow.report.outlines import Outlines
from seisflow.report.provenance import provenance
from seisflow.report.score_charts import calibration_charts, score_charts
from seisflow.report.scores import scores_of
from seisflow.report.sections import DEVIATION, ERROR, EXAGGERATION, PROBABILITY, VALUE
from seisflow.runs.reading import RunFolder
from seisflow.storage.stage_attributes import json_ready

__all__ = ["page"]

POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
MAPS: dict[str, str | Colormap] = {
    "value": VALUE,
    "deviation": DEVIATION,
    "difference": ERROR,
    "probability": PROBABILITY,
}


def _map(name: str | Colormap) -> str:
    """256 colours as base64 of red, green, blue."""
    levels = matplotlib.colormaps.get_cmap(name)(np.linspace(0, 1, 256))[:, :3]
    return base64.b64encode(np.rint(255 * levels).astype(np.uint8).tobytes()).decode("ascii")


def _asset(name: str) -> str:
    return (files("seisflow.report") / name).read_text(encoding="utf-8")


def _script() -> str:
    """The scripts as one function, so that nothing of theirs is global."""
    parts = "\n".join(_asset(name) for name in ("arrays.js", "drawing.js", "viewer.js"))
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _start(run: RunFolder) -> dict[str, Any]:
    """What the page shows first: the learned flow where it is there, at its last survey."""
    method = next((m for m in ("flow", *reversed(list(run.methods))) if m in run.done), "")
    return {"method": method, "survey": run.done.get(method, 1)}


def page(run: RunFolder) -> str:
    """The page of a run folder, of what is there.

    Parameters
    ----------
    run
        The run folder.
    """
    fields = Fields(run)
    data = DataFit(fields)
    blocks = list(fields.blocks())
    data_blocks = list(data.section_blocks())
    data_scales = data.scales(data_blocks)
    outlines = Outlines(fields)
    probabilities, drawn = list(outlines.blocks()), outlines.facts()
    window = fields.window()
    study, shown, start = run.study, fields.shown_members, _start(run)
    facts = {
        "grid": {"shape": fields.grid.shape, "spacing": fields.grid.spacing, "extent": fields.grid.extent},
        "days": [f"{day:g}" for day in study.surveys.days],
        "methods": [{"id": m, "label": run.methods[m].label, "done": done} for m, done in run.done.items()],
        "quantities": [{"id": name, **about} for name, about in QUANTITIES.items()],
        "scales": fields.scales(blocks),
        "sections": {name: scale for name, (scale, _) in data_scales.items()},
        "memberStep": max(1, len(shown) // 8),
        "members": shown.tolist(),
        "window": window,
        "exaggeration": EXAGGERATION,
        "wells": run.wells,
        "injector": [study.injection.x_m, *study.injection.depth_m],
        "logs": data.logs(),
        "logFields": data.log_facts(),
        "maps": {name: _map(source) for name, source in MAPS.items()},
        "start": start,
        "outlines": drawn,
        "misfits": data.misfits,
        "largestMisfit": LARGEST_MISFIT,
        "hint": "Point at a section, or focus it and use the arrow keys, to read values.",
    }
    scores = scores_of(run)
    known = run.truth(0) is not None
    first = drawn.get(f"{start['method']}/{start['survey']}", {})
    body = [
        overview.head(run),
        overview.result(run, scores, viewer.opening(run, data, first, known)),
        viewer.plume(run, fields, known),
        viewer.observations(run, data, data_scales),
        score_charts(run, scores),
        calibration_charts(run),
        cost(run),
        provenance(run),
    ]
    title = html.escape(f"seisflow: {study.name}, seed {study.seed}")
    inner = json.dumps(json_ready(facts), separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><link rel="icon" href="data:,">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_asset("page.css")}</style></head>'
        f"<body>{''.join(part for part in body if part)}"
        f'<script type="application/json" id="run">{inner}</script>'
        f"{''.join(block.html() for block in (*probabilities, *blocks, *data_blocks))}"
        f"<script>{_script()}</script></body></html>"
    )
