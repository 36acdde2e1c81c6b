r"""What the page's viewer (``viewer.js``) fills: the plume over time, and observed beside predicted data."""

from __future__ import annotations

import html
from collections.abc import Mapping

from seisflow.observation.data import DataField
from seisflow.report.data_fit import DataFit
from seisflow.report.fields import QUANTITIES, Fields
from seisflow.report.tables import table
from seisflow.runs.reading import RunFolder

__all__ = ["observations", "plume"]


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
        + _radios("method", "Method", [(m, run.methods[m].label) for m in run.done])
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


def _section(name: str, about: DataField, inside: float) -> str:
    """A data field on the cells: observed, predicted, their difference, one member."""
    panels = [
        _panel(f"{name}/observed", "Observed", "y°"),
        _panel(f"{name}/predicted", "Mean of the predicted", "of the forecast's members"),
        _panel(f"{name}/residual", "Observed − predicted", "same scale"),
        _panel(f"{name}/member", "Predicted of one member", "without noise"),
    ]
    unit = "" if about.unit in ("", "1") else f" [{html.escape(about.unit)}]"
    return (
        f'<h3>{html.escape(_capital(about.label))}{unit}</h3><div class="panels two">{"".join(panels)}</div>'
        f'<p class="soft">The scale holds {inside:.1%} of the observed amplitudes; beyond it the end colours go on.</p>'
    )


def _logs(fields: Mapping[str, DataField]) -> str:
    """The data fields along depth, place by place."""
    svgs = []
    for name, about in fields.items():
        place = about.axes[0]
        for w in range(place.size):
            at = f"{w + 1}" if place.coordinates is None else f"at {place.coordinates[w]:g} {place.unit}"
            title = html.escape(f"{_capital(place.name)} {at}")
            svgs.append(
                f'<figure><figcaption>{title}</figcaption><svg class="log" viewBox="0 0 260 340" role="img" '
                f'aria-label="{html.escape(about.label)}: {title}" data-log="{html.escape(name)}" data-column="{w}">'
                "</svg></figure>"
            )
    return (
        f'<h3>Logs</h3><div class="logs">{"".join(svgs)}</div><p class="soft">Dots: observed. '
        '<span class="key" style="background:#c6d0da"></span>forecast, '
        '<span class="key" style="background:#a5bfd6"></span>posterior: '
        "5–95 % of the members, without noise of the data, and their median.</p>"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def observations(run: RunFolder, data: DataFit, scales: Mapping[str, tuple[float, float]]) -> str:
    """Observed beside predicted data.

    Parameters
    ----------
    scales
        Section → half the range of its colour scale, and the share of observed amplitudes inside.
    """
    parts = ['<section id="data" class="viewer"><h2>Observed and predicted data</h2>']
    parts.append('<p class="soft">Of <span class="now"></span>; the controls above choose.</p>')
    parts += [_section(name, about, scales[name][1]) for name, about in data.sections.items()]
    if data.log_fields:
        parts.append(_logs(data.log_fields))
    rows = []
    for method in data.informed():
        for k in range(run.done[method]):
            found = data.agreement(method, k)
            cells = [f"{found[name]:.2f}" if name in found else "" for name in run.data]
            rows.append([html.escape(f"{run.methods[method].label}, survey {k + 1}"), *cells])
    names = [name.replace("_", " ") for name in run.data]
    if rows:
        parts.append(table("Misfit of the forecast over what its spread and the noise explain", ["", *names], rows))
        parts.append(
            '<p class="soft">√(mean (y° − ȳ)² / mean (s² + σ²)), with mean ȳ and variance s² of the members\' data and '
            "variance σ² of the noise: about 1 where they agree; well above 1, the forecast was surer than it should have "
            "been.</p>"
        )
    return "".join(parts) + "</section>"
