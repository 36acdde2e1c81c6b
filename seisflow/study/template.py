r"""Study files as text: plain, or with the meaning and the allowed values of every key above it.

Both are made from the study's own classes and values, so that they never fall behind, and
:func:`~seisflow.study.load_study` reads both back to the same study.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

from pydantic import BaseModel

from seisflow.study.describe import allowed, meaning, tables, unit

__all__ = ["commented", "plain", "spelled"]

_WIDTH = 110


def spelled(value: Any) -> str:
    """A value as TOML spells it; JSON's spelling of texts, numbers and lists is TOML's too."""
    return json.dumps(value, ensure_ascii=False, default=list)


def plain(study: BaseModel) -> str:
    """Keys and values only; what is left out stays left out."""
    values = study.model_dump(exclude_none=True)
    lines = [f"{key} = {spelled(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for key, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]", *(f"{name} = {spelled(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def commented(study: BaseModel) -> str:
    """Every key under a comment that says what it means, its unit, and what it may be."""
    inner = tables(type(study))
    lines = [
        "# A study of seisflow. Every key is here with its value; a line that is taken out has its default again.",
        "# Units stand in the names of the keys. x counts from the section's left end, depth from the sea surface.",
        *_keys(study, inner),
    ]
    for name, table in inner.items():
        summary = (table.__doc__ or "").strip().splitlines()[0]
        lines += ["", "", f"# {'-' * 4} {summary}", f"[{name}]", *_keys(getattr(study, name), tables(table))]
    return "\n".join(lines) + "\n"


def _keys(table: BaseModel, skipped: dict[str, type[BaseModel]]) -> list[str]:
    lines: list[str] = []
    for name, field in type(table).model_fields.items():
        if name in skipped:
            continue
        value, symbol = getattr(table, name), unit(name)[1]
        text = f"{meaning(field)} Allowed: {allowed(field)}{f', in {symbol}' if symbol else ''}."
        lines += ["", *textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"# {name} =" if value is None else f"{name} = {spelled(value)}")
    return lines
