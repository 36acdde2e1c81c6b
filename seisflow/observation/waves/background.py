r"""Background wavefields within a memory budget.

The image of an experiment is C = Σ_t h(t) v(t): the kept background field h runs forwards in time, the records' field v
backwards. h does not depend on the member, so it should be computed once and stored (every n-th step: Nyquist). What does
not fit the budget is computed anew for every image:

* ``stored`` : as many experiments as fit, computed once;
* ``recomputed`` : the other experiments share one store, filled again for every image: one more simulation each;
* ``checkpointed`` : when not even one fits, time is cut into segments. Going back segment by segment, the background is
  computed again from the nearest checkpoint (a copy of the wavefields), placed so that the fewest steps are repeated
  (:mod:`seisflow.observation.waves.revolve`). Long segments cost memory for kept fields, short ones leave more of it for
  checkpoints: of all lengths the one with the fewest steps is taken.

All three give the same image bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.observation.waves.layout import KeptSteps
from seisflow.observation.waves.medium import Kept, Medium
from seisflow.observation.waves.propagator import Propagator
from seisflow.observation.waves.revolve import advances, next_checkpoint

__all__ = ["Backgrounds"]


@dataclass(frozen=True, eq=False)
class Segments:
    """A background simulation and the correlation with its records, run over segments of time.

    Parameters
    ----------
    propagator, medium
        Wave operators and background.
    emitted, returned
        Source terms, and records on the steps, ``(n_steps, n)``.
    what, store
        What is kept of a segment, and where.
    """

    propagator: Propagator
    medium: Medium
    emitted: NDArray
    returned: NDArray
    what: str
    store: KeptSteps

    def begin(self) -> list[NDArray]:
        """Silence, and no correlation yet; returns a copy of the silent wavefields."""
        self.propagator.load(self.medium)
        self.propagator.kernel.fields["total"].data[:] = 0
        return self.propagator.kernel.state()

    def _go(self, name: str, series: str, values: NDArray, first: int, steps: int, store: KeptSteps | None) -> None:
        # Time counts from the start of the segment, which the buffers of w do not notice: it is a multiple of three.
        kernel = self.propagator.kernel
        target = (store.series if store is not None else kernel.fields)[series]
        target.data[:steps] = values[first : first + steps]
        kernel.run(name, steps, store)

    def advance(self, first: int, steps: int) -> None:
        """Run the background over steps ``first`` … ``first + steps − 1``."""
        self._go("forward", "src", self.emitted, first, steps, None)

    def keep(self, first: int, steps: int) -> None:
        """The same, keeping it."""
        self._go(f"keep {self.what}", "src", self.emitted, first, steps, self.store)

    def correlate(self, first: int, steps: int) -> None:
        """Run the records back over these steps and correlate with what was kept."""
        self._go("correlate", "rec", self.returned, first, steps, self.store)

    def total(self, factor: float) -> NDArray:
        """The correlation over all segments so far."""
        p = self.propagator
        total = np.array(p.kernel.fields["total"].data[p.inner])
        return total * p.dtype.type(p.every * factor)


class Backgrounds:
    """The background fields of a set of experiments in one medium.

    Parameters
    ----------
    propagator, medium
        Wave operators and the background medium.
    signatures
        Source terms of every experiment.
    what
        ``"field"`` or ``"acceleration"``, as in :meth:`Propagator.keep`.
    memory
        Budget for kept fields and checkpoints [bytes]; None: store all.

    Raises
    ------
    InputError
        When the budget holds not even one copy of the wavefields and one short segment.
    """

    def __init__(
        self,
        propagator: Propagator,
        medium: Medium,
        signatures: list[NDArray],
        what: str,
        memory: float | None = None,
    ) -> None:
        self.propagator, self.medium, self.signatures, self.what = propagator, medium, signatures, what
        self.memory = np.inf if memory is None else float(memory)
        if self.memory < self._least:
            raise InputError("memory", memory, f"this grid needs at least {self._least:.3g} bytes")
        whole = self._frames(propagator.n_steps) * propagator.frame_bytes
        fitting = int(min(self.memory, whole * len(signatures)) // whole)
        # If not all fit, one store is for those that are computed again.
        self.n_stored = fitting if fitting == len(signatures) else max(fitting - 1, 0)
        self.strategy = "stored" if fitting == len(signatures) else "recomputed" if fitting else "checkpointed"
        self._stored: dict[int, Kept] = {}
        self._shared: Kept | None = None

    def _frames(self, steps: int) -> int:
        return (steps - 1) // self.propagator.every + 1

    @property
    def _unit(self) -> int:
        """Segments begin at multiples of this step: of three, the wavefield's buffers, and of the kept interval."""
        return 3 * self.propagator.every

    @cached_property
    def _state_bytes(self) -> int:
        return self.propagator.state_bytes

    @property
    def _least(self) -> int:
        return self._state_bytes + 3 * self.propagator.frame_bytes

    def correlate(self, experiment: int, records: NDArray) -> NDArray:
        """C of one experiment, ``(*grid.shape)``, for records ``(n_samples, n_receivers)``."""
        if self.strategy == "checkpointed":
            return self._checkpointed(self.signatures[experiment], records)
        if experiment < self.n_stored:
            if experiment not in self._stored:
                self._stored[experiment] = self._keep(experiment, None)
            kept = self._stored[experiment]
        else:
            kept = self._shared = self._keep(experiment, self._shared)
        return self.propagator.correlate(kept, records)

    def _keep(self, experiment: int, into: Kept | None) -> Kept:
        return self.propagator.keep(self.medium, self.signatures[experiment], self.what, into)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    @cached_property
    def plan(self) -> tuple[int, int]:
        """Steps of a segment, and checkpoints held at a time, where the silence at the start counts as one."""
        units = -(-self.propagator.n_steps // self._unit)
        best: tuple[int, int, int] | None = None
        for length in range(1, units + 1):
            # One state is the records' field between segments; silence takes no memory.
            left = self.memory - 3 * length * self.propagator.frame_bytes - self._state_bytes
            if left < 0:
                break
            slots, segments = 1 + int(left // self._state_bytes), -(-units // length)
            repeated = length * advances(segments, slots)
            if best is None or repeated < best[0]:
                best = repeated, length * self._unit, slots
        assert best is not None, "the budget was checked"
        return best[1], best[2]

    @property
    def repetitions(self) -> float:
        """Forward steps that an image takes, per step of its experiments: 0 when all backgrounds are stored."""
        if self.strategy != "checkpointed":
            return 1 - self.n_stored / len(self.signatures)
        length, slots = self.plan
        n_steps = self.propagator.n_steps
        return 1 + advances(-(-n_steps // length), slots) * length / n_steps

    @cached_property
    def _segment(self) -> KeptSteps:
        return self.propagator.kernel.store(self.plan[0])

    def _checkpointed(self, signature: NDArray, records: NDArray) -> NDArray:
        p, (length, slots) = self.propagator, self.plan
        run = Segments(p, self.medium, *p.on_steps(signature, records), self.what, self._segment)
        back = run.begin()

        def last(segment: int) -> None:
            """Correlate a segment, from the wavefields at its start, which the kernel holds."""
            start = segment * length
            run.keep(start, min(length, p.n_steps - start))
            p.kernel.resume(back)
            run.correlate(start, min(length, p.n_steps - start))
            p.kernel.state(into=back)

        def sweep(low: int, high: int, state: list[NDArray] | None, slots: int) -> None:
            """Correlate the segments low … high − 1, the last first; the kernel holds ``state``, that before ``low``."""
            while high - low > 1:
                middle = low + next_checkpoint(high - low, slots)
                for segment in range(low, middle):
                    run.advance(segment * length, length)
                if high - middle == 1:
                    last(middle)
                else:
                    sweep(middle, high, p.kernel.state(), slots - 1)
                if state is None:
                    p.kernel.silence()
                else:
                    p.kernel.resume(state)
                high = middle
            last(low)

        sweep(0, -(-p.n_steps // length), None, slots)
        return run.total(1.0 if self.what == "field" else p.dt**-2)
