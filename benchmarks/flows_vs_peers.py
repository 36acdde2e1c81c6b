r"""A training step of a conditional Glow beside FrEIA 0.2 and normflows 1.7.3: seconds, memory, growth with depth, sampling.

    python benchmarks/flows_vs_peers.py [--repeats N] [--quick] [--part step] [--json FILE]
    python benchmarks/flows_vs_peers.py --device cuda [--json FILE]      larger fields by ours alone, see flows_by_field.py

Two channels of 64 × 64 cells given two condition channels, L = 3 scales, K = 10 steps, 64 hidden channels in networks of
3×3, 1×1, 3×3 convolutions, batch 8, float32, one CPU thread. The closest network each package can build:

    seisflow    Haar, [actnorm, learned 1×1, affine coupling] × K, half of the channels leave per scale; the condition
                average-pooled to every scale ("pooled"), or through its own U-Net ("unet"), or none
    FrEIA       the same layers (HaarDownsampling, ActNorm, Fixed1x1Conv, AffineCouplingOneSided, Split), pooled
                condition; its 1×1 matrix is fixed, not learned
    normflows   Squeeze, GlowBlock × K, Merge; it cannot take a condition field, so it has none

A step is gradient to zero, loss, backward, Adam. Seconds are CPU seconds, one step of each in turn. Memory is what torch
allocates during a step above what it held before (gradients included, weights and Adam's moments not), from torch's
profiler; a second figure is the growth of the resident set in a fresh process, which also sees the scratch space of the
convolution library and pages that the allocator keeps. Needs `pip install seisflow[flows-peers]`; without a peer its rows
are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from flow_peers import BATCH, CHANNELS, SCALES, SIZE, Loss, Pooled, freia_glow, normflows_glow
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from seisflow.learning.flows import GlowOptions, conditional_glow
from seisflow.learning.flows.recompute import Memory

NAMES = (
    "FrEIA",
    "normflows",
    "seisflow",
    "seisflow checkpoint",
    "seisflow invert",
    "seisflow unet",
    "seisflow unconditional",
)


def seisflow_glow(steps: int, hidden: int, memory: Memory, condition: str) -> tuple[nn.Module, Loss, Callable]:
    options = GlowOptions(SCALES, steps, hidden, CHANNELS if condition == "pooled" else 16, dropout=0.0, memory=memory)
    channels = 0 if condition == "none" else CHANNELS
    summary = Pooled() if condition == "pooled" else None
    flow = conditional_glow((CHANNELS, SIZE, SIZE), channels, options, summary=summary)

    def loss(x: Tensor, c: Tensor) -> Tensor:
        return -flow(c if channels else None).log_prob(x).mean() / x[0].numel()

    return flow, loss, lambda n, c: flow(c[:1] if channels else None).sample(n)


def build(name: str, steps: int = 10, hidden: int = 64) -> tuple[nn.Module, Loss, Callable]:
    """A model, its loss and its sampler."""
    torch.manual_seed(0)
    if name == "FrEIA":
        return freia_glow(steps, hidden)
    if name == "normflows":
        return normflows_glow(steps, hidden)
    memory: Memory = "invert" if "invert" in name else "checkpoint" if "checkpoint" in name else "store"
    condition = "unet" if "unet" in name else "none" if "unconditional" in name else "pooled"
    return seisflow_glow(steps, hidden, memory, condition)


class Stepper:
    """A model with its optimiser and a batch."""

    def __init__(self, name: str, steps: int = 10, hidden: int = 64) -> None:
        self.model, self.loss, self.sample = build(name, steps, hidden)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, lr=5e-4)
        self.x, self.c = torch.randn(2, BATCH, CHANNELS, SIZE, SIZE)

    def __call__(self) -> float:
        """One step; its CPU seconds."""
        start = time.process_time()
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(self.x, self.c).backward()
        self.optimiser.step()
        return time.process_time() - start

    def allocated(self) -> float:
        """Peak of what torch allocates during a step, above what it held before [MB]."""
        self()
        self.optimiser.zero_grad(set_to_none=True)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
            self()
        events = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
        events.sort(key=lambda e: e.start_ns())
        return float(np.max(np.cumsum([e.nbytes() for e in events]))) / 1e6

    def parameter_megabytes(self) -> float:
        return sum(p.numel() * p.element_size() for p in self.parameters) / 1e6


def resident_growth(name: str, steps: int, hidden: int) -> float | None:
    """Growth of the resident set over three steps in a fresh process [MB]; Linux only."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, __file__, "--resident", name, str(steps), str(hidden)]
    # Without these the allocator keeps freed pages, and the figure measures its thrift.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    return float(
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()[-1]
    )


