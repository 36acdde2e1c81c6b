"""Members computed by any executor: the same arrays bit for bit, whatever is lost, fails or cannot be seen on the way."""

from __future__ import annotations

import shutil
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seisflow.analysis.kalman.enkf import EnKF
from seisflow.assimilation.executors import ExecutorWorkers, LocalWorkers
from seisflow.assimilation.loop import assimilate
from seisflow.assimilation.members import forecast
from seisflow.assimilation.tasks import StoredMembers
from seisflow.errors import SimulationError
from seisflow.storage.partial import PartialStageInMemory
from seisflow.storage.recorder import MemoryRecorder, Stage
from seisflow.storage.store import Store
from tests.assimilation.experiment import MEMBERS, same, whole
from tests.toy import ToyObservation, toy


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    return whole(toy(MEMBERS), MemoryRecorder())


class Counting(Executor):
    """Hands tasks on, and notes what they carry."""

    def __init__(self, executor: Executor) -> None:
        self.executor, self.tasks = executor, []

    def submit(self, function, /, *arguments, **keywords) -> Future:
        self.tasks.append(arguments[1])
        return self.executor.submit(function, *arguments, **keywords)


@pytest.mark.parametrize("slots", [1, 3, 40])
@pytest.mark.parametrize("kept", ["in memory", "in a folder"])
def test_that_an_executor_gives_the_same_arrays_as_this_process(expected, tmp_path, slots, kept):
    recorder = MemoryRecorder() if kept == "in memory" else Store(tmp_path / "run")
    with ThreadPoolExecutor(2) as threads:
        counting = Counting(threads)
        same(expected, whole(toy(MEMBERS), recorder, ExecutorWorkers(counting, slots)))
    by_reference = [task.target is not None for task in counting.tasks]
    assert all(by_reference) if kept == "in a folder" else not any(by_reference)


def test_that_blocks_do_not_matter(expected, tmp_path, monkeypatch):
    monkeypatch.setattr("seisflow.assimilation.executors.MEMBERS_PER_WORKER", 2)
    monkeypatch.setattr("seisflow.assimilation.executors.BLOCK_BYTES", 0)
    same(expected, whole(toy(MEMBERS), Store(tmp_path / "run"), LocalWorkers(2)))


def test_that_states_and_results_pass_by_reference_where_the_folder_is_seen(expected, tmp_path):
    store = Store(tmp_path / "run")
    with ProcessPoolExecutor(2) as processes:
        counting = Counting(processes)
        same(expected, whole(toy(MEMBERS), store, ExecutorWorkers(counting)))
    later = [task for task in counting.tasks if not (task.kind == "forecast" and task.survey == 0)]
    assert all(isinstance(task.state, StoredMembers) and task.target is not None for task in later)


class Elsewhere(Counting):
    """A machine that has the folder under no name."""

    def submit(self, function, /, scenario, task) -> Future:
        def moved(text: str) -> str:
            return text.replace("/run/", "/nowhere/")

        target = task.target and replace(
            task.target, folder=moved(task.target.folder), journal=moved(task.target.journal)
        )
        state = task.state
        if isinstance(state, StoredMembers):
            state = replace(state, group=moved(state.group))
        return super().submit(function, scenario, replace(task, target=target, state=state))


def test_that_arrays_travel_where_the_folder_is_not_seen(expected, tmp_path):
    with ThreadPoolExecutor(2) as threads:
        elsewhere = Elsewhere(threads)
        same(expected, whole(toy(MEMBERS), Store(tmp_path / "run"), ExecutorWorkers(elsewhere)))
    assert elsewhere.tasks[-1].target is None
    assert (tmp_path / "run").exists()
    assert not (tmp_path / "nowhere").exists()


def test_that_a_group_of_the_same_name_on_another_machine_is_not_taken_for_ours(expected, tmp_path):
    """The other machine has a run in a folder of the same name: its arrays are neither read nor written."""
    other = whole(replace(toy(MEMBERS), seed=8), Store(tmp_path / "nowhere"))
    before = {path: path.read_bytes() for path in (tmp_path / "nowhere").rglob("*") if path.is_file()}
    with ThreadPoolExecutor(2) as threads:
        same(expected, whole(toy(MEMBERS), Store(tmp_path / "run"), ExecutorWorkers(Elsewhere(threads))))
    assert before == {path: path.read_bytes() for path in (tmp_path / "nowhere").rglob("*") if path.is_file()}
    assert not np.array_equal(other["0/saturation"], expected["0/saturation"])


