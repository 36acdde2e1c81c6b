r"""A whole study, the checks between its tables, and its file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, create_model, model_validator

from seisflow.analysis.methods import METHODS, method
from seisflow.analysis.table import MethodTable
from seisflow.errors import InputError
from seisflow.study.describe import tables
from seisflow.study.faults import KEYS_ALONE, all_faults, as_one, found_by
from seisflow.study.tables.ensemble import EnsembleTable
from seisflow.study.tables.reservoir import FluidsTable, GeologyTable, GridTable, InjectionTable, SolverTable
from seisflow.study.tables.surveys import InjectorTable, SeismicTable, SurveysTable, WellsTable
from seisflow.study.template import commented, plain
from seisflow.tables import Check, Table
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
    injector: InjectorTable = InjectorTable()
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
        From :func:`load_study` and :meth:`from_dict`: everything that is wrong, each by the path of its key; it is a
        :class:`~seisflow.study.faults.StudyError` where there is more than one.
    """

    @model_validator(mode="after")
    def _parts_agree(self, info: ValidationInfo) -> Study:
        if not (info.context or {}).get(KEYS_ALONE):
            faults = found_by(self._checks())
            if faults:
                raise as_one(faults)
        return self

    def _checks(self) -> Iterator[Callable[[], None]]:
        """The checks between keys, those of every table; each raises InputError where it finds a contradiction."""
        for table in (self, *(getattr(self, name, None) for name in tables(type(self)))):
            if isinstance(table, Table):
                for check in table.checks():
                    yield partial(check, self)

    def checks(self) -> Iterable[Check]:
        return (Study._methods_once,)

    def _methods_once(self) -> None:
        if len(set(self.methods)) != len(self.methods):
            raise InputError("methods", self.methods, "name every method once")

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
            raise all_faults(error, values, Study) from error

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
        When the file is missing, is not TOML, or keys are wrong; the message names them all.
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
