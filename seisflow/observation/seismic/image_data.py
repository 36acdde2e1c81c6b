r"""What a seismic image is as a datum: its description, the arrays it can be made from, and the work of simulating it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.base import Work
from seisflow.observation.data import DataField, FileArray, cell_positions, grid_axes
from seisflow.observation.files.shot_records import ShotRecords, check_records
from seisflow.observation.seismic.simulator import SeismicSettings
from seisflow.observation.waves.survey import Survey

__all__ = ["image_field", "image_work", "survey_records"]


def image_field(grid: Grid, noisy: bool) -> DataField:
    """An image on a grid's cells in units of its noise, which files may also give as shot records."""
    return DataField(
        grid_axes(grid),
        label="seismic image, in units of the noise",
        positions=cell_positions(grid),
        noise_std=1.0 if noisy else None,
        dtype=np.float32,
        instead=("records",),
    )


def survey_records(arrays: Mapping[str, FileArray | NDArray], survey: Survey) -> NDArray[np.float32]:
    """The array ``records`` in the order of a survey's sources and receivers, ``(n_sources, n_samples, n_receivers)``.

    Raises
    ------
    InputError
        When there is an image as well, or the records are not of this survey.
    """
    given = FileArray.of(arrays["records"])
    if "image" in arrays:
        remedy = f"the image in {FileArray.of(arrays['image']).source} is the same datum; name one of the two"
        raise InputError("data", given.source, remedy)
    return check_records(ShotRecords.of(given), survey, given.source)


def image_work(settings: SeismicSettings, experiment: str) -> Work:
    """The work of one member's image.

    Parameters
    ----------
    settings
        Of the simulator; its wave operators are laid out, and not compiled.
    experiment
        What an experiment is called.
    """
    propagator, grid, n = settings.propagator(), settings.wave_grid, settings.encoding.n_experiments
    nodes = math.prod(length + 2 * propagator.layer for length in grid.shape)
    memory = ((propagator.n_steps - 1) // propagator.every + 1) * propagator.frame_bytes * n
    shape, spacing = " × ".join(map(str, grid.shape)), " × ".join(f"{h:g}" for h in grid.spacing)
    return Work(
        members=1,
        noise=0,
        experiments=n,
        nodes=nodes,
        steps=propagator.n_steps,
        memory=memory if settings.memory is None else min(memory, int(settings.memory)),
        experiment=experiment,
        text=f"{shape} nodes of {spacing} m ({nodes} with the absorbing layer), {propagator.n_steps} time steps, "
        f"{n} {experiment} a member",
    )
