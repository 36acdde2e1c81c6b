r"""How well the noise covariance R of a study's images describes noise that it has not seen.

    python benchmarks/image_noise.py [STUDY.toml] [--bank 32] [--held-out 32] [--json FILE]

Draws of the noise alone are the images of a survey over a ground without CO2, one stream each. R is made from a bank of them
in four ways, and judged by draws that are left out:

    rᵀ R⁻¹ r / d           1 for an R of the right size; above, it is too sure
    log-likelihood / d     the higher the better; it sees the structure of R, too

Default: examples/compass_small.toml. Cost: two wave simulations a draw and shot, about a second of CPU each.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seisflow.covariance import Covariance, DiagonalCovariance, LowRankCovariance, SeparableCovariance
from seisflow.ensemble import Ensemble
from seisflow.observation import Joint, Seismic
from seisflow.study import load_study
from seisflow.study.build import build

EXAMPLE = Path(__file__).parents[1] / "examples" / "compass_small.toml"


def noise(observation: Seismic, draws: int) -> NDArray[np.float64]:
    """Draws of the noise of an image, ``(draws, *shape)``."""
    dry = Ensemble({"saturation": np.zeros((1, *observation.flow_grid.shape))})
    found = [observation.observe(dry, np.random.default_rng((20, k)))["image"][0] for k in range(draws)]
    return np.asarray(found, np.float64) - observation.predict(dry)["image"][0]


def log_determinant(covariance: Covariance) -> float:
    """log |R|, from R itself: for these sizes a dense matrix is affordable."""
    sign, value = np.linalg.slogdet(covariance.solve(np.eye(covariance.size)))
    assert sign > 0
    return -float(value)


def judged(covariance: Covariance, left_out: NDArray) -> tuple[float, float]:
    """Mean rᵀ R⁻¹ r / d, and the log-likelihood per number, of draws that R has not seen."""
    packed = left_out.reshape(len(left_out), -1)
    ratio = float((packed * covariance.solve(packed)).sum(axis=1).mean() / packed.shape[1])
    return ratio, -0.5 * (ratio + log_determinant(covariance) / packed.shape[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", type=Path, default=EXAMPLE)
    parser.add_argument("--bank", type=int, default=32)
    parser.add_argument("--held-out", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with build(load_study(options.study)) as parts:
        observation = parts.scenario.observation
        assert isinstance(observation, Joint)
        (seismic,) = (part for part in observation.parts if isinstance(part, Seismic))
        draws = noise(seismic, options.bank + options.held_out)
    bank, left_out = draws[: options.bank], draws[options.bank :]
    packed = bank.reshape(len(bank), -1)
    ways = {
        "diagonal": lambda: DiagonalCovariance((packed**2).mean(axis=0)),
        "shrunk by 0.1": lambda: LowRankCovariance(packed, 0.1),
        "shrunk as estimated": lambda: LowRankCovariance(packed),
        "along the axes": lambda: SeparableCovariance.of(bank),
    }
    rows = {}
    print(f"{len(bank)} draws for R, {len(left_out)} left out, d = {packed.shape[1]}")
    for name, make in ways.items():
        begin = time.perf_counter()
        covariance = make()
        seconds = time.perf_counter() - begin
        ratio, likelihood = judged(covariance, left_out)
        rows[name] = {"ratio": ratio, "log_likelihood": likelihood, "seconds": seconds}
        print(f"{name:22s} r'R^-1 r / d {ratio:7.3f}   log-likelihood / d {likelihood:8.4f}   made in {seconds:.2f} s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
