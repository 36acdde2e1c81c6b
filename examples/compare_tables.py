r"""Tables and figures from the lines that ``compare_analyses.py`` wrote.

    python examples/compare_tables.py [--results docs/comparison/results.jsonl] [--page docs/benchmarks.md]

Prints Markdown: the mean CRPS of every method in every cell (modality, members), and for each cell the mean of each score at
the last survey over the truths that *all* methods of the table have finished (those far behind are left out), with a 90 %
interval from resampling the truths, the differences to the flow truth by truth, and scores survey by survey. Ranks of the
truth in 16 bins: "unevenness" is the root mean square of counts over their mean, less one, over all plume cells of all
truths; χ²/15 that of thinned cells, 1 if flat and independent. Cells of one truth are not quite independent, so it is a
measure here and no test.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from compare_analyses import ROOT, lines
from compare_settings import METHODS
from matplotlib.figure import Figure

from seisflow import diagnostics
from seisflow.analysis.methods import METHODS as TABLES
from seisflow.report.sections import save

NAMES = {table.name: table.label for table in TABLES} | {"flow": "flow, joint", "flow_reference": "flow, reference"}
TINTS = {table.name: table.colour for table in TABLES} | {"flow_reference": "lightskyblue"}
COLUMNS = [
    ("rmse", "RMSE", "{:.4f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("crps", "CRPS", "{:.5f}"),
    ("coverage_50", "50 % cov.", "{:.2f}"),
    ("coverage_90", "90 % cov.", "{:.2f}"),
    ("mass_error", "mass", "{:+.1%}"),
    ("ghost_share", "ghost CO2", "{:.2%}"),
    ("ghost_members", "members with ghosts", "{:.1%}"),
    ("bodies", "bodies", "{:.1f}"),
    ("pressure_rmse_bar", "p RMSE [bar]", "{:.2f}"),
    ("pressure_crps_wells_bar", "p CRPS, wells [bar]", "{:.3f}"),
    ("pressure_spread_ratio_wells", "p spread after / before, wells", "{:.2f}"),
]
MARK = "<!-- comparison -->"
Cell = dict[str, dict[int, dict[str, Any]]]
"""Label → seed → line."""


def cells(file: Path) -> dict[tuple[str, int], Cell]:
    """The lines of all surveys, by (modality, members); the open loop is in all cells of its ensemble size.

    Of a method that was run with several settings those with most truths are taken, the last ones where they have as many.
    """
    found: dict[tuple[str, int], Cell] = defaultdict(lambda: defaultdict(dict))
    listed = list(lines(file))
    most = max((line["surveys"] for line in listed), default=0)
    whole = [line for line in listed if line["surveys"] == most]
    by_settings: dict[tuple[str, int, str], dict[str, dict[int, dict[str, Any]]]] = defaultdict(dict)
    for line in whole:
        if line["modality"] != "none":
            runs = by_settings[line["modality"], line["members"], line["label"]]
            settings = json.dumps(line.get("settings"))
            runs[settings] = {**runs.pop(settings, {}), line["seed"]: line}  # the settings of the newest line come last
    for (modality, members, label), runs in by_settings.items():
        found[modality, members][label] = max(reversed(runs.values()), key=len)
    for line in whole:
        for (_, members), cell in found.items():
            if line["modality"] == "none" and line["members"] == members:
                cell[line["label"]][line["seed"]] = line
    return found


def common(cell: Cell) -> tuple[list[str], list[int]]:
    """Labels in the order of the script, and the truths that all of them have finished.

    A method that has finished less than half as many truths as another one of the cell is left out, lest it empty the table.
    """
    most = max(len(truths) for label, truths in cell.items() if label != "open_loop")  # which is in all cells
    labels = [label for label in METHODS if label in cell and 2 * len(cell[label]) >= most]
    return labels, sorted(set.intersection(*(set(cell[label]) for label in labels)))


def last(cell: Cell, label: str, seeds: list[int], key: str) -> np.ndarray:
    """A score at the last survey, truth by truth; not a number in lines that do not have it."""
    return np.array([cell[label][seed]["scores"][-1].get(key, np.nan) for seed in seeds], float)


def interval(values: np.ndarray) -> tuple[float, float]:
    """90 % interval of the mean over truths; not a number for a single one."""
    if len(values) < 2:
        return np.nan, np.nan
    return diagnostics.bootstrap_interval(values, np.random.default_rng(0))


def table(cell: Cell, labels: list[str], seeds: list[int]) -> list[str]:
    """Means over the truths, intervals for RMSE and CRPS."""
    rows = [
        "| method | " + " | ".join(c[1] for c in COLUMNS) + " | rank unevenness | χ²/15 | wall s |",
        "|---|" + "---:|" * (len(COLUMNS) + 3),
    ]
    for label in labels:
        entries = []
        for key, _, form in COLUMNS:
            values = last(cell, label, seeds, key)
            low, high = interval(values)
            text = form.format(values.mean()) if np.isfinite(values).all() else "–"
            if key in ("rmse", "crps") and np.isfinite(low):
                text += f" ({form.format(low)}–{form.format(high)})"
            entries.append(text)
        counts = np.sum([cell[label][seed]["ranks"][-1]["region"] for seed in seeds], axis=0)
        entries.append(f"{np.sqrt(((counts / counts.mean() - 1) ** 2).mean()):.2f}")
        counts = np.sum([cell[label][seed]["ranks"][-1]["thinned"] for seed in seeds], axis=0)
        entries.append(f"{diagnostics.rank_test(counts)[0] / (counts.size - 1):.1f}")
        entries.append(f"{np.mean([sum(cell[label][seed]['seconds'].values()) for seed in seeds]):.0f}")
        rows.append(f"| {NAMES[label]} | " + " | ".join(entries) + " |")
    return rows


def differences(cell: Cell, labels: list[str], seeds: list[int], against: str = "flow") -> list[str]:
    """Score of each method minus the flow's, truth by truth: mean, interval, and on how many truths the flow is better."""
    rows = ["| method minus flow | RMSE | flow better | CRPS | flow better |", "|---|---:|---:|---:|---:|"]
    for label in labels:
        if label == against:
            continue
        entries = []
        for key in ("rmse", "crps"):
            d = last(cell, label, seeds, key) - last(cell, against, seeds, key)
            low, high = interval(d)
            bounds = f" ({low:+.4f} to {high:+.4f})" if np.isfinite(low) else ""
            entries += [f"{d.mean():+.4f}{bounds}", f"{(d > 0).sum()} of {len(d)}"]
        rows.append(f"| {NAMES[label]} | " + " | ".join(entries) + " |")
    return rows


