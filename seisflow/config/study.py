r"""A whole study, the checks between its tables, and its file."""

from __future__ import annotations

import json
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from seisflow.config.base import Table
from seisflow.config.data import SeismicTable, SurveysTable, WellsTable
from seisflow.config.methods import EnkfTable, EnsembleTable, FlowTable, Method
from seisflow.config.model import FluidsTable, GeologyTable, GridTable, InjectionTable, SolverTable
from seisflow.errors import InputError
from seisflow.units import DAY

__all__ = ["Study", "load_study"]


class Study(Table):
    """A whole study.

    Raises
    ------
    InputError
        From :func:`load_study` and :meth:`from_dict`: the first thing that is wrong, by the path of its key.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "study"
    """Name of the study, for folders and titles."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Root of all random numbers."""
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = ("open_loop", "enkf", "flow")
    """Analyses to run, each in its own chain."""
    grid: GridTable = GridTable()
    geology: GeologyTable = GeologyTable()
    fluids: FluidsTable = FluidsTable()
    injection: InjectionTable = InjectionTable()
    solver: SolverTable = SolverTable()
    surveys: SurveysTable = SurveysTable()
    seismic: SeismicTable = SeismicTable()
    wells: WellsTable = WellsTable()
    ensemble: EnsembleTable = EnsembleTable()
    enkf: EnkfTable = EnkfTable()
    flow: FlowTable = FlowTable()

    @model_validator(mode="after")
    def _parts_agree(self) -> Study:
        grid = self.grid.build()
        (left, right), (top, bottom) = grid.extent
        days = self.surveys.days
        if days[0] <= 0:
            raise InputError("surveys.days", days, "the first survey must come after day 0, the start of the study")
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise InputError("surveys.days", days, "give the days of the surveys in increasing order")
        if days[0] <= self.injection.start_day:
            raise InputError(
                "surveys.days",
                days,
                f"the first survey must come after injection.start_day = {self.injection.start_day:g}",
            )
        stop = self.injection.stop_day
        if stop is not None and stop <= self.injection.start_day:
            raise InputError("injection.stop_day", stop, f"it must follow start_day = {self.injection.start_day:g}")
        if not left < self.injection.x_m < right:
            raise InputError("injection.x_m", self.injection.x_m, f"the grid reaches from {left:g} to {right:g} m")
        first, last = self.injection.depth_m
        if not top <= first < last <= bottom:
            raise InputError(
                "injection.depth_m", (first, last), f"give top < bottom inside the grid, {top:g} to {bottom:g} m"
            )
        for x in self.wells.x_m:
            if not left < x < right:
                raise InputError("wells.x_m", x, f"the grid reaches from {left:g} to {right:g} m")
        if self.fluids.co2_residual + self.fluids.brine_residual >= 1:
            raise InputError(
                "fluids.co2_residual", self.fluids.co2_residual, "with fluids.brine_residual it must stay below 1"
            )
        if self.fluids.co2_density_kg_per_m3 >= self.fluids.brine_density_kg_per_m3:
            raise InputError(
                "fluids.co2_density_kg_per_m3", self.fluids.co2_density_kg_per_m3, "it must be lighter than the brine"
            )
        if len(set(self.methods)) != len(self.methods):
            raise InputError("methods", self.methods, "name every method once")
        if len(set(self.surveys.modalities)) != len(self.surveys.modalities):
            raise InputError("surveys.modalities", self.surveys.modalities, "name every modality once")
        low, high = self.seismic.depth_m
        if "seismic" in self.surveys.modalities:
            if not low <= top < bottom <= high + 1e-6:
                raise InputError(
                    "seismic.depth_m",
                    (low, high),
                    f"the wave model must contain the flow grid, {top:g} to {bottom:g} m",
                )
            for key in ("source_depth_m", "receiver_depth_m"):
                depth = getattr(self.seismic, key)
                if not low <= depth <= high:
                    raise InputError(f"seismic.{key}", depth, f"the wave model reaches from {low:g} to {high:g} m")
            if self.seismic.encoded_shots is not None and self.seismic.encoded_shots > self.seismic.sources:
                raise InputError(
                    "seismic.encoded_shots",
                    self.seismic.encoded_shots,
                    f"it must not exceed seismic.sources = {self.seismic.sources}",
                )
        return self

    @property
    def survey_times(self) -> tuple[float, ...]:
        """Times of the surveys [s]."""
        return tuple(day * DAY for day in self.surveys.days)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Study:
        """A study from nested dictionaries, as TOML gives them."""
        try:
            return Study.model_validate(values)
        except ValidationError as error:
            raise _first_fault(error) from error

    def to_toml(self) -> str:
        """The study as a TOML file that :func:`load_study` reads back to the same study."""
        tables = self.model_dump(exclude_none=True)
        lines = [f"{key} = {_toml(value)}" for key, value in tables.items() if not isinstance(value, dict)]
        for key, table in tables.items():
            if isinstance(table, dict):
                lines += ["", f"[{key}]", *(f"{name} = {_toml(value)}" for name, value in table.items())]
        return "\n".join(lines) + "\n"

    def changed(self, **tables: Any) -> Study:
        """A copy with some keys changed: ``changed(seed=3, ensemble={"members": 16})``."""
        values = self.model_dump()
        for key, value in tables.items():
            values[key] = {**values[key], **value} if isinstance(value, dict) else value
        return Study.from_dict(values)


def _toml(value: Any) -> str:
    """A scalar or a list in TOML; JSON's spelling of these is TOML's too."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _first_fault(error: ValidationError) -> InputError:
    """The first fault of a study as an :class:`InputError` with the path of its key."""
    faults = error.errors()
    fault = faults[0]
    path = ".".join(str(part) for part in fault["loc"])
    inner = fault.get("ctx", {}).get("error")
    if isinstance(inner, InputError):
        return inner
    if fault["type"] == "extra_forbidden":
        table: Any = Study
        for part in fault["loc"][:-1]:
            field = getattr(table, "model_fields", {}).get(str(part))
            table = field.annotation if field is not None else None
        known = ", ".join(sorted(getattr(table, "model_fields", {})))
        return InputError(path, fault["input"], f"unknown key; the keys here are: {known}")
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    message = fault["msg"][0].lower() + fault["msg"][1:]
    return InputError(path, fault["input"], f"{message}{more}")


def load_study(file: str | Path) -> Study:
    """Read and check a study file.

    A relative ``geology.section`` is taken relative to the study file.

    Raises
    ------
    InputError
        When the file is missing, is not TOML, or a key is wrong; the message names the key.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError("study", str(path), "no such file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("study", str(path), f"this is not a TOML file: {error}") from error
    section = values.get("geology", {}).get("section") if isinstance(values.get("geology"), dict) else None
    if isinstance(section, str) and section != "compass_slice" and not Path(section).is_absolute():
        values["geology"]["section"] = str((path.parent / section).resolve())
    return Study.from_dict(values)
