"""Stages on a disk: what comes back, what is refused, and what happens when the disk does not do its part."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SeisflowError, StorageError
from seisflow.grid import Grid
from seisflow.observation import DataField, Wells
from seisflow.observation.data import grid_axes
from seisflow.storage.axes import Axes
from seisflow.storage.errors import DamagedStageError
from seisflow.storage.partial import StoredPartialStage, describe
from seisflow.storage.store import Stage, Store
from seisflow.storage.zarr_files import MemberFile, array_metadata
from seisflow.study.axes import study_axes


def stage(rng, members=3):
    fields = {
        "saturation": rng.standard_normal((members, 4, 5)),
        "image": rng.standard_normal((members, 4, 5)).astype(np.float32),
    }
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


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", ">f8", "complex64"])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (1, 2, 3, 4)])
def test_that_zarr_reads_the_file_of_an_array_as_we_do(tmp_path, rng, dtype, shape):
    values = (100 * rng.standard_normal(shape)).astype(dtype)
    axes = [f"axis_{i}" for i in range(len(shape))]
    file = MemberFile(tmp_path / "a", shape, values.dtype.newbyteorder("<"))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "zarr.json").write_text(json.dumps(array_metadata(shape, file.dtype, axes)))
    file.allocate()
    for member in reversed(range(shape[0])):  # in any order
        file.write([member], values[member : member + 1])
    array = zarr.open_array(tmp_path / "a", mode="r")
    np.testing.assert_array_equal(array[...], values)
    np.testing.assert_array_equal(array[shape[0] - 1], values[-1])  # one member, by the shard's index
    np.testing.assert_array_equal(file.open(), values)
    assert file.faults() == []
    assert file.path.stat().st_size == file.size


def test_that_the_arrays_of_a_kept_stage_are_mapped_and_cannot_be_changed(tmp_path, rng):
    kept = Store(tmp_path / "run").keep("a", stage(rng))
    with pytest.raises(ValueError, match="read-only"):
        kept.ensemble["saturation"][0] = 0.0
    with Path("/proc/self/maps").open() as maps:
        assert str(tmp_path / "run" / "stages.zarr" / "a" / "saturation") in maps.read()


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


def test_that_xarray_opens_a_stage_and_a_run_with_dimensions_coordinates_and_units(tmp_path, rng):
    xarray = pytest.importorskip("xarray")
    grid = Grid((4, 5), (100.0, 20.0), (300.0, 446.0))
    data = {**Wells(grid, (450.0, 550.0), np.zeros(grid.shape)).data, "image": DataField(grid_axes(grid))}
    store = Store(tmp_path / "run", Axes(**study_axes(grid, data)))
    store.describe({"seed": 3, "survey_times_s": [12.5]})
    kept = stage(rng)
    store.keep("flow/survey_1/posterior", kept)
    wells = {"well_pressure": rng.standard_normal((3, 2, 5))}
    store.keep("flow/survey_1/predicted", Stage(Ensemble(wells, 12.5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(tmp_path / "run" / "stages.zarr" / "flow" / "survey_1" / "posterior")
    assert opened.saturation.dims == ("member", "x", "z")
    assert opened.saturation.attrs["units"] == "1"
    np.testing.assert_array_equal(opened.x, grid.centres(0))
    np.testing.assert_array_equal(opened.z, grid.centres(1))
    assert opened.z.attrs["units"] == "m"
    np.testing.assert_array_equal(opened.member, [0, 1, 2])
    assert opened.attrs["time_s"] == 12.5
    np.testing.assert_array_equal(opened.image.sel(member=1), kept.ensemble["image"][1])
    run = xarray.open_datatree(tmp_path / "run" / "stages.zarr", engine="zarr", consolidated=False)
    assert run.attrs["seed"] == 3
    assert run.attrs["survey_times_s"] == [12.5]
    np.testing.assert_array_equal(run["flow/survey_1/posterior/saturation"], kept.ensemble["saturation"])
    np.testing.assert_array_equal(run["flow/survey_1/predicted/well_pressure"].well, [450.0, 550.0])


# -- a disk that does not do its part --------------------------------------------------------------------------------


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 9)


def flip(file: Path, place: int = 100) -> None:
    data = bytearray(file.read_bytes())
    data[min(place, len(data) - 1)] ^= 1
    file.write_bytes(data)


DAMAGE = {
    "a truncated chunk": lambda run: truncate(run / "stages.zarr/bad/saturation/c.0.0.0"),
    "a bit of a chunk": lambda run: flip(run / "stages.zarr/bad/image/c.0.0.0"),
    "a lost chunk": lambda run: (run / "stages.zarr/bad/image/c.0.0.0").unlink(),
    "a chunk that is a folder": lambda run: (
        (run / "stages.zarr/bad/image/c.0.0.0").unlink(),
        (run / "stages.zarr/bad/image/c.0.0.0").mkdir(),
    ),
    "a bit of an array's metadata": lambda run: flip(run / "stages.zarr/bad/image/zarr.json"),
    "broken metadata": lambda run: (run / "stages.zarr/bad/saturation/zarr.json").write_text("{"),
    "a changed attribute": lambda run: (run / "stages.zarr/bad/zarr.json").write_text(
        (run / "stages.zarr/bad/zarr.json").read_text().replace('"a": 2.0', '"a": 3.0')
    ),
    "a lost group": lambda run: (run / "stages.zarr/bad/zarr.json").unlink(),
    "a bit of the weights": lambda run: flip(run / "weights/bad.safetensors", 10**9),
    "lost weights": lambda run: (run / "weights/bad.safetensors").unlink(),
    "a bit of a coordinate": lambda run: flip(run / "stages.zarr/bad/member/c.0"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_that_damage_is_found_named_and_repaired_on_request_only(tmp_path, rng, what):
    run = tmp_path / "run"
    good, bad = stage(rng), stage(rng)
    Store(run).keep("good", good)
    Store(run).keep("bad", bad)
    DAMAGE[what](run)
    again = Store(run)
    with pytest.raises(DamagedStageError, match=r"stage 'bad' is damaged.*--repair"):
        again.stage("bad", lambda: bad)
    np.testing.assert_array_equal(again.find("good").ensemble["image"], good.ensemble["image"])
    repaired = Store(run, repair=True).stage("bad", lambda: bad)
    np.testing.assert_array_equal(repaired.ensemble["saturation"], bad.ensemble["saturation"])
    assert len(list((run / "damaged").glob("bad-*"))) >= 1  # nothing is thrown away
    np.testing.assert_array_equal(Store(run).find("bad").weights["w"], bad.weights["w"])


def test_that_a_stage_that_was_not_renamed_into_place_does_not_count(tmp_path, rng):
    Store(tmp_path / "run").keep("a", stage(rng))
    (tmp_path / "run" / "stages.zarr" / "a").rename(tmp_path / "run" / "drafts" / "a")
    assert Store(tmp_path / "run").find("a") is None


def test_that_members_in_the_journal_are_kept_and_others_are_not(tmp_path, rng):
    rows = rng.standard_normal((5, 4))
    partial = StoredPartialStage(tmp_path / "a", 5)
    partial.write([0, 3], {"x": rows[[0, 3]]}, attempt=0)
    partial.write([1], {}, attempt=0, failed={1: "why"})
    partial.files["x"].write([4], rows[[4]])  # written, but the process died before it said so
    with partial.journal.open("a") as journal:
        journal.write('{"members": [4], "fie')
    again = StoredPartialStage(tmp_path / "a", 5)
    assert again.done == {0, 1, 3}
    assert [dict(e.notes["failed"]) for e in again.entries if "failed" in e.notes] == [{"1": "why"}]
    np.testing.assert_array_equal(again.fields()["x"][[0, 3]], rows[[0, 3]])
    flip(again.files["x"].path, 3 * 32)  # a bit of member 3
    assert StoredPartialStage(tmp_path / "a", 5).done == {0, 1}
    assert StoredPartialStage(tmp_path / "a", 6).done == set()  # of another ensemble


def test_that_a_journal_from_a_stranger_writes_nowhere_else_and_does_not_hang(tmp_path, rng):
    rows = rng.standard_normal((5, 4))
    good = StoredPartialStage(tmp_path / "good", 6)
    good.write(range(5), {"pressure": rows})
    head, line = good.journal.read_text().splitlines()
    precious = tmp_path / "another_run" / "c.0.0"
    precious.parent.mkdir()
    precious.write_bytes(b"precious " * 100)
    wrong = [
        line.replace("3, 4]", "3, 9]"),  # a member beyond the last: its bytes were read for ever
        line.replace("[0, 1", "[-1, 1"),
        line.replace("[0, 1", "[true, 1"),
        line.replace('"pressure"', '"../../another_run"'),
        line.replace('"pressure"', json.dumps(str(tmp_path / "another_run"))),
        line.replace('"float64"', '"object"'),
        line.replace('{"seconds"', '[{"seconds"').replace("}}", "}]}"),
        json.dumps({"members": [0], "fields": ["pressure"], "notes": {}}),
    ]
    for text in wrong:
        assert text != line
        (tmp_path / "a.journal").write_text(f"{head}\n{text}\n")
        assert StoredPartialStage(tmp_path / "a", 6).done == set()  # begun anew
        assert precious.read_bytes() == b"precious " * 100
    assert {path.name for path in tmp_path.iterdir()} == {"a", "a.journal", "another_run", "good", "good.journal"}


def test_that_members_written_elsewhere_count_only_when_they_are_seen_here_as_written(tmp_path, rng):
    rows = {"x": rng.standard_normal((2, 4))}
    partial = StoredPartialStage(tmp_path / "a", 5)
    target = partial.target()
    assert target.reachable()
    target.write([1, 2], rows)
    flip(tmp_path / "a" / "x" / "c.0.0", 32)  # a bit of member 1 did not arrive
    assert not partial.take([1, 2], describe(rows))
    assert partial.done == set()
    target.write([1, 2], rows)
    assert partial.take([1, 2], describe(rows))
    np.testing.assert_array_equal(StoredPartialStage(tmp_path / "a", 5).fields()["x"][1:3], rows["x"])
    (tmp_path / "a.journal").write_text('{"token": "of another run", "members": 5}\n')
    assert not target.reachable()


def limited(store: Store, name: str, what: Stage, largest_file: int) -> None:
    """Keep a stage while the system lets no file grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, before[1]))
    try:
        store.keep(name, what)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("largest_file", [0, 200, 1000])
