"""The process that computes tasks of another one: a function and its arguments in, what it returned or raised out.

    python -P worker.py CHANNEL

CHANNEL is the number of an open socket. It is run by its path, and knows nothing of seisflow before it is told where the
other process looks for modules: the main module of that process, a script or a notebook, is never imported here.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Any

__all__ = ["receive", "send"]

PATIENCE = 1.0
"""Seconds that a task has to come to its end when nobody waits for it any more."""


def send(channel: socket.socket, message: bytes) -> None:
    """Send a message: its length as eight bytes, then its bytes."""
    channel.sendall(len(message).to_bytes(8, "big"))
    channel.sendall(message)


def receive(channel: socket.socket) -> bytearray:
    """The next message.

    Raises
    ------
    EOFError
        The other side has ended.
    """
    return _exactly(channel, int.from_bytes(_exactly(channel, 8), "big"))


def _exactly(channel: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = channel.recv_into(rest)
        if count == 0:
            raise EOFError
        rest = rest[count:]
    return data


class _Task:
    """Whether a task is under way; the thread that waits for the parent's end asks."""

    under_way = False


def _end_with_parent(channel: socket.socket, task: _Task) -> None:
    """End this process when the other side of the channel is gone, however that ended, and whatever is done here.

    A task is interrupted, with the compiler that it may wait for, so that it takes back its lock on Devito's cache.
    """
    poll = select.poll()
    poll.register(channel, 0)  # nothing but the hang-up
    poll.poll()
    if task.under_way:
        os.killpg(os.getpid(), signal.SIGINT)
    time.sleep(PATIENCE)
    os._exit(1)


def _answer(message: bytearray) -> bytes:
    """What becomes of a task: a word (``"returned"``, ``"raised"``, ``"unreadable"``), a value, and a stack."""
    try:
        function, row = pickle.loads(message)
    except Exception as error:
        return pickle.dumps(("unreadable", f"{type(error).__name__}: {error}", ""))
    try:
        return pickle.dumps(("returned", function(*row), ""), pickle.HIGHEST_PROTOCOL)
    except KeyboardInterrupt:  # ours
        raise
    except BaseException as error:
        return pickle.dumps(("raised", _portable(error), traceback.format_exc()))


def _portable(error: BaseException) -> BaseException:
    """The error, or where that cannot travel, one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def main(number: str) -> None:
    """Compute tasks until the other side has ended."""
    channel, task = socket.socket(fileno=int(number)), _Task()
    channel.set_inheritable(False)
    threading.Thread(target=_end_with_parent, args=(channel, task), name="seisflow-parent", daemon=True).start()
    try:
        path: list[Any] = pickle.loads(receive(channel))
        sys.path[:] = path
        while True:
            message = receive(channel)
            task.under_way = True
            answer = _answer(message)
            task.under_way = False
            send(channel, answer)
            del message, answer  # they are not kept until the next task comes
    except (EOFError, OSError, KeyboardInterrupt):  # nobody waits any more
        return


if __name__ == "__main__":
    main(sys.argv[1])
