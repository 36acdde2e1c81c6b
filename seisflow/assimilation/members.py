r"""The two stages that are computed member by member: forecast and predicted data.

Both add to a draft what it lacks, in blocks that a :class:`~seisflow.assimilation.executors.Crew` computes, and note in
it how every member fared; an interrupted stage goes on behind the last block that came in.

A member that fails in the simulator is run again with a fresh draw of the permeability (of attempt 1, 2, …), as long as
no more than the stated share of the members failed at their first attempt. Which members were replaced, and why, stands
in the stage's attributes and in the run's summary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from seisflow.assimilation.executors import Crew, Here
from seisflow.assimilation.tasks import Work
from seisflow.errors import SimulationError
from seisflow.storage.draft import Draft
from seisflow.storage.recorder import Stage

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["forecast", "predict"]

RETRIES = 3
"""How often a member that failed in the simulator is given a fresh permeability."""

Progress = Callable[[int, int], None]


def forecast(
    scenario: Scenario,
    before: Stage,
    survey: int,
    draft: Draft,
    crew: Crew | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fill a draft with the ensemble of the last survey, advanced to the next one.

    Parameters
    ----------
    scenario
        Prior, dynamics, schedule.
    before
        The posterior of the last survey, or one state that all members start from.
    survey
        Index of the survey to go to, from 0.
    draft
        Gets the members; fields are those of ``before`` and ``permeability``.
    crew
        Who computes; default: this process.
    progress
        Called with (finished members, members).

    Returns
    -------
    dict
        ``replaced_members``: member, attempt that was drawn for it, and why.

    Raises
    ------
    SimulationError
        When more members fail than may, or one fails again and again.
    """
    names = tuple(name for name in before.ensemble.names if name != "permeability")
    work = Work("forecast", survey, before, names, draft)
    allowed = scenario.max_failed_share * draft.members
    replaced: list[dict[str, Any]] = []
    for attempt in range(RETRIES + 1):
        wanted = _wanted(draft, attempt)
        for _ in (crew or Here()).run(scenario, work, wanted, attempt, progress):
            if len(_failures(draft, attempt)) > allowed:
                break  # the others could not save it
        failed = _failures(draft, attempt)
        if not failed:
            return {"replaced_members": replaced}
        if len(failed) > allowed or attempt == RETRIES:
            break
        replaced += [{"member": m, "attempt": attempt + 1, "reason": failed[m]} for m in sorted(failed)]
    draft.forget(failed)  # another run may have more luck: memory, machines
    reasons = "".join(f"\n  member {m}: {failed[m]}" for m in sorted(failed)[:8])
    raise SimulationError(
        f"{len(failed)} of {draft.members} members failed on the way to survey {survey + 1}"
        f"{'' if attempt == 0 else f', {attempt + 1} times each'}; "
        f"at most {scenario.max_failed_share:.0%} may, and {RETRIES} fresh draws are tried for each:{reasons}\n"
        "Allow smaller time steps, or check the injection rate and the pressure limit."
    )


def predict(
    scenario: Scenario,
    ahead: Stage,
    survey: int,
    draft: Draft,
    crew: Crew | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fill a draft with the noise-free data of every member of a forecast; parameters as :func:`forecast`.

    Raises
    ------
    SimulationError
        When a member cannot be simulated.
    """
    names = tuple(name for name in ahead.ensemble.names if name != "permeability")
    work = Work("predict", survey, ahead, names, draft)
    draft.forget(_failures(draft, 0))
    for _, result in (crew or Here()).run(scenario, work, _wanted(draft, 0), 0, progress):
        if result.failed:
            member, reason = next(iter(result.failed.items()))
            draft.forget([member])
            raise SimulationError(
                f"the data of member {member} at survey {survey + 1} could not be simulated: {reason}"
            )
    return {}


def _wanted(draft: Draft, attempt: int) -> list[int]:
    """Members that this attempt is still to be made for, in order."""
    tried = {m for e in draft.entries if e.notes.get("attempt", 0) >= attempt for m in e.members}
    before = range(draft.members) if attempt == 0 else _failures(draft, attempt - 1)
    return sorted(m for m in before if m not in tried)


def _failures(draft: Draft, attempt: int) -> Mapping[int, str]:
    """Members that failed at an attempt, with the reason."""
    entries = [e for e in draft.entries if e.notes.get("attempt", 0) == attempt]
    return {
        int(m): str(reason) for e in entries for m, reason in e.notes.get("failed", {}).items() if int(m) in e.members
    }
