"""Where the simulator's tasks run: in this process, in worker processes of its own, or in somebody else's executor.

Members are spread over the processes; where there are fewer members than processes of its own, the shots of each are, too.
Results are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.observation.seismic.noise import Vintage
from seisflow.observation.seismic.processes import Processes
from seisflow.observation.seismic.simulator import SeismicSettings, State, forget, simulate

__all__ = ["Dispatch"]


class Dispatch:
    """The tasks of one simulator, spread over processes; results are the same wherever they come from.

    Parameters
    ----------
    settings
        Of the simulator.
    workers
        Number of processes; 1: this one.
    executor
        Instead of ``workers``: an executor, which is not shut down here.
    """

    def __init__(self, settings: SeismicSettings, workers: int, executor: Executor | None) -> None:
        if workers < 1:
            raise InputError("workers", workers, "give at least 1")
        self.settings, self.workers, self.executor = settings, workers, executor
        self.processes = Processes(workers)

    def map(self, task: str, *columns: list) -> Iterator[NDArray]:
        """One task per row of the columns, in order."""
        rows = [(self.settings, task, *row) for row in zip(*columns, strict=True)]
        if self.executor is not None:
            return self.executor.map(simulate, *zip(*rows, strict=True))
        if self.workers == 1:
            return (simulate(*row) for row in rows)
        return self.processes.map(simulate, rows)

    def _pieces(self, whole: int, members: int) -> list[list[int]]:
        """A member's experiments or sources in as many pieces as there are idle processes for it."""
        pieces = 1 if self.executor is not None else min(whole, -(-self.workers // members))
        return [piece.tolist() for piece in np.array_split(np.arange(whole), pieces)]

    def images(
        self,
        states: Sequence[State | None],
        noises: Sequence[NDArray | None] | None = None,
        vintages: Sequence[Vintage | None] | None = None,
        on_waves: bool = False,
    ) -> Iterator[NDArray]:
        """Unscaled images of all members; fewer members than processes are cut into pieces of their experiments."""
        none: list[None] = [None] * len(states)
        rows = list(zip(states, noises or none, vintages or none, strict=True))
        pieces = self._pieces(self.settings.encoding.n_experiments, max(len(rows), 1))
        if len(pieces) == 1:
            yield from self.map("wave_image" if on_waves else "image", *map(list, zip(*rows, strict=True)))
            return
        parts = self.map("correlations", *map(list, zip(*[(*row, p) for row in rows for p in pieces], strict=True)))
        for _ in rows:
            yield simulate(self.settings, "stacked", np.concatenate([next(parts) for _ in pieces]), on_waves)

    def shots(self, states: Sequence[State | None]) -> Iterator[NDArray]:
        """Records of the single sources of all members; spread likewise."""
        pieces = self._pieces(len(self.settings.survey.sources), max(len(states), 1))
        rows = [(state, None, piece) for state in states for piece in pieces]
        parts = self.map("shots", *map(list, zip(*rows, strict=True)))
        for _ in states:
            yield np.concatenate([next(parts) for _ in pieces])

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process simulates there, in that process."""
        return {**self.__dict__, "executor": None, "processes": Processes(1), "workers": 1}

    def close(self) -> None:
        """End the worker processes, which start again when needed, and free this process's simulator."""
        self.processes.close()
        forget(self.settings)
