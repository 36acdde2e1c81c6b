"""The claim of the main job, over several truths: does the learned posterior beat no update, and where does the EnKF stand?

    python benchmarks/three_truths.py [STUDY.toml] [--seeds 1 2 3] [--out runs/three_truths]

Runs the study once per seed (finished runs are taken as they are), and prints the scores at the last survey as a Markdown
table: every seed, and the mean over the seeds.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from pathlib import Path

import numpy as np

from seisflow.analysis.methods import method as table_of
from seisflow.runner import run_study
from seisflow.runs.progress import ProgressDisplay
from seisflow.study import load_study

COLUMNS = [
    ("rmse", "RMSE", "{:.4f}"),
    ("ssim", "SSIM", "{:.3f}"),
    ("crps", "CRPS", "{:.5f}"),
    ("spread", "spread", "{:.4f}"),
    ("coverage_50", "50 % coverage", "{:.2f}"),
    ("coverage_90", "90 % coverage", "{:.2f}"),
    ("mass_error", "mass error", "{:+.1%}"),
    ("pressure_rmse_bar", "pressure RMSE [bar]", "{:.3f}"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", default="examples/compass_small.toml")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/three_truths"))
    arguments = parser.parse_args()
    study = load_study(arguments.study)

    summaries = []
    for seed in arguments.seeds:
        with ProgressDisplay() as display:
            summaries.append(run_study(study.changed(seed=seed), arguments.out / f"seed_{seed}", display))
        print(f"seed {seed}: {summaries[-1]['seconds']['in all']:.0f} s", flush=True)

    print(
        f"\n`{study.name}`, {study.ensemble.members} members, survey {len(study.surveys.days)}, "
        f"seeds {', '.join(map(str, arguments.seeds))}; {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; "
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n"
    )
    print("| seed | method | " + " | ".join(label for _, label, _ in COLUMNS) + " |")
    print("|---|---|" + "---:|" * len(COLUMNS))
    for seed, summary in zip(arguments.seeds, summaries, strict=True):
        for method in study.methods:
            values = {k: np.nan if v is None else v for k, v in summary["scores"][method][-1].items()}
            print(
                f"| {seed} | {table_of(method).label} | "
                + " | ".join(f.format(values[k]) for k, _, f in COLUMNS)
                + " |"
            )
    for method in study.methods:
        means = {k: np.mean(np.array([s["scores"][method][-1][k] for s in summaries], float)) for k, _, _ in COLUMNS}
        print(f"| mean | {table_of(method).label} | " + " | ".join(f.format(means[k]) for k, _, f in COLUMNS) + " |")


if __name__ == "__main__":
    main()
