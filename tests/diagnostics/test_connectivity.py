"""Bodies and ghosts of hand-made plumes whose answer is read off the page."""

import numpy as np
import pytest

from seisflow.diagnostics.connectivity import bodies, ghost_share, ghosts
from seisflow.errors import InputError


def drawn(*rows: str) -> np.ndarray:
    """A mask from a drawing: ``#`` is a cell of it."""
    return np.array([[cell == "#" for cell in row] for row in rows])


TWO_AND_A_CORNER = drawn(
    "##..#",
    ".....",
    "..#..",
    ".#..#",
)
"""Five bodies: the pair, the lone cell, two cells that meet in a corner, the last."""


def test_bodies_are_connected_by_faces_not_by_corners():
    member = TWO_AND_A_CORNER * 0.5
    assert bodies(np.stack([member, np.zeros_like(member), np.ones_like(member)])).tolist() == [5, 0, 1]


def test_members_are_not_neighbours_of_each_other():
    same = np.zeros((3, 4, 4))
    same[:, 1, 1] = 0.3
    assert bodies(same).tolist() == [1, 1, 1]
    reachable = np.zeros((4, 4), bool)
    first, lone = np.zeros((4, 4)), np.zeros((4, 4))
    first[0, :], lone[3, 3] = 0.3, 0.3
    reachable[0, 0] = True
    third = np.zeros((4, 4))
    third[:, 3] = third[0, :] = 0.3  # links (3, 3) to the reachable corner, in this member alone
    assert ghosts(np.stack([first, lone, third]), reachable).sum(axis=(1, 2)).tolist() == [0, 1, 0]


def test_a_body_is_no_ghost_where_it_holds_or_touches_a_reachable_cell():
    wet = drawn(
        "##...#",
        "......",
        "#..#..",
        "......",
        "....##",
    )
    reachable = drawn(
        ".#....",  # held by the pair
        "......",
        ".#....",  # touched by a face of the cell at its left
        "..#...",  # touched by a corner alone
        "......",
    )
    expected = drawn(
        ".....#",
        "......",
        "...#..",
        "......",
        "....##",
    )
    assert (ghosts(wet[None] * 0.4, reachable)[0] == expected).all()


def test_a_long_way_through_wet_cells_leads_home():
    spiral = drawn(
        "#####",
        "....#",
        "###.#",
        "#...#",
        "#####",
    )
    reachable = np.zeros((5, 5), bool)
    reachable[0, 0] = True
    assert not ghosts(spiral[None] * 0.2, reachable).any()
    cut = spiral.copy()
    cut[4, 2] = False
    behind = drawn(
        ".....",
        ".....",
        "###..",
        "#....",
        "##...",
    )
    assert (ghosts(cut[None] * 0.2, reachable)[0] == behind).all()


def test_cells_below_the_threshold_are_in_no_body():
    faint = np.zeros((1, 3, 3))
    faint[0, 0, 0], faint[0, 2, 2] = 0.01, 0.0101
    assert bodies(faint).tolist() == [1]
    assert np.argwhere(ghosts(faint, np.zeros((3, 3), bool))).tolist() == [[0, 2, 2]]


def test_in_three_dimensions_a_cell_has_six_neighbours():
    volume = np.zeros((1, 3, 3, 3))
    volume[0, 1, 1, 1] = volume[0, 1, 1, 2] = 0.5  # a face
    volume[0, 0, 0, 2] = 0.5  # an edge away from (0, 1, 2), which is dry
    volume[0, 2, 2, 0] = 0.5
    assert bodies(volume).tolist() == [3]
    reachable = np.zeros((3, 3, 3), bool)
    reachable[1, 1, 0] = True
    found = ghosts(volume, reachable)
    assert np.argwhere(found[0]).tolist() == [[0, 0, 2], [2, 2, 0]]


def test_the_share_is_that_of_the_mass():
    mass = np.array([[[3.0, 2.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    ghost = np.array([[[False, True], [False, False]], [[True, False], [False, False]], [[False] * 2] * 2])
    assert ghost_share(mass, ghost).tolist() == [0.25, 1.0, 0.0]  # sums and quotients of powers of two: exact


@pytest.mark.parametrize(
    ("saturation", "reachable", "argument"),
    [
        (np.full((2, 3, 3), np.nan), np.ones((3, 3), bool), "saturation"),
        (np.zeros((3, 3)), np.ones((3,), bool), "saturation.shape"),
        (np.zeros((2, 3, 3)), np.ones((3, 4), bool), "reachable"),
        (np.zeros((2, 3, 3)), np.ones((3, 3)), "reachable"),
    ],
    ids=["not a number", "one field", "another grid", "no mask"],
)
def test_what_cannot_be_judged_is_refused(saturation, reachable, argument):
    with pytest.raises(InputError) as caught:
        ghosts(saturation, reachable)
    assert caught.value.argument == argument


def test_shares_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"ghost\.shape"):
        ghost_share(np.zeros((2, 3, 3)), np.zeros((2, 3, 4), bool))


def test_nothing_is_changed():
    saturation, reachable = np.full((2, 3, 3), 0.5), np.zeros((3, 3), bool)
    ghosts(saturation, reachable)
    assert (saturation == 0.5).all()
    assert not reachable.any()
