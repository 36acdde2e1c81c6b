r"""A whole study, the checks between its tables, and its file."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model, model_validator

from seisflow.analysis.methods import METHODS, method
from seisflow.analysis.table import MethodTable
from seisflow.errors import InputError
from seisflow.study.faults import first_fault
from seisflow.study.tables.ensemble import EnsembleTable
from seisflow.study.tables.reservoir import FluidsTable, GeologyTable, GridTable, InjectionTable, SolverTable
from seisflow.study.tables.surveys import SeismicTable, SurveysTable, WellsTable
from seisflow.study.template import commented, plain
from seisflow.tables import Table
from seisflow.units import DAY

__all__ = ["Study", "load_study"]


if TYPE_CHECKING:
    Method = str
else:
    Method = Literal[tuple(table.name for table in METHODS)]


class Core(Table):
    """The tables of a study, but for those of the methods."""

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


# One table for every method that has keys, in the order of the methods.
if TYPE_CHECKING:
    _Whole = Core
else:
    _Whole = create_model("_Whole", __base__=Core, **{t.name: (t, t()) for t in METHODS if t.model_fields})


class Study(_Whole):
    """A whole study.

    Raises
    ------
    InputError
        From :func:`load_study` and :meth:`from_dict`: the first thing that is wrong, by the path of its key.
    """

    @model_validator(mode="after")
    def _parts_agree(self) -> Study:
        grid = self.grid.build()
        (left, right), (top, bottom) = grid.extent
        days = self.surveys.days
        if days[0] <= 0:
            raise InputError("surveys.days", days, "the first survey must come after day 0, the start of the study")
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise InputError("surveys.days", days, "give the days of the surveys in increasing order")
        if self.surveys.data and len(self.surveys.data) != len(days):
            raise InputError(
                "surveys.data",
                self.surveys.data,
                f"give one list of files for each of the {len(days)} surveys, or none",
            )
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
        for table in self.chosen:
            if self.ensemble.members < table.least_members:
                raise InputError(
                    "ensemble.members",
                    self.ensemble.members,
                    f'the method "{table.name}" needs at least {table.least_members} members to learn from',
                )
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
            if self.seismic.free_surface and low != 0:
                raise InputError(
                    "seismic.free_surface", True, f"the sea surface is at depth 0, seismic.depth_m begins at {low:g} m"
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
            shots = self.seismic.shots
            if shots and self.seismic.encoded_shots is not None:
                raise InputError("seismic.shots", shots, "choose either a subset of the shots or encoded_shots")
            if len(set(shots)) != len(shots) or any(shot >= self.seismic.sources for shot in shots):
                raise InputError("seismic.shots", shots, f"name different ones from 0 to {self.seismic.sources - 1}")
        return self

    @property
    def chosen(self) -> tuple[MethodTable, ...]:
        """The tables of the study's methods, with their keys."""
        return tuple(getattr(self, name, None) or method(name)() for name in self.methods)

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
            raise first_fault(error, Study) from error

    def to_toml(self, comments: bool = False) -> str:
        """The study as a TOML file that :func:`load_study` reads back to the same study.

        Parameters
        ----------
        comments
            Write above every key what it means and what it may be.
        """
        return commented(self) if comments else plain(self)

    def save(self, file: str | Path, comments: bool = False) -> Path:
        """Write :meth:`to_toml` to a file, which is replaced only when the new one is complete."""
        path = Path(file)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(self.to_toml(comments), encoding="utf-8")
        return partial.replace(path)

    def changed(self, **tables: Any) -> Study:
        """A copy with some keys changed: ``changed(seed=3, ensemble={"members": 16})``."""
        values = self.model_dump()
        for key, value in tables.items():
            values[key] = {**values[key], **value} if isinstance(value, dict) else value
        return Study.from_dict(values)


def load_study(file: str | Path) -> Study:
    """Read and check a study file.

    A relative ``geology.section`` and the files in ``surveys.data`` are taken relative to the study file.

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
    surveys = values.get("surveys")
    if isinstance(surveys, dict) and isinstance(surveys.get("data"), list):
        surveys["data"] = [
            [str((path.parent / file).resolve()) if isinstance(file, str) else file for file in files]
            if isinstance(files, list)
            else files
            for files in surveys["data"]
        ]
    return Study.from_dict(values)
