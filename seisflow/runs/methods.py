r"""The methods of a run as its readers see them: those of the study, and the user's own behind them.

A run folder remembers them (``run.json``), so that whoever reads it needs neither the study's tables nor the user's code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import matplotlib.colors

from seisflow.analysis.base import Analysis
from seisflow.analysis.table import MethodTable
from seisflow.errors import InputError

__all__ = ["Methods", "RunMethod", "described", "recorded", "remembered"]

TAKEN = ("truth", "observed", "first")
"""What stages of no method are called."""


@dataclass(frozen=True)
class RunMethod:
    """A method of a run.

    Parameters
    ----------
    name
        By which stages and tables call it.
    label
        How readers see it, in words.
    colour
        How figures draw it: ``#rrggbb``.
    uses_data
        Whether it looks at the data; the folder has no predicted data of a method that does not.
    """

    name: str
    label: str
    colour: str
    uses_data: bool = True


Methods = Mapping[str, RunMethod]
"""The methods of a run by name, in their order."""


def described(parts: Sequence[MethodTable | Analysis]) -> dict[str, RunMethod]:
    """The methods of a run, from their tables and the user's analyses, in order.

    Empty labels become the name; an empty colour becomes the first of matplotlib's cycle that no other method has.

    Raises
    ------
    InputError
        When two methods share a name or a label, a name cannot be that of a folder, or a colour is none.
    """
    free = _free_colours({_hex(part) for part in parts if part.colour})
    found: dict[str, RunMethod] = {}
    for part in parts:
        name, label = part.name, part.label or part.name
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name) or name in TAKEN:
            remedy = f"name a method by letters, digits, - and _, and not {', '.join(TAKEN)}"
            raise InputError("analyses", name, remedy)
        if name in found:
            raise InputError("analyses", name, "another method of this run has this name; give it another")
        if label in {method.label for method in found.values()}:
            raise InputError("analyses", name, f"another method of this run has its label, {label!r}; give it another")
        found[name] = RunMethod(name, label, _hex(part) if part.colour else next(free), part.uses_data)
    return found


def _hex(part: MethodTable | Analysis) -> str:
    try:
        return matplotlib.colors.to_hex(part.colour)
    except ValueError:
        raise InputError(f"{part.name}.colour", part.colour, "give a colour that matplotlib knows, or none") from None


def _free_colours(used: set[str]) -> Iterator[str]:
    """The colours of matplotlib's cycle that are not used, and all of them again behind them."""
    cycle = [matplotlib.colors.to_hex(colour) for colour in matplotlib.colors.TABLEAU_COLORS.values()]
    yield from (colour for colour in cycle if colour not in used)
    while True:
        yield from cycle


def recorded(methods: Methods) -> list[dict[str, Any]]:
    """The methods as ``run.json`` holds them."""
    return [asdict(method) for method in methods.values()]


def remembered(listed: Sequence[Mapping[str, Any]]) -> dict[str, RunMethod]:
    """The methods that ``run.json`` holds."""
    return {about["name"]: RunMethod(**about) for about in listed}
