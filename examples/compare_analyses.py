r"""The analyses beside each other on many truths: one line of scores for every (truth, members, modality, method).

    python examples/compare_analyses.py --tune                      # rivals' settings, on truths of their own
    python examples/compare_analyses.py                             # the comparison, as far as it has not been run
    python examples/compare_analyses.py --cells both:64 --seeds 11 12 --methods open_loop enkf
    python examples/compare_tables.py                               # tables and figures from the lines

Shared by all methods of a truth: the truth, its data (of all modalities at once, so that "wells" sees the same logs as
"both"), the prior draws, the first survey's forecast and predicted data. After that every method forecasts from its own
posterior. Every line is written when its chain is finished; lines that exist with the same settings are not computed again,
and stages of an unfinished chain are taken from ``--scratch``. Truths that tune (101 …) are no truths that count (11 …).
Methods, tuned settings and candidates are in ``compare_settings.py``.

ES-MDA is an analysis of the state at the survey: its steps predict the data anew from the updated state, but the simulator
is not run again from the survey before with updated permeabilities, because K is drawn anew for every interval and is no
part of the state. Seconds are wall-clock times of all stages that a method needs, as if it ran alone, with ``--workers``
processes.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from compare_settings import CANDIDATES, METHODS, WIDE, chosen, spelled

from seisflow import diagnostics
from seisflow.assimilation.loop import Step, assimilate
from seisflow.assimilation.scenario import simulate_truth
from seisflow.diagnostics import plume
from seisflow.ensemble import Ensemble
from seisflow.observation.joint import Joint
from seisflow.runs.folder import versions
from seisflow.runs.scoring import score
from seisflow.seeds import generator
from seisflow.storage.partial import PartialStage
from seisflow.storage.recorder import Recorder, Stage
from seisflow.storage.stage_attributes import json_ready
from seisflow.storage.store import Store
from seisflow.study import Study, load_study
from seisflow.study.build import Parts, build, build_analysis

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"seismic": ("image",), "wells": ("well_saturation", "well_pressure")}
MODALITIES = {"none": (), "seismic": ("seismic",), "wells": ("wells",), "both": ("seismic", "wells")}
CELLS = [f"{modality}:{members}" for members in (64, 128) for modality in ("both", "seismic", "wells")]


@dataclass(frozen=True, eq=False)
class Truth:
    """One truth with its data, and the parts of its study."""

    study: Study
    parts: Parts
    store: Store
    truth: list[Ensemble]
    observed: list[Ensemble]

    @property
    def prefix(self) -> str:
        return f"members_{self.study.ensemble.members}"

    def share(self) -> None:
        """The first survey's forecast and the predicted data of all modalities, for every method."""
        scenario, at = self.parts.scenario, f"{self.prefix}/first/survey_1"
        start = scenario.dynamics.initial_state(scenario.members)
        ahead = self.store.stage(f"{at}/forecast", lambda: scenario.forecast(start, 0))
        self.store.stage(f"{at}/predicted", lambda: Stage(scenario.observation.predict(ahead.ensemble)))
        _ = scenario.observation.noise  # once, so that its seconds count for no method

    def only(self, modality: str) -> tuple[Parts, list[Ensemble]]:
        """Parts and data of a modality."""
        chosen = MODALITIES[modality]
        kept = [part for part, name in zip(_parts_of(self.parts), self.study.surveys.modalities, strict=True)
                if name in chosen or not chosen]  # fmt: skip
        scenario = replace(self.parts.scenario, observation=Joint(kept))
        return replace(self.parts, scenario=scenario), [y.select(_fields(modality)) for y in self.observed]

    def regions(self, surveys: int) -> list[np.ndarray]:
        """Cells that are wet in the truth or in any member of the open loop, survey by survey."""
        steps = self.chain("none", "open_loop", self.study, surveys)
        return [
            plume.region(true["saturation"][0], step.forecast.ensemble["saturation"])
            for true, step in zip(self.truth, steps, strict=False)
        ]

    def chain(
        self, modality: str, label: str, study: Study, surveys: int, method: str = "open_loop", settings: str = ""
    ) -> list[Step]:
        """All surveys of one method."""
        parts, observed = self.only(modality)
        analysis = replace(build_analysis(study, method, parts), name=label)  # type: ignore[type-var]
        recorder = Cell(self.store, self.prefix, modality, settings)
        return assimilate(parts.scenario, observed[:surveys], analysis, recorder)


