"""The map that a page opens with: lines of known shapes, and sentences of known plumes."""

import shutil

import numpy as np
import pytest

from seisflow.ensemble import Ensemble
from seisflow.grid import Grid
from seisflow.report import RunFolder, write_report
from seisflow.report.fields import Fields
from seisflow.report.outlines import LEVELS, Outlines, level_lines
from seisflow.storage.store import Stage, Store
from tests.chromium import Page, executable
from tests.report.runs import made_run

GRID = Grid((101, 81), (10.0, 10.0), (300.0, 1000.0))


def test_that_the_level_line_of_a_cone_is_a_circle():
    x, z = GRID.centres(0)[:, None] - 805.0, GRID.centres(1)[None] - 1405.0
    radius = np.hypot(x, z)
    (line,) = level_lines(1 - radius / 400.0, 0.5, GRID)
    np.testing.assert_array_equal(line[0], line[-1])  # closed
    found = np.hypot(line[:, 0] - 805.0, line[:, 1] - 1405.0)
    # Along an edge of length h the distance r is linear up to h²/(8 r): 10²/(8 · 200) = 0.06 m.
    np.testing.assert_allclose(found, 200.0, atol=0.07)
    assert np.ptp(np.arctan2(line[:, 1] - 1405.0, line[:, 0] - 805.0)) > 6.2  # all the way round


def test_that_cells_of_exactly_the_level_are_inside():
    values = np.zeros(GRID.shape)
    values[20:41, 30:51] = 0.5
    (line,) = level_lines(values, 0.5, GRID)
    # Centres of the outermost cells of the square, and nothing of their neighbours.
    np.testing.assert_allclose([line.min(axis=0), line.max(axis=0)], [[505, 1305], [705, 1505]], atol=1e-6)
    assert level_lines(values, 0.6, GRID) == []


def test_that_a_grid_of_one_layer_has_no_lines():
    assert level_lines(np.ones((5, 1)), 0.5, Grid((5, 1), (10.0, 10.0))) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose last posterior of the EnKF is made by hand: boxes of CO2, and one member's body far above."""
    folder = made_run(tmp_path_factory.mktemp("outlines") / "run")
    found = RunFolder(folder)
    grid, stage = found.grid, found.store.find("enkf/survey_3/posterior")
    S = np.zeros((11, *grid.shape))
    S[:, 18:22, 18:24] = 0.5  # all members
    S[:5, 16:18, 18:24] = 0.5  # five of eleven
    S[0, 5:8, 2:4] = 0.3  # one of eleven, at 550 m
    true = found.truth(2)
    wet = np.zeros((1, *grid.shape))
    wet[:, 16:24, 18:24] = 0.5  # half of it where all members have CO2, a quarter where five, a quarter where none
    pressure = np.array(stage.ensemble["pressure"])
    for name, state in (("enkf/survey_3/posterior", {"saturation": S, "pressure": pressure}),
                        ("truth/survey_3", {**true.fields, "saturation": wet})):  # fmt: skip
        kept = found.store.find(name)
        shutil.rmtree(folder / "stages.zarr" / name)
        Store(folder).keep(name, Stage(Ensemble(state, kept.ensemble.time), {"seconds": 1.0}))
    return RunFolder(folder)


def test_that_the_facts_hold_the_lines_of_every_method_and_the_truth(run):
    facts = Outlines(Fields(run)).facts()
    places = {f"{method}/{k}" for method in ("open_loop", "enkf", "truth") for k in (1, 2, 3)}
    assert set(facts) == places
    lines = facts["enkf/3"]["lines"]
    assert len(lines) == len(LEVELS)
    assert [len(level) for level in lines] == [2, 1, 1]  # the body of one member has the thin line alone
    x, z = run.grid.centres(0), run.grid.centres(1)
    middle, thick, true = (np.reshape(line, (-1, 2)) for line in (lines[1][0], lines[2][0], facts["truth/3"][0]))
    h = run.grid.spacing[0]
    # P falls from 1 to 5/11 at the left side of the common box, to 0 at its right; the level lies linearly between.
    assert thick[:, 0].min() == pytest.approx(x[18] - h * (1 - 0.95) / (1 - 5 / 11), abs=0.06)  # written to 0.1 m
    assert thick[:, 0].max() == pytest.approx(x[21] + h * 0.05, abs=0.06)
    assert middle[:, 0].min() == pytest.approx(x[18] - h * (1 - 0.5) / (1 - 5 / 11), abs=0.06)
    assert true[:, 0].min() == pytest.approx(x[16] - h / 2, abs=0.06)
    assert true[:, 1].max() == pytest.approx(z[23] + run.grid.spacing[1] / 2, abs=0.06)


def test_that_the_sentence_says_how_much_of_the_truth_is_inside(run):
    text = Outlines(Fields(run)).facts()["enkf/3"]["text"].replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith("Inside the thick line 95 % of the members or more have CO₂ (S above 0.05)")
    assert text.endswith("dashed is the outline of the true plume, 75 % of which lies inside the thin line.")


@pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")
def test_that_the_sentence_on_the_page_is_that_of_what_is_shown(run, tmp_path):
    write_report(run.folder, out=tmp_path, figures="none")
    facts = Outlines(Fields(run)).facts()
    assert facts["enkf/3"]["text"] != facts["open_loop/3"]["text"]
    with Page(tmp_path / "browser") as browser:
        browser.open(tmp_path / "index.html")
        sentence = "document.getElementById('outlines').textContent"
        assert browser.run(sentence) == facts["enkf/3"]["text"]
        browser.click("input[name=method][value=open_loop]")
        assert browser.run(sentence) == facts["open_loop/3"]["text"]


def test_that_nothing_is_said_of_a_truth_that_is_not_known(tmp_path):
    run = RunFolder(made_run(tmp_path / "run", done={"open_loop": 1, "enkf": 1}, truth=False))
    outlines = Outlines(Fields(run))
    facts = outlines.facts()
    assert set(facts) == {"open_loop/1", "enkf/1"}
    assert facts["enkf/1"]["text"].endswith("outside the thin line fewer than 5\N{NO-BREAK SPACE}%.")
    assert outlines.sentence(0, np.zeros(run.grid.shape)) == "No cell has CO₂ in 5\N{NO-BREAK SPACE}% of the members."


def test_that_the_map_is_that_of_the_run_and_holds_the_body_that_lies_elsewhere(run):
    fields = Fields(run)
    (block,) = [b for b in Outlines(fields).blocks() if b.name == "probability/enkf/3"]
    share = (run.ensemble("enkf", 2, "posterior")["saturation"] > 0.05).mean(axis=0)
    np.testing.assert_allclose(block.restored(), share, atol=0.5 / (2**16 - 1))  # half a level
    top, _ = fields.window()
    assert top <= run.grid.centres(1)[2]
