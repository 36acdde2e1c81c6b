"""Scores on the terminal."""

import io

from rich.console import Console

from seisflow.cli import summary as module
from seisflow.runs.methods import described
from tests.report.runs import STUDY


def printed(monkeypatch, step):
    console = Console(width=80, record=True, file=io.StringIO())
    monkeypatch.setattr(module, "console", console)
    summary = {
        **{"name": "made", "seed": 4, "members": 11, "survey_days": [100.0], "seconds": {"in all": 12.0}},
        **{"scores": {"enkf": [step]}, "stage_seconds": {}},
    }
    module.print_summary(summary, described(STUDY.chosen))
    return console.export_text()


TRUTH = {"rmse": 0.0123, "ssim": None, "crps": 0.00456, "coverage_90": 0.87, "mass_error": -0.05}
NONE = {"ghost_share": 0.288, "bodies": 5.2, "pressure_spread_ratio_wells": 1.84}


def test_that_no_number_is_cut_in_eighty_columns(monkeypatch):
    text = printed(monkeypatch, {**TRUTH, **NONE, "pressure_crps_wells_bar": 0.215})
    for number in ("0.0123", "–", "0.00456", "0.87", "-5.0%", "28.8%", "5.2", "0.215", "1.84"):
        assert f" {number} │" in text
    assert "…" not in text


def test_that_without_a_truth_there_are_the_scores_that_need_none(monkeypatch):
    text = printed(monkeypatch, NONE)
    assert " 28.8% │" in text
    assert "RMSE" not in text
    assert "CRPS" not in text