def _parts_of(parts: Parts) -> tuple[Any, ...]:
    observation = parts.scenario.observation
    assert isinstance(observation, Joint)
    return observation.parts


def _fields(modality: str) -> list[str]:
    return [name for part in MODALITIES[modality] or MODALITIES["both"] for name in FIELDS[part]]


@dataclass(frozen=True)
class Cell(Recorder):
    """Stages of one ensemble size, modality and settings in a truth's store; the first survey's are common to the size."""

    store: Store
    prefix: str
    modality: str
    settings: str = ""

    def _place(self, name: str) -> str:
        if name.startswith("first/"):
            return f"{self.prefix}/{name}"
        return "/".join(part for part in (self.prefix, self.modality, self.settings, name) if part)

    def find(self, name: str) -> Stage | None:
        stage = self.store.find(self._place(name))
        if stage is not None and name == "first/survey_1/predicted":
            spent = {} if "seismic" in MODALITIES[self.modality] else {"seconds": 0.0}  # the images are not for wells
            selected = stage.ensemble.select(_fields(self.modality))
            return replace(stage, ensemble=selected, attributes={**stage.attributes, **spent})
        return stage

    def keep(self, name: str, stage: Stage) -> Stage:
        return self.store.keep(self._place(name), stage)

    def begin(self, name: str, members: int) -> PartialStage:
        return self.store.begin(self._place(name), members)

    def commit(self, name: str, partial: PartialStage, time: float, attributes: Mapping[str, Any]) -> Stage:
        return self.store.commit(self._place(name), partial, time, attributes)


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=ROOT / "examples" / "compass_small.toml")
    parser.add_argument("--cells", nargs="+", default=CELLS, metavar="MODALITY:M")
    parser.add_argument("--seeds", nargs="+", type=int, default=None, help="11 … 20, or 101 102 with --tune")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--tune", action="store_true", help="try the candidates on the tuning truths")
    parser.add_argument("--surveys", type=int, default=None, help="only the first surveys (for --tune)")
    parser.add_argument("--only", nargs="+", default=None, help="with --tune: labels of the candidates to try")
    parser.add_argument(
        "--results", type=Path, default=None, help="default: docs/comparison/results.jsonl or tuning.jsonl"
    )
    parser.add_argument("--scratch", type=Path, default=Path("runs/comparison"))
    parser.add_argument("--workers", type=int, default=1)
    a = parser.parse_args()
    _commit()
    results = a.results or ROOT / "docs" / "comparison" / ("tuning.jsonl" if a.tune else "results.jsonl")
    results.parent.mkdir(parents=True, exist_ok=True)
    study = load_study(a.study)
    surveys = a.surveys or len(study.surveys.days)
    seeds = a.seeds or (list(range(101, 103)) if a.tune else list(range(11, 21)))
    cells = [(modality, int(M)) for modality, _, M in (cell.partition(":") for cell in a.cells)]
    for modality, members in cells:
        if a.tune:
            tried = CANDIDATES + (WIDE if modality == "wells" else [])
            wanted = [(spelled(method, values), method, values) for method, values in tried]
            wanted = list({w[0]: w for w in wanted}.values())  # some are in both lists
            wanted = [w for w in wanted if a.only is None or w[0] in a.only or w[1] in a.only]
        else:
            wanted = [(label, *chosen(label, modality, members)) for label in a.methods]
        for seed in seeds:
            compare(study.changed(seed=seed, ensemble={"members": members}), modality, wanted, surveys, results, a)


