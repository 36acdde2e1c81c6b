"""The comparison of analyses: lines of a tiny study are written once and taken up again, and lines make tables."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seisflow.ensemble import Ensemble
from seisflow.storage.recorder import Stage
from seisflow.storage.store import Store
from seisflow.study import Study
from tests.test_run import TINY

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script, *arguments):
    command = [sys.executable, EXAMPLES / script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two modalities of one truth; the arguments that wrote them; what was printed."""
    folder = tmp_path_factory.mktemp("comparison")
    study = Study.from_dict({**TINY, "surveys": {"days": [300.0, 400.0]}})
    (folder / "tiny.toml").write_text(study.to_toml())
    arguments = ["compare_analyses.py", "--study", folder / "tiny.toml", "--results", folder / "results.jsonl"]
    arguments += ["--scratch", folder / "scratch", "--seeds", 11, "--methods", "open_loop", "enkf", "particle_filter"]
    return folder, arguments, run(*arguments, "--cells", "both:9", "wells:9")


@pytest.fixture
def script(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("compare_analyses")


@pytest.fixture
def tables(script):
    """Its tables: methods, tuned settings, candidates."""
    return importlib.import_module("compare_settings")


@pytest.fixture
def report(script):
    """What prints the tables, without the command line around it."""
    return importlib.import_module("compare_tables").report


def read(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_that_every_chain_has_one_line_and_the_open_loop_one_for_all_modalities(compared):
    folder, _, _ = compared
    lines = read(folder)
    found = {(line["modality"], line["label"]) for line in lines}
    chains = {(modality, label) for modality in ("both", "wells") for label in ("enkf", "particle_filter")}
    assert found == {("none", "open_loop")} | chains
    assert len(lines) == 5
    for line in lines:
        assert len(line["scores"]) == 2
        assert all(np.isfinite(list(scores.values())).all() for scores in line["scores"])
        assert sum(line["ranks"][-1]["region"]) > sum(line["ranks"][-1]["thinned"])
        assert line["versions"]["seisflow"]
    by = {(line["modality"], line["label"]): line for line in lines}
    # Wells see the logs that "both" sees, and the same prior draws: the first forecast takes the same recorded seconds.
    assert by["wells", "enkf"]["scores"] != by["both", "enkf"]["scores"]
    # Each with the inflation that was tuned for it.
    assert (by["wells", "enkf"]["settings"], by["both", "enkf"]["settings"]) == ({"inflation": 3.0}, {"inflation": 8.0})
    assert all(1 <= s["effective_size"] <= 9 for s in by["both", "particle_filter"]["statistics"])


@pytest.mark.slow
def test_that_finished_lines_are_kept_and_a_cut_off_line_is_written_again(compared):
    folder, arguments, _ = compared
    file = folder / "results.jsonl"
    whole = file.read_text()
    assert run(*arguments, "--cells", "both:9", "wells:9") == ""
    assert file.read_text() == whole
    kept, _, cut = whole.rstrip("\n").rpartition("\n")
    file.write_text(f"{kept}\n{cut[:40]}\n")  # killed while it wrote
    run(*arguments, "--cells", "both:9", "wells:9")
    again = json.loads(file.read_text().splitlines()[-1])
    before = json.loads(cut)
    assert again["scores"] == before["scores"]  # the same chain, bit by bit
    assert again["ranks"] == before["ranks"]
    file.write_text(whole)


def test_that_the_common_images_of_the_first_survey_cost_only_those_who_look_at_them(tmp_path, script):
    store, seconds = Store(tmp_path), {"seconds": 40.0}
    fields = {name: np.full((2, 3), k) for k, name in enumerate(("image", "well_saturation", "well_pressure"))}
    for name in ("first/survey_1/forecast", "first/survey_1/predicted"):
        store.keep(f"members_2/{name}", Stage(Ensemble(fields), seconds))
    cells = {modality: script.Cell(store, "members_2", modality) for modality in ("both", "seismic", "wells")}
    assert {cell.find("first/survey_1/forecast").seconds for cell in cells.values()} == {40.0}
    found = {modality: cell.find("first/survey_1/predicted") for modality, cell in cells.items()}
    assert {modality: stage.seconds for modality, stage in found.items()} == {
        "both": 40.0,
        "seismic": 40.0,
        "wells": 0.0,
    }
    assert {modality: set(stage.ensemble.fields) for modality, stage in found.items()} == {
        "both": {"image", "well_saturation", "well_pressure"},
        "seismic": {"image"},
        "wells": {"well_saturation", "well_pressure"},
    }
    assert cells["wells"].find("enkf/survey_2/predicted") is None
    cells["wells"].keep(
        "enkf/survey_2/predicted", Stage(Ensemble({"well_saturation": np.ones((2, 3))}), {"seconds": 3.0})
    )
    assert cells["wells"].find("enkf/survey_2/predicted").seconds == 3.0
    assert cells["both"].find("enkf/survey_2/predicted") is None  # a chain of its own


def test_that_a_chain_does_not_take_up_what_one_with_other_settings_left(tmp_path, script):
    store = Store(tmp_path)
    place = "enkf/survey_2/predicted"
    left = script.Cell(store, "members_2", "wells", "inflation=3")
    left.keep(place, Stage(Ensemble({"well_saturation": np.ones((2, 3))}), {"seconds": 3.0}))
    assert left.find(place) is not None
    for settings in ("", "inflation=2", "inflation=3 noise_inflation=30"):
        assert script.Cell(store, "members_2", "wells", settings).find(place) is None


def test_that_every_method_takes_the_settings_tuned_for_its_cell(script, tables):
    study = Study.from_dict(TINY)
    for modality in script.MODALITIES:
        for members in (9, 64, 128):
            for label in tables.METHODS:
                method, values = tables.chosen(label, modality, members)
                assert tables.spelled(method, values).split()[0] == method  # a chain's place, whatever its settings
                if values:  # settings that exist
                    assert vars(getattr(study.changed(**{method: values}), method)).items() >= values.items()
    assert tables.spelled("flow", {"update": "joint"}) == "flow update=joint"
    assert (
        tables.spelled("letkf", {"radius_m": (50.0, 12.5), "inflation": 1.5}) == "letkf radius_m=50x12.5 inflation=1.5"
    )
    # What is tuned for one ensemble size, for the modality at any other size, and for neither.
    assert tables.chosen("letkf", "wells", 128) == ("letkf", tables.TUNED["wells:128"]["letkf"])
    assert tables.chosen("letkf", "wells", 64) == ("letkf", tables.TUNED["wells:64"]["letkf"])
    assert tables.chosen("letkf", "wells", 9) == ("letkf", tables.TUNED["wells"]["letkf"])
    assert tables.chosen("letkf", "seismic", 9) == ("letkf", tables.METHODS["letkf"][1])
    assert len({str(tables.chosen("letkf", "wells", members)) for members in (9, 64, 128)}) == 3
    assert tables.chosen("particle_filter", "both", 64)[1]["noise_inflation"] > 1
    assert tables.chosen("flow_reference", "both", 128) == ("flow", tables.METHODS["flow_reference"][1])
    assert {name.partition(":")[0] for name in tables.TUNED} <= set(script.MODALITIES)
    assert {name for name in tables.TUNED if ":" in name} <= set(script.CELLS)
    assert {label for values in tables.TUNED.values() for label in values} <= set(tables.METHODS)


def line(label, seed, rmse, modality="both", surveys=2, members=64):
    """A line as the script writes it, of two surveys."""
    keys = ("rmse", "ssim", "crps", "coverage_50", "coverage_90", "mass_error", "pressure_rmse_bar", "ghost_share")
    scores = [dict.fromkeys(keys, 0.5), dict.fromkeys(keys, 0.5) | {"rmse": rmse, "crps": rmse / 10}]
    ranks = [{"region": [4] * 16, "thinned": [2] * 16}] * 2
    return {
        **{"seed": seed, "members": members, "surveys": surveys, "modality": modality, "label": label},
        **{"scores": scores, "ranks": ranks, "seconds": {"forecast": 1.0, "predicted": 2.0, "posterior": 3.0}},
    }


def test_that_tables_and_figures_come_from_the_lines_of_truths_that_all_methods_finished(tmp_path):
    listed = [line("open_loop", seed, 0.09 + seed / 1000, "none") for seed in (11, 12, 13)]
    listed += [line("flow", seed, 0.05) for seed in (11, 12)] + [line("enkf", seed, 0.08) for seed in (11, 12, 13)]
    listed += [line("es_mda", 11, 0.07)]  # far behind the others
    listed += [line("flow", 13, 0.9, surveys=1), line("flow", 13, 0.9, members=128)]  # no part of this table
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in listed) + '{"seed": 14, "lab')  # killed while it wrote
    page = run("compare_tables.py", "--results", file)
    assert "### Both, 64 members" in page
    assert "Finished truths: open loop 3, EnKF 3, ES-MDA 1, flow, joint 2." in page
    assert "all have finished: 11, 12 (n = 2)." in page
    rows = [row for row in page.splitlines() if row.startswith("| open loop | 0.1015 (0.1010–0.1020) |")]
    assert len(rows) == 1  # the mean of 0.101 and 0.102, and the interval that two truths give
    assert rows[0].endswith("| 0.00 | 0.0 | 6 |")  # flat ranks; 1 + 2 + 3 seconds
    heading = next(row for row in page.splitlines() if row.startswith("| method | RMSE"))
    by_heading = dict(zip(heading.split(" | "), rows[0].split(" | "), strict=True))
    assert by_heading["ghost CO2"] == "50.00%"
    assert by_heading["p spread after / before, wells"] == "–"  # lines of before there was such a score
    assert "| ES-MDA |" not in page
    assert "| EnKF | +0.0300 (+0.0300 to +0.0300) | 2 of 2 |" in page
    assert "| EnKF | 500.00 / +50% | 8.00 / +50% |" in page  # survey by survey
    assert (tmp_path / "both_64.png").stat().st_size > 10_000
    text = tmp_path / "page.md"
    text.write_text("before <!-- comparison --> old <!-- comparison --> after")
    run("compare_tables.py", "--results", file, "--page", text, "--figures", tmp_path / "pictures")
    assert text.read_text().startswith("before <!-- comparison -->\n\n| CRPS × 1000, last survey | both, 64 (n = 2) |")
    assert text.read_text().endswith("<!-- comparison --> after")
    assert "](pictures/both_64.png)" in text.read_text()
    assert " old " not in text.read_text()


