r"""Members on the workers of a ``dask.distributed`` cluster: ``seisflow run … --scheduler tcp://host:8786``.

dask is optional (``pip install 'seisflow[dask]'``) and carries tasks only; what a task is, and where its arrays lie, is
told in :mod:`seisflow.assimilation.tasks`. A worker needs the same seisflow, numpy and torch-free half of its
dependencies, and a Julia; one thread each is best, since a worker computes one block at a time. Versions are compared
before any work: other versions could give other bits.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from seisflow.assimilation.executors import LOST, ExecutorWorkers, lost
from seisflow.assimilation.worker import PickledScenario, forget_scenarios
from seisflow.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster"]

CONNECT_SECONDS = 20
COMPARED = ("seisflow", "numpy", "scipy", "devito")


@contextmanager
def cluster(scheduler: str) -> Iterator[ExecutorWorkers]:
    """The workers of a scheduler.

    Parameters
    ----------
    scheduler
        Its address, such as ``"tcp://host:8786"``.

    Raises
    ------
    InputError
        dask is not installed here, nobody answers at the address, it has no worker, or a worker has other versions.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError("scheduler", scheduler, "it needs dask: pip install 'seisflow[dask]'") from None
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise InputError("scheduler", scheduler, f"no dask scheduler answers there ({error})") from error
    try:
        _check_workers(client, scheduler)
        workers = ExecutorWorkers(
            client.get_executor(pure=False),
            lambda: max(1, len(client.nthreads())),
            lambda scenario: _send(client, scenario),
        )
        try:
            yield workers
        except Exception as error:
            if type(error).__name__ in LOST:  # outside a stage of members: the noise bank, the truth's data
                raise lost(error) from error
            raise
        finally:
            with contextlib.suppress(Exception):  # workers that are gone keep nothing
                client.run(forget_scenarios)
    finally:
        client.close()


def _send(client: Client, scenario: PickledScenario) -> Any:
    """Once to the scheduler, which hands it to workers as they come; unlike scattered data it outlives any worker."""
    return client.submit(_same, scenario, key=f"seisflow-{scenario.token}")


def _same(scenario: PickledScenario) -> PickledScenario:
    return scenario


def _versions() -> dict[str, str]:
    return {name: version(name) for name in COMPARED}


def _check_workers(client: Client, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except Exception as error:
        raise InputError(
            "scheduler", scheduler, f"it has no worker: start some with `dask worker {scheduler}`"
        ) from error
    here = _versions()
    try:
        found: dict[str, dict[str, str]] = client.run(_versions)
    except Exception as error:
        raise InputError("scheduler", scheduler, f"its workers cannot load seisflow ({error})") from error
    for address, there in found.items():
        other = [f"{name} {there[name]} (here {here[name]})" for name in COMPARED if there[name] != here[name]]
        if other:
            raise InputError("scheduler", scheduler, f"the worker {address} has {', '.join(other)}; install the same")
    logging.getLogger("seisflow").info("%d workers at %s", len(found), scheduler)
