"""Published settings of twin experiments, one file per paper, with the scores reached."""

from seisflow.settings.base import PublishedScore

__all__ = ["PublishedScore"]
