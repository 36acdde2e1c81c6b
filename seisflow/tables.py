"""What all tables of a study file share: strictness, and the ranges of their numbers.

Ranges are wide enough for every reservoir and narrow enough that a number in another unit (pascals for bars, km/s for m/s,
milliseconds for seconds) falls outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Check", "Count", "Finite", "Length", "NonNegative", "Positive", "Share", "Table"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Length = Annotated[float, Field(ge=0.05, le=10_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


Check = Callable[[Any], None]
"""Called with a study; raises InputError where it finds a contradiction."""


class Table(BaseModel):
    """One table of a study file."""

    def checks(self) -> Iterable[Check]:
        """Checks of this table's keys against each other and against other tables of the study.

        Each looks at one contradiction that no key's own range can exclude, is called with the whole study, and raises
        :class:`~seisflow.errors.InputError` at the key to be changed. All are made, so that all faults are told at once: a
        check must not rely on another one that ran before it.
        """
        return ()

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True)
