"""The example on the page about the flow does what the page says."""

import re
from pathlib import Path

import numpy as np

from seisflow.units import YEAR

PAGE = Path(__file__).parents[3] / "docs" / "flow.md"


def test_that_the_example_on_the_page_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    trajectory = names["trajectory"]
    assert trajectory.saturation.shape == (4, 8, 32, 16)  # type: ignore[attr-defined]
    assert all(report.converged for report in trajectory.reports)  # type: ignore[attr-defined]
    np.testing.assert_allclose(trajectory.co2_mass[:, -1], 0.02 * 700 * YEAR, rtol=1e-8)  # type: ignore[attr-defined]
    assert trajectory.reports[0].history[0].time == 0.0  # type: ignore[attr-defined]
