"""Run folders without an engine: smooth plumes whose every number is known."""

from pathlib import Path

import numpy as np

from seisflow.ensemble import Ensemble
from seisflow.observation import DataField, Wells
from seisflow.observation.data import grid_axes
from seisflow.storage.axes import Axes
from seisflow.storage.store import Stage, Store
from seisflow.study import Study
from seisflow.study.axes import study_axes
from seisflow.study.build import initial_pressure
from seisflow.units import BAR

STUDY = Study.from_dict(
    {
        "name": "made",
        "seed": 4,
        "methods": ["open_loop", "enkf"],
        "grid": {"shape": [40, 30], "spacing_m": [80.0, 50.0]},
        "surveys": {"days": [100.0, 200.0, 300.0]},
        "ensemble": {"members": 11},
    }
)


def plume(grid, radius, shift=0.0):
    """A saturation that falls from 0.8 to 0 with the distance from the injector."""
    x, z = grid.centres(0)[:, None] - 1900.0 - shift, grid.centres(1)[None] - 1500.0
    return np.clip(0.8 - np.hypot(x, 2 * z) / radius, 0.0, None)


def axes_of(study: Study) -> Axes:
    """Axes, units and noise of what a run of a study stores."""
    grid, wells = study.grid.build(), study.wells
    logs = Wells(grid, wells.x_m, initial_pressure(study), pressure_std=wells.pressure_std_bar * BAR).data
    image = DataField(grid_axes(grid), label="seismic image, in units of the noise", noise_std=1.0, dtype=np.float32)
    return Axes(**study_axes(grid, {"image": image, **logs}))


def made_run(folder: Path, study: Study = STUDY, done=None, truth=True) -> Path:
    """A run folder of a study with the surveys in ``done`` (method → number; default: all of them)."""
    grid, M, rng = study.grid.build(), study.ensemble.members, np.random.default_rng(study.seed)
    initial = initial_pressure(study)
    done = dict.fromkeys(study.methods, len(study.surveys.days)) if done is None else done
    store = Store(folder, axes_of(study))
    store.write_text("study.toml", study.to_toml())

    def state(radii, shifts):
        S = np.stack([plume(grid, r, s) for r, s in zip(radii, shifts, strict=True)])
        return {"saturation": S, "pressure": initial + 1e6 * S}

    well = grid.locate((study.wells.x_m[0], grid.centres(1)[0]))[0]

    def data(fields):
        S = fields["saturation"]
        logs = {"well_saturation": S[:, [well]], "well_pressure": 1e6 * S[:, [well]]}
        return {"image": (5 * np.gradient(S, axis=2)).astype(np.float32), **logs}

    for k in range(len(study.surveys.days)):
        time, true = study.survey_times[k], state([300.0 * (k + 1)], [0.0])
        K = np.full((1, *grid.shape), 1e-13)
        if truth:
            store.keep(f"truth/survey_{k + 1}", Stage(Ensemble({**true, "permeability": K}, time), {"seconds": 1.0}))
        if truth or k < max(done.values(), default=0):
            store.keep(f"observed/survey_{k + 1}", Stage(Ensemble(data(true), time), {"seconds": 0.5}))
        for method in study.methods:
            if k >= done.get(method, 0):
                continue
            chain = "first" if k == 0 else method
            spread = {"open_loop": 200.0}.get(method, 50.0)
            ahead = state(300.0 * (k + 1) + 60 * rng.standard_normal(M), 200.0 * rng.standard_normal(M))
            drawn = np.exp(rng.standard_normal((M, *grid.shape))) * 1e-13
            if store.find(f"{chain}/survey_{k + 1}/forecast") is None:
                forecast = Ensemble({**ahead, "permeability": drawn}, time)
                store.keep(
                    f"{chain}/survey_{k + 1}/forecast", Stage(forecast, {"seconds": 2.0, "replaced_members": []})
                )
            if method != "open_loop" and store.find(f"{chain}/survey_{k + 1}/predicted") is None:
                store.keep(f"{chain}/survey_{k + 1}/predicted", Stage(Ensemble(data(ahead), time), {"seconds": 4.0}))
            after = state(300.0 * (k + 1) + 0.3 * spread * rng.standard_normal(M), spread * rng.standard_normal(M))
            store.keep(f"{method}/survey_{k + 1}/posterior", Stage(Ensemble(after, time), {"seconds": 3.0}))
    return folder
