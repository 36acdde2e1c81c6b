"""Real input that ships with the package; ``README.md`` beside this file names the sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid

__all__ = ["Section", "load_section"]


@dataclass(frozen=True, eq=False)
class Section:
    """A velocity and density section.

    Parameters
    ----------
    grid
        Its cells.
    velocity
        P-wave velocity v_p [m/s], ``grid.shape``.
    density
        Bulk density ρ [kg/m³], ``grid.shape``.

    Raises
    ------
    InputError
        When a value is not finite or not positive, or a shape is not the grid's.
    """

    grid: Grid
    velocity: NDArray[np.float64]
    density: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, array in (("velocity", self.velocity), ("density", self.density)):
            if array.shape != self.grid.shape:
                raise InputError(f"{name}.shape", array.shape, f"it must be the grid's {self.grid.shape}")
            bad = ~(np.isfinite(array) & (array > 0))
            if bad.any():
                where = tuple(int(i) for i in np.argwhere(bad)[0])
                raise InputError(
                    name, float(array[where]), f"cell {where} and {int(bad.sum()) - 1} others are not positive numbers"
                )


def load_section(file: str | Path) -> Section:
    """Read a section from an ``.npz`` file, or the packaged one by its name ``"compass_slice"``.

    The file holds ``velocity`` [km/s], ``density`` [g/cm³] with axes (x, z) and ``spacing`` (hx, hz) [m]; the section
    starts at x = 0 and at depth 0.

    Raises
    ------
    InputError
        When the file is missing, is not such a file, or holds values that are no velocities.
    """
    path = Path(__file__).parent / "compass_slice.npz" if str(file) == "compass_slice" else Path(file)
    if not path.is_file():
        raise InputError("file", str(path), 'no such file; give an .npz file, or "compass_slice" for the packaged one')
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key].astype(np.float64) for key in ("velocity", "density", "spacing")}
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            "file", str(path), f"it must hold the arrays velocity, density and spacing ({error})"
        ) from error
    velocity, density = arrays["velocity"], arrays["density"]
    if velocity.ndim != 2:
        raise InputError("velocity.shape", velocity.shape, "a section has two axes (x, z)")
    spacing = tuple(float(h) for h in arrays["spacing"][:2])
    return Section(Grid(velocity.shape, spacing), 1e3 * velocity, 1e3 * density)
