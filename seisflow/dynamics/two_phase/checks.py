"""Conditions on the numbers of a flow case, each with the error that names the argument, its value and the remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError

__all__ = ["increasing", "not_negative", "number_or_field", "positive", "require"]


def require(condition: bool, argument: str, value: object, remedy: str) -> None:
    """Raise :class:`InputError` unless the condition holds."""
    if not condition:
        raise InputError(argument, value, remedy)


def positive(argument: str, value: float, unit: str) -> None:
    """Demand a finite value above 0; ``unit`` ends the remedy (" in Pa")."""
    require(math.isfinite(value) and value > 0, argument, value, f"give a positive value{unit}")


def not_negative(argument: str, value: float, unit: str) -> None:
    """Demand a finite value of 0 or more."""
    require(math.isfinite(value) and value >= 0, argument, value, f"give a value of 0 or more{unit}")


def increasing(argument: str, values: Sequence[float] | NDArray, what: str) -> NDArray[np.float64]:
    """The values as a read-only copy ``(T,)``: finite, at least one, each above the one before.

    Raises
    ------
    InputError
        Otherwise; ``what`` says what the values are ("times in seconds").
    """
    array = _numbers(argument, values, f"give {what}")
    good = array.ndim == 1 and array.size > 0 and bool(np.isfinite(array).all()) and bool((np.diff(array) > 0).all())
    require(good, argument, array.tolist(), f"give {what}, finite, each larger than the one before")
    array.flags.writeable = False
    return array


def number_or_field(argument: str, value: Any) -> float | NDArray[np.float64]:
    """A number as ``float``, an array as a read-only copy in float64."""
    array = _numbers(argument, value, "give a number, or an array with one value per cell")
    if array.ndim == 0:
        return float(array)
    array.flags.writeable = False
    return array


def _numbers(argument: str, value: Any, remedy: str) -> NDArray[np.float64]:
    try:
        return np.array(value, np.float64, order="C")
    except (TypeError, ValueError):
        raise InputError(argument, value, remedy) from None
