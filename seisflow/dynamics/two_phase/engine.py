"""What a flow case is sent to: named values go out, named results come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from seisflow.ensemble import MemberProgress

__all__ = ["Engine", "Value"]

Value = np.ndarray | str | int | float | bool
"""What can be sent to an engine."""


class Engine(Protocol):
    """What calls a function of the Julia package on named arrays (:class:`seisflow.dynamics.julia.engine.JuliaEngine`)."""

    def call(
        self, function: str, inputs: Mapping[str, Value], progress: MemberProgress | None, total: int, /
    ) -> dict[str, Any]:
        """Call ``function`` with the inputs and return its named results; ``progress(done, total)`` counts members."""

    def close(self) -> None:
        """End its workers; they start again when needed."""