def test_that_a_method_with_several_settings_is_shown_with_those_of_most_truths_and_then_the_newest(tmp_path, report):
    file = tmp_path / "results.jsonl"
    old = [line("enkf", seed, 0.08) | {"settings": {"inflation": 8.0}} for seed in (11, 12)]
    new = [line("enkf", seed, 0.06) | {"settings": {"inflation": 2.0}} for seed in (11, 12)]
    flow = [line("flow", seed, 0.05) for seed in (11, 12)] + [line("open_loop", s, 0.09, "none") for s in (11, 12)]
    for listed, shown in ((old, 8), (old + new[:1], 8), (old + new, 6), (new + old, 8), (new + old[:1], 6)):
        file.write_text("".join(json.dumps(one) + "\n" for one in listed + flow))
        assert f"| EnKF | 500.00 / +50% | {shown}.00 / +50% |" in report(file, tmp_path, "")


def test_that_an_overview_stands_before_several_cells(tmp_path, report):
    listed = [line("open_loop", 11, 0.09, "none"), line("enkf", 11, 0.08), line("enkf", 11, 0.085, "wells")]
    listed[1:1] = [line("open_loop", seed, 0.5, "none") for seed in (12, 13)]  # ahead of all cells; leaves nobody out
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in listed[:4]))
    assert report(file, tmp_path, "").startswith("### Both")  # of one cell it would say nothing new
    file.write_text("".join(json.dumps(one) + "\n" for one in [*listed, line("flow", 11, 0.05)]))
    page = report(file, tmp_path, "").splitlines()
    assert page[:5] == [
        "| CRPS × 1000, last survey | both, 64 (n = 1) | wells, 64 (n = 1) |",
        "|---|---:|---:|",
        "| open loop | 9.00 | 9.00 |",
        "| EnKF | 8.00 | 8.50 |",
        "| flow, joint | 5.00 | – |",
    ]


def test_that_a_cell_with_less_than_half_the_truths_of_another_has_no_table_yet(tmp_path, report):
    truths = [line(label, seed, 0.08) for label in ("enkf", "flow") for seed in (11, 12, 13)]
    truths += [line("open_loop", seed, 0.09, "none") for seed in (11, 12, 13)]
    file = tmp_path / "results.jsonl"
    begun = [line("enkf", seed, 0.085, "wells") for seed in (11, 12)]
    file.write_text("".join(json.dumps(one) + "\n" for one in [*truths, begun[0]]))
    page = report(file, tmp_path, "")
    assert page.startswith("### Both")  # no column with the mean of one truth beside that of three
    assert "### Wells, 64 members" in page
    assert "Finished truths: open loop 3, EnKF 1." in page
    assert not (tmp_path / "wells_64.png").exists()
    file.write_text("".join(json.dumps(one) + "\n" for one in [*truths, *begun]))
    assert "| wells, 64 (n = 2) |" in report(file, tmp_path, "")
    assert (tmp_path / "wells_64.png").exists()
