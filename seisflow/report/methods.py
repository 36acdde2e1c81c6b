r"""How the methods of a run are named and drawn on its page."""

from __future__ import annotations

import matplotlib.colors

from seisflow.analysis.methods import METHODS
from seisflow.report.charts import legend

__all__ = ["colour", "label", "method_legend"]

_TABLES = {table.name: table for table in METHODS}


def colour(method: str) -> str:
    """The colour of a method, for CSS and for figures: ``#rrggbb``."""
    return matplotlib.colors.to_hex(_TABLES[method].colour if method in _TABLES else "0.3")


def label(method: str) -> str:
    """The name of a method for readers."""
    return _TABLES[method].label if method in _TABLES else method


def method_legend(methods: list[str]) -> str:
    """A legend of methods, in the colours and markers of the charts."""
    return legend({label(m): (colour(m), i) for i, m in enumerate(methods)})