def compare(
    study: Study, modality: str, wanted: list[tuple[str, str, dict[str, Any]]], surveys: int, results: Path, a: Any
) -> None:
    """All methods of one truth, ensemble size and modality that have no line yet."""
    where = {"seed": study.seed, "members": study.ensemble.members, "surveys": surveys}
    done = {(*(line[k] for k in (*where, "modality", "label")), _as_key(line["settings"])) for line in lines(results)}
    keys = {
        label: {**where, "modality": "none" if label == "open_loop" else modality, "label": label}
        for label, *_ in wanted
    }
    todo = [(keys[label], label, method, values) for label, method, values in wanted
            if (*keys[label].values(), _as_key(values)) not in done]  # fmt: skip
    if not todo:
        return
    with build(study, a.workers) as parts:
        store = Store(a.scratch / f"seed_{study.seed}")
        truth = Truth(study, parts, store, *simulate_truth(parts.scenario, store))
        truth.share()
        regions = truth.regions(surveys)
        for key, label, method, values in todo:
            changed = study.changed(**{method: values}) if values else study
            # In the chain's place, so that an interrupted one with other settings is not taken for its own.
            settings = spelled("", values).strip()
            steps = truth.chain(key["modality"], label, changed, surveys, method, settings)
            line = {**key, "method": method, "settings": values, **_scores(truth, steps, regions), **_origin(a.workers)}
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(json_ready(line), allow_nan=False) + "\n")
            last = line["scores"][-1]
            print(f"{key} rmse {last['rmse']:.4f} crps {last['crps']:.5f} {line['seconds']}", flush=True)
            if label != "open_loop":
                for kind in ("stages.zarr", "weights"):
                    shutil.rmtree(store.folder / kind / truth.prefix / modality / settings / label, ignore_errors=True)


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """The finished lines; one that was cut off when a run was killed is left out."""
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            continue


def _as_key(settings: dict[str, Any]) -> str:
    """Settings as a key: a chain with others is another chain."""
    return json.dumps(settings, sort_keys=True)


def _scores(truth: Truth, steps: list[Step], regions: list[np.ndarray]) -> dict[str, Any]:
    scores, ranks, statistics = [], [], []
    for k, (step, region) in enumerate(zip(steps, regions, strict=True)):
        samples, true = step.posterior.ensemble, truth.truth[k]
        S, S_true = samples["saturation"], true["saturation"][0]
        found = score(truth.parts, true, step.forecast.ensemble, samples, region)
        scores.append(found | {"energy_score": diagnostics.energy_score(S, S_true)})
        ranks.append(_ranks(S, S_true, region, truth.study.seed))
        kept = step.posterior.attributes.get("statistics", {})
        statistics.append({name: value for name, value in kept.items() if isinstance(value, int | float)})
    seconds = {
        "forecast": sum(s.forecast.seconds for s in steps),
        "predicted": sum(s.predicted.seconds for s in steps if s.predicted is not None),
        "posterior": sum(s.posterior.seconds for s in steps),
    }
    return {"scores": scores, "ranks": ranks, "statistics": statistics, "seconds": seconds}


def _ranks(S: np.ndarray, truth: np.ndarray, region: np.ndarray, seed: int) -> dict[str, list[int]]:
    """Histograms of the truth's rank: over the plume region, and over every 8th and 4th cell of it (400 m, 100 m).

    The last member is left out, so that 64 and 128 members both have 16 bins; ties (dry cells) are broken at random.
    """
    members, bins = (16 * (len(S) // 16) - 1, 16) if len(S) >= 16 else (len(S), len(S) + 1)
    every = diagnostics.ranks(S[:members], truth, generator(seed, "ranks"))
    thin = np.zeros_like(region)
    thin[4::8, 2::4] = True
    return {
        name: diagnostics.rank_histogram(every[cells], members, bins).tolist() if cells.any() else [0] * bins
        for name, cells in (("region", region), ("thinned", region & thin))
    }


@functools.cache
def _commit() -> str:
    """The commit, asked for once and at the start: a chain runs the code that was loaded, whatever is checked out later."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip()


def _origin(workers: int) -> dict[str, Any]:
    return {
        "versions": versions() | {"commit": _commit()},
        "workers": workers,
        "load": round(os.getloadavg()[0], 1),
        "finished": f"{datetime.now(UTC):%Y-%m-%dT%H:%M}",
    }


if __name__ == "__main__":
    main()
