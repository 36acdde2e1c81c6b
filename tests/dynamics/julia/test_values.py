"""Values on their way to a real Julia and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.dynamics.julia.wire import KEPT
from seisflow.errors import InputError, JuliaError


@pytest.fixture(scope="module")
def engine() -> Iterator[JuliaEngine]:
    with JuliaEngine(threads=2) as started:
        yield started


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (5, 3, 2), (2, 1, 3, 4), (0, 3), (2, 3, 1, 2, 2)])
def test_that_arrays_come_back_bit_for_bit(engine: JuliaEngine, dtype: str, shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape, dtype=int))
    raw = np.random.default_rng(3).integers(0, 256, count * np.dtype(dtype).itemsize, dtype=np.uint8)
    if dtype == "bool":
        raw &= 1  # other bytes are not truth values
    sent = raw.view(dtype).reshape(shape)  # random bits: odd NaNs and subnormal numbers too
    before = sent.tobytes()

    back = engine.call("server.echo", {"a": sent})["a"]

    assert back.dtype == sent.dtype
    assert back.shape == sent.shape
    assert back.tobytes() == before == sent.tobytes()


def test_that_arrays_in_any_layout_arrive_by_value(engine: JuliaEngine) -> None:
    base = np.arange(24.0).reshape(2, 3, 4)
    sent = {
        "transposed": base.T,
        "strided": base[:, ::2, 1:],
        "big_endian": base.astype(">f8"),
        "fortran": np.asfortranarray(base),
    }
    back = engine.call("server.echo", sent)
    for key, value in sent.items():
        np.testing.assert_array_equal(back[key], value)


def test_that_julia_sees_the_axes_in_reverse_order(engine: JuliaEngine) -> None:
    sizes = engine.call("server.sizes", {"state": np.zeros((5, 3, 2, 4)), "point": np.zeros(())})
    assert sizes["state"].tolist() == [4, 2, 3, 5]
    assert sizes["point"].size == 0


def test_that_numbers_and_texts_come_back_as_they_are(engine: JuliaEngine) -> None:
    sent = {
        "text": "Grüße, κ = 1 %\n\ttwo  blanks ",
        "empty": "",
        "a key with blanks": 1,
        "tiny": 5e-324,
        "third": 1.0 / 3.0,
        "infinite": float("-inf"),
        "big": -(2**63),
        "yes": True,
        "numpy": np.float64(0.1),
    }
    back = engine.call("server.echo", sent)
    assert back == sent
    assert {key: type(value) for key, value in back.items()}["yes"] is bool
    assert np.isnan(engine.call("server.echo", {"nan": float("nan")})["nan"])


def test_that_results_outlive_the_engine_and_can_be_written(tmp_path: Path) -> None:
    with JuliaEngine(threads=1) as engine:
        back = engine.call("server.echo", {"a": np.arange(5.0)})["a"]
    back += 1.0
    assert back.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", [np.zeros(2, complex), np.array(["a"]), None, [1.0, 2.0]])
def test_that_what_cannot_travel_is_refused_by_name_and_the_engine_goes_on(engine: JuliaEngine, value: object) -> None:
    worker = engine.start().pid
    with pytest.raises(InputError, match=r"inputs\['odd'\]"):
        engine.call("server.echo", {"good": np.zeros(3), "odd": value})  # type: ignore[dict-item]
    assert engine.call("server.echo", {"n": 1}) == {"n": 1}
    assert engine.pid == worker


def test_that_no_reply_and_no_large_input_is_left_in_the_folders_after_calls(engine: JuliaEngine) -> None:
    engine.call("server.echo", {"a": np.zeros(1000)})
    with pytest.raises(JuliaError):
        engine.call("server.fail", {"a": np.zeros(1000)})
    engine.call("server.sizes", {"large": np.zeros(KEPT // 8 + 1)})
    engine.call("server.sizes", {"small": np.zeros(10)})
    session = engine._session
    assert session is not None
    assert session._exchange is not None
    left = {path.name: path.stat().st_size for folder in session._exchange.folders for path in folder.iterdir()}
    assert set(left) == {"owner", "inputs"}
    assert left["inputs"] < KEPT


def test_that_no_thread_count_below_one_is_taken() -> None:
    with pytest.raises(InputError, match="threads = 0"):
        JuliaEngine(threads=0)
