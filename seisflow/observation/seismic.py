r"""Time-lapse seismic images of a CO2 saturation: y = image of (F[R(S)] − F[baseline] + noise), on the flow grid.

    R      rock physics: saturation (carried from the flow cells to the wave nodes) → v_p, ρ of the monitor
    F      acoustic waves in the true, unsmoothed monitor model → records
    image  adjoint of the linearised F in the smoothed baseline; averaged over the flow cells

The image is linear in the records, so image(data + noise) = image(data) + image(noise). Therefore the noise covariance of
the image comes from a bank of imaged noise records, which serves all surveys. Noise records are white noise filtered by the
wavelet with ‖noise‖ = ‖baseline records‖ · 10^(−SNR/20), exact for every draw. Another reference model than the baseline
would subtract one fixed image from data and predictions alike.

Images are in units of the noise: they are divided by one number, the root mean square over the flow grid of one imaged
noise draw (at 28 dB when no noise is asked for). It depends on the baseline, survey, options and seed, never on a member.

With ``encoded_shots`` the experiments are supershots of several sources: a fixed linear map of the single-shot records, made
from the seed, the same for members, truth and noise.

Work by lifetime: once per process: operators, background wavefields, baseline records; once per study: noise bank; once per
member: one forward and one adjoint run per experiment. Members may be spread over processes (``workers``) or over any
``concurrent.futures.Executor``; results are identical bit for bit.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import connection
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

from seisflow.covariance import LowRankCovariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError, SimulationError
from seisflow.grid import Grid, average, interpolate
from seisflow.observation.base import Observation
from seisflow.observation.imaging import Imaging, Migration, smooth
from seisflow.observation.rock_physics import RockPhysics
from seisflow.observation.survey import Encoding, Survey
from seisflow.observation.wave import Medium, Propagator
from seisflow.seeds import generator

__all__ = ["Seismic", "coloured_noise"]

_NOMINAL_SNR = 28.0


def coloured_noise(survey: Survey, norm: float, stream: np.random.Generator) -> NDArray[np.float32]:
    """White noise filtered by the survey's wavelet, scaled to a given 2-norm.

    Returns
    -------
    NDArray
        ``(n_sources, n_samples, n_receivers)``.
    """
    reach = int(np.ceil(survey.start / survey.interval))
    wavelet = survey.wavelet(np.arange(2 * reach + 1) * survey.interval)
    shape = (len(survey.sources), survey.n_samples + 2 * reach, len(survey.receivers))
    white = stream.standard_normal(shape)
    noise = fftconvolve(white, wavelet[None, :, None], mode="valid", axes=1)
    return (noise * (norm / np.linalg.norm(noise))).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Settings:
    """All that a process needs to simulate: sent to workers, with a token by which they know it again."""

    flow_grid: Grid
    wave_grid: Grid
    velocity: NDArray
    density: NDArray
    porosity: NDArray
    survey: Survey
    rock_physics: RockPhysics
    imaging: Imaging
    encoding: Encoding
    space_order: int
    layer: int
    token: str = field(default_factory=lambda: uuid.uuid4().hex)


class _Simulator:
    """The observation of one member at a time, in one process."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        s = settings
        self.propagator = Propagator(
            s.wave_grid, s.survey, 1.02 * float(s.velocity.max()), space_order=s.space_order, layer=s.layer
        )
        background = smooth(s.velocity, s.density, s.wave_grid, s.imaging.smoothing)
        self.migration = Migration(self.propagator, *background, s.encoding, s.imaging)
        self._inside = np.ones(s.wave_grid.shape, bool)
        for axis, (low, high) in enumerate(s.flow_grid.extent):
            centres = s.wave_grid.centres(axis)
            shape = [-1 if a == axis else 1 for a in range(s.wave_grid.ndim)]
            self._inside &= ((centres >= low) & (centres <= high)).reshape(shape)
        self._porosity = interpolate(s.porosity, s.flow_grid, s.wave_grid)

    def monitor(self, saturation: NDArray | None) -> Medium:
        """The medium with CO2 in it; None: the baseline."""
        s = self.settings
        if saturation is None:
            return self.propagator.medium(s.velocity, s.density)
        on_waves = interpolate(np.asarray(saturation, np.float64), s.flow_grid, s.wave_grid)
        # Interpolation weights sum to one only up to rounding.
        on_waves = np.where(self._inside, np.clip(on_waves, 0, 1), 0.0)
        return self.propagator.medium(*s.rock_physics.substitute(on_waves, s.velocity, s.density, self._porosity))

    def encoded(self, saturation: NDArray | None) -> NDArray:
        """Records of the experiments, ``(n_experiments, n_samples, n_receivers)``."""
        medium = self.monitor(saturation)
        signatures = (self.migration.signature(e) for e in range(self.settings.encoding.n_experiments))
        return np.stack([self.propagator.forward(medium, signature) for signature in signatures])

    @cached_property
    def encoded_baseline(self) -> NDArray:
        return self.encoded(None)

    def shots(self, saturation: NDArray | None) -> NDArray:
        """Records of the single sources, ``(n_sources, n_samples, n_receivers)``."""
        medium = self.monitor(saturation)
        ones = np.eye(len(self.settings.survey.sources))
        return np.stack([self.propagator.forward(medium, self.propagator.signature(one)) for one in ones])

    def wave_image(self, saturation: NDArray | None, noise: NDArray | None = None) -> NDArray:
        """Unscaled image on the wave grid of a monitor's records minus the baseline's, plus noise records."""
        if saturation is None:
            residual = np.zeros_like(self.encoded_baseline)
        else:
            residual = self.encoded(saturation) - self.encoded_baseline
        if noise is not None:
            residual = residual + self.settings.encoding.apply(noise)
        return self.migration.image(residual)

    def image(self, saturation: NDArray | None, noise: NDArray | None = None) -> NDArray:
        """The same, averaged over the flow cells, float32."""
        return average(self.wave_image(saturation, noise), self.settings.wave_grid, self.settings.flow_grid)

    def noise_image(self, norm: float, seed: int, draw: int) -> NDArray:
        """Unscaled image of draw number ``draw`` of the noise bank."""
        noise = coloured_noise(self.settings.survey, norm, generator(seed, "seismic noise bank", 0, draw))
        return self.image(None, noise)


