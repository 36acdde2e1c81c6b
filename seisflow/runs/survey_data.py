r"""Where the data of a run's surveys come from: made in silico beside a truth, or taken from files as they come in.

A survey's datum is recorded once, as the stage ``observed/survey_K``, with the names and the SHA-256 sums of its files.
Later sessions take it from there; other files for a survey that has its data are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seisflow.analysis.base import Progress
from seisflow.assimilation.scenario import Scenario, simulate_truth
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.data import FileArray
from seisflow.observation.files.field_data import fingerprint, read_files
from seisflow.storage.recorder import Recorder, Stage
from seisflow.study import Study

__all__ = ["gather", "last_survey", "planned_files"]

Files = Mapping[int, Sequence[Path]]


def planned_files(study: Study, more: Mapping[int, Sequence[str | Path]] | None = None) -> dict[int, list[Path]]:
    """Files by survey (from 1): those of the study, and others that came in.

    Raises
    ------
    InputError
        When a survey is not of the study.
    """
    found = {k: [Path(file) for file in files] for k, files in enumerate(study.surveys.data, start=1) if files}
    for k, files in (more or {}).items():
        if not 1 <= k <= len(study.surveys.days):
            raise InputError("survey", k, f"the study has surveys 1 to {len(study.surveys.days)}")
        found[k] = [Path(file) for file in files]
    return found


def last_survey(study: Study, files: Files, folder: Path, until: int | None = None) -> int:
    """The last survey, from 1, that a run gets to: the one wanted, or else the last whose data are or may be there.

    Parameters
    ----------
    study, files
        What is run, and files by survey; see :func:`planned_files`.
    folder
        The run folder, where data of earlier sessions are.
    until
        The last survey wanted.
    """
    surveys = len(study.surveys.days)
    if until is not None or not study.surveys.data:
        return min(until or surveys, surveys)
    kept = [int(path.name.rpartition("_")[2]) for path in (folder / "stages.zarr" / "observed").glob("survey_*")]
    return max([*files, *kept], default=surveys)


def _source(files: Sequence[Path]) -> dict[str, Any]:
    for file in files:
        if not file.exists():
            raise InputError("data", str(file), "no such file")
    return {"files": [str(file) for file in files], "sha256": [fingerprint(file) for file in files]}


def _take_in(scenario: Scenario, recorder: Recorder, files: Files, surveys: int, progress: Progress | None) -> None:
    """Record the data of the files: all are read and compared before the first is computed with."""
    read: dict[int, tuple[dict[str, FileArray], dict[str, Any]]] = {}
    for k in sorted(files):
        if k > surveys:
            continue
        known = recorder.find(f"observed/survey_{k}")
        if known is not None and not all(file.exists() for file in files[k]):
            continue  # the data are safe, wherever their files have gone
        source = _source(files[k])
        if known is None:
            read[k] = read_files(files[k], scenario.observation), source
        elif sorted(known.attributes.get("sha256", [])) != sorted(source["sha256"]):
            before = ", ".join(known.attributes.get("files", [])) or "data made in silico"
            raise InputError("data", ", ".join(source["files"]), f"survey {k} has its data already: {before}")
    for i, (k, (found, source)) in enumerate(read.items()):
        if progress is not None:
            progress("data from files", i, len(read))

        def datum(k: int = k, found: Mapping[str, FileArray] = found, source: dict[str, Any] = source) -> Stage:
            return Stage(scenario.observation.accept(found, scenario.survey_times[k - 1]), source)

        recorder.stage(f"observed/survey_{k}", datum)
        if progress is not None:
            progress("data from files", i + 1, len(read))


def gather(
    study: Study,
    scenario: Scenario,
    recorder: Recorder,
    files: Files,
    until: int | None = None,
    progress: Progress | None = None,
) -> tuple[list[Ensemble], list[Ensemble]]:
    """Truth and data of the surveys that can be assimilated now.

    Parameters
    ----------
    study, scenario, recorder
        What is run, and where stages are kept.
    files
        By survey (from 1); see :func:`planned_files`.
    until
        The last survey wanted, from 1; default: the study's last.
    progress
        Called as ``progress(what, done, total)``.

    Returns
    -------
    truth, observed
        One ensemble of one member a survey, as far as data are there; no truths where the data come from outside.

    Raises
    ------
    InputError
        A file does not fit its survey, a survey has other data already, or the first survey wanted has none.
    """
    if until is not None and not 1 <= until <= scenario.surveys:
        raise InputError("until_survey", until, f"the study has surveys 1 to {scenario.surveys}")
    surveys = until or scenario.surveys
    _take_in(scenario, recorder, files, surveys, progress)
    if not study.surveys.data:
        return simulate_truth(scenario, recorder, progress, surveys)
    observed: list[Ensemble] = []
    while len(observed) < surveys and (stage := recorder.find(f"observed/survey_{len(observed) + 1}")) is not None:
        observed.append(stage.ensemble)
    missing = len(observed) + 1
    later = [k for k in range(missing + 1, surveys + 1) if recorder.find(f"observed/survey_{k}") is not None]
    if not observed or later or (until is not None and len(observed) < until):
        raise InputError(
            "data", "none", f"survey {missing} has no data yet: seisflow assimilate RUN --survey {missing} --data FILE"
        )
    return [], observed
