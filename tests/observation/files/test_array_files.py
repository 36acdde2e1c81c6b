"""Arrays from files: what is lost or too large is refused, not read as something else."""

import json

import numpy as np
import pytest
import zarr

from seisflow.errors import InputError
from seisflow.observation.files.array_files import read_arrays


def test_that_a_lost_chunk_is_no_zero(tmp_path):
    group = zarr.open_group(tmp_path / "logs.zarr", mode="w")
    group.create_array("well_pressure", shape=(2, 16), chunks=(1, 16), dtype="f8")[...] = 1e5
    np.testing.assert_array_equal(read_arrays(tmp_path / "logs.zarr")["well_pressure"].values, 1e5)
    (tmp_path / "logs.zarr" / "well_pressure" / "c" / "1" / "0").unlink()
    with pytest.raises(InputError, match=r"1 of 2 chunks of well_pressure are missing and would be read as 0\.0: copy"):
        read_arrays(tmp_path / "logs.zarr")


def test_that_zeros_that_were_written_are_zeros(tmp_path):
    group = zarr.open_group(tmp_path / "logs.zarr", mode="w")
    array = group.create_array("x", shape=(4,), chunks=(2,), dtype="f8", config={"write_empty_chunks": True})
    array[...] = 0.0
    np.testing.assert_array_equal(read_arrays(tmp_path / "logs.zarr")["x"].values, 0.0)


def test_that_a_few_bytes_do_not_ask_for_all_memory(tmp_path):
    folder = tmp_path / "bomb.zarr"
    (folder / "unrelated").mkdir(parents=True)
    (folder / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    array = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [2_500_000_000],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1_000_000_000]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        "storage_transformers": [],
    }
    (folder / "unrelated" / "zarr.json").write_text(json.dumps(array))
    with pytest.raises(InputError, match=r"unrelated .* takes 20 GB"):
        read_arrays(folder)
