r"""Bodies of CO2: wet cells that hang together, by faces, edges or corners, and those that hang on nothing.

CO2 gets to a cell through cells. A body that touches neither the injector nor any cell that a simulated member wets has come
from nowhere: a *ghost*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from seisflow.diagnostics.plume import DRY
from seisflow.errors import InputError

__all__ = ["bodies", "ghosts"]


def bodies(saturation: NDArray, dry: float = DRY) -> NDArray[np.int64]:
    """Number of bodies of every member, ``(M,)``.

    Parameters
    ----------
    saturation
        CO2 saturation [-], ``(M, *shape)``.
    dry
        Saturation above which a cell counts as wet [-].
    """
    return np.array([_labelled(member > dry)[1] for member in saturation], np.int64)


def ghosts(saturation: NDArray, reachable: NDArray, dry: float = DRY) -> NDArray[np.bool_]:
    """Wet cells of bodies that touch no reachable cell, ``(M, *shape)``.

    Parameters
    ----------
    saturation
        CO2 saturation [-], ``(M, *shape)``.
    reachable
        Cells that CO2 can have reached: those that a member of the forecast wets, and the injector's, ``shape``.
    dry
        Saturation above which a cell counts as wet [-].

    Raises
    ------
    InputError
        When the shapes do not fit.
    """
    reachable = np.asarray(reachable, bool)
    if saturation.shape[1:] != reachable.shape:
        raise InputError("reachable.shape", reachable.shape, f"give {saturation.shape[1:]}, one flag a cell")
    found = np.zeros(saturation.shape, bool)
    for i, member in enumerate(saturation):
        wet = member > dry
        if (wet & ~reachable).any():
            numbers, _ = _labelled(wet)
            found[i] = wet & ~np.isin(numbers, numbers[wet & reachable])
    return found


def _labelled(wet: NDArray) -> tuple[NDArray[np.int32], int]:
    numbers, count = label(wet, np.ones((3,) * wet.ndim))
    return numbers, int(count)
