r"""Where checkpoints of a simulation go that must be run through backwards: the binomial schedule.

A simulation of l segments is needed in reverse order, and at most s copies of its state may be held at a time, that of the
start among them. Segments are run anew from the nearest copy. If no segment is advanced more than r times, s copies reach
over

    β(s, r) = C(s + r, s)

segments. With the smallest r for which l ≤ β(s, r), the least number of segments that have to be advanced is

    t(l, s) = r l − β(s + 1, r − 1),

without the run over each segment that delivers it (Griewank & Walther 2000, Algorithm 799: revolve, ACM Trans. Math.
Software 26, 19-45). It is reached when the next copy is made after m segments such that neither part needs more repetitions
than it must: β(s, r − 2) ≤ m ≤ β(s, r − 1) and β(s − 1, r − 1) ≤ l − m ≤ β(s − 1, r).
"""

from __future__ import annotations

from math import comb

__all__ = ["advances", "next_checkpoint"]


def _repetitions(segments: int, checkpoints: int) -> int:
    """The smallest r with l ≤ β(s, r)."""
    r = 0
    while comb(checkpoints + r, checkpoints) < segments:
        r += 1
    return r


def advances(segments: int, checkpoints: int) -> int:
    """Least number of segments to advance, t(l, s), for l ≥ 1 segments and s ≥ 1 states held at a time."""
    r = _repetitions(segments, checkpoints)
    return r * segments - comb(checkpoints + r, checkpoints + 1)


def next_checkpoint(segments: int, checkpoints: int) -> int:
    """After how many of l ≥ 2 segments to copy the state, when s ≥ 1 are held, the start's among them."""
    r = _repetitions(segments, checkpoints)
    return min(comb(checkpoints + r - 1, checkpoints), segments - comb(checkpoints + r - 2, checkpoints - 1))
