r"""Random streams that do not depend on order, on the number of workers, or on a resume.

A stream is addressed by (root seed, stage, step, member) and nothing else:

    generator(seed, stage, k, m) = PCG64(SeedSequence(seed, spawn_key = (crc32(stage), k, m)))

so member 17 of survey 2 draws the same permeability whether it runs first or last, here or on another machine.
Distinct spawn keys give statistically independent streams (O'Neill's seed sequence; see the NumPy documentation of
``SeedSequence``).
"""

from __future__ import annotations

import zlib

import numpy as np

from seisflow.errors import InputError

__all__ = ["generator", "integer_seed"]


def _sequence(seed: int, stage: str, step: int, member: int) -> np.random.SeedSequence:
    if seed < 0:
        raise InputError("seed", seed, "give an integer of 0 or more")
    return np.random.SeedSequence(seed, spawn_key=(zlib.crc32(stage.encode()), step, member))


def generator(seed: int, stage: str, step: int = 0, member: int = 0) -> np.random.Generator:
    """The generator of one stage, survey and member.

    Parameters
    ----------
    seed
        Root seed of the run, 0 or more.
    stage
        Name of the use (``"permeability"``, ``"noise"``, ...): different names give independent streams.
    step
        Survey index k.
    member
        Ensemble member m.
    """
    return np.random.default_rng(_sequence(seed, stage, step, member))


def integer_seed(seed: int, stage: str, step: int = 0, member: int = 0) -> int:
    """A 63-bit integer from the same address, for engines with their own generators (``torch.Generator``)."""
    return int(_sequence(seed, stage, step, member).generate_state(1, np.uint64)[0] >> np.uint64(1))
