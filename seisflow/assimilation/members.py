r"""The two stages that are computed member by member: forecast and predicted data.

Both add to a partial stage what it lacks, in blocks that :class:`~seisflow.assimilation.executors.Workers` compute, and
note in it how every member fared; an interrupted stage goes on behind the last block that came in.

A member that fails in the simulator is run again, as long as no more than the stated share of the members failed at their
first attempt: with fresh draws of the unknowns (of attempt 1, 2, …), or, where all of them are carried and nothing is drawn
anew, from the state of another member. Which members were replaced, and why, stands in the stage's attributes and in the
run's summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seisflow.assimilation.executors import LocalWorkers, Workers
from seisflow.assimilation.tasks import MemberStage
from seisflow.ensemble import MemberProgress
from seisflow.errors import SimulationError
from seisflow.storage.partial import PartialStage
from seisflow.storage.recorder import Stage

if TYPE_CHECKING:
    from seisflow.assimilation.scenario import Scenario

__all__ = ["forecast", "predict"]

RETRIES = 3
"""How often a member that failed in the simulator is replaced."""


def forecast(
    scenario: Scenario,
    before: Stage,
    survey: int,
    partial: PartialStage,
    workers: Workers | None = None,
    progress: MemberProgress | None = None,
) -> dict[str, Any]:
    """Fill a partial stage with the ensemble of the last survey, advanced to the next one.

    Parameters
    ----------
    scenario
        Prior, dynamics, schedule.
    before
        The posterior of the last survey, or one state that all members start from.
    survey
        Index of the survey to go to, from 0.
    partial
        Gets the members; fields are those that are carried, and those of the prior.
    workers
        Who computes; default: this process.
    progress
        Called with (finished members, members).

    Returns
    -------
    dict
        ``replaced_members``: member, attempt that was made for it, why, and the member it starts from if that is another.

    Raises
    ------
    SimulationError
        When more members fail than may, or one fails again and again.
    """
    names = before.ensemble.names if survey == 0 else scenario.carried
    stage = MemberStage(scenario, "forecast", survey, before, names, partial)
    allowed = scenario.max_failed_share * partial.members
    replaced: list[dict[str, Any]] = []
    for attempt in range(RETRIES + 1):
        for _ in (workers or LocalWorkers()).run(stage, _wanted(partial, attempt), attempt, progress):
            if len(_failures(partial, attempt)) > allowed:
                break  # the others could not save it
        failed = _failures(partial, attempt)
        if not failed:
            return {"replaced_members": replaced}
        if len(failed) > allowed or attempt == RETRIES:
            break
        replaced += _replacements(stage, failed, attempt + 1)
    partial.forget(failed)  # another run may have more luck: memory, machines
    raise _given_up(stage, failed, attempt)


def _replacements(stage: MemberStage, failed: Mapping[int, str], attempt: int) -> list[dict[str, Any]]:
    """What is told of members that are replaced: the attempt that is made for them, and why."""
    members = sorted(failed)
    told = []
    for member, start in zip(members, stage.starts(members, attempt), strict=True):
        source = {} if start == member else {"from_member": start}
        told.append({"member": member, "attempt": attempt, "reason": failed[member], **source})
    return told


def _given_up(stage: MemberStage, failed: Mapping[int, str], attempt: int) -> SimulationError:
    reasons = "".join(f"\n  member {m}: {failed[m]}" for m in sorted(failed)[:8])
    return SimulationError(
        f"{len(failed)} of {stage.partial.members} members failed on the way to survey {stage.survey + 1}"
        f"{'' if attempt == 0 else f', {attempt + 1} times each'}; "
        f"at most {stage.scenario.max_failed_share:.0%} may, and {RETRIES} replacements are tried for each:{reasons}\n"
        f"{stage.scenario.dynamics.remedy}"
    )


def predict(
    scenario: Scenario,
    ahead: Stage,
    survey: int,
    partial: PartialStage,
    workers: Workers | None = None,
    progress: MemberProgress | None = None,
) -> dict[str, Any]:
    """Fill a partial stage with the noise-free data of every member of a forecast; parameters as :func:`forecast`.

    Raises
    ------
    SimulationError
        When a member cannot be simulated.
    """
    stage = MemberStage(scenario, "predict", survey, ahead, ahead.ensemble.names, partial)
    partial.forget(_failures(partial, 0))
    for _, result in (workers or LocalWorkers()).run(stage, _wanted(partial, 0), 0, progress):
        if result.failed:
            member, reason = next(iter(result.failed.items()))
            partial.forget([member])
            raise SimulationError(
                f"the data of member {member} at survey {survey + 1} could not be simulated: {reason}"
            )
    return {}


def _wanted(partial: PartialStage, attempt: int) -> list[int]:
    """Members that this attempt is still to be made for, in order."""
    tried = {m for e in partial.entries if e.notes.get("attempt", 0) >= attempt for m in e.members}
    before = range(partial.members) if attempt == 0 else _failures(partial, attempt - 1)
    return sorted(m for m in before if m not in tried)


def _failures(partial: PartialStage, attempt: int) -> Mapping[int, str]:
    """Members that failed at an attempt, with the reason."""
    entries = [e for e in partial.entries if e.notes.get("attempt", 0) == attempt]
    return {
        int(m): str(reason) for e in entries for m, reason in e.notes.get("failed", {}).items() if int(m) in e.members
    }
