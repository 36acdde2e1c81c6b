r"""All faults of a study as one :class:`~seisflow.errors.InputError`: of each, key, value, and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from seisflow.errors import InputError
from seisflow.study.describe import allowed, tables, unit

if TYPE_CHECKING:
    from seisflow.study.study import Study

__all__ = ["KEYS_ALONE", "StudyError", "all_faults", "as_one", "found_by"]


KEYS_ALONE = "keys alone"
"""Name in pydantic's context under which a study is validated without the checks between its keys."""


class StudyError(InputError):
    """Several faults of one study; the text has a line for each, with path, value and what is allowed.

    Parameters
    ----------
    faults
        What is wrong, two or more; ``argument``, ``value`` and ``remedy`` are those of the first.
    """

    def __init__(self, faults: Sequence[InputError]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults[0].argument, self.faults[0].value, self.faults[0].remedy)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))

    def __reduce__(self) -> tuple[type, tuple[tuple[InputError, ...]]]:  # type: ignore[override]
        return type(self), (self.faults,)


def as_one(faults: Sequence[InputError]) -> InputError:
    """The only fault, or all of them as one error."""
    return faults[0] if len(faults) == 1 else StudyError(faults)


def found_by(checks: Iterable[Callable[[], None]], unknown: Collection[str] = ()) -> list[InputError]:
    """Faults that checks between keys raise, in their order.

    Parameters
    ----------
    checks
        Each raises :class:`~seisflow.errors.InputError` where it finds a contradiction.
    unknown
        Names of keys that are wrong themselves and taken out of the study: a check that asks for one finds nothing.
    """
    found: list[InputError] = []
    for check in checks:
        try:
            check()
        except InputError as fault:
            if str(fault) not in map(str, found):  # a grid that cannot be built stops every check that needs it
                found.append(fault)
        except AttributeError as error:
            if error.name not in unknown:
                raise
    return found


def all_faults(error: ValidationError, values: Mapping[str, Any], study: type[Study]) -> InputError:
    """Everything that is wrong with a study, as one error.

    First come the keys that are wrong by themselves, then the contradictions between the keys that are right.

    Parameters
    ----------
    error
        What pydantic raised.
    values
        What was validated.
    study
        The class that was validated.
    """
    listed = error.errors()
    inner = listed[0].get("ctx", {}).get("error")
    if isinstance(inner, InputError):  # of the checks, which ran because every key is right by itself
        return inner
    around = {fault["loc"][:n] for fault in listed for n in range(len(fault["loc"]))}
    faults = [
        _fault(f, study) for f in listed if f["loc"] not in around
    ]  # a list with a wrong item counts as short, too
    wrong = [tuple(map(str, fault["loc"][:2])) for fault in listed]
    try:
        rest = study.model_validate(_without(values, wrong), context={KEYS_ALONE: True}).model_copy(deep=True)
    except ValidationError:
        return as_one(faults)
    for path in wrong:
        _take_out(rest, path)
    return as_one([*faults, *found_by(rest._checks(), {path[-1] for path in wrong} | {path[0] for path in wrong})])


def _without(values: Mapping[str, Any], wrong: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """The values that are right."""
    kept = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    for path in wrong:
        table = kept.get(path[0])
        if len(path) > 1 and isinstance(table, dict):
            table.pop(path[1], None)
        else:
            kept.pop(path[0], None)
    return kept


def _take_out(rest: BaseModel, path: tuple[str, ...]) -> None:
    """Take a key out of a study of one's own, so that nobody reckons with its default."""
    table = rest.__dict__.get(path[0])
    if len(path) > 1 and isinstance(table, BaseModel):
        table.__dict__.pop(path[1], None)
    else:
        rest.__dict__.pop(path[0], None)


def _fault(fault: ErrorDetails, study: type[BaseModel]) -> InputError:
    """One fault of a key."""
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return InputError(path, fault["input"], _unknown(fault["loc"], study))
    field = _field(fault["loc"], study)
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if field is not None:
        message += f"; allowed: {allowed(field)}"
    return InputError(path, fault["input"], message)


def _table(location: Sequence[Any], study: type[BaseModel]) -> type[BaseModel] | None:
    table: type[BaseModel] | None = study
    for part in location:
        table = tables(table).get(str(part)) if table is not None else None
    return table


def _field(location: Sequence[Any], study: type[BaseModel]) -> FieldInfo | None:
    """The field of a key; a fault within a list points behind it."""
    for depth in (2, 1):
        table = _table(location[: depth - 1], study)
        if len(location) >= depth and table is not None and str(location[depth - 1]) in table.model_fields:
            found = table.model_fields[str(location[depth - 1])]
            return None if str(location[depth - 1]) in tables(table) else found
    return None


def _unknown(location: Sequence[Any], study: type[BaseModel]) -> str:
    table, key = _table(location[:-1], study), str(location[-1])
    if table is None:
        return "unknown key"
    known = sorted(table.model_fields)
    same = [name for name in known if unit(name)[1] and _same_quantity(key, unit(name)[0])]
    if same:
        return f"unknown key; this one is {same[0]}, in {unit(same[0])[1]}"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    meant = f"; did you mean {near[0]}?" if near else ";"
    return f"unknown key{meant} the keys here are: {', '.join(known)}"


def _same_quantity(key: str, stem: str) -> bool:
    """Whether a key starts like one without its unit: the same quantity in another unit, or in none."""
    return key == stem or key.startswith(f"{stem}_")
