"""Members that the real flow solver gives up are replaced by fresh draws, and the stage says which and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seisflow.assimilation.members import forecast
from seisflow.assimilation.scenario import Scenario
from seisflow.dynamics.julia.engine import JuliaEngine
from seisflow.ensemble import Ensemble
from seisflow.prior.base import Prior
from seisflow.storage.partial import PartialStageInMemory
from seisflow.storage.recorder import Stage
from seisflow.units import DAY, MILLIDARCY
from tests.dynamics.two_phase.flow_cases import GRID, model
from tests.toy import ToyObservation


class SometimesTight(Prior):
    """Rock of 100 mD, with one draw in four so tight that nothing can be injected."""

    name = "permeability"
    fields = ("permeability",)

    def draw(self, generators: Sequence[np.random.Generator]) -> Ensemble:
        K = [np.full(GRID.shape, 1e-24 if g.random() < 0.25 else 100 * MILLIDARCY) for g in generators]
        return Ensemble({"permeability": np.stack(K)})


def test_that_a_member_that_the_solver_gives_up_is_replaced_with_its_reason(engine: JuliaEngine) -> None:
    dynamics = model(engine)
    scenario = Scenario(SometimesTight(), dynamics, ToyObservation(), (30 * DAY,), 12, 3, max_failed_share=0.5)
    partial = PartialStageInMemory(12)
    said = forecast(scenario, Stage(dynamics.initial_state(1)), 0, partial)["replaced_members"]
    draws = [scenario.draw(0, np.arange(12), attempt)["permeability"][:, 0, 0] for attempt in range(4)]
    tight = {
        (m, attempt + 1) for attempt in range(3) for m in range(12) if max(d[m] for d in draws[: attempt + 1]) < 1e-20
    }
    assert {(one["member"], one["attempt"]) for one in said} == tight
    assert len(tight) >= 2
    assert all("pressure" in one["reason"] for one in said)
    assert np.isfinite(partial.fields()["saturation"]).all()
    assert partial.fields()["permeability"].min() > 1e-20
    np.testing.assert_allclose(  # all have the same rock now: the same result, bit for bit
        partial.fields()["saturation"],
        np.broadcast_to(partial.fields()["saturation"][0], (12, *GRID.shape)),
        rtol=0,
        atol=0,
    )
