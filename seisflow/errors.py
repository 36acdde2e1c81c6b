"""The exceptions of seisflow.

Wrong input raises :class:`InputError`, which names the argument, shows the value and tells the remedy. A fault of an
engine (Julia, training) raises its own class. All of them are a :class:`SeisflowError`, so one ``except`` catches them.
"""

from __future__ import annotations

__all__ = ["InputError", "JuliaError", "JuliaNotFoundError", "SeisflowError", "SimulationError", "TrainingError"]


class SeisflowError(Exception):
    """Base class of every error that seisflow raises on purpose."""


class InputError(SeisflowError, ValueError):
    """An argument or a study key that cannot be used.

    Parameters
    ----------
    argument
        Name of the argument, or path of the study key (``"grid.shape"``).
    value
        What was given.
    remedy
        What to do about it, as a sentence without the final full stop.
    """

    def __init__(self, argument: str, value: object, remedy: str) -> None:
        self.argument = argument
        self.value = value
        self.remedy = remedy
        super().__init__(f"{argument} = {value!r}: {remedy}.")


class SimulationError(SeisflowError, RuntimeError):
    """Too many members failed in a simulator; the message lists their reasons."""


class TrainingError(SeisflowError, RuntimeError):
    """The training of a network broke down (not-a-number, explosion) and could not be rescued."""


class JuliaError(SeisflowError, RuntimeError):
    """Julia threw an exception; the message carries Julia's own message and stack."""


class JuliaNotFoundError(SeisflowError, RuntimeError):
    """No usable Julia: the message says what was looked for, where, and the remedy."""
