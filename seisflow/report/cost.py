r"""What a run cost: seconds of every stage, bytes on the disk, and members that had to be replaced."""

from __future__ import annotations

import html
from typing import Any

from seisflow.report.tables import table
from seisflow.runs.reading import RunFolder

__all__ = ["cost"]

STAGES = ("forecast", "predicted", "posterior")


def cost(run: RunFolder) -> str:
    """Seconds, bytes, and members that had to be replaced."""
    sizes = ", ".join(f"{n / 1e6:.1f} MB of {name}" for name, n in _folder_bytes(run).items() if n)
    seconds: dict[str, Any] = run.summary.get("seconds", {})
    more = f" The command that finished the run took {seconds['in all']:.0f} s in all." if "in all" in seconds else ""
    lost = _replaced(run)
    failed = (
        table(
            "Members that failed in the simulator, and were replaced by fresh draws",
            ["method", "survey", "member", "attempt", "why"],
            [
                [html.escape(run.methods[e["method"]].label), str(e["survey"]), str(e.get("member", "")),
                 str(e.get("attempt", "")), html.escape(str(e.get("reason", e.get("why", ""))))]
                for e in lost
            ],
        )
        if lost
        else '<p class="soft">No member failed in the simulator.</p>'
    )  # fmt: skip
    return f'<section id="cost"><h2>Cost</h2>{_cost_table(run)}<p class="soft">On disk: {sizes}.{more}</p>{failed}</section>'


def _cost_table(run: RunFolder) -> str:
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
            ledger.append((f"{run.methods[method].label}, survey {k + 1}", uses))
    total = sum(v or 0.0 for _, row in ledger for v in row)
    rows = []
    for name, row in ledger:
        own_sum = sum(v or 0.0 for v in row)
        share = own_sum / total if total else 0.0
        meter = f'<td class="share"><span class="meter" style="width:{8 * share:.2f}rem"></span> {share:.0%}</td>'
        rows.append([html.escape(name), *("" if v is None else _seconds(v) for v in row), _seconds(own_sum), meter])
    rows.append(["all stages", "", "", "", f"<td class=best>{_seconds(total)}</td>", "<td></td>"])
    head = ["stage", "two-phase flow [s]", "waves, data [s]", "training, analysis [s]", "sum [s]", "share"]
    return table("Wall-clock seconds of every stage", head, rows)


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _folder_bytes(run: RunFolder) -> dict[str, int]:
    """Bytes on the disk: arrays, network weights."""
    return {
        name: sum(p.stat().st_size for p in (run.folder / sub).rglob("*") if p.is_file())
        for name, sub in (("arrays", "stages.zarr"), ("network weights", "weights"))
    }


def _replaced(run: RunFolder) -> list[dict[str, Any]]:
    """Members that failed in the simulator and were replaced: method, survey, and what the stage says."""
    found: list[dict[str, Any]] = []
    for method, done in run.done.items():
        for k in range(done):
            stage = run.stage(method, k, "forecast")
            for entry in stage.attributes.get("replaced_members", []) if stage is not None else []:
                found.append({"method": method, "survey": k + 1, **entry})
    return found