def print_resident(name: str, steps: int, hidden: int) -> None:
    step = Stepper(name, steps, hidden)
    # Adam's moments exist before the first step here, so that only the step is seen.
    for p in step.parameters:
        p.grad = torch.zeros_like(p)
    step.optimiser.step()
    step.optimiser.zero_grad(set_to_none=True)

    def status(key: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(key)) / 1e3

    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    for _ in range(3):
        step()
    print(status("VmHWM") - before)


def available(name: str) -> bool:
    return name.startswith("seisflow") or importlib.util.find_spec(name) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="three repeats, no growth with depth")
    parser.add_argument(
        "--device", default="cpu", help="cpu: beside the peers; cuda: fields, precisions, largest field"
    )
    parser.add_argument("--part", choices=("step", "sampling", "depth"), action="append", help="default: all three")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--resident", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.device != "cpu":
        from flows_by_field import measure

        measure(torch.device(arguments.device), arguments.quick, arguments.json)
        return
    torch.set_num_threads(1)
    if arguments.resident:
        name, steps, hidden = arguments.resident
        print_resident(name, int(steps), int(hidden))
        return
    repeats = 3 if arguments.quick else arguments.repeats
    names = [n for n in NAMES if available(n)]
    result: dict[str, Any] = {"torch": torch.__version__, "step": {}, "depth": {}, "sampling": {}}

    parts = arguments.part or ["step", "sampling"] + ["depth"] * (not arguments.quick)

    for hidden in (32, 64) if "step" in parts else ():
        steppers = {name: Stepper(name, hidden=hidden) for name in names}
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for step in steppers.values():
            step()
        for _ in range(repeats):
            for name, step in steppers.items():
                seconds[name].append(step())
        plain = np.array(seconds["seisflow"])
        what = "CPU seconds per step (best, median), median ratio to seisflow, MB allocated, resident, of weights"
        print(f"\nL = 3, K = 10, hidden {hidden}: {what}")
        for name, step in steppers.items():
            row = {
                "best": min(seconds[name]),
                "median": float(np.median(seconds[name])),
                # Of steps in the same turn, which see the machine as busy as each other.
                "ratio": float(np.median(np.array(seconds[name]) / plain)),
                "allocated": step.allocated(),
                "resident": resident_growth(name, 10, hidden),
                "weights": step.parameter_megabytes(),
            }
            result["step"][f"{name}, {hidden}"] = row
            print(f"  {name:24s} " + "  ".join(f"{v:8.3f}" for v in row.values() if v is not None), flush=True)

    if "sampling" in parts:
        print("\nsamples of 2 × 64 × 64 per CPU second, 200 members of one condition (best of repeats)")
    for hidden, steps in ((64, 10), (32, 4)) if "sampling" in parts else ():
        shown = [name for name in names if "invert" not in name and "checkpoint" not in name]
        steppers = {name: Stepper(name, steps, hidden) for name in shown}
        rates: dict[str, float] = dict.fromkeys(steppers, 0.0)
        for step in steppers.values():
            step.model.train()
            step()
        for _ in range(3):
            for name, step in steppers.items():
                step.model.eval()
                start = time.process_time()
                count = len(step.sample(200, step.c))
                rates[name] = max(rates[name], count / (time.process_time() - start))
        for name, rate in rates.items():
            result["sampling"][f"{name}, K = {steps}, hidden {hidden}"] = rate
            print(f"  K = {steps:2d}, hidden {hidden}  {name:24s} {rate:8.1f}", flush=True)

    if "depth" in parts:
        print("\ndepth, hidden 64: MB allocated, of these gradients; CPU seconds per step (best of 3)")
        for name in [n for n in names if n not in ("seisflow unet", "seisflow unconditional")]:
            for steps in (4, 8, 16, 32):
                step = Stepper(name, steps)
                row = {"allocated": step.allocated(), "gradients": step.parameter_megabytes()}
                row["seconds"] = min(step() for _ in range(3))
                result["depth"][f"{name}, K = {steps}"] = row
                print(f"  {name:24s} K = {steps:2d} " + "  ".join(f"{v:8.3f}" for v in row.values()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