_simulators: dict[str, _Simulator] = {}  # of this process: the newest settings only, since kept wavefields are large


def _simulate(settings: _Settings, task: str, *arguments: object) -> NDArray:
    """Run one task of the simulator, which this process builds at its first task. Picklable by name."""
    if settings.token not in _simulators:
        _simulators.clear()
        _simulators[settings.token] = _Simulator(settings)
    return getattr(_simulators[settings.token], task)(*arguments)


def _end_with_parent() -> None:
    """Let this worker process end when its parent is gone, however that ended: an orphan would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="seisflow-parent", daemon=True).start()


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
    longest_delay
        Longest delay of a source in a supershot [s].
    snr
        Signal-to-noise ratio of the records [dB]; None: no noise.
    noise_images
        Size of the bank of imaged noise records.
    seed
        Seed of the encoding and of the noise bank (not of :meth:`observe`).
    space_order, layer
        Of the :class:`~seisflow.observation.wave.Propagator`.
    workers
        Processes over which members are spread (spawned when first used; they never import torch). 1: this process.
    executor
        Instead of ``workers``: somebody else's executor, which is not shut down here.

    Raises
    ------
    InputError
        When grids, model or survey do not fit together.
    SimulationError
        Later, when a worker process dies; the object can be used again.
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
        longest_delay: float = 0.2,
        snr: float | None = 28.0,
        noise_images: int = 32,
        seed: int = 0,
        space_order: int = 8,
        layer: int = 40,
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
        survey.check(wave_grid, velocity)
        n_sources = len(survey.sources)
        encoding = (
            Encoding.plain(n_sources)
            if encoded_shots is None
            else Encoding.random(n_sources, encoded_shots, round(longest_delay / survey.interval), seed)
        )
        self._settings = _Settings(
            flow_grid,
            wave_grid,
            np.array(velocity, np.float64),
            np.array(density, np.float64),
            phi,
            survey,
            rock_physics or RockPhysics(),
            imaging or Imaging(),
            encoding,
            space_order,
            layer,
        )
        self.flow_grid, self.wave_grid, self.survey, self.encoding = flow_grid, wave_grid, survey, encoding
        self.snr, self.noise_images, self.seed, self.workers = snr, noise_images, seed, workers
        self._executor = executor
        self._pool: ProcessPoolExecutor | None = None

    # -- running tasks ----------------------------------------------------------------------------------------------

    def _map(self, task: str, *columns: list) -> Iterator[NDArray]:
        """One task per row of the columns, in order."""
        columns = ([self._settings] * len(columns[0]), [task] * len(columns[0]), *columns)
        if self._executor is not None:
            yield from self._executor.map(_simulate, *columns)
        elif self.workers == 1:
            yield from map(_simulate, *columns)
        else:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self.workers, mp_context=multiprocessing.get_context("spawn"))
            try:
                yield from self._pool.map(_simulate, *columns)
            except BrokenProcessPool as error:
                self.close()
                raise SimulationError(
                    "a process that simulates waves was ended from outside, most often for lack of memory; "
                    "use fewer workers or encoded_shots, and run again"
                ) from error

    def close(self) -> None:
        """End the worker processes; they start again when needed."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        _simulators.pop(self._settings.token, None)

    def __enter__(self) -> Seismic:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the observation --------------------------------------------------------------------------------------------

    def _saturations(self, ensemble: Ensemble) -> list[NDArray]:
        if "saturation" not in ensemble:
            raise InputError("ensemble.names", ensemble.names, "it must have a field 'saturation'")
        saturation = ensemble["saturation"]
        if saturation.shape[1:] != self.flow_grid.shape:
            raise InputError("saturation.shape", saturation.shape, f"members must have shape {self.flow_grid.shape}")
        for member, values in enumerate(saturation):
            if not (np.isfinite(values).all() and values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
                extremes = (float(values.min()), float(values.max()))
                raise InputError(f"saturation[{member}]", extremes, "it must be finite and lie in [0, 1]")
        return [np.clip(values, 0.0, 1.0) for values in saturation]

    def predict(self, ensemble: Ensemble, progress: Callable[[int, int], None] | None = None) -> Ensemble:
        """Noise-free images of every member.

        Parameters
        ----------
        ensemble
            With field ``saturation`` ``(M, *flow_grid.shape)``.
        progress
            Called with (members done, members) after every member.
        """
        saturations = self._saturations(ensemble)
        unit = self.unit
        images = np.empty((ensemble.size, *self.flow_grid.shape), np.float32)
        for member, image in enumerate(self._map("image", saturations)):
            images[member] = image / unit
            if progress is not None:
                progress(member + 1, ensemble.size)
        return Ensemble({"image": images}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        if truth.size != 1:
            raise InputError("truth.size", truth.size, "give one member")
        noise = None if self.snr is None else coloured_noise(self.survey, self.noise_norm, generator)
        (image,) = self._map("image", self._saturations(truth), [noise])
        return Ensemble({"image": (image / self.unit)[None]}, truth.time)

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
        return np.stack(list(self._map("shots", self._saturations(ensemble))))

    def wave_images(self, ensemble: Ensemble) -> NDArray[np.float32]:
        """Noise-free images of every member at the resolution of the wave grid, ``(M, *wave_grid.shape)``."""
        return np.stack([image / self.unit for image in self._map("wave_image", self._saturations(ensemble))])

    @property
    def background(self) -> tuple[NDArray, NDArray]:
        """The smoothed baseline in which images are made: v_p [m/s] and ρ [kg/m³] on the wave grid."""
        s = self._settings
        return smooth(s.velocity, s.density, s.wave_grid, s.imaging.smoothing)