def test_that_states_of_another_run_in_a_folder_of_the_same_name_are_not_read(tmp_path):
    ours = Store(tmp_path / "run").keep("a", Stage(toy(3).dynamics.initial_state(3)))
    stored = StoredMembers.of(ours, (0, 2), ("pressure",))
    np.testing.assert_array_equal(stored.read()["pressure"], ours.ensemble["pressure"][[0, 2]])
    shutil.rmtree(tmp_path / "run")
    assert stored.read() is None
    Store(tmp_path / "run").keep("a", Stage(toy(4).dynamics.initial_state(4)))
    assert stored.read() is None


def test_that_an_interrupted_stage_goes_on_behind_its_last_block(expected, tmp_path, monkeypatch):
    monkeypatch.setattr("seisflow.assimilation.executors.MEMBERS_PER_WORKER", 2)
    monkeypatch.setattr("seisflow.assimilation.executors.BLOCK_BYTES", 0)
    diary = tmp_path / "diary"
    scenario = toy(MEMBERS, diary=diary)

    def stop(what: str, done: int, total: int) -> None:
        if "survey 2" in what and done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        whole(scenario, Store(tmp_path / "run"), progress=stop)
    same(expected, whole(scenario, Store(tmp_path / "run")))
    begun = [line.split()[1] for line in diary.read_text().splitlines()]
    assert (
        len(begun) - len(set(begun)) <= 1 + 2
    )  # the truth has one K at both surveys; at most one block was begun twice


