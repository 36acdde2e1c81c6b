r"""The keys of a study file, made from the study's own classes: as text for a terminal, and as ``docs/study.md``."""

from __future__ import annotations

import textwrap
from typing import Any

from pydantic import BaseModel

from seisflow.study import Study
from seisflow.study.describe import allowed, meaning, tables, unit
from seisflow.study.template import spelled

__all__ = ["keys_markdown", "keys_text"]

WIDTH = 100
"""Most characters of a line of text."""

_TOP = """# The keys of a study file

A study file is TOML. Units stand in the names of the keys; what is left out has its default. Coordinates are
metres in the section's system: x from its left end, depth from the sea surface.

`seisflow init` writes a file with every key, its default, and what is said here as comments; `seisflow validate STUDY.toml`
checks a file, and says how large the study is and about how long it takes. An unknown key, a number in another unit or out
of range, and choices that contradict each other are refused before any work, with the key's path, the value and what is
allowed. In Python, `Study.from_dict`, `Study.changed`, `Study.save` and `load_study` make, vary, write and read the same.
"""


def _default(value: Any) -> str:
    return "left out" if value is None else spelled(value)


def _rows(table: type[BaseModel]) -> list[str]:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for name, field in table.model_fields.items():
        if name not in tables(table):
            rows.append(f"| `{name}` | `{_default(field.default)}` | {allowed(field)} | {meaning(field)} |")
    return rows


def keys_markdown() -> str:
    """A Markdown page of every table and key of a study file, with defaults, allowed values and meaning."""
    page = [_TOP, *_rows(Study)]
    for name, table in tables(Study).items():
        page += ["", f"## `[{name}]`", "", _summary(table), "", *_rows(table)]
    return "\n".join(page) + "\n"


def _summary(table: type[BaseModel]) -> str:
    return (table.__doc__ or "").strip().splitlines()[0]


def _entries(table: type[BaseModel]) -> list[str]:
    lines = []
    for name, field in table.model_fields.items():
        if name not in tables(table):
            symbol = unit(name)[1]
            may_be = f"Allowed: {allowed(field)}{f', in {symbol}' if symbol else ''}."
            text = textwrap.fill(f"{meaning(field)} {may_be}", WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
            lines += [f"  {name} = {_default(field.default)}", *text.splitlines()]
    return lines


def keys_text() -> str:
    """Every table and key of a study file as text for a terminal: default, meaning, allowed values."""
    head = (
        "A study file is TOML: tables in brackets, and in them keys with values. Here every key stands with its default. "
        "Units stand in the names of the keys; x counts from the section's left end, depth from the sea surface, in "
        "metres. `seisflow init` writes a file with all of them."
    )
    page = [*textwrap.wrap(head, WIDTH), "", "At the top of the file:", *_entries(Study)]
    for name, table in tables(Study).items():
        page += ["", *textwrap.wrap(f"[{name}]  {_summary(table)}", WIDTH, subsequent_indent="  "), *_entries(table)]
    return "\n".join(page).replace("`", "") + "\n"
