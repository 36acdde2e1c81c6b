import numpy as np
import pytest
import zarr

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SeisflowError
from seisflow.store import Stage, Store


def stage(rng):
    fields = {"saturation": rng.standard_normal((3, 4, 5)), "image": rng.standard_normal((3, 4, 5)).astype(np.float32)}
    return Stage(
        Ensemble(fields, 12.5), {"statistics": {"a": np.float64(2.0), "b": [1, 2]}}, {"w": np.ones((2, 2), "f4")}
    )


def test_that_a_stage_comes_back_bit_for_bit(tmp_path, rng):
    kept = stage(rng)
    Store(tmp_path / "run", {"saturation": ("x", "z")}).keep("flow/survey_1/posterior", kept)
    back = Store(tmp_path / "run").find("flow/survey_1/posterior")
    assert back.ensemble.time == 12.5
    assert back.ensemble.names == kept.ensemble.names
    for name in kept.ensemble.names:
        assert back.ensemble[name].dtype == kept.ensemble[name].dtype
        np.testing.assert_array_equal(back.ensemble[name], kept.ensemble[name])
    assert back.attributes["statistics"] == {"a": 2.0, "b": [1, 2]}
    np.testing.assert_array_equal(back.weights["w"], kept.weights["w"])


def test_that_a_stage_is_computed_once_and_not_kept_when_it_fails(tmp_path, rng):
    store, calls = Store(tmp_path / "run"), []

    def compute():
        calls.append(1)
        return stage(rng)

    def fail():
        raise SeisflowError("no")

    store.stage("a", compute)
    again = store.stage("a", compute)
    assert len(calls) == 1
    assert again.seconds >= 0
    with pytest.raises(SeisflowError, match="no"):
        store.stage("b", fail)
    assert store.find("b") is None


def test_that_arrays_carry_the_names_of_their_axes(tmp_path, rng):
    Store(tmp_path / "run", {"saturation": ("x", "z")}).keep("s", stage(rng))
    group = zarr.open_group(tmp_path / "run" / "stages.zarr" / "s", mode="r")
    assert group["saturation"].metadata.dimension_names == ("member", "x", "z")


def test_that_a_damaged_stage_is_named_and_the_others_stay(tmp_path, rng):
    store = Store(tmp_path / "run")
    store.keep("good", stage(rng))
    store.keep("bad", stage(rng))
    (tmp_path / "run" / "stages.zarr" / "bad" / "saturation" / "zarr.json").write_text("{")
    again = Store(tmp_path / "run")
    with pytest.raises(SeisflowError, match="stage 'bad'"):
        again.find("bad")
    assert again.find("good") is not None


def test_that_a_stage_half_written_by_a_killed_run_does_not_count(tmp_path, rng):
    store = Store(tmp_path / "run")
    store.keep("a", stage(rng))
    (tmp_path / "run" / "stages.zarr" / "a").rename(tmp_path / "run" / "stages.zarr" / ".half")
    assert Store(tmp_path / "run").find("a") is None


def test_that_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="out"):
        Store(tmp_path / "file")
