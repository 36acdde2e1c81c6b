r"""What a run leaves behind for readers: a page, figures, a moving picture; made from the run folder alone, at any time."""

from seisflow.report.reading import RunFolder
from seisflow.report.writing import write_report

__all__ = ["RunFolder", "write_report"]