class Closing(ToyObservation):
    """Notes in a file that it was closed."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def close(self) -> None:
        self.file.write_text("closed")


def test_that_a_worker_that_gets_another_scenario_closes_the_parts_of_the_one_before(tmp_path):
    first = replace(toy(MEMBERS), observation=Closing(tmp_path / "first"))
    with ProcessPoolExecutor(1) as processes:
        workers = ExecutorWorkers(processes)
        whole(first, MemoryRecorder(), workers)
        assert not (tmp_path / "first").exists()
        whole(toy(MEMBERS), MemoryRecorder(), workers)
    assert (tmp_path / "first").read_text() == "closed"


# -- members that fail -------------------------------------------------------------------------------------------------


def test_that_members_that_fail_are_replaced_by_fresh_draws_and_the_stage_says_which_and_why():
    scenario = toy(40, fails_above=3.0)  # of a K ~ exp(N(0, 1)) 13 % are above 3
    partial = PartialStageInMemory(40)
    said = forecast(scenario, Stage(scenario.dynamics.initial_state(1)), 0, partial)
    first = scenario.draw(0, np.arange(40))["permeability"][:, 0, 0]
    second = scenario.draw(0, np.arange(40), 1)["permeability"][:, 0, 0]
    failed = np.flatnonzero(first > 3.0)
    again = failed[second[failed] > 3.0]
    assert len(failed) >= 2
    told = [(one["member"], one["attempt"], one["reason"]) for one in said["replaced_members"]]
    assert told[: len(failed)] == [(m, 1, f"K = {first[m]:.3f} is too much") for m in failed]
    assert told[len(failed) :] == [(m, 2, f"K = {second[m]:.3f} is too much") for m in again]
    fields = partial.fields()
    assert np.isfinite(fields["saturation"]).all()
    K = fields["permeability"][:, 0, 0]
    untouched = np.setdiff1d(np.arange(40), failed)
    np.testing.assert_array_equal(K[untouched], first[untouched])
    np.testing.assert_array_equal(K[np.setdiff1d(failed, again)], second[np.setdiff1d(failed, again)])


def test_that_replacing_members_does_not_depend_on_who_computes_or_on_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr("seisflow.assimilation.executors.MEMBERS_PER_WORKER", 2)
    monkeypatch.setattr("seisflow.assimilation.executors.BLOCK_BYTES", 0)
    scenario = toy(40, fails_above=3.0)
    expected = whole(scenario, MemoryRecorder())
    with ThreadPoolExecutor(2) as threads:
        same(expected, whole(scenario, Store(tmp_path / "a"), ExecutorWorkers(threads)))
    for moment in (1, 2, 3):  # in the first attempt, at its end, and among the fresh draws
        calls = []

        def stop(what: str, done: int, total: int, calls: list = calls, moment: int = moment) -> None:
            calls.append(done)
            if "survey 1" in what and done >= 38 and sum(d >= 38 for d in calls) == moment:
                raise KeyboardInterrupt

        folder = tmp_path / f"b{moment}"
        with pytest.raises(KeyboardInterrupt):
            whole(scenario, Store(folder), progress=stop)
        same(expected, whole(scenario, Store(folder)))
        first = Store(folder).find("first/survey_1/forecast")
        assert (
            first.attributes["replaced_members"]
            == Store(tmp_path / "a").find("first/survey_1/forecast").attributes["replaced_members"]
        )


def test_that_too_many_failures_end_the_forecast_with_their_reasons():
    scenario = toy(40, fails_above=3.0, max_failed_share=0.02)
    with pytest.raises(
        SimulationError, match=r"members failed on the way to survey 1; at most 2% may(.|\n)*K = \d\.\d+ is too"
    ):
        forecast(scenario, Stage(scenario.dynamics.initial_state(1)), 0, PartialStageInMemory(40))


def test_that_members_that_failed_in_a_run_that_gave_up_are_tried_again_by_the_next_one(expected, tmp_path):
    with pytest.raises(SimulationError, match="members failed"):
        whole(toy(MEMBERS, fails_above=1.0, max_failed_share=0.1), Store(tmp_path / "run"))
    same(expected, whole(toy(MEMBERS), Store(tmp_path / "run")))


def test_that_a_member_that_fails_with_every_draw_ends_the_forecast():
    scenario = toy(4, fails_above=0.0, max_failed_share=1.0)
    with pytest.raises(SimulationError, match="4 of 4 members failed on the way to survey 1, 4 times each"):
        forecast(scenario, Stage(scenario.dynamics.initial_state(1)), 0, PartialStageInMemory(4))


# -- workers that are lost ---------------------------------------------------------------------------------------------


def test_that_a_broken_pool_keeps_what_came_in_and_says_what_to_do(tmp_path):
    diary = tmp_path / "diary"
    scenario = toy(MEMBERS, diary=diary)
    first = np.sort(scenario.draw(0, np.arange(MEMBERS))["permeability"][:, 0, 0])
    # One member ends its process. Python's pool forgets results that lie in its pipe at that moment, hence some time apiece.
    deadly = toy(MEMBERS, diary=diary, dies_above=first[-2], seconds=0.1)
    with ProcessPoolExecutor(1) as pool, pytest.raises(SimulationError, match=r"executor was lost .* kept"):
        assimilate(deadly, [None], EnKF(), Store(tmp_path / "run"), workers=ExecutorWorkers(pool, 4))  # blocks of one
    kept = len(diary.read_text().splitlines())
    assert kept > 1
    stage = Store(tmp_path / "run").fill(
        "first/survey_1/forecast",
        MEMBERS,
        1.0,
        lambda partial: forecast(scenario, Stage(scenario.dynamics.initial_state(1)), 0, partial),
    )
    np.testing.assert_array_equal(stage.ensemble["saturation"], whole(toy(MEMBERS), MemoryRecorder())["0/saturation"])
    assert len(diary.read_text().splitlines()) < kept + MEMBERS


class KilledWorker(Exception):  # noqa: N818  the name that dask gives it
    pass


class Fragile(Executor):
    """Workers die at one member, and at its first death take with them the three tasks that were sent after it."""

    def __init__(self, deadly: int) -> None:
        self.deadly, self.beside, self.alone = deadly, 3, 0

    def submit(self, function, /, scenario, task) -> Future:
        future: Future = Future()
        met = self.beside < 3 or self.deadly in task.members
        if self.deadly in task.members:
            self.alone += self.beside < 3
            future.set_exception(KilledWorker())
            self.beside -= self.beside == 3
        elif met and self.beside > 0:
            self.beside -= 1
            future.set_exception(KilledWorker())
        else:
            future.set_result(function(scenario, task))
        return future


def test_that_members_beside_a_deadly_one_are_not_blamed():
    scenario, partial = toy(MEMBERS), PartialStageInMemory(MEMBERS)
    fragile = Fragile(4)
    with pytest.raises(SimulationError, match=r"1 of 13 members failed .* 4 times each(.|\n)*member 4: the workers"):
        forecast(scenario, Stage(scenario.dynamics.initial_state(1)), 0, partial, ExecutorWorkers(fragile, 2))
    assert fragile.beside == 0
    assert partial.done == set(range(MEMBERS)) - {4}
    np.testing.assert_array_equal(
        partial.fields()["permeability"][[3, 5, 6]], scenario.draw(0, [3, 5, 6])["permeability"]
    )  # their first draws
