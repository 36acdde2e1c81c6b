r"""What a key of a study file may hold, in words, from the key's own type: for templates, pages and error messages."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["allowed", "meaning", "tables", "unit"]

_UNITS = {
    "kg_per_m3": "kg/m³",
    "m3_per_s": "m³/s",
    "m_per_s": "m/s",
    "per_bar_m_per_s": "m/s per bar",
    "per_bar": "1/bar",
    "Pa_s": "Pa s",
    "day": "days",
    "days": "days",
    "mD": "mD",
    "bar": "bar",
    "Hz": "Hz",
    "dB": "dB",
    "GPa": "GPa",
    "GB": "GB",
    "s": "s",
    "m": "m",
}
_NO_UNIT = {"van_genuchten_m"}
"""Keys that end like a unit, and have none."""
_COUNTS = {2: "two", 3: "three"}


def tables(table: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The tables within a table (or the whole study): name → class."""
    found = {}
    for name, field in table.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found[name] = field.annotation
    return found


def unit(key: str) -> tuple[str, str]:
    """A key's name without its unit, and the unit that the name ends with (``""``: none)."""
    if key in _NO_UNIT:
        return key, ""
    for suffix in sorted(_UNITS, key=len, reverse=True):
        if key.endswith(f"_{suffix}"):
            return key[: -len(suffix) - 1], _UNITS[suffix]
    return key, _UNITS.get(key, "")


def meaning(field: FieldInfo) -> str:
    """The documentation of a key, on one line."""
    return " ".join((field.description or "").replace("``", "`").split())


def allowed(field: FieldInfo) -> str:
    """The values a key may have, in words: ``"a number above 0 and below 1"``."""
    return _words(field.annotation, _bounds(field.metadata), plural=False)


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    """Bounds by their names in :mod:`annotated_types`, from all levels of a field's metadata."""
    found: dict[str, Any] = {}
    for item in metadata:
        inner = _bounds(item.metadata) if isinstance(item, FieldInfo) else {}
        named = {
            name: getattr(item, name)
            for name in ("gt", "ge", "lt", "le", "multiple_of", "min_length", "pattern")
            if getattr(item, name, None) is not None
        }
        found |= inner | named
    return found


def _words(annotation: Any, bounds: dict[str, Any], plural: bool) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0], bounds | _bounds(list(arguments[1:])), plural)
    if origin in (Union, types.UnionType):
        inner = [a for a in arguments if a is not type(None)]
        text = " or ".join(_words(a, bounds, plural) for a in inner)
        return f"{text}, or left out" if len(inner) < len(arguments) else text
    if origin is Literal:
        *head, last = (f'"{value}"' for value in arguments)
        return f"{', '.join(head)} or {last}" if head else last
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            text = f"{'lists' if plural else 'a list'} of {_words(arguments[0], {}, plural=True)}"
            return f"{text}, at least {bounds['min_length']}" if "min_length" in bounds else text
        return f"{_COUNTS.get(len(arguments), len(arguments))} {_words(arguments[0], {}, plural=True)}"
    if annotation is bool:
        return "true or false"
    if annotation is str:
        return "texts" if plural else "a text"
    noun = (
        ("whole numbers" if plural else "a whole number") if annotation is int else "numbers" if plural else "a number"
    )
    return noun + _range(bounds)


def _range(bounds: dict[str, Any]) -> str:
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    more = f", a multiple of {bounds['multiple_of']:g}" if "multiple_of" in bounds else ""
    if low is not None and high is not None and "ge" in bounds and "le" in bounds:
        return f" from {low:g} to {high:g}{more}"
    words = []
    if low is not None:
        words.append(f"of {low:g} or more" if "ge" in bounds else f"above {low:g}")
    if high is not None:
        words.append(f"at most {high:g}" if "le" in bounds else f"below {high:g}")
    return (" " + " and ".join(words) if words else "") + more