def test_that_a_file_that_may_not_grow_gives_one_error_and_loses_no_stage(tmp_path, rng, largest_file):
    store = Store(tmp_path / "run")
    first, second = stage(rng), stage(rng, members=40)
    store.keep("first", first)
    with pytest.raises(StorageError, match=r"stage 'second' could not be written .* raise the limit .* same command"):
        limited(store, "second", second, largest_file)
    again = Store(tmp_path / "run")
    assert again.find("second") is None
    np.testing.assert_array_equal(again.find("first").ensemble["image"], first.ensemble["image"])
    again.keep("second", second)
    np.testing.assert_array_equal(Store(tmp_path / "run").find("second").ensemble["image"], second.ensemble["image"])


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB; needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("no right to mount a small disk here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_that_a_full_disk_gives_one_error_and_the_run_goes_on_when_there_is_space(small_disk, rng):
    store, kept = Store(small_disk / "run"), stage(rng)
    store.keep("first", kept)
    (small_disk / "ballast").write_bytes(bytes(100_000))
    big = Stage(Ensemble({"saturation": rng.standard_normal((20, 1000))}))  # 160 kB do not fit beside the ballast
    with pytest.raises(StorageError, match=r"stage 'second' .*the disk is full: free some space"):
        store.keep("second", big)
    assert store.find("second") is None
    np.testing.assert_array_equal(Store(small_disk / "run").find("first").ensemble["image"], kept.ensemble["image"])
    (small_disk / "ballast").unlink()
    store.keep("second", big)
    np.testing.assert_array_equal(
        Store(small_disk / "run").find("second").ensemble["saturation"], big.ensemble["saturation"]
    )


def filled(store: Store, rows: np.ndarray, begun: list[int], before=None) -> Stage:
    """A stage that is filled three members at a time; ``before`` is called before each."""

    def compute(partial):
        for first in range(0, len(rows), 3):
            members = [m for m in range(first, min(first + 3, len(rows))) if m not in partial.done]
            if members:
                if before is not None:
                    before(first)
                begun.append(first)
                partial.write(members, {"x": rows[members]})
        return {}

    return store.fill("filled", len(rows), 1.0, compute)


def test_that_a_disk_that_fills_up_in_the_middle_of_a_stage_loses_no_member(small_disk, rng):
    rows, begun = rng.standard_normal((9, 1000)), []

    def fill_the_disk(first: int) -> None:
        if first == 6:
            ballast = os.open(small_disk / "ballast", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while os.write(ballast, bytes(4096)):
                    pass
            os.close(ballast)

    with pytest.raises(StorageError, match=r"stage 'filled' .*the disk is full"):
        filled(Store(small_disk / "run"), rows, begun, fill_the_disk)
    (small_disk / "ballast").unlink()
    stage = filled(Store(small_disk / "run"), rows, begun)
    np.testing.assert_array_equal(stage.ensemble["x"], rows)
    assert begun == [0, 3, 6]  # the last members found the space that was reserved for them


def test_that_no_space_for_a_stage_is_found_at_its_first_members(small_disk, rng):
    rows, begun = rng.standard_normal((60, 1000)), []  # 480 kB
    with pytest.raises(StorageError, match=r"stage 'filled' .*the disk is full"):
        filled(Store(small_disk / "run"), rows, begun)
    assert begun == [0]


def test_that_a_disk_that_became_read_only_gives_one_error_and_can_still_be_read(small_disk, rng):
    store, kept = Store(small_disk / "run"), stage(rng)
    store.keep("first", kept)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match=r"stage 'second' .*can only be read: mount it for writing"):
        store.keep("second", kept)
    with pytest.raises(InputError, match=r"cannot be written to \(Read-only file system\)"):
        Store(small_disk / "run")
    read = Store(small_disk / "run", readonly=True)
    np.testing.assert_array_equal(read.find("first").ensemble["image"], kept.ensemble["image"])


def test_that_a_folder_without_permission_is_refused():
    script = """
import os, sys
from seisflow.errors import InputError
from seisflow.storage.store import Store
if os.getuid() == 0:  # whom no permission stops
    os.setuid(65534)
try:
    Store(sys.argv[1])
except InputError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        said = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
        Path(folder).chmod(0o755)
    assert "the run folder cannot be written to (Permission denied)" in said.stdout


def test_that_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="out"):
        Store(tmp_path / "file")


def test_that_a_folder_without_a_run_cannot_be_opened_for_reading(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        Store(tmp_path, readonly=True)
