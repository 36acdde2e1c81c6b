r"""A training step of a conditional Glow by field, batch, precision and memory: seconds, peak memory, largest field.

    python benchmarks/flows_by_field.py [--device cuda] [--quick] [--json FILE]

Two channels given two condition channels through the flow's own U-Net, L = 3, K = 10, hidden 64: fields of 64², 256 × 128
and 512 × 256, batches of 8 to 64, float32 and mixed precision (bfloat16, float16 with a scaled loss), activations stored or
computed again. A step is gradient to zero, loss, backward, Adam; seconds are the median of several steps after a warm-up,
the device waited for. Peak memory is what torch allocated on the device at most, weights and Adam's moments included. What
does not fit is said so. Then the largest square field of a batch of 8 that a step fits in, and samples per second. On a CPU
(for trying the script) memory is that of the whole process so far.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seisflow.learning.flows import ConditionalFlow, GlowOptions, conditional_glow
from seisflow.learning.flows.recompute import Memory
from seisflow.learning.training.memory import peak_memory

CHANNELS = 2
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Trainer:
    """A flow on a device with its optimiser and a batch."""

    def __init__(
        self, shape: tuple[int, int], batch: int, memory: Memory, precision: str, device: torch.device, steps: int = 10
    ) -> None:
        torch.manual_seed(0)
        options = GlowOptions(3, steps, 64, 16, dropout=0.0, memory=memory)
        self.flow: ConditionalFlow = conditional_glow((CHANNELS, *shape), CHANNELS, options).to(device)
        self.optimiser = torch.optim.Adam(self.flow.parameters(), lr=5e-4)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
        self.x, self.c = torch.randn((2, batch, CHANNELS, *shape), device=device)
        self.dtype, self.device = PRECISIONS[precision], device

    def __call__(self) -> float:
        """One step; its seconds."""
        self._wait()
        start = time.perf_counter()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            loss = -self.flow(self.c).log_prob(self.x).mean() / self.x[0].numel()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._wait()
        return time.perf_counter() - start

    def samples_per_second(self, number: int = 200) -> float:
        """Draws from one condition."""
        self.flow.eval()
        distribution = self.flow(self.c[:1])
        distribution.sample(number)
        self._wait()
        start = time.perf_counter()
        distribution.sample(number)
        self._wait()
        return number / (time.perf_counter() - start)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def attempt(
    shape: tuple[int, int], batch: int, memory: Memory, precision: str, device: torch.device, repeats: int
) -> dict[str, float] | None:
    """Seconds of a step and peak memory [MB]; None when it does not fit."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    try:
        trainer = Trainer(shape, batch, memory, precision, device)
        for _ in range(2):
            trainer()
        seconds = float(np.median([trainer() for _ in range(repeats)]))
    except torch.OutOfMemoryError:
        return None
    return {"seconds": seconds, "megabytes": peak_memory(device) / 1e6}


def measure(device: torch.device, quick: bool, path: Path | None) -> None:
    """Print the tables, and write them to ``path``."""
    shapes = [(64, 64)] if quick else [(64, 64), (256, 128), (512, 256)]
    batches, repeats = ([8], 2) if quick else ([8, 16, 32, 64], 8)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    result: dict[str, Any] = {"torch": torch.__version__, "device": name, "step": {}, "largest": {}, "samples": {}}
    print(f"{name}, torch {torch.__version__}\nfield, batch, precision, memory: seconds per step, peak MB")
    kinds: tuple[Memory, ...] = ("store", "invert")
    for shape in shapes:
        for batch in batches:
            for precision in PRECISIONS:
                for memory in kinds:
                    row = attempt(shape, batch, memory, precision, device, repeats)
                    label = f"{shape[0]} × {shape[1]}, {batch}, {precision}, {memory}"
                    result["step"][label] = row
                    text = "does not fit" if row is None else f"{row['seconds']:9.4f} {row['megabytes']:9.0f}"
                    print(f"  {label:40s} {text}", flush=True)
        rate = Trainer(shape, 1, "store", "float32", device).samples_per_second(16 if quick else 200)
        result["samples"][f"{shape[0]} × {shape[1]}"] = rate
        print(f"  {shape[0]} × {shape[1]}: {rate:.1f} samples per second of one condition, float32", flush=True)
    if device.type == "cuda" and not quick:
        for precision in ("float32", "bfloat16"):
            for memory in kinds:
                cells = 512
                while cells <= 16384 and attempt((cells, cells), 8, memory, precision, device, 1) is not None:
                    result["largest"][f"{precision}, {memory}"] = cells
                    cells += max(512, cells // 2 // 512 * 512)
                largest = result["largest"].get(f"{precision}, {memory}")
                print(f"  largest of those tried, batch 8, {precision}, {memory}: {largest} × {largest}", flush=True)
    if path is not None:
        path.write_text(json.dumps(result, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="64 × 64, batch 8")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    measure(torch.device(arguments.device), arguments.quick, arguments.json)


if __name__ == "__main__":
    main()
