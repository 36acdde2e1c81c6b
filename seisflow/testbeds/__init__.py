"""Published settings of twin experiments, one file per paper, with the scores reached."""

from seisflow.testbeds.published import PublishedScore

__all__ = ["PublishedScore"]