def by_survey(cell: Cell, labels: list[str], seeds: list[int]) -> list[str]:
    """How CRPS and mass error grow from survey to survey."""
    surveys = len(cell[labels[0]][seeds[0]]["scores"])
    rows = [
        "| CRPS × 1000 / mass error | " + " | ".join(f"survey {k + 1}" for k in range(surveys)) + " |",
        "|---|" + "---:|" * surveys,
    ]
    for label in labels:
        scores = [[cell[label][seed]["scores"][k] for seed in seeds] for k in range(surveys)]
        means = [
            (1000 * np.mean([s["crps"] for s in some]), np.mean([s["mass_error"] for s in some])) for some in scores
        ]
        rows.append(f"| {NAMES[label]} | " + " | ".join(f"{c:.2f} / {m:+.0%}" for c, m in means) + " |")
    return rows


def overview(found: dict[tuple[str, int], Cell]) -> list[str]:
    """Mean CRPS of every method in every cell, over that cell's truths."""
    names, columns = [], []
    for (modality, members), cell in found.items():
        labels, seeds = common(cell)
        if seeds:
            names.append(f"{modality}, {members} (n = {len(seeds)})")
            columns.append({label: 1000 * last(cell, label, seeds, "crps").mean() for label in labels})
    if len(names) < 2:
        return []
    rows = ["| CRPS × 1000, last survey | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for label in METHODS:
        if any(label in column for column in columns):
            entries = [f"{column[label]:.2f}" if label in column else "–" for column in columns]
            rows.append(f"| {NAMES[label]} | " + " | ".join(entries) + " |")
    return [*rows, ""]


def figure(cell: Cell, labels: list[str], seeds: list[int], title: str) -> Figure:
    """Scores truth by truth with mean and interval; below, the rank histograms of the pooled truths."""
    shown = [
        ("rmse", "RMSE"),
        ("crps", "CRPS"),
        ("ssim", "SSIM"),
        ("coverage_90", "90 % coverage"),
        ("mass_error", "mass error"),
    ]
    drawing = Figure(figsize=(15, 7), layout="constrained")
    above, below = drawing.subfigures(2, 1, height_ratios=(1.4, 1))
    for axes, (key, name) in zip(above.subplots(1, len(shown), sharey=True), shown, strict=True):
        for row, label in enumerate(labels):
            values = last(cell, label, seeds, key)
            axes.plot(values, np.full(len(values), row), "o", ms=4, alpha=0.5, color=TINTS[label])
            axes.plot(values.mean(), row, "k|", ms=14, mew=2)
            axes.plot(interval(values), [row, row], "k-", lw=1)
        axes.axvline({"coverage_90": 0.9, "mass_error": 0.0}.get(key, np.nan), color="k", lw=0.8, ls=":")
        axes.set_title(f"{name} of S", fontsize=9)
        axes.set_yticks(range(len(labels)), [NAMES[label] for label in labels])
        axes.tick_params(labelsize=8)
        axes.locator_params(axis="x", nbins=5)
    above.axes[0].invert_yaxis()
    for axes, label in zip(below.subplots(1, len(labels), sharey=True, squeeze=False)[0], labels, strict=True):
        counts = np.sum([cell[label][seed]["ranks"][-1]["region"] for seed in seeds], axis=0)
        axes.bar(np.arange(counts.size), counts / counts.mean(), width=1, color=TINTS[label])
        axes.axhline(1, color="k", lw=0.8, ls=":")
        axes.set_title(f"{NAMES[label]}: ranks", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_xticks(range(0, counts.size, 5))
    drawing.suptitle(title, fontsize=11)
    return drawing


def report(results: Path, figures: Path, prefix: str) -> str:
    """All cells as Markdown; the figures are written on the way.

    A cell that has less than half as many truths as another one says what has finished, and has no table yet.
    """
    found = dict(sorted(cells(results).items(), key=lambda item: (item[0][1], item[0][0])))
    most = max((len(common(cell)[1]) for cell in found.values()), default=0)
    page = overview({name: cell for name, cell in found.items() if 2 * len(common(cell)[1]) >= most})
    for (modality, members), cell in found.items():
        labels, seeds = common(cell)
        finished = ", ".join(f"{NAMES[label]} {len(cell[label])}" for label in METHODS if label in cell)
        page += [f"### {modality.capitalize()}, {members} members", "", f"Finished truths: {finished}.", ""]
        if not seeds or 2 * len(seeds) < most:
            continue
        page += [f"Truths that all have finished: {', '.join(map(str, seeds))} (n = {len(seeds)}).", ""]
        page += [*table(cell, labels, seeds), "", *by_survey(cell, labels, seeds), ""]
        if "flow" in labels:
            page += [*differences(cell, labels, seeds), ""]
        title = f"Last survey, {modality}, {members} members, {len(seeds)} truth{'s' * (len(seeds) > 1)}"
        path = save(figure(cell, labels, seeds, title), figures / f"{modality}_{members}.png", dpi=90)
        page += [f"![{title}]({prefix}{path.name})", ""]
    return "\n".join(page)


def main() -> None:
    """Print the tables, or put them into a page; write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "comparison" / "results.jsonl")
    parser.add_argument("--figures", type=Path, default=None, help="default: beside the results")
    parser.add_argument("--page", type=Path, default=None, help=f"page to put them into, between two lines {MARK!r}")
    arguments = parser.parse_args()
    figures = arguments.figures or arguments.results.parent
    if arguments.page is None:
        print(report(arguments.results, figures, ""))
        return
    before, _, after = arguments.page.read_text(encoding="utf-8").split(MARK)
    text = report(arguments.results, figures, f"{figures.resolve().relative_to(arguments.page.resolve().parent)}/")
    arguments.page.write_text(f"{before}{MARK}\n\n{text}\n{MARK}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
