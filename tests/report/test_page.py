"""The page of a run in a real browser: clicks, keys, a phone's width, no complaint, nothing from elsewhere."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from seisflow.report import RunFolder, write_report
from seisflow.report.blocks import Block
from seisflow.report.page import page
from seisflow.storage.store import Stage, Store
from tests.chromium import Page, executable
from tests.report.runs import STUDY, made_run

needs_browser = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = made_run(tmp_path_factory.mktemp("reports") / "finished")
    write_report(folder, figures="none")
    return folder


@pytest.fixture(scope="module")
def browser(finished, tmp_path_factory):
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    with Page(tmp_path_factory.mktemp("browser")) as opened:
        opened.open(finished / "index.html")
        yield opened


PIXELS = "document.querySelector('canvas[data-panel=\"%s\"]').toDataURL()"


def shown(browser):
    names = ("truth", "mean", "error", "deviation", "member", "forecast", "image/observed", "image/predicted")
    return {name: browser.run(PIXELS % name) for name in names}


def choose(browser, **choices):
    """Make radio buttons say something; a click on what is chosen already would change nothing."""
    for name, value in choices.items():
        if browser.run(f"document.querySelector('input[name={name}]:checked').value") != str(value):
            browser.click(f"input[name={name}][value='{value}']")


def test_that_a_click_on_another_survey_changes_the_pictures(browser):
    choose(browser, survey=3, method="enkf")
    before = shown(browser)
    browser.click("input[name=survey][value='1']")
    after = shown(browser)
    assert all(before[name] != after[name] for name in before)
    assert browser.run("document.querySelector('.now').textContent") == "EnKF, survey 1 (day 100)"


def test_that_another_method_keeps_the_truth_and_changes_the_posterior(browser):
    choose(browser, method="enkf")
    before = shown(browser)
    browser.click("input[name=method][value=open_loop]")
    after = shown(browser)
    assert before["truth"] == after["truth"]
    assert before["image/observed"] == after["image/observed"]
    assert before["mean"] != after["mean"]
    assert before["image/predicted"] != after["image/predicted"]  # an open loop has no predicted data
    browser.click("input[name=method][value=enkf]")
    assert shown(browser) == before


def test_that_the_page_opens_with_the_map_which_follows_method_and_survey(browser):
    first = browser.run("document.querySelector('section canvas').dataset.panel")
    assert first == "probability"
    choose(browser, method="enkf", survey=3)
    picture = browser.run(PIXELS % "probability")
    browser.click("input[name=survey][value='2']")
    assert browser.run(PIXELS % "probability") != picture
    choose(browser, survey=3, method="open_loop")
    assert browser.run(PIXELS % "probability") != picture
    choose(browser, method="enkf")
    assert browser.run(PIXELS % "probability") == picture


def test_that_the_outlines_are_drawn_on_the_map_where_they_are(browser, finished):
    from seisflow.report.fields import Fields
    from seisflow.report.outlines import Outlines

    choose(browser, method="enkf", survey=3)
    fields = Fields(RunFolder(finished))
    facts, (top, bottom), (left, right) = Outlines(fields).facts(), fields.window(), fields.grid.extent[0]
    data = browser.run(PIXELS % "probability").partition(",")[2]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
    across, down = picture.shape[1] - 58 - 12, picture.shape[0] - 6 - 76  # the margins of the viewer

    def around(line, i):
        x, z = np.reshape(line, (-1, 2))[i]
        column, row = 58 + (x - left) / (right - left) * across, 6 + (z - top) / (bottom - top) * down
        return picture[int(row) - 1 : int(row) + 2, int(column) - 1 : int(column) + 2].reshape(-1, 3)

    (thick,) = facts["enkf/3"]["lines"][2]
    points = range(0, len(thick) // 2, 7)
    dark = [around(thick, i).sum(axis=1).min() < 200 for i in points]  # #1b2430 sums to 111, the map's end to 450
    assert np.mean(dark) > 0.8  # the truth's dashes go over some
    (true,) = facts["truth/3"]
    red = [any(r > 180 and b < 90 for r, _, b in around(true, i)) for i in range(0, len(true) // 2, 2)]
    assert 0.3 < np.mean(red) < 0.95  # dashes of 7, gaps of 5: 0.58


def spoilt(folder, survey, name, factor):
    """The same run with a datum that is a multiple of what it was."""
    store, place = RunFolder(folder).store, f"observed/survey_{survey}"
    stage = store.find(place)
    values = {
        field: np.array(stage.ensemble[field]) * (factor if field == name else 1) for field in stage.ensemble.names
    }
    shutil.rmtree(folder / "stages.zarr" / place)
    Store(folder).keep(place, Stage(stage.ensemble.replace(**values), {"seconds": 0.5}))
    return folder


def test_that_data_which_fit_are_not_marked(finished):
    text = (finished / "index.html").read_text()
    assert "class=alarm" not in text
    assert "Some data do not fit" not in text


@pytest.mark.parametrize(("name", "advice"), [("image", "its polarity"), ("well_pressure", "the zero of the gauge")])
def test_that_a_datum_with_a_large_misfit_is_marked_with_what_to_check(tmp_path, name, advice):
    from seisflow.report.data_fit import DataFit
    from seisflow.report.fields import Fields

    run = RunFolder(spoilt(made_run(tmp_path / "run"), 2, name, 40.0))
    misfits = DataFit(Fields(run)).misfits["enkf"]
    large = {(k, field) for k, found in misfits.items() for field, value in found.items() if value > 3}
    assert large == {("2", name)}
    text = page(run)
    value = misfits["2"][name]
    assert text.count("class=alarm") == 1
    assert f"<td class=alarm>▲ {value:.2f}</td>" in text
    opening, notice = text.partition('id="plume"')[0], text.partition('id="data"')[2]
    assert f"(survey 2: misfit up to {value:.1f})" in opening  # the page opens with it
    assert f"EnKF at survey 2: {value:.1f}" in notice
    assert f"check first {advice}" in notice.replace("its unit, its depths, and ", "")


def test_that_data_of_the_injector_have_words_of_their_own():
    from seisflow.observation import Injector
    from seisflow.report.viewer import first_check

    grid = STUDY.grid.build()
    data = Injector(grid, initial_pressure=1e7 + 0 * grid.depth, capacity=np.ones_like, perforations=[(3, 4)]).data
    assert "since the start" in first_check(data["log_injected_mass"])
    assert "the depth of the gauge" in first_check(data["log_bottom_hole_pressure"])


def test_that_the_mark_of_a_datum_stands_where_it_is_shown(tmp_path):
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    folder = spoilt(made_run(tmp_path / "run"), 3, "image", 40.0)
    write_report(folder, figures="none")
    with Page(tmp_path / "browser") as browser:
        browser.open(folder / "index.html")
        marks = "[...document.querySelectorAll('[data-misfit].alarm')].map((e) => e.dataset.misfit + e.textContent)"
        (mark,) = browser.run(marks)
        assert mark.startswith("image▲ misfit ")
        browser.click("input[name=survey][value='2']")
        assert browser.run(marks) == []
        assert browser.run("document.querySelector('[data-misfit=image]').textContent").startswith("misfit ")
        assert browser.complaints == []


def test_that_a_misfit_that_is_no_number_is_marked():
    from seisflow.report.data_fit import too_large

    assert [too_large(value) for value in (0.5, 3.0, 3.01, float("nan"))] == [False, False, True, True]


def test_that_the_opening_tells_surveys_and_the_largest_misfit_and_no_list():
    from seisflow.report.viewer import _in_short

    places = [("EnKF", "2", 4.04), ("EnKF", "10", 3.2), ("LETKF", "2", 6.26)]
    assert _in_short(places) == "survey 2, 10: misfit up to 6.3"
    assert _in_short([("EnKF", "1", float("nan"))]) == "survey 1: misfit no number"


def test_that_members_can_be_paged_and_the_last_is_followed_by_the_first(browser):
    number = "document.querySelector('output .member-number').textContent"
    first, pictures = browser.run(PIXELS % "member"), []
    assert browser.run(number) == "1"
    for _ in range(STUDY.ensemble.members):
        pictures.append(browser.run(PIXELS % "member"))
        browser.click("button[data-step='1']")
    assert len(set(pictures)) == STUDY.ensemble.members
    assert browser.run(number) == "1"
    assert browser.run(PIXELS % "member") == first


def test_that_the_numbers_read_are_those_of_the_run(browser, finished):
    choose(browser, survey=2, method="enkf")
    run = RunFolder(finished)
    posterior, grid = run.ensemble("enkf", 1, "posterior")["saturation"], STUDY.grid.build()
    x, z = np.unravel_index(posterior[0].argmax(), grid.shape)  # where a wrong scale shows most
    extent = grid.extent
    browser.run("document.querySelector('canvas[data-panel=truth]').scrollIntoView({block: 'center'})")
    browser.run("document.getElementById('whole').click()")
    box = browser.run(
        "(() => { const b = document.querySelector('canvas[data-panel=truth]').getBoundingClientRect();"
        "return [b.left, b.top, b.width, b.height]; })()"
    )
    across, down = box[2] - 58 - 12, box[3] - 6 - 76  # the margins of the viewer
    place = [
        (grid.centres(axis)[i] - extent[axis][0]) / (extent[axis][1] - extent[axis][0]) for axis, i in ((0, x), (1, z))
    ]
    at = {"x": box[0] + 58 + place[0] * across, "y": box[1] + 6 + place[1] * down}
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
    text = browser.run("document.getElementById('readout').textContent").replace("−", "-")
    posterior = posterior[:, x, z]
    true = run.truth(1)["saturation"][0, x, z]
    expected = {"truth": true, "mean": posterior.mean(), "standard deviation": posterior.std(ddof=1),
                "error": posterior.mean() - true, "member 1": posterior[0]}  # fmt: skip
    for name, value in expected.items():
        read = float(re.search(rf"{name} (-?[0-9.]+)", text).group(1))
        # 0.0005 from three digits; 0.8/255/2 from eight bits of a member, far less from sixteen of the others.
        assert abs(read - value) <= 0.0006 + (0.0016 if name == "member 1" else 0), (name, text)
    browser.run("document.getElementById('whole').click()")


def test_that_everything_works_by_keyboard(browser):
    choose(browser, survey=1)
    browser.run("document.querySelector('input[name=survey][value=\"1\"]').focus()")
    before = browser.drawn()
    browser.press("ArrowRight")  # radio buttons: the next one
    browser.wait(f"Number(document.body.dataset.drawn) > {before}")
    assert browser.run("document.querySelector('input[name=survey]:checked').value") == "2"
    for key, what in (("n", "survey"), ("m", "method"), ("q", "quantity")):
        before, chosen = browser.drawn(), f"document.querySelector('input[name={what}]:checked').value"
        value = browser.run(chosen)
        browser.press(key)
        browser.wait(f"Number(document.body.dataset.drawn) > {before}")
        assert browser.run(chosen) != value
    before = browser.drawn()
    browser.press("j")
    browser.wait(f"Number(document.body.dataset.drawn) > {before}")
    assert browser.run("document.querySelector('output .member-number').textContent") == "2"
    browser.run("document.querySelector('canvas[data-panel=mean]').focus()")
    browser.press("ArrowDown")
    first = browser.run("document.getElementById('readout').textContent")
    assert first.startswith("x ")
    browser.press("ArrowRight")
    assert browser.run("document.getElementById('readout').textContent") != first
    browser.press("Escape")
    assert browser.run("document.getElementById('readout').textContent").startswith("Point at")


def test_that_every_control_and_canvas_can_be_reached_by_tab_and_has_a_name(browser):
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = set()
    for _ in range(60):
        browser.press("Tab")
        reached.add(
            browser.run(
                "(() => { const e = document.activeElement; return (e.dataset.panel || e.id || e.name || e.tagName) + '|' +"
                "(e.getAttribute('aria-label') || e.textContent || e.closest('label')?.textContent || '').slice(0, 40); })()"
            )
        )
    names = {entry.split("|")[0] for entry in reached}
    assert {"survey", "method", "quantity", "play", "member", "whole", "truth", "mean", "image/observed"} <= names
    assert all(entry.split("|")[1].strip() for entry in reached if not entry.startswith("BODY"))


def test_that_nothing_leaves_the_page_and_nothing_complains(browser, finished):
    assert browser.requests == [(finished / "index.html").absolute().as_uri()]
    assert browser.complaints == []
    text = (finished / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "://" not in text.replace('"http://www.w3.org/2000/svg"', "")  # a name, not an address that is asked


@needs_browser
def test_that_a_phone_needs_no_sideways_scroll_and_a_tap_works(finished, tmp_path):
    with Page(tmp_path, width=390, height=844, phone=True) as phone:
        phone.open(finished / "index.html")
        assert phone.run("document.documentElement.scrollWidth") == 390
        wide = phone.run(
            "[...document.querySelectorAll('body *')].filter((e) => !e.closest('.scroll, pre, script') &&"
            "e.getBoundingClientRect().right > 391).map((e) => e.tagName)"
        )
        assert wide == []
        assert phone.run("document.querySelector('canvas[data-panel=mean]').clientWidth") > 340  # one column
        before = phone.run(PIXELS % "mean")
        phone.click("input[name=survey][value='1']")
        assert phone.run(PIXELS % "mean") != before
        small = phone.run(
            "[...document.querySelectorAll('#controls button, #controls label span')].filter((e) =>"
            "e.getBoundingClientRect().height < 32).length"
        )
        assert small == 0  # fingers
        assert phone.complaints == []


@needs_browser
def test_that_an_unfinished_run_without_a_truth_has_a_page_too(tmp_path):
    folder = made_run(tmp_path / "run", done={"open_loop": 2, "enkf": 1}, truth=False)
    write_report(folder, figures="none")
    with Page(tmp_path) as browser:
        browser.open(folder / "index.html")
        assert "not finished" in browser.run("document.querySelector('.notice').textContent")
        assert browser.run("document.querySelector('canvas[data-panel=truth]')") is None
        assert browser.run("document.querySelector('input[name=survey][value=\"2\"]').disabled") is True
        browser.click("input[name=method][value=open_loop]")
        assert browser.run("document.querySelector('input[name=survey][value=\"2\"]').disabled") is False
        text = browser.run("document.body.innerText")
        assert "No truth is known" in text
        assert "ghost CO₂" in text  # which needs none
        assert browser.complaints == []


@needs_browser
def test_that_a_run_that_has_just_begun_has_a_page(tmp_path):
    folder = made_run(tmp_path / "run", done={})
    write_report(folder, figures="none")
    with Page(tmp_path) as browser:
        browser.open(folder / "index.html")
        assert browser.complaints == []
        assert "0 of 6 analyses" in browser.run("document.querySelector('.notice').textContent")


def test_that_large_sections_and_ensembles_are_thinned_and_the_page_says_so(tmp_path, monkeypatch):
    from seisflow.report import fields

    monkeypatch.setattr(fields, "MOST_CELLS", 16)
    monkeypatch.setattr(fields, "MOST_BYTES", 5000)
    text = page(RunFolder(made_run(tmp_path / "run")))
    assert "averaged to 14 × 15 cells" in text  # 40 by threes, 30 by twos
    assert "4 of 11 members are shown" in text


@pytest.mark.parametrize("bits", [8, 16])
def test_that_a_block_is_within_half_a_level_of_its_array(bits, rng):
    values = rng.standard_normal((3, 4, 5))
    block = Block.of("a", values, bits)
    half = 0.5 * (values.max() - values.min()) / (2**bits - 1)
    assert np.abs(block.restored() - values).max() <= half * (1 + 1e-9)  # rounding of the check itself
    assert Block.of("b", np.zeros((2, 2)), bits).restored().max() == 0


def test_that_the_page_names_the_versions_that_ran_and_the_files_that_were_taken_in(tmp_path):
    folder = made_run(tmp_path / "run")
    assert "Versions are not known" in page(RunFolder(folder))
    sessions = [{"seisflow": "0.1.0", "numpy": "2.0"}, {"seisflow": "0.1.0", "numpy": "2.1"}]
    (folder / "run.json").write_text(json.dumps({"versions": sessions}))
    store = Store(folder)
    observed = store.find("observed/survey_3")
    shutil.rmtree(folder / "stages.zarr" / "observed" / "survey_3")
    source = {"files": ["/elsewhere/line_3.sgy"], "sha256": ["ab12"]}
    Store(folder).keep("observed/survey_3", Stage(observed.ensemble, source))
    text = page(RunFolder(folder))
    assert "seisflow 0.1.0, numpy 2.0; later seisflow 0.1.0, numpy 2.1" in text
    assert "data of survey 3 from files" in text
    assert "line_3.sgy" in text
    assert "ab12" in text
    assert "/elsewhere" not in text  # a report may be passed on
