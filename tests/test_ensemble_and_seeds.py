import numpy as np
import pytest

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.seeds import generator, integer_seed


def test_that_unpack_inverts_pack_and_keeps_dtypes(rng):
    ensemble = Ensemble(
        {
            "a": rng.standard_normal((5, 3, 2)).astype(np.float32),
            "b": rng.standard_normal((5, 4)),
            "c": np.ones((5, 1)),
        },
        7.0,
    )
    packed = ensemble.pack(["b", "a"])
    assert packed.shape == (5, 10)
    back = ensemble.unpack(packed, ["b", "a"])
    assert back.time == 7.0
    for name in ensemble.names:
        assert back[name].dtype == ensemble[name].dtype
        np.testing.assert_array_equal(back[name], ensemble[name])


def test_that_members_of_different_number_are_refused():
    with pytest.raises(InputError, match="same number of members"):
        Ensemble({"a": np.zeros((3, 2)), "b": np.zeros((4, 2))})


def test_that_streams_depend_on_the_address_and_on_nothing_else():
    first = generator(1, "permeability", 2, 17).standard_normal(4)
    generator(1, "permeability", 2, 16).standard_normal(100)
    np.testing.assert_array_equal(first, generator(1, "permeability", 2, 17).standard_normal(4))
    others = [(2, "permeability", 2, 17), (1, "noise", 2, 17), (1, "permeability", 1, 17), (1, "permeability", 2, 18)]
    assert all(not np.array_equal(first, generator(*o).standard_normal(4)) for o in others)
    assert integer_seed(1, "torch") != integer_seed(1, "torch", 1)


def test_that_a_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed"):
        generator(-1, "x")


def test_that_selecting_a_field_that_is_not_there_is_refused_with_what_is():
    with pytest.raises(InputError, match=r"names = \['pressure'\].* saturation"):
        Ensemble({"saturation": np.zeros((2, 3))}).select(["saturation", "pressure"])
