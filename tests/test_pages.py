"""The Python of README.md and docs/*.md, run as a reader would: the blocks of a page, saved as one plain script.

No block has a guard of its main module, and none is changed. Two things make them quick, both as a reader could:

- the script runs in a folder with a study of its own at ``examples/compass_small.toml``, on a coarse grid and with the
  smallest networks;
- ``docs/running.md`` reads the run that README's lines have left at ``runs/mine``.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seisflow.study import Study
from tests.tiny import TINY

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

SMALL = {
    **TINY,
    "methods": ["enkf", "flow"],
    "flow": {"epochs": 1, "folds": 2, "scales": 1, "steps": 1, "hidden": 4},
}
"""For the 32 members of README's lines."""

CHECKS = {
    "README.md": """
from pathlib import Path
assert study.name == "tiny" and study.ensemble.members == 32
assert summary["surveys"] == 2 and Path("runs/mine/index.html").exists()
assert run.posterior("flow", 2).sizes["member"] == 32 and Path("plume.png").exists()
""",
    "dynamics.md": """
from seisflow.units import YEAR
assert trajectory.saturation.shape == (4, 8, 32, 16)
assert all(report.converged for report in trajectory.reports)
np.testing.assert_allclose(trajectory.co2_mass[:, -1], 0.02 * 700 * YEAR, rtol=1e-8)  # the solver's mass balance
assert trajectory.reports[0].history[0].time == 0.0
""",
    "learning.md": """
assert record.validation[-1] < record.validation[0]
assert p.sample(2).shape == (2, 2, 64, 64)
""",
    "observation.md": """
assert image.shape == gradient.shape == (128, 64)
assert np.isfinite(image).all()
assert misfit > 0
""",
    "running.md": """
assert run["enkf/survey_1/posterior"].saturation.sizes["member"] == 32
assert stage is not None
""",
    "own_method.md": """
from pathlib import Path
assert set(run.scores.method) == {"open_loop", "enkf", "nudging"}
assert "nudging to the logs" in Path("runs/nudged/index.html").read_text()
assert Path("nudged.png").stat().st_size > 5000
assert run.source.own == {"analyses": {"nudging": "__main__.NudgingTable"}}
drawn = layers.draw([np.random.default_rng(0), np.random.default_rng(1)])
assert drawn["permeability"].shape == (2, 20, 18)
""",
    "analysis.md": """
assert scores.mean("rmse") < 0.3  # the published 0.2 with what 1000 cycles scatter; no filter has 3.6
""",
}
"""What a page's own names must hold at its end."""


def script(page):
    """The Python blocks of a page, in their order, as one program; empty without any."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if script(page)]


def run(page, folder):
    """Run a page's program in a folder, with what it must hold behind it."""
    program = folder / f"{page.stem}.py"
    program.write_text(script(page) + CHECKS.get(page.name, ""), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, program.name],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where README's lines have been run."""
    where = tmp_path_factory.mktemp("reader")
    (where / "examples").mkdir()
    Study.from_dict(SMALL).save(where / "examples" / "compass_small.toml")
    run(README, where)
    return where


def test_that_the_lines_of_the_readme_run_a_study_as_they_stand(folder):
    assert (folder / "runs" / "mine" / "summary.json").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_that_the_python_of_a_page_runs_as_it_stands(page, folder):
    run(page, folder)
