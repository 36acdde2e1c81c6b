r"""What the page's viewer (``viewer.js``) fills: the plume over time, and observed beside predicted data."""

from __future__ import annotations

import html

from seisflow.report.data_fit import DataFit
from seisflow.report.fields import QUANTITIES, Fields
from seisflow.report.methods import label
from seisflow.report.tables import table
from seisflow.runs.reading import RunFolder

__all__ = ["observations", "plume"]

DATA_NAMES = {"image": "image", "well_saturation": "well saturation", "well_pressure": "well pressure"}


def _radios(name: str, title: str, options: list[tuple[str, str]]) -> str:
    inner = "".join(
        f'<label><input type="radio" name="{name}" value="{html.escape(value)}"><span>{html.escape(label)}</span></label>'
        for value, label in options
    )
    return f"<fieldset><legend>{title}</legend>{inner}</fieldset>"


def _panel(kind: str, name: str, text: str) -> str:
    return (
        f'<figure><figcaption><span class="name">{name}</span> {text}</figcaption>'
        f'<canvas data-panel="{kind}" tabindex="0" role="img" aria-label="{name}"></canvas></figure>'
    )


def plume(run: RunFolder, fields: Fields, known: bool) -> str:
    """The viewer: controls, and sections of truth, mean, deviation and members."""
    days, shown, M = run.study.surveys.days, fields.shown_members, run.study.ensemble.members
    controls = (
        '<form id="controls">'
        + _radios("survey", "Survey", [(str(k + 1), f"{k + 1}: day {day:g}") for k, day in enumerate(days)]).replace(
            "</fieldset>", '<button type="button" id="play" aria-pressed="false">Play</button></fieldset>'
        )
        + _radios("method", "Method", [(m, label(m)) for m in run.done])
        + _radios("quantity", "Quantity", [(q, str(about["label"])) for q, about in QUANTITIES.items()])
        + '<fieldset><legend>Member</legend><button type="button" data-step="-1" aria-label="Previous member">‹</button>'
        f'<input type="range" id="member" min="0" max="{len(shown) - 1}" value="0" aria-label="Member">'
        '<button type="button" data-step="1" aria-label="Next member">›</button> '
        f'<output for="member"><span class="member-number">1</span> of {M}</output></fieldset>'
        '<label class="check"><input type="checkbox" id="whole"> whole depth</label></form>'
    )
    member = 'Member <span class="member-number">1</span>'
    panels = [
        _panel("truth", "Truth", "made in silico") if known else "",
        _panel("mean", "Mean", "of the posterior"),
        _panel("error", "Error", "mean − truth") if known else "",
        _panel("deviation", "Standard deviation", "of the posterior"),
        _panel("member", member, "of the posterior"),
        _panel("forecast", "Forecast mean", "before these data"),
    ]
    coarse = "" if fields.grid.shape == run.grid.shape else (
        f" Sections are averaged to {' × '.join(map(str, fields.grid.shape))} cells for display."
    )  # fmt: skip
    some = "" if len(shown) == M else f" {len(shown)} of {M} members are shown, evenly chosen."
    return (
        '<section id="plume" class="viewer"><h2>The plume over time</h2>'
        f'<p class="soft">Now shown: <span class="now"></span>.</p>{controls}<p id="readout" aria-live="polite"></p>'
        f'<div class="panels{"" if known else " two"}">{"".join(panels)}</div>'
        '<p class="soft">x to the right and depth downwards, in metres; depth at twice the scale of x. Green: the '
        "perforations of the injector; dashed: monitoring wells. One colour scale a quantity over all surveys, methods and "
        "panels; an arrow at its end says that single members go beyond. Mean and standard deviation are those of all "
        "members."
        f"{some}{coarse}</p>"
        "<details><summary>Keyboard</summary><p>With the focus in this section: <kbd>n</kbd> <kbd>p</kbd> next and previous "
        "survey, <kbd>j</kbd> <kbd>k</kbd> next and previous member, <kbd>m</kbd> next method, <kbd>q</kbd> next quantity. "
        "With the focus on a section: arrow keys move a cross that reads values, <kbd>Esc</kbd> removes it.</p></details>"
        "<noscript><p class=notice>The sections are drawn by a script. Charts and tables below need none; "
        "figures/ in the run folder has pictures.</p></noscript></section>"
    )


def observations(run: RunFolder, data: DataFit, has_images: bool, inside: float) -> str:
    """Observed beside predicted data."""
    parts = ['<section id="data" class="viewer"><h2>Observed and predicted data</h2>']
    parts.append('<p class="soft">Of <span class="now"></span>; the controls above choose.</p>')
    if has_images:
        panels = [
            _panel("observed", "Observed image", "y°"),
            _panel("predicted", "Mean of the predicted images", "of the forecast's members"),
            _panel("residual", "Observed − predicted", "same scale"),
            _panel("image", "Predicted image of one member", "without noise"),
        ]
        parts.append(f'<div class="panels two">{"".join(panels)}</div>')
        parts.append(
            f'<p class="soft">Seismic images in units of their noise (its root mean square). The scale holds {inside:.1%} '
            "of the observed amplitudes; beyond it the end colours go on.</p>"
        )
    if "wells" in run.study.surveys.modalities:
        wells = run.study.wells.x_m
        svgs = "".join(
            f'<figure><figcaption>Well at x = {x:g} m</figcaption><svg class="log" viewBox="0 0 260 340" role="img" '
            f'aria-label="{kind} along the well at x = {x:g} m" data-log="{kind}/{w}"></svg></figure>'
            for w, x in enumerate(wells)
            for kind in ("saturation", "pressure")
        )
        parts.append(
            f'<h3>Well logs</h3><div class="logs">{svgs}</div><p class="soft">Dots: observed. '
            '<span class="key" style="background:#c6d0da"></span>forecast, '
            '<span class="key" style="background:#a5bfd6"></span>posterior: '
            "5–95 % of the members, without noise of the data, and their median.</p>"
        )
    rows = []
    for method in data.informed():
        for k in range(run.done[method]):
            found = data.agreement(method, k)
            cells = [f"{found[name]:.2f}" if name in found else "" for name in DATA_NAMES]
            rows.append([html.escape(f"{label(method)}, survey {k + 1}"), *cells])
    if rows:
        parts.append(
            table("Misfit of the forecast over what its spread and the noise explain", ["", *DATA_NAMES.values()], rows)
        )
        parts.append(
            '<p class="soft">√(mean (y° − ȳ)² / mean (s² + σ²)), with mean ȳ and variance s² of the members\' data and '
            "variance σ² of the noise: about 1 where they agree; well above 1, the forecast was surer than it should have "
            "been.</p>"
        )
    return "".join(parts) + "</section>"
