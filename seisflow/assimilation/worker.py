r"""What runs in a process that computes blocks for another one: a scenario is unpacked once, and kept for its tasks."""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seisflow.assimilation.tasks import BlockResult, BlockTask, perform

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["PickledScenario", "forget_scenarios", "perform_elsewhere"]


@dataclass(frozen=True)
class PickledScenario:
    """A scenario on its way to other processes.

    Parameters
    ----------
    token
        By which a process knows it again.
    pickled
        The scenario's bytes.
    """

    token: str
    pickled: bytes


_unpacked: dict[str, Scenario] = {}  # of this process: the newest only
_one_at_a_time = threading.Lock()  # operators have work arrays of their own


def perform_elsewhere(scenario: PickledScenario, task: BlockTask) -> BlockResult:
    """Compute a task in this process, whose dynamics and observation are kept for the tasks that follow."""
    with _one_at_a_time:
        if scenario.token not in _unpacked:
            forget_scenarios()
            _unpacked[scenario.token] = pickle.loads(scenario.pickled)
        return perform(_unpacked[scenario.token], task)


def forget_scenarios() -> None:
    """End what this process keeps for tasks: its Julia worker, its wave operators."""
    while _unpacked:
        _, scenario = _unpacked.popitem()
        scenario.close()
