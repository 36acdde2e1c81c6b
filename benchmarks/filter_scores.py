"""The filters on Lorenz-63 and Lorenz-96 beside published scores: the median rmse of the analysis over seeds.

    python benchmarks/filter_scores.py [--only TEXT ...] [--cycles 1000] [--seeds 1 2 3 ...]

Settings and reference scores stand in `seisflow/settings`. "inside" says whether the median lies within the tolerance; a
score below the published ones is marked "better", not as a miss. One line per method as it finishes; minutes in all.
"""

from __future__ import annotations

import argparse

import numpy as np

from seisflow.testbeds import lorenz63_sakov2012, lorenz96_sakov2008

SETTINGS = {"Lorenz-63": lorenz63_sakov2012, "Lorenz-96": lorenz96_sakov2008}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[], help="parts of the model's or the method's name, all must occur"
    )
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seeds", nargs="+", type=int, help="default: 1, 2, … as many as the line's median needs")
    arguments = parser.parse_args()

    print(f"{arguments.cycles} cycles\n")
    print("| model | method | published | median | each seed | spread | inside | s a run |")
    print("|---|---|---:|---:|---|---:|---|---:|")
    for model, setting in SETTINGS.items():
        for line in setting.SCORES:
            if not all(part.lower() in f"{model} {line.label}".lower() for part in arguments.only):
                continue
            experiment = setting.experiment(arguments.cycles, **({"interval": line.interval} if line.interval else {}))
            analysis, seeds = line.analysis(experiment), arguments.seeds or range(1, line.seeds + 1)
            runs = [experiment.run(analysis, line.members, s, weighted=line.weighted) for s in seeds]
            scores = [run.mean() for run in runs]
            median = float(np.median(scores))
            verdict = "yes" if line.reached(median) else "better" if median < line.reference[0] else "no"
            each = ", ".join(f"{score:.3f}" for score in scores)
            if len(scores) > 5:
                each = f"{len(scores)} seeds, {min(scores):.3f} to {max(scores):.3f}"
            published = "–".join(dict.fromkeys(f"{value:g}" for value in line.reference))
            print(
                f"| {model} | {line.label} | {published} ± {line.tolerance:g} | {median:.3f} | "
                f"{each} | {np.median([r.mean('spread') for r in runs]):.3f} | "
                f"{verdict} | {np.median([r.seconds for r in runs]):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
