r"""Background wavefields within a memory budget.

The image of an experiment is C = Σ_t h(t) v(t): the kept background field h runs forwards in time, the records' field v
backwards. h does not depend on the member, so it should be computed once and stored (every n-th step: Nyquist). What does
not fit the budget is computed anew for every image:

* ``stored`` : as many experiments as fit, computed once;
* ``recomputed`` : the other experiments share one store, filled again for every image: one more simulation each;
* ``checkpointed`` : when not even one fits, time is cut into segments. Going back segment by segment, the background is
  computed again from the nearest checkpoint (a copy of the wavefields). Checkpoints are placed by bisection, which needs
  memory and repeated steps that grow with the logarithm of the number of segments; Griewank & Walther (2000, ACM Trans.
  Math. Software 26, 19-45; ``pyrevolve``) place a few less for the same number of repetitions.

All three give the same image bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.observation.layout import Store
from seisflow.observation.medium import Kept, Medium
from seisflow.observation.wave import Propagator

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
    store: Store

    def begin(self) -> None:
        """Silence, and no correlation yet."""
        self.propagator.load(self.medium)
        self.propagator.kernel.fields["total"].data[:] = 0

    def _go(self, name: str, series: str, values: NDArray, first: int, steps: int, store: Store | None) -> None:
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
        When the budget holds not even three checkpoints and one short segment.
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
        return 4 * self._state_bytes + 3 * self.propagator.frame_bytes

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
    def _plan(self) -> tuple[int, int]:
        """Steps of a segment, and checkpoints besides the first: half of what is left goes to each."""
        left = self.memory - 2 * self._state_bytes  # the running adjoint and the first checkpoint
        units = max(1, int(0.5 * left / (3 * self.propagator.frame_bytes)))
        length = min(units * self._unit, -(-self.propagator.n_steps // self._unit) * self._unit)
        spent = self._frames(length) * self.propagator.frame_bytes
        return length, max(1, int((left - spent) // self._state_bytes))

    def _checkpointed(self, signature: NDArray, records: NDArray) -> NDArray:
        p = self.propagator
        length, slots = self._plan
        starts = range(0, p.n_steps, length)
        store = p.kernel.store(length)
        run = Segments(p, self.medium, *p.on_steps(signature, records), self.what, store)
        run.begin()
        first = p.kernel.state()
        back = [first]  # of zeros, too

        def sweep(low: int, high: int, state: list[NDArray], free: int) -> None:
            """Correlate the segments low … high − 1, the last first, from the wavefields at the start of ``low``."""
            if high - low == 1:
                p.kernel.resume(state)
                run.keep(starts[low], min(length, p.n_steps - starts[low]))
                p.kernel.resume(back[0])
                run.correlate(starts[low], min(length, p.n_steps - starts[low]))
                back[0] = p.kernel.state()
                return
            middle = (low + high) // 2 if free else high - 1
            p.kernel.resume(state)
            for segment in range(low, middle):
                run.advance(starts[segment], length)
            sweep(middle, high, p.kernel.state(), max(free - 1, 0))
            sweep(low, middle, state, free)

        sweep(0, len(starts), first, slots)
        return run.total(1.0 if self.what == "field" else p.dt**-2)
