r"""The seismic observation of one member at a time, in one process: settings, and the tasks a process runs with them.

A process builds its :class:`Simulator` (operators, background wavefields, baseline records) at its first task and keeps it
for all later ones with the same settings.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid, average, interpolate
from seisflow.observation.seismic.noise import Repeatability, Vintage, coloured_noise
from seisflow.observation.seismic.rock_physics import RockPhysics
from seisflow.observation.waves.encoding import Encoding
from seisflow.observation.waves.imaging import Imaging, Migration, smooth
from seisflow.observation.waves.medium import Medium
from seisflow.observation.waves.propagator import Propagator
from seisflow.observation.waves.survey import Survey
from seisflow.seeds import generator

__all__ = ["SeismicSettings", "Simulator", "forget", "simulate"]

State = tuple[NDArray, NDArray | None]
"""Saturation and, where rock physics needs it, pressure change [Pa], on the flow grid."""


@dataclass(frozen=True, eq=False)
class SeismicSettings:
    """All that a process needs to simulate: checked here, sent to workers, with a token by which they know it again."""

    flow_grid: Grid
    wave_grid: Grid
    velocity: NDArray
    density: NDArray
    porosity: NDArray
    survey: Survey
    rock_physics: RockPhysics
    imaging: Imaging
    encoding: Encoding
    repeatability: Repeatability | None
    initial_pressure: NDArray | None
    space_order: int
    layer: int
    free_surface: bool
    memory: float | None
    threads: int
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        flow, waves = self.flow_grid, self.wave_grid
        if flow.ndim != waves.ndim:
            raise InputError("wave_grid.ndim", waves.ndim, f"the flow grid has {flow.ndim} axes")
        for (low, high), (first, last) in zip(flow.extent, waves.extent, strict=True):
            if low < first - 1e-6 or high > last + 1e-6:
                raise InputError("wave_grid.extent", waves.extent, f"it must hold the flow grid's {flow.extent} m")
        for name in ("velocity", "density"):
            array = np.array(getattr(self, name), np.float64)
            if array.shape != waves.shape:
                raise InputError(f"{name}.shape", array.shape, f"it must be the wave grid's {waves.shape}")
            bad = array[~(np.isfinite(array) & (array > 0))]
            if bad.size:
                raise InputError(name, float(bad[0]), "every value must be finite and positive (SI units)")
            object.__setattr__(self, name, array)
        phi = np.array(np.broadcast_to(np.asarray(self.porosity, np.float64), flow.shape))
        if not ((phi > 0) & (phi < 1)).all():
            raise InputError("porosity", float(np.min(phi)), "every value must lie between 0 and 1")
        object.__setattr__(self, "porosity", phi)
        if self.initial_pressure is not None:
            object.__setattr__(self, "initial_pressure", np.array(self.initial_pressure, np.float64))
        given = None if self.initial_pressure is None else self.initial_pressure.shape
        if self.rock_physics.pressure is not None and given != flow.shape:
            raise InputError("initial_pressure", given, f"the pressure effect needs it, {flow.shape}, in Pa")

    @property
    def background(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smoothed baseline in which images are made: v_p [m/s] and ρ [kg/m³] on the wave grid."""
        return smooth(self.velocity, self.density, self.wave_grid, self.imaging.smoothing)

    def propagator(self) -> Propagator:
        """The wave operators, whose loops are compiled at the first simulation; no medium is faster than the baseline."""
        return Propagator(
            self.wave_grid,
            self.survey,
            1.02 * float(self.velocity.max()),
            space_order=self.space_order,
            layer=self.layer,
            free_surface=self.free_surface,
            threads=self.threads,
        )

    def states(self, ensemble: Ensemble) -> list[State]:
        """The states of an ensemble's members.

        Raises
        ------
        InputError
            When a field is missing, of another shape, or a saturation is impossible.
        """
        if "saturation" not in ensemble:
            raise InputError("ensemble.names", ensemble.names, "it must have a field 'saturation'")
        saturation = ensemble["saturation"]
        if saturation.shape[1:] != self.flow_grid.shape:
            raise InputError("saturation.shape", saturation.shape, f"members must have shape {self.flow_grid.shape}")
        for member, values in enumerate(saturation):
            if not (np.isfinite(values).all() and values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
                extremes = (float(values.min()), float(values.max()))
                raise InputError(f"saturation[{member}]", extremes, "it must be finite and lie in [0, 1]")
        if self.rock_physics.pressure is None:
            return [(np.clip(values, 0.0, 1.0), None) for values in saturation]
        if "pressure" not in ensemble:
            raise InputError("ensemble.names", ensemble.names, "the pressure effect needs a field 'pressure'")
        changes = ensemble["pressure"] - self.initial_pressure
        return [(np.clip(values, 0.0, 1.0), change) for values, change in zip(saturation, changes, strict=True)]


class Simulator:
    """The observation of one member at a time, in one process."""

    def __init__(self, settings: SeismicSettings) -> None:
        self.settings = settings
        s = settings
        self.propagator = settings.propagator()
        self.migration = Migration(self.propagator, *s.background, s.encoding, s.imaging, s.memory)
        self._inside = np.ones(s.wave_grid.shape, bool)
        for axis, (low, high) in enumerate(s.flow_grid.extent):
            centres = s.wave_grid.centres(axis)
            shape = [-1 if a == axis else 1 for a in range(s.wave_grid.ndim)]
            self._inside &= ((centres >= low) & (centres <= high)).reshape(shape)
        self._porosity = interpolate(s.porosity, s.flow_grid, s.wave_grid)
        self._baseline: dict[tuple[str, int], NDArray] = {}

    def monitor(self, state: State | None) -> Medium:
        """The medium with CO2 in it; None: the baseline."""
        s = self.settings
        if state is None:
            return self.propagator.medium(s.velocity, s.density)
        on_waves = interpolate(np.asarray(state[0], np.float64), s.flow_grid, s.wave_grid)
        # Interpolation weights sum to one only up to rounding.
        on_waves = np.where(self._inside, np.clip(on_waves, 0, 1), 0.0)
        change, effective = None, None
        if s.rock_physics.pressure is not None and state[1] is not None:
            change = np.where(self._inside, interpolate(np.asarray(state[1]), s.flow_grid, s.wave_grid), 0.0)
            effective = self._effective_pressure
        altered = s.rock_physics.substitute(on_waves, s.velocity, s.density, self._porosity, change, effective)
        # The baseline was checked; a word for every member that is slower by some per cent would say nothing new.
        return self.propagator.medium(*altered, warn=False)

    @cached_property
    def _effective_pressure(self) -> NDArray[np.float64]:
        """Weight of rock and water above minus hydrostatic pressure [Pa], at least 1 MPa."""
        s = self.settings
        excess = (s.density - s.rock_physics.density_brine) * 9.80665 * s.wave_grid.spacing[-1]
        return np.maximum(np.cumsum(excess, axis=-1) - 0.5 * excess, 1e6)

    def encoded(self, state: State | None, experiments: Sequence[int]) -> NDArray:
        """Records of some experiments, ``(len(experiments), n_samples, n_receivers)``."""
        medium = self.monitor(state)
        return np.stack([self.propagator.forward(medium, self.migration.signature(e)) for e in experiments])

    def shots(
        self, state: State | None, vintage: Vintage | None = None, sources: Sequence[int] | None = None
    ) -> NDArray:
        """Records of single sources, ``(len(sources), n_samples, n_receivers)``, in the survey or a vintage of it."""
        medium, n = self.monitor(state), len(self.settings.survey.sources)
        chosen = np.arange(n) if sources is None else np.asarray(sources)
        if vintage is not None:
            self.propagator.move(vintage.sources, vintage.receivers)
        try:
            signatures = (self.propagator.signature(one) for one in np.eye(n)[chosen])
            records = np.stack([self.propagator.forward(medium, signature) for signature in signatures])
        finally:
            if vintage is not None:
                self.propagator.move()
        return records if vintage is None else vintage.alter(records, self.settings.survey.interval, chosen)

    def _over_baseline(self, kind: Literal["experiment", "source"], chosen: Sequence[int]) -> NDArray:
        """The same of the baseline, each computed once in a process."""
        missing = [i for i in chosen if (kind, i) not in self._baseline]
        if missing:
            new = self.encoded(None, missing) if kind == "experiment" else self.shots(None, sources=missing)
            self._baseline.update({(kind, i): record for i, record in zip(missing, new, strict=True)})
        return np.stack([self._baseline[kind, i] for i in chosen])

    def residual(
        self, state: State | None, noise: NDArray | None, vintage: Vintage | None, experiments: Sequence[int]
    ) -> NDArray:
        """Records of some experiments: the monitor's minus the baseline's, plus noise records."""
        encoding, fired = self.settings.encoding.part(experiments)
        p = self.propagator
        if vintage is not None:
            change = encoding.apply(self.shots(state, vintage, fired) - self._over_baseline("source", fired))
        elif state is None:
            change = np.zeros((len(experiments), p.n_samples, len(p.survey.receivers)), p.dtype)
        else:
            change = self.encoded(state, experiments) - self._over_baseline("experiment", experiments)
        return change if noise is None else change + encoding.apply(noise[fired])

    def correlations(
        self, state: State | None, noise: NDArray | None, vintage: Vintage | None, experiments: Sequence[int]
    ) -> NDArray:
        """Part of an image: what :meth:`stacked` takes of some experiments, ``(len(experiments), *wave_grid.shape)``."""
        records = self.residual(state, noise, vintage, experiments)
        correlate = self.migration.backgrounds.correlate
        return np.stack([correlate(e, gather) for e, gather in zip(experiments, records, strict=True)])

    def stacked(self, correlations: NDArray, on_waves: bool) -> NDArray:
        """The image, on the wave grid or the flow grid, of the correlations of all experiments, in their order."""
        image = self.migration.stack(correlations)
        return image if on_waves else average(image, self.settings.wave_grid, self.settings.flow_grid)

    def wave_image(self, state: State | None, noise: NDArray | None = None, vintage: Vintage | None = None) -> NDArray:
        """Unscaled image on the wave grid of a monitor's records minus the baseline's, plus noise records."""
        experiments = range(self.settings.encoding.n_experiments)
        return self.migration.image(self.residual(state, noise, vintage, experiments))

    def image(self, state: State | None, noise: NDArray | None = None, vintage: Vintage | None = None) -> NDArray:
        """The same, averaged over the flow cells, float32."""
        return average(self.wave_image(state, noise, vintage), self.settings.wave_grid, self.settings.flow_grid)

    def record_image(self, records: NDArray) -> NDArray:
        """Unscaled image on the flow grid of single-shot records from elsewhere, minus those of the baseline."""
        s = self.settings
        baseline = self._over_baseline("source", range(len(s.survey.sources)))
        residual = s.encoding.apply(np.asarray(records, self.propagator.dtype) - baseline)
        return average(self.migration.image(residual), s.wave_grid, s.flow_grid)

    def noise_image(self, norm: float, seed: int, draw: int) -> NDArray:
        """Unscaled image of draw number ``draw`` of the noise bank: coloured noise, and an unchanged second vintage."""
        s = self.settings
        noise = coloured_noise(s.survey, norm, generator(seed, "seismic noise bank", 0, draw))
        vintage = None
        if s.repeatability is not None:
            vintage = s.repeatability.draw(s.survey, s.wave_grid, generator(seed, "seismic vintage bank", 0, draw))
        return self.image(None, noise, vintage)


_simulators: dict[str, Simulator] = {}  # of this process: the newest settings only, since kept wavefields are large


def simulate(settings: SeismicSettings, task: str, *arguments: object) -> NDArray:
    """Run one task of the simulator, which this process builds at its first task. Picklable by name."""
    if settings.token not in _simulators:
        _simulators.clear()
        _simulators[settings.token] = Simulator(settings)
    return getattr(_simulators[settings.token], task)(*arguments)


def forget(settings: SeismicSettings) -> None:
    """Free this process's simulator."""
    _simulators.pop(settings.token, None)
