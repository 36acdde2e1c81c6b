r"""The keys of a study file as a page, made from the study's own classes: ``docs/study.md``, and ``seisflow keys``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from seisflow.study import Study
from seisflow.study.describe import allowed, meaning, tables
from seisflow.study.template import spelled

__all__ = ["study_keys"]

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


def study_keys() -> str:
    """A Markdown page of every table and key of a study file, with defaults, allowed values and meaning."""
    page = [_TOP, *_rows(Study)]
    for name, table in tables(Study).items():
        summary = (table.__doc__ or "").strip().splitlines()[0]
        page += ["", f"## `[{name}]`", "", summary, "", *_rows(table)]
    return "\n".join(page) + "\n"
