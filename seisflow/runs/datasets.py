r"""A stage of a run as an xarray dataset: axes, coordinates and units as in its NetCDF file, arrays mapped from the disk."""

from __future__ import annotations

import numpy as np
import xarray
import zarr

from seisflow.runs.stage_variables import plain_attributes, stage_variables
from seisflow.storage.store import Store

__all__ = ["stage_dataset"]


def stage_dataset(store: Store, name: str) -> xarray.Dataset:
    """A stage as a dataset; its fields are mapped from the disk, read-only, and take memory only where they are used.

    Parameters
    ----------
    store
        The stages of a run.
    name
        Of a stage that is there.

    Raises
    ------
    DamagedStageError
        When the stage is not as it was written.
    """
    stage = store.find(name)  # compares its checksums
    assert stage is not None, name
    group = zarr.open_group(store.root / name, mode="r")
    variables = stage_variables(group)
    fields = {
        key: (variables[key].axes, array, dict(variables[key].attributes))
        for key, array in stage.ensemble.fields.items()
    }
    coordinates = {
        key: (one.axes, np.asarray(one.array[...]), dict(one.attributes))
        for key, one in variables.items()
        if key not in fields
    }
    return xarray.Dataset(fields, coordinates, plain_attributes(group))
