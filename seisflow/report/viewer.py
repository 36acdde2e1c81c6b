r"""What the page's viewer (``viewer.js``) fills: the plume over time, and observed beside predicted data."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping

from seisflow.diagnostics.plume import PLUME
from seisflow.observation.data import INJECTED, DataField
from seisflow.report.data_fit import LARGEST_MISFIT, DataFit, too_large
from seisflow.report.fields import QUANTITIES, Fields
from seisflow.report.tables import table
from seisflow.runs.reading import RunFolder

__all__ = ["observations", "opening", "plume"]


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
        f'<h3>{html.escape(_capital(about.label))}{unit} {_mark(name)}</h3><div class="panels two">{"".join(panels)}</div>'
        f'<p class="soft">The scale holds {inside:.1%} of the observed amplitudes; beyond it the end colours go on.</p>'
    )


def _logs(fields: Mapping[str, DataField]) -> str:
    """The data fields along depth, place by place."""
    svgs = []
    told = "; ".join(f"{html.escape(_capital(about.label))} {_mark(name)}" for name, about in fields.items())
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
        f'<h3>Logs</h3><p class="soft">{told}</p><div class="logs">{"".join(svgs)}</div><p class="soft">Dots: observed. '
        '<span class="key" style="background:#c6d0da"></span>forecast, '
        '<span class="key" style="background:#a5bfd6"></span>posterior: '
        "5–95 % of the members, without noise of the data, and their median.</p>"
    )


def _mark(name: str) -> str:
    """Where the misfit of the method and survey that are shown stands."""
    return f'<span class="misfit" data-misfit="{html.escape(name)}"></span>'


def _misfit(value: float) -> str:
    return f"<td class=alarm>▲ {value:.2f}</td>" if too_large(value) else f"{value:.2f}"


def _marked(data: DataFit) -> dict[str, list[tuple[str, str, float]]]:
    """Data field → method, survey and misfit wherever that is too large."""
    found: dict[str, list[tuple[str, str, float]]] = {}
    for method, surveys in data.misfits.items():
        for survey, misfits in surveys.items():
            for name, value in misfits.items():
                if too_large(value):
                    found.setdefault(name, []).append((data.run.methods[method].label, survey, value))
    return found


def _in_short(places: list[tuple[str, str, float]]) -> str:
    """Surveys and the largest misfit, of all methods."""
    surveys = sorted({int(survey) for _, survey, _ in places})
    numbers = [value for *_, value in places if math.isfinite(value)]
    size = f"up to {max(numbers):.1f}" if numbers else _number(math.nan)
    return f"survey {', '.join(map(str, surveys))}: misfit {size}"


def _number(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "no number"


def first_check(about: DataField, section: bool = False, log: bool = False) -> str:
    """What to check first of a datum that does not fit, as words behind "check first".

    Parameters
    ----------
    about
        What the datum is.
    section, log
        Whether it lies on the cells, or along depth.
    """
    if section:
        return "its polarity, the scale of its amplitudes, and its match with the baseline in time and place"
    if log:
        return "its unit, its depths, and the zero of the gauge"
    if about.quantity == INJECTED:
        return "its unit, the meter, and whether it counts all CO₂ since the start"
    if "gauge" in about.axis_names:
        return "its unit, the depth of the gauge, and the pressure before injection"
    return "its unit and its place"


def _checks(run: RunFolder, data: DataFit) -> str:
    """What to check of the data that are marked; nothing where none is."""
    text = ""
    for name, places in _marked(data).items():
        about = run.data[name]
        where = "; ".join(f"{label} at survey {survey}: {_number(value)}" for label, survey, value in places)
        text += (
            f'<p class="notice"><b>▲ {html.escape(_capital(about.label))}</b> ({html.escape(where)}): check first '
            f"{first_check(about, name in data.sections, name in data.log_fields)}; then the noise that the study states "
            "for it; then whether the prior allows what was observed. A posterior from a datum that its forecast does not "
            "explain should not be trusted.</p>"
        )
    return text


def opening(run: RunFolder, data: DataFit, start: Mapping[str, str], known: bool) -> str:
    """The map of the probability of CO2 with its outlines, and which data do not fit.

    Parameters
    ----------
    start
        Sentence under the map for what is shown first, as ``{"text": …}``; empty where nothing is analysed.
    known
        Whether the truth is.
    """
    if not start:
        return ""
    keys = [("5 %", "thin"), ("50 %", "middle"), ("95 %", "thick"), *([("truth", "true")] if known else [])]
    legend = "".join(
        '<li><svg class="outline" width="30" height="10" aria-hidden="true">'
        f'<line x1="1" x2="29" y1="5" y2="5" class="{kind}"/></svg> {name}</li>'
        for name, kind in keys
    )
    places = _marked(data).items()
    badly = "; ".join(f"{html.escape(run.data[name].label)} ({_in_short(at)})" for name, at in places)
    notice = (
        f'<p class="notice"><b>▲ Some data do not fit their forecast:</b> {badly}. The misfit is over what '
        'spread and noise explain; <a href="#data">what to check</a> stands beside these data.</p>'
        if badly
        else ""
    )
    words = 'share of the members with CO₂: <span class="now"></span>'
    return (
        f'<div class="map">{_panel("probability", f"P(S &gt; {PLUME:g})", words)}</div>'
        f'<ul class="legend">{legend}</ul><p id="outlines">{start["text"]}</p>{notice}'
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
    for method, surveys in data.misfits.items():
        for survey, found in surveys.items():
            cells = [_misfit(found[name]) if name in found else "" for name in run.data]
            rows.append([html.escape(f"{run.methods[method].label}, survey {survey}"), *cells])
    names = [name.replace("_", " ") for name in run.data]
    if rows:
        parts.append(table("Misfit of the forecast over what its spread and the noise explain", ["", *names], rows))
        parts.append(
            '<p class="soft">√(mean (y° − ȳ)² / mean (s² + σ²)), with mean ȳ and variance s² of the members\' data and '
            "variance σ² of the noise: about 1 where they agree; well above 1, the forecast was surer than it should have "
            f"been. ▲ marks those above {LARGEST_MISFIT:g}.</p>"
        )
        parts.append(_checks(run, data))
    return "".join(parts) + "</section>"
