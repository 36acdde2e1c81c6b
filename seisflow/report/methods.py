r"""How the methods of a run are named and drawn on its page."""

from __future__ import annotations

import matplotlib.colors

from seisflow.report.charts import legend
from seisflow.study.tables.labels import COLOURS, LABELS

__all__ = ["colour", "label", "method_legend"]


def colour(method: str) -> str:
    """The colour of a method, for CSS."""
    return matplotlib.colors.to_hex(COLOURS.get(method, "0.3"))


def label(method: str) -> str:
    """The name of a method for readers."""
    return LABELS.get(method, method)


def method_legend(methods: list[str]) -> str:
    """A legend of methods, in the colours and markers of the charts."""
    return legend({label(m): (colour(m), i) for i, m in enumerate(methods)})
