"""Members that the real flow solver gives up are replaced by fresh draws, and the stage says which and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisflow.assimilation.members import forecast
from seisflow.assimilation.scenario import Scenario
from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.storage.draft import MemoryDraft
from seisflow.storage.recorder import Stage
from seisflow.units import DAY, MILLIDARCY
from tests.dynamics.two_phase.flow_cases import GRID, model
from tests.toy import ToyObservation


@dataclass(frozen=True)
class SometimesTight:
    """Rock of 100 mD, with one draw in four so tight that nothing can be injected."""

    def ensemble(self, generators: list[np.random.Generator]) -> np.ndarray:
        return np.stack([np.full(GRID.shape, 1e-24 if g.random() < 0.25 else 100 * MILLIDARCY) for g in generators])


def test_that_a_member_that_the_solver_gives_up_is_replaced_with_its_reason(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    scenario = Scenario(SometimesTight(), dynamics, ToyObservation(), (30 * DAY,), 12, 3, max_failed_share=0.5)
    draft = MemoryDraft(12)
    said = forecast(scenario, Stage(dynamics.initial_state(1)), 0, draft)["replaced_members"]
    draws = [scenario.draw_permeability(0, np.arange(12), attempt)[:, 0, 0] for attempt in range(4)]
    tight = {
        (m, attempt + 1) for attempt in range(3) for m in range(12) if max(d[m] for d in draws[: attempt + 1]) < 1e-20
    }
    assert {(one["member"], one["attempt"]) for one in said} == tight
    assert len(tight) >= 2
    assert all("pressure" in one["reason"] for one in said)
    assert np.isfinite(draft.fields()["saturation"]).all()
    assert draft.fields()["permeability"].min() > 1e-20
    np.testing.assert_allclose(  # all have the same rock now: the same result, bit for bit
        draft.fields()["saturation"],
        np.broadcast_to(draft.fields()["saturation"][0], (12, *GRID.shape)),
        rtol=0,
        atol=0,
    )
