r"""The keys of a study file as a page, made from the study's own classes: ``docs/study.md``, and ``seisflow keys``."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel

from seisflow.config import Study

__all__ = ["study_keys"]


def _plain(value: Any) -> str:
    """A default as it would stand in the file."""
    if value is None:
        return "left out"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _rows(table: type[BaseModel]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in table.model_fields.items():
        if not _is_table(field.annotation):
            meaning = " ".join((field.description or "").replace("``", "`").split())
            rows.append(f"| `{name}` | `{_plain(field.default)}` | {meaning} |")
    return rows


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and not get_args(annotation)


def study_keys() -> str:
    """A Markdown page of every table and key of a study file, with defaults and meaning."""
    page = [
        "# The keys of a study file",
        "",
        "A study file is TOML. Units stand in the names of the keys; what is left out has its default. Coordinates are",
        "metres in the section's system: x from its left end, depth from the sea surface.",
        "",
        *_rows(Study),
    ]
    for name, field in Study.model_fields.items():
        if _is_table(field.annotation):
            assert isinstance(field.annotation, type)
            summary = (field.annotation.__doc__ or "").strip().splitlines()[0]
            page += ["", f"## `[{name}]`", "", summary, "", *_rows(field.annotation)]
    return "\n".join(page) + "\n"
