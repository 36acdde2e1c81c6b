r"""How the methods of a run are told apart on its page."""

from __future__ import annotations

from collections.abc import Sequence

from seisflow.report.charts import legend
from seisflow.runs.methods import Methods

__all__ = ["method_legend"]


def method_legend(methods: Methods, names: Sequence[str]) -> str:
    """A legend of some methods of a run, in the colours and markers of the charts."""
    return legend({methods[m].label: (methods[m].colour, i) for i, m in enumerate(names)})
