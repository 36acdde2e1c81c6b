r"""A line that says how far a training is and how long it will still take.

epoch 12/60   loss -0.812   validation -0.794 (best at 11)   0:31 left
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from seisflow.learning.training.train import TrainingRecord

__all__ = ["ProgressLine"]


class ProgressLine:
    """Give it to ``train`` as ``progress``, and its ``record`` as ``record``.

    Parameters
    ----------
    stream
        Where to write; default standard error. On a terminal the line is written over, elsewhere every line stays.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.record = TrainingRecord()
        self._stream = stream or sys.stderr
        self._start: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._start is None:
            # The time of the first epoch is known from the record; afterwards this clock counts, resumed or not.
            self._start = (now - (self.record.epoch_seconds or [0.0])[-1], done - 1)
        left = (now - self._start[0]) / max(done - self._start[1], 1) * (total - done)
        text = f"epoch {done}/{total}"
        if self.record.training:
            best = f"(best at {self.record.best_epoch})"
            text += f"   loss {self.record.training[-1]:.3f}   validation {self.record.validation[-1]:.3f} {best}"
        text += f"   {int(left) // 60}:{int(left) % 60:02d} left"
        terminal = self._stream.isatty()
        self._stream.write(f"\r\x1b[K{text}" if terminal and done < total else f"{text}\n")
        self._stream.flush()
