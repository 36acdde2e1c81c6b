r"""What a run leaves behind for readers: a page, figures, a moving picture; made from the run folder alone, at any time."""

from seisflow.report.writing import write_report
from seisflow.runs.reading import RunFolder

__all__ = ["RunFolder", "write_report"]
