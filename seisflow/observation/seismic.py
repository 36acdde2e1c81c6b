r"""Time-lapse seismic images of a CO2 saturation: y = image of (F[R(S)] − F[baseline] + noise), on the flow grid.

    R      rock physics: saturation (carried from the flow cells to the wave nodes) → v_p, ρ of the monitor
    F      acoustic waves in the true, unsmoothed monitor model → records
    image  adjoint of the linearised F in the smoothed baseline; averaged over the flow cells

The image is linear in the records, so image(data + noise) = image(data) + image(noise). Therefore the noise covariance of
the image comes from a bank of imaged noise records (:mod:`seisflow.observation.noise`), which serves all surveys. Another
reference model than the baseline, such as the forecast mean, subtracts one fixed image from data and predictions alike:
:meth:`Seismic.relative_to`.

Images are in units of the noise: they are divided by one number, the root mean square over the flow grid of one imaged
noise draw (at 28 dB when no noise is asked for). It depends on the baseline, survey, options and seed, never on a member.

With ``encoded_shots`` the experiments are supershots of several sources: a fixed linear map of the single-shot records, made
from the seed, the same for members, truth and noise.

Work by lifetime: once per process: operators, background wavefields, baseline records; once per study: noise bank; once per
member: one forward and one adjoint run per experiment. Members may be spread over processes (``workers``) or over any
``concurrent.futures.Executor``; results are identical bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import cached_property
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seisflow.covariance import LowRankCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.base import Observation
from seisflow.observation.encoding import Encoding
from seisflow.observation.imaging import Imaging, smooth
from seisflow.observation.noise import Repeatability, coloured_noise
from seisflow.observation.processes import Processes
from seisflow.observation.rock_physics import RockPhysics
from seisflow.observation.simulator import Settings, State, forget, simulate
from seisflow.observation.survey import Survey

__all__ = ["Seismic"]

_NOMINAL_SNR = 28.0


class Seismic(Observation):
    """Seismic images of a saturation, field ``image`` ``(M, *flow_grid.shape)``, float32, in units of the noise.

    Parameters
    ----------
    flow_grid
        Grid of the saturation and of the image.
    wave_grid
        Grid of the waves, in the same coordinates: from the sea surface to below the reservoir.
    velocity, density
        Brine-saturated baseline on the wave grid: v_p [m/s] and ρ [kg/m³].
    porosity
        φ on the flow grid, or one number.
    survey
        Geometry, wavelet and recording.
    rock_physics, imaging
        How CO2 changes the rock, and how images are made.
    encoded_shots
        Number of supershots; None: every source alone, with the cleanest images.
    shots
        Indices of the sources to use, each alone; None: all of them.
    longest_delay
        Longest delay of a source in a supershot [s].
    snr
        Signal-to-noise ratio of the records [dB]; None: no noise.
    repeatability
        What differs between the vintages besides noise; None: nothing. It is in :meth:`observe` and in :attr:`noise`.
    initial_pressure
        Pressure before injection on the flow grid [Pa]: needed when rock physics has a pressure effect.
    noise_images
        Size of the bank of imaged noise records.
    seed
        Seed of the encoding and of the noise bank (not of :meth:`observe`).
    space_order, layer, free_surface, threads
        Of the :class:`~seisflow.observation.wave.Propagator`.
    memory
        Budget for background wavefields in every process [bytes]; None: all are stored.
    workers
        Processes over which members are spread (spawned when first used; they never import torch). 1: this process.
    executor
        Instead of ``workers``: somebody else's executor, which is not shut down here.

    Raises
    ------
    InputError
        When grids, model or survey do not fit together.
    SimulationError
        Later, when worker processes die again and again; the object can be used again.
    """

    def __init__(
        self,
        flow_grid: Grid,
        wave_grid: Grid,
        velocity: NDArray,
        density: NDArray,
        porosity: ArrayLike,
        survey: Survey,
        *,
        rock_physics: RockPhysics | None = None,
        imaging: Imaging | None = None,
        encoded_shots: int | None = None,
        shots: tuple[int, ...] | None = None,
        longest_delay: float = 0.2,
        snr: float | None = 28.0,
        repeatability: Repeatability | None = None,
        initial_pressure: NDArray | None = None,
        noise_images: int = 32,
        seed: int = 0,
        space_order: int = 8,
        layer: int = 10,
        free_surface: bool = False,
        memory: float | None = None,
        threads: int = 1,
        workers: int = 1,
        executor: Executor | None = None,
    ) -> None:
        if flow_grid.ndim != wave_grid.ndim:
            raise InputError("wave_grid.ndim", wave_grid.ndim, f"the flow grid has {flow_grid.ndim} axes")
        for (low, high), (first, last) in zip(flow_grid.extent, wave_grid.extent, strict=True):
            if low < first - 1e-6 or high > last + 1e-6:
                raise InputError(
                    "wave_grid.extent", wave_grid.extent, f"it must hold the flow grid's {flow_grid.extent} m"
                )
        for name, values in (("velocity", velocity), ("density", density)):
            array = np.asarray(values)
            if array.shape != wave_grid.shape:
                raise InputError(f"{name}.shape", array.shape, f"it must be the wave grid's {wave_grid.shape}")
            if not (np.isfinite(array).all() and (array > 0).all()):
                raise InputError(name, float(np.min(array)), "every value must be finite and positive (SI units)")
        phi = np.array(np.broadcast_to(np.asarray(porosity, np.float64), flow_grid.shape))
        if not ((phi > 0) & (phi < 1)).all():
            raise InputError("porosity", float(np.min(phi)), "every value must lie between 0 and 1")
        if snr is not None and not np.isfinite(snr):
            raise InputError("snr", snr, "give decibels, or None for no noise")
        if noise_images < 2:
            raise InputError("noise_images", noise_images, "give at least 2")
        if not (np.isfinite(longest_delay) and 0 <= longest_delay < survey.duration):
            raise InputError("longest_delay", longest_delay, "give 0 s or more, less than the record's duration")
        if workers < 1:
            raise InputError("workers", workers, "give at least 1")
        rock_physics = rock_physics or RockPhysics()
        self._initial_pressure = None if initial_pressure is None else np.array(initial_pressure, np.float64)
        given = None if self._initial_pressure is None else self._initial_pressure.shape
        if rock_physics.pressure is not None and given != flow_grid.shape:
            raise InputError("initial_pressure", given, f"the pressure effect needs it, {flow_grid.shape}, in Pa")
        survey.check(wave_grid, velocity, space_order)
        n_sources = len(survey.sources)
        if shots is not None and encoded_shots is not None:
            raise InputError("shots", shots, "choose either a subset of the shots or encoded_shots")
        if encoded_shots is not None:
            encoding = Encoding.random(n_sources, encoded_shots, round(longest_delay / survey.interval), seed)
        else:
            encoding = Encoding.plain(n_sources) if shots is None else Encoding.subset(n_sources, shots)
        self._settings = Settings(
            flow_grid,
            wave_grid,
            np.array(velocity, np.float64),
            np.array(density, np.float64),
            phi,
            survey,
            rock_physics,
            imaging or Imaging(),
            encoding,
            repeatability,
            space_order,
            layer,
            free_surface,
            memory,
            threads,
        )
        self.flow_grid, self.wave_grid, self.survey, self.encoding = flow_grid, wave_grid, survey, encoding
        self.snr, self.noise_images, self.seed, self.workers = snr, noise_images, seed, workers
        self._executor = executor
        self._processes = Processes(workers)

    # -- running tasks ----------------------------------------------------------------------------------------------

    def _map(self, task: str, *columns: list) -> Iterator[NDArray]:
        """One task per row of the columns, in order."""
        rows = [(self._settings, task, *row) for row in zip(*columns, strict=True)]
        if self._executor is not None:
            return self._executor.map(simulate, *zip(*rows, strict=True))
        if self.workers == 1:
            return (simulate(*row) for row in rows)
        return self._processes.map(simulate, rows)

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process simulates there, in that process."""
        return {**self.__dict__, "_executor": None, "_processes": Processes(1), "workers": 1}

    def close(self) -> None:
        """End the worker processes; they start again when needed."""
        self._processes.close()
        forget(self._settings)

    def __enter__(self) -> Seismic:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the observation --------------------------------------------------------------------------------------------

    def _states(self, ensemble: Ensemble) -> list[State]:
        if "saturation" not in ensemble:
            raise InputError("ensemble.names", ensemble.names, "it must have a field 'saturation'")
        saturation = ensemble["saturation"]
        if saturation.shape[1:] != self.flow_grid.shape:
            raise InputError("saturation.shape", saturation.shape, f"members must have shape {self.flow_grid.shape}")
        for member, values in enumerate(saturation):
            if not (np.isfinite(values).all() and values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
                extremes = (float(values.min()), float(values.max()))
                raise InputError(f"saturation[{member}]", extremes, "it must be finite and lie in [0, 1]")
        if self._settings.rock_physics.pressure is None:
            return [(np.clip(values, 0.0, 1.0), None) for values in saturation]
        if "pressure" not in ensemble:
            raise InputError("ensemble.names", ensemble.names, "the pressure effect needs a field 'pressure'")
        changes = ensemble["pressure"] - self._initial_pressure
        return [(np.clip(values, 0.0, 1.0), change) for values, change in zip(saturation, changes, strict=True)]

    def predict(self, ensemble: Ensemble, progress: Callable[[int, int], None] | None = None) -> Ensemble:
        """Noise-free images of every member.

        Parameters
        ----------
        ensemble
            With field ``saturation`` ``(M, *flow_grid.shape)``.
        progress
            Called with (members done, members) after every member.
        """
        states = self._states(ensemble)
        unit = self.unit
        images = np.empty((ensemble.size, *self.flow_grid.shape), np.float32)
        for member, image in enumerate(self._map("image", states)):
            images[member] = image / unit
            if progress is not None:
                progress(member + 1, ensemble.size)
        return Ensemble({"image": images}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        if truth.size != 1:
            raise InputError("truth.size", truth.size, "give one member")
        noise = None if self.snr is None else coloured_noise(self.survey, self.noise_norm, generator)
        s, vintage = self._settings, None
        if s.repeatability is not None:
            vintage = s.repeatability.draw(self.survey, self.wave_grid, generator)
        (image,) = self._map("image", self._states(truth), [noise], [vintage])
        return Ensemble({"image": (image / self.unit)[None]}, truth.time)

    def from_records(self, records: NDArray, time: float = 0.0) -> Ensemble:
        """The datum of single-shot records from elsewhere (a field survey, another simulator).

        Parameters
        ----------
        records
            ``(n_sources, n_samples, n_receivers)`` of this survey, in the units of the simulated ones: a source of strength
            1 m³/s² per metre in 2-D (the wavelet's peak), records in Pa.
        time
            Time of the survey [s].
        """
        expected = (len(self.survey.sources), self.survey.n_samples, len(self.survey.receivers))
        if np.shape(records) != expected or not np.isfinite(records).all():
            raise InputError("records.shape", np.shape(records), f"give finite records of the survey's {expected}")
        (image,) = self._map("record_image", [np.asarray(records, np.float32)])
        return Ensemble({"image": (image / self.unit)[None]}, time)

    def relative_to(self, data: Ensemble, reference: Ensemble) -> Ensemble:
        """Images relative to another reference model than the baseline.

        The image is linear in the records, so image(d − F[R(x)]) = image(d − F[baseline]) − image(F[R(x)] − F[baseline]).

        Parameters
        ----------
        data
            Images of :meth:`predict` or :meth:`observe`.
        reference
            The reference state x, one member: for example ``forecast.mean()`` as an ensemble.
        """
        if reference.size != 1:
            raise InputError("reference.size", reference.size, "give one member, such as the forecast's mean")
        return Ensemble({"image": data["image"] - self.predict(reference)["image"]}, data.time)

    @cached_property
    def baseline_records(self) -> NDArray[np.float32]:
        """Single-shot records of the baseline, ``(n_sources, n_samples, n_receivers)``."""
        return next(self._map("shots", [None]))

    @cached_property
    def noise_norm(self) -> float:
        """2-norm of the noise records of one survey, all sources together."""
        snr = _NOMINAL_SNR if self.snr is None else self.snr
        return float(np.linalg.norm(self.baseline_records.astype(np.float64))) * 10 ** (-snr / 20)

    def _noise_images(self, draws: range) -> list[NDArray]:
        n = len(draws)
        return list(self._map("noise_image", [self.noise_norm] * n, [self.seed] * n, list(draws)))

    @cached_property
    def unit(self) -> np.float32:
        """The number that divides all images: root mean square of one imaged noise draw."""
        (image,) = self._noise_images(range(1))
        return np.float32(np.sqrt(np.mean(image.astype(np.float64) ** 2)))

    @cached_property
    def noise(self) -> LowRankCovariance:
        """Covariance of the packed images, from the bank of imaged noise records; computed once, on first use."""
        if self.snr is None:
            raise InputError("snr", None, "without noise there is no covariance; give the SNR in dB")
        draws = self._noise_images(range(1, 1 + self.noise_images))
        return LowRankCovariance(np.stack(draws).reshape(self.noise_images, -1) / self.unit)

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        return np.asarray(data["image"], np.float32)[:, None]

    # -- for plots --------------------------------------------------------------------------------------------------

    def records(self, ensemble: Ensemble) -> NDArray[np.float32]:
        """Single-shot records of every member, ``(M, n_sources, n_samples, n_receivers)``, without noise."""
        return np.stack(list(self._map("shots", self._states(ensemble))))

    def wave_images(self, ensemble: Ensemble) -> NDArray[np.float32]:
        """Noise-free images of every member at the resolution of the wave grid, ``(M, *wave_grid.shape)``."""
        return np.stack([image / self.unit for image in self._map("wave_image", self._states(ensemble))])

    @property
    def background(self) -> tuple[NDArray, NDArray]:
        """The smoothed baseline in which images are made: v_p [m/s] and ρ [kg/m³] on the wave grid."""
        s = self._settings
        return smooth(s.velocity, s.density, s.wave_grid, s.imaging.smoothing)
