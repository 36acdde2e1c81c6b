r"""Small charts as SVG: drawn once in Python, sharp on every screen and in print, readable without scripts.

Series differ by colour and by marker. Every point has a title that browsers show when it is pointed at, and every chart a
text for those who do not see it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Series", "bars", "legend", "lines"]

WIDTH, HEIGHT = 320, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 26, 36
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "down")


@dataclass(frozen=True)
class Series:
    """One line of a chart: label, colour (CSS), marker number, and the points (x, y); y may be missing."""

    label: str
    colour: str
    marker: int
    points: Sequence[tuple[float, float | None]]


def _marker(kind: int, x: float, y: float, colour: str) -> str:
    r, shape = 3.6, MARKERS[kind % len(MARKERS)]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{colour}"/>'
    if shape == "square":
        return f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}" fill="{colour}"/>'
    if shape == "cross":
        path = f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}"
        return f'<path d="{path}" stroke="{colour}" stroke-width="2" fill="none"/>'
    corners = {
        "triangle": [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
        "down": [(0, 1.2), (1.1, -0.9), (-1.1, -0.9)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    }[shape]
    points = " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within a range, at most so many."""
    step = 10 ** math.floor(math.log10((high - low) / most))
    while (high - low) / step > most:
        step *= {1: 2, 2: 2.5, 5: 2}[round(step / 10 ** math.floor(math.log10(step) + 1e-9))]
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _spelled(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


class _Frame:
    """Axes of a chart."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = x, y

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def html(self, title: str, x_label: str, x_ticks: Sequence[float], x_names: Sequence[str] | None = None) -> str:
        """Title, grid lines, ticks and labels."""
        parts = [f'<text x="{LEFT}" y="15" class="title">{html.escape(title)}</text>']
        for value in ticks(*self.y):
            px, py = self.at(self.x[0], value)
            parts.append(f'<line x1="{px}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}" class="grid"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{py + 3.5:.1f}" class="tick end">{_spelled(value)}</text>')
        for i, value in enumerate(x_ticks):
            px, py = self.at(value, self.y[0])
            name = _spelled(value) if x_names is None else x_names[i]
            parts.append(f'<text x="{px:.1f}" y="{py + 14:.1f}" class="tick middle">{html.escape(name)}</text>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{HEIGHT - 5}" class="tick middle">{html.escape(x_label)}</text>')
        return "".join(parts)


def _svg(text: str, inner: str) -> str:
    label = html.escape(text)
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{inner}</svg>'


def lines(
    title: str,
    series: Sequence[Series],
    x_label: str,
    x_ticks: Sequence[float],
    *,
    level: float | None = None,
    diagonal: bool = False,
    y_range: tuple[float, float] | None = None,
) -> str:
    """A chart of lines.

    Parameters
    ----------
    title, x_label, x_ticks
        Texts, and where the horizontal axis is labelled.
    series
        The lines.
    level
        A dotted horizontal line: the value of a perfect answer.
    diagonal
        A dotted diagonal instead.
    y_range
        Vertical range; default: all points and the level, beginning at 0 where nothing is negative.
    """
    xs = [x for s in series for x, _ in s.points] or [0.0, 1.0]
    ys = [y for s in series for _, y in s.points if y is not None]
    if y_range is None:
        everything = [*ys, *([] if level is None else [level])] or [0.0, 1.0]
        low, high = min(0.0, *everything), max(0.0, *everything)
        y_range = (low * 1.08, high * 1.08) if high > low else (0.0, 1.0)
    margin = 0.06 * (max(xs) - min(xs)) or 1.0
    frame = _Frame((0.0, 1.0) if diagonal else (min(xs) - margin, max(xs) + margin), y_range)
    parts = [frame.html(title, x_label, x_ticks)]
    if level is not None or diagonal:
        (x1, y1), (x2, y2) = (
            (frame.at(0, 0), frame.at(1, 1))
            if diagonal
            else (frame.at(frame.x[0], level or 0.0), frame.at(frame.x[1], level or 0.0))
        )
        parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="ideal"/>')
    said = []
    for s in series:
        known = [(x, y) for x, y in s.points if y is not None]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (frame.at(x, y) for x, y in known))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{s.colour}" stroke-width="1.8"/>')
        for x, y in known:
            a, b = frame.at(x, y)
            tip = html.escape(f"{s.label}: {_spelled(y)} at {_spelled(x)}")
            parts.append(f"<g><title>{tip}</title>{_marker(s.marker, a, b, s.colour)}</g>")
        said.append(f"{s.label} " + ", ".join(_spelled(y) for _, y in known))
    return _svg(f"{title}. {'; '.join(said)}", "".join(parts))


def bars(title: str, counts: Sequence[float], expected: Sequence[float], colour: str, x_label: str) -> str:
    """A histogram as shares of what is expected: 1 everywhere if flat."""
    shares = [c / e if e else 0.0 for c, e in zip(counts, expected, strict=True)]
    frame = _Frame((0.0, float(len(shares))), (0.0, max(2.0, *shares) * 1.05))
    parts = [frame.html(title, x_label, (0.09 * len(shares), 0.91 * len(shares)), ("lowest", "highest"))]
    for i, share in enumerate(shares):
        (x1, y1), (x2, y2) = frame.at(i + 0.06, share), frame.at(i + 0.94, 0)
        tip = html.escape(f"{counts[i]:g} of {expected[i]:.0f} expected")
        parts.append(
            f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{max(y2 - y1, 0):.1f}" fill="{colour}">'
            f"<title>{tip}</title></rect>"
        )
    (x1, y1), (x2, _) = frame.at(0, 1), frame.at(len(shares), 1)
    parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y1:.1f}" class="ideal"/>')
    return _svg(f"{title}. Counts over expected: {', '.join(_spelled(s) for s in shares)}", "".join(parts))


def legend(entries: Mapping[str, tuple[str, int]]) -> str:
    """Label → (colour, marker) as a list."""
    items = "".join(
        f'<li><svg viewBox="0 0 22 12" width="22" height="12" aria-hidden="true"><line x1="0" x2="22" y1="6" y2="6" '
        f'stroke="{colour}" stroke-width="1.8"/>{_marker(marker, 11, 6, colour)}</svg> {html.escape(label)}</li>'
        for label, (colour, marker) in entries.items()
    )
    return f'<ul class="legend">{items}</ul>'
