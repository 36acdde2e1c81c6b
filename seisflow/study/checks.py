r"""Checks between the keys of a study: each looks at one contradiction that no key's own range can exclude.

A check raises :class:`~seisflow.errors.InputError` at the key to be changed. All checks are made, so that their faults are
told at once (:mod:`seisflow.study.faults`); a check must not rely on another one that ran before it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from seisflow.errors import InputError

if TYPE_CHECKING:
    from seisflow.study.study import Study

__all__ = ["CHECKS", "Check"]

Check = Callable[["Study"], None]


def survey_days(study: Study) -> None:
    """Surveys follow each other, the start of the study and that of the injection."""
    days, start = study.surveys.days, study.injection.start_day
    if days[0] <= 0:
        raise InputError("surveys.days", days, "the first survey must come after day 0, the start of the study")
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise InputError("surveys.days", days, "give the days of the surveys in increasing order")
    if days[0] <= start:
        raise InputError("surveys.days", days, f"the first survey must come after injection.start_day = {start:g}")


def survey_files(study: Study) -> None:
    """As many lists of files as surveys."""
    data, days = study.surveys.data, study.surveys.days
    if data and len(data) != len(days):
        raise InputError("surveys.data", data, f"give one list of files for each of the {len(days)} surveys, or none")


def modalities(study: Study) -> None:
    """Every modality once."""
    named = study.surveys.modalities
    if len(set(named)) != len(named):
        raise InputError("surveys.modalities", named, "name every modality once")


def injection_time(study: Study) -> None:
    """The injection ends after it began."""
    start, stop = study.injection.start_day, study.injection.stop_day
    if stop is not None and stop <= start:
        raise InputError("injection.stop_day", stop, f"it must follow start_day = {start:g}")


def injection_place(study: Study) -> None:
    """The injector lies inside the grid, across."""
    (left, right), _ = study.grid.build().extent
    if not left < study.injection.x_m < right:
        raise InputError("injection.x_m", study.injection.x_m, f"the grid reaches from {left:g} to {right:g} m")


def injection_depth(study: Study) -> None:
    """The injector's perforations lie inside the grid, in depth."""
    _, (top, bottom) = study.grid.build().extent
    first, last = study.injection.depth_m
    if not top <= first < last <= bottom:
        raise InputError(
            "injection.depth_m", (first, last), f"give top < bottom inside the grid, {top:g} to {bottom:g} m"
        )


def wells_place(study: Study) -> None:
    """Monitoring wells lie inside the grid."""
    (left, right), _ = study.grid.build().extent
    for x in study.wells.x_m:
        if not left < x < right:
            raise InputError("wells.x_m", x, f"the grid reaches from {left:g} to {right:g} m")


def residual_saturations(study: Study) -> None:
    """Something can flow between the residual saturations."""
    fluids = study.fluids
    if fluids.co2_residual + fluids.brine_residual >= 1:
        raise InputError("fluids.co2_residual", fluids.co2_residual, "with fluids.brine_residual it must stay below 1")


def densities(study: Study) -> None:
    """CO2 rises in brine."""
    fluids = study.fluids
    if fluids.co2_density_kg_per_m3 >= fluids.brine_density_kg_per_m3:
        raise InputError(
            "fluids.co2_density_kg_per_m3", fluids.co2_density_kg_per_m3, "it must be lighter than the brine"
        )


def methods_once(study: Study) -> None:
    """Every method once."""
    if len(set(study.methods)) != len(study.methods):
        raise InputError("methods", study.methods, "name every method once")


def members_enough(study: Study) -> None:
    """Methods that learn have members to learn from."""
    members = study.ensemble.members
    for table in study.chosen:
        if members < table.least_members:
            raise InputError(
                "ensemble.members",
                members,
                f'the method "{table.name}" needs at least {table.least_members} members to learn from',
            )


def wave_depths(study: Study) -> None:
    """The wave model contains the flow grid."""
    _, (top, bottom) = study.grid.build().extent
    low, high = study.seismic.depth_m
    if _seismic(study) and not low <= top < bottom <= high + 1e-6:
        raise InputError(
            "seismic.depth_m", (low, high), f"the wave model must contain the flow grid, {top:g} to {bottom:g} m"
        )


def sea_surface(study: Study) -> None:
    """A free surface lies at depth 0."""
    low, _ = study.seismic.depth_m
    if _seismic(study) and study.seismic.free_surface and low != 0:
        raise InputError(
            "seismic.free_surface", True, f"the sea surface is at depth 0, seismic.depth_m begins at {low:g} m"
        )


def source_depth(study: Study) -> None:
    """Sources lie in the wave model."""
    _inside_waves(study, "source_depth_m")


def receiver_depth(study: Study) -> None:
    """Receivers lie in the wave model."""
    _inside_waves(study, "receiver_depth_m")


def encoded_shots(study: Study) -> None:
    """No more encoded shots than sources."""
    encoded, sources = study.seismic.encoded_shots, study.seismic.sources
    if _seismic(study) and encoded is not None and encoded > sources:
        raise InputError("seismic.encoded_shots", encoded, f"it must not exceed seismic.sources = {sources}")


def chosen_shots(study: Study) -> None:
    """A choice of shots is one among the sources, and not beside encoded ones."""
    shots, sources = study.seismic.shots, study.seismic.sources
    if not _seismic(study) or not shots:
        return
    if study.seismic.encoded_shots is not None:
        raise InputError("seismic.shots", shots, "choose either a subset of the shots or encoded_shots")
    if len(set(shots)) != len(shots) or any(shot >= sources for shot in shots):
        raise InputError("seismic.shots", shots, f"name different ones from 0 to {sources - 1}")


def _seismic(study: Study) -> bool:
    return "seismic" in study.surveys.modalities


def _inside_waves(study: Study, key: str) -> None:
    (low, high), depth = study.seismic.depth_m, getattr(study.seismic, key)
    if _seismic(study) and not low <= depth <= high:
        raise InputError(f"seismic.{key}", depth, f"the wave model reaches from {low:g} to {high:g} m")


CHECKS: tuple[Check, ...] = (
    survey_days,
    survey_files,
    injection_time,
    injection_place,
    injection_depth,
    wells_place,
    residual_saturations,
    densities,
    methods_once,
    members_enough,
    modalities,
    wave_depths,
    sea_surface,
    source_depth,
    receiver_depth,
    encoded_shots,
    chosen_shots,
)
"""In the order in which their faults are told."""
