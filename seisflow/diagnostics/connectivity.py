r"""Connected bodies of CO2, and those that no injection can have made.

body: a set of wet cells (S above :data:`~seisflow.diagnostics.plume.DRY`) connected by faces, as large as can be.
Faces, because two-point fluxes pass through them: CO2 cannot cross a corner. In 2-D a cell has four neighbours, in 3-D six.

reachable: cells where CO2 can be by what is known before the data: those that a member of the forecast wets, and the
perforations of the injectors.

ghost: a wet cell from which no path through wet or reachable cells leads to a reachable one. Its body then neither holds nor
touches a reachable cell, so it is part of no plume that starts at a well.

ghost share of a member, with m_c = φ V ρ_n(p_c) S_c the mass of a cell:

    g = Σ_{c ghost} m_c / Σ_c m_c .

Cells below the threshold are in no body. Their mass counts below the line alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seisflow.diagnostics.plume import DRY
from seisflow.errors import InputError

__all__ = ["bodies", "ghost_share", "ghosts"]


def bodies(saturation: NDArray, threshold: float = DRY) -> NDArray[np.int64]:
    """Number of connected wet bodies of every member, ``(M,)``.

    Parameters
    ----------
    saturation
        CO2 saturation S [-], ``(M, *shape)`` in two or three dimensions.
    threshold
        Saturation above which a cell is wet [-].
    """
    labels, _ = _labelled(_wet(saturation, threshold))
    return np.array([np.count_nonzero(np.unique(member)) for member in labels], np.int64)


def ghosts(saturation: NDArray, reachable: NDArray[np.bool_], threshold: float = DRY) -> NDArray[np.bool_]:
    """Wet cells of bodies that neither hold nor touch a reachable cell, ``(M, *shape)``.

    Parameters
    ----------
    saturation
        CO2 saturation S [-], ``(M, *shape)`` in two or three dimensions.
    reachable
        Cells that a member of the forecast wets and cells that an injector perforates, ``shape``.
    threshold
        Saturation above which a cell is wet [-].

    Raises
    ------
    InputError
        When a saturation is not a number, or the shapes do not agree.
    """
    wet, known = _wet(saturation, threshold), np.asarray(reachable)
    if known.dtype != bool or known.shape != wet.shape[1:]:
        raise InputError("reachable", (known.dtype, known.shape), f"give a mask of {wet.shape[1:]}")
    labels, number = _labelled(wet | known)
    connected = np.zeros(number + 1, bool)
    connected[labels[:, known]] = True
    return wet & ~connected[labels]


def ghost_share(mass: NDArray, ghost: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each member's CO2 that lies in ghost cells, ``(M,)``; 0 for a member without CO2.

    Parameters
    ----------
    mass
        Mass of CO2 of every cell [kg], ``(M, *shape)``.
    ghost
        As :func:`ghosts` finds them, the same shape.
    """
    if mass.shape != ghost.shape:
        raise InputError("ghost.shape", ghost.shape, f"it must be that of the mass, {mass.shape}")
    members = len(mass)
    total = mass.reshape(members, -1).sum(axis=1)
    in_ghosts = np.where(ghost, mass, 0.0).reshape(members, -1).sum(axis=1)
    return np.divide(in_ghosts, total, out=np.zeros(members), where=total > 0)


def _wet(saturation: NDArray, threshold: float) -> NDArray[np.bool_]:
    if saturation.ndim not in (3, 4):
        raise InputError("saturation.shape", saturation.shape, "it must be (members, x, z) or (members, x, y, z)")
    if np.isnan(saturation).any():
        raise InputError("saturation", "not a number in some cells", "give finite saturations")
    return np.asarray(saturation > threshold)


def _labelled(cells: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Labels of the bodies of all members, no two members sharing one; 0 outside; and how many there are."""
    neighbours = ndimage.generate_binary_structure(cells.ndim, 1)
    neighbours[[0, 2]] = False  # the first axis are the members: no body reaches from one to the next
    labels, number = ndimage.label(cells, neighbours)
    return labels, number
