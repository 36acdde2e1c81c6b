r"""From a fault that pydantic finds to one :class:`~seisflow.errors.InputError`: key, value, and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from seisflow.errors import InputError
from seisflow.study.describe import allowed, tables, unit

__all__ = ["first_fault"]


def first_fault(error: ValidationError, study: type[BaseModel]) -> InputError:
    """The first fault of a study.

    Parameters
    ----------
    error
        What pydantic raised.
    study
        The class that was validated.
    """
    faults = error.errors()
    fault = faults[0]
    path = ".".join(str(part) for part in fault["loc"])
    inner = fault.get("ctx", {}).get("error")
    if isinstance(inner, InputError):
        return inner
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    if fault["type"] == "extra_forbidden":
        return InputError(path, fault["input"], _unknown(fault["loc"], study) + more)
    field = _field(fault["loc"], study)
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if field is not None:
        message += f"; allowed: {allowed(field)}"
    return InputError(path, fault["input"], message + more)


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
