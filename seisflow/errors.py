"""The exceptions of seisflow.

Wrong input raises :class:`InputError`, which names the argument, shows the value and tells the remedy. A fault of an
engine (Julia, training) raises its own class. All of them are a :class:`SeisflowError`, so one ``except`` catches them.
"""

from __future__ import annotations

__all__ = [
    "InputError",
    "JuliaError",
    "JuliaNotFoundError",
    "SeisflowError",
    "SimulationError",
    "StorageError",
    "TrainingError",
]


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

    def __reduce__(self) -> tuple[type, tuple[str, object, str]]:  # it may be raised in another process
        return type(self), (self.argument, self.value, self.remedy)


class SimulationError(SeisflowError, RuntimeError):
    """Too many members failed in a simulator; the message lists their reasons."""


class StorageError(SeisflowError):
    """A part of a run could not be written: the message names it and the remedy."""


class TrainingError(SeisflowError, RuntimeError):
    """The training of a network broke down (not-a-number, explosion) and could not be rescued."""


class JuliaError(SeisflowError, RuntimeError):
    """Julia threw an exception, or its worker was ended.

    Attributes
    ----------
    message
        Julia's own message.
    stack
        Julia's stack at the throw; empty where Julia could not say.
    member, step
        Which member threw, in which of its time steps (from 1; 0: unknown or before the first); ``None``: none of them.
    """

    def __init__(self, message: str, stack: str = "", member: int | None = None, step: int | None = None) -> None:
        self.message, self.stack, self.member, self.step = message, stack, member, step
        super().__init__(message, stack, member, step)

    def __str__(self) -> str:
        where = (
            "" if self.member is None else f"member {self.member}" + (f", step {self.step}: " if self.step else ": ")
        )
        return where + self.message + (f"\n{self.stack}" if self.stack else "")


class JuliaNotFoundError(SeisflowError, RuntimeError):
    """No usable Julia: the message says what was looked for, where, and the remedy."""
